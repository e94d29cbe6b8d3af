//! The file that decisions are in until the database has them.
//!
//! It begins with [`MAGIC`]; then each record follows as a frame: the length of its bytes, a checksum of that length, a
//! checksum of the bytes (CRC-32 as in ISO 3309, all little-endian), and the bytes. They are what the record adds to the
//! segment's Zstandard stream, so that all of them together are that stream without its end. A frame that stops before
//! its end, or never reached the disk, was not answered; one that is wrong in the middle is damage.
//!
//! Whoever writes a segment holds a lock on it as long as it lives, so that another process takes in only what nobody
//! writes any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// File name extension of segments.
pub(super) const EXTENSION: &str = "decisions";
/// What a segment begins with.
const MAGIC: &[u8; 8] = b"assay-d1";
/// What segments of earlier versions begin with: the stream itself (RFC 8878, section 3.1.1).
const STREAM: &[u8; 4] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Length and checksums before the bytes of a frame.
const HEAD: usize = 12;
/// Largest file that is read: a segment is closed at a mebibyte of text, and a record is no larger than a request.
const FILE_MAX: u64 = 128 << 20;

/// A segment that this process holds.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    file: File,
    frame: Vec<u8>,
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// The stream, without its end.
    pub(super) stream: Vec<u8>,
    /// Records; none where an earlier version wrote it.
    pub(super) frames: u64,
    /// Whether there is something wrong in it, at which reading ended.
    pub(super) damaged: bool,
}

impl Segment {
    /// Makes the segment; none where the name is taken.
    pub(super) fn create(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        };
        Self::hold(path, file, MAGIC.to_vec())
    }

    /// Takes over what an earlier process left; none where somebody holds it, or it is gone.
    pub(super) fn adopt(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Self::hold(path, file, Vec::new()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn hold(path: &Path, file: File, frame: Vec<u8>) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Somebody may have taken it in and removed it between the two steps.
        let still = |there: std::fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == there.ino());
        let still = std::fs::metadata(path).is_ok_and(still);
        Ok(still.then(|| Self { path: path.to_owned(), file, frame }))
    }

    /// Adds a frame, in one write.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes();
        for part in [length, crc32fast::hash(&length).to_le_bytes(), crc32fast::hash(bytes).to_le_bytes()] {
            self.frame.extend(part);
        }
        self.frame.extend(bytes);
        let written = self.file.write_all(&self.frame);
        self.frame.clear();
        written
    }

    /// Waits until it is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Bytes in the file.
    pub(super) fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// What is in the file.
    pub(super) fn read(&self) -> io::Result<Held> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
        Ok(held(&bytes))
    }
}

/// What these bytes hold.
fn held(bytes: &[u8]) -> Held {
    if bytes.starts_with(STREAM) {
        return Held { stream: bytes.to_vec(), ..Held::default() };
    }
    let mut held = Held::default();
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        held.damaged = !MAGIC.starts_with(bytes) && !is_blank(bytes);
        return held;
    };
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let word = |at: usize| head.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes);
        let length = word(0);
        if crc32fast::hash(&length.to_le_bytes()) != word(4) {
            held.damaged = !is_blank(rest);
            return held;
        }
        // Fewer bytes than announced: the process was killed while writing, and never sent the answer to that request.
        let Some((frame, next)) = after.split_at_checked(length as usize) else { return held };
        if crc32fast::hash(frame) != word(8) {
            // At the end of the file it was a power cut, and the answer may have been given in the moment before it.
            held.damaged = !is_blank(next);
            return held;
        }
        held.stream.extend(frame);
        held.frames += 1;
        rest = next;
    }
    held
}

/// What a file has where its length reached the disk and its bytes did not.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(frames: &[&[u8]]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.decisions");
        let mut segment = Segment::create(&path).unwrap().unwrap();
        for frame in frames {
            segment.write(frame).unwrap();
        }
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_segment_cut_anywhere_gives_the_frames_that_are_whole() {
        let bytes = written(&[b"one", b"", b"three"]);
        let whole = Held { stream: b"onethree".to_vec(), frames: 3, damaged: false };
        assert_eq!(held(&bytes), whole);
        for length in 0..bytes.len() {
            let cut = held(&bytes[..length]);
            assert!(!cut.damaged && whole.stream.starts_with(&cut.stream), "{length}: {cut:?}");
            let mut blank = bytes[..length].to_vec();
            blank.resize(bytes.len() + 100, 0);
            let blank = held(&blank);
            assert!(whole.stream.starts_with(&blank.stream), "{length}: {blank:?}");
            let boundary = [0, 8, 8 + HEAD + 3, 8 + 2 * HEAD + 3].contains(&length);
            assert!(!boundary || !blank.damaged, "{length}: pages that never reached the disk");
        }
    }

    #[test]
    fn a_changed_byte_before_the_last_frame_is_damage_and_gives_nothing_wrong() {
        let bytes = written(&[b"one", b"two", b"three"]);
        let last = bytes.len() - HEAD - 5;
        for place in 0..last {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x10;
            let held = held(&bytes);
            assert!(held.damaged, "{place}");
            assert!(b"onetwothree".starts_with(held.stream.as_slice()), "{place}");
        }
    }

    #[test]
    fn a_segment_that_is_held_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.decisions");
        let held = Segment::create(&path).unwrap().unwrap();
        assert!(Segment::create(&path).unwrap().is_none());
        assert!(Segment::adopt(&path).unwrap().is_none());
        drop(held);
        let adopted = Segment::adopt(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        drop(adopted);
        assert!(Segment::adopt(&path).unwrap().is_none(), "gone");
    }

    #[test]
    fn what_an_earlier_version_wrote_is_its_stream() {
        let bytes = zstd::bulk::compress(b"{}\n", 1).unwrap();
        assert_eq!(held(&bytes), Held { stream: bytes, frames: 0, damaged: false });
    }

    proptest! {
        #[test]
        fn any_file_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), magic in any::<bool>()) {
            let bytes = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
            let _ = held(&bytes);
        }
    }
}
