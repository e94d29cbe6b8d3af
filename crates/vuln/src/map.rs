//! The bytes of a pack: mapped from a file, or in memory. The only place that maps memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// Bytes that live as long as the pack.
pub(crate) enum Bytes {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
    Static(&'static [u8]),
}

impl Bytes {
    /// Maps a file.
    #[expect(unsafe_code, reason = "mapping a file is what makes opening a pack take microseconds")]
    pub(crate) fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only, and packs are replaced by renaming a new file over the old one, never written in
        // place, so the mapped bytes do not change. Every access goes through bounds-checked slices of plain bytes, which
        // have no invalid values.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}
