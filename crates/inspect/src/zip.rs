//! A zip reader for jars in memory, or for the parts of large ones that were kept: the central directory, and single
//! entries on request.
//!
//! Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16 (ends). It
//! reads stored and deflated entries; it keeps no list of the entries, so its memory does not grow with their number.

use std::borrow::Cow;
use std::io::Read as _;

use assay_model::Digest;

pub(crate) mod capture;

use capture::Captured;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const CENTRAL: &[u8] = b"PK\x01\x02";
pub(crate) const LOCAL: &[u8] = b"PK\x03\x04";
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why an archive or an entry could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZipError {
    /// There is no end record: not an archive.
    NotAnArchive,
    /// Offsets or sizes lead outside, or the data does not inflate.
    Damaged,
    /// The entry is longer than allowed.
    TooLong,
    /// Encrypted, or compressed in a way that jars do not use.
    Unsupported,
}

/// The bytes of an archive.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// All of them.
    Whole(&'a [u8]),
    /// `length` bytes from `at` on, of a file of which parts were kept.
    Within {
        /// The file.
        file: &'a Captured,
        /// Where the archive begins in it.
        at: u64,
        /// Bytes of the archive.
        length: u64,
    },
}

impl<'a> Source<'a> {
    pub(crate) fn length(self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Within { length, .. } => length,
        }
    }

    /// Some of the bytes, where they are there.
    pub(crate) fn slice(self, at: u64, length: u64) -> Option<&'a [u8]> {
        match self {
            Self::Whole(bytes) => slice(bytes, at, length),
            Self::Within { file, at: start, length: size } => {
                at.checked_add(length).filter(|&end| end <= size)?;
                file.slice(start.checked_add(at)?, length)
            }
        }
    }

    /// The last bytes, `most` of them or as many as are there in one piece, and where they begin.
    fn tail(self, most: u64) -> Option<(u64, &'a [u8])> {
        match self {
            Self::Whole(bytes) => {
                let from = (bytes.len() as u64).saturating_sub(most);
                Some((from, slice(bytes, from, bytes.len() as u64 - from)?))
            }
            Self::Within { file, at, length } => {
                let (from, bytes) = file.tail(at.checked_add(length)?, most.min(length))?;
                Some((from.checked_sub(at)?, bytes))
            }
        }
    }

    /// An archive in this one.
    fn within(self, at: u64, length: u64) -> Option<Self> {
        match self {
            Self::Whole(bytes) => slice(bytes, at, length).map(Self::Whole),
            Self::Within { file, at: start, length: size } => {
                at.checked_add(length).filter(|&end| end <= size)?;
                Some(Self::Within { file, at: start.checked_add(at)?, length })
            }
        }
    }

    /// SHA-256 of the bytes; `None` where some of them went by unseen.
    pub(crate) fn digest(self) -> Option<Digest> {
        match self {
            Self::Whole(bytes) => Some(Digest::of(bytes)),
            Self::Within { file, at, length } => {
                file.digest(at, length).or_else(|| file.slice(at, length).map(Digest::of))
            }
        }
    }
}

/// An archive, as it is or in parts.
#[derive(Clone, Copy)]
pub(crate) struct Archive<'a> {
    source: Source<'a>,
    /// What stands before the archive proper, as in executable jars.
    prefix: u64,
    directory: u64,
    entries: u64,
}

/// One row of the central directory.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a [u8],
    flags: u16,
    method: u16,
    compressed: u64,
    size: u64,
    offset: u64,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(source: Source<'a>) -> Result<Self, ZipError> {
        // The end record is followed by a comment of at most 65,535 bytes.
        let (from, tail) = source.tail((END_BYTES + usize::from(u16::MAX)) as u64).ok_or(ZipError::NotAnArchive)?;
        let end = memchr::memmem::rfind_iter(tail, END)
            .find(|&at| tail.len() - at >= END_BYTES)
            .ok_or(ZipError::NotAnArchive)?;
        let record = tail.get(end..).ok_or(ZipError::NotAnArchive)?;
        let end = from + end as u64;
        let mut entries = u64::from(u16_at(record, 10)?);
        let mut size = u64::from(u32_at(record, 12)?);
        let mut directory = u64::from(u32_at(record, 16)?);
        let mut directory_end = end;
        let locator = end.checked_sub(20).and_then(|at| source.slice(at, 20)).filter(|b| b.starts_with(END_64_LOCATOR));
        if let Some(locator) = locator {
            let at = u64_at(locator, 8)?;
            let wide = source.slice(at, 56).filter(|record| record.starts_with(END_64)).ok_or(ZipError::Damaged)?;
            entries = u64_at(wide, 32)?;
            size = u64_at(wide, 40)?;
            directory = u64_at(wide, 48)?;
            directory_end = at;
        }
        let start = directory_end.checked_sub(size).ok_or(ZipError::Damaged)?;
        let prefix = start.checked_sub(directory).ok_or(ZipError::Damaged)?;
        Ok(Self { source, prefix, directory: start, entries })
    }

    /// Entries that the end record announces.
    pub(crate) fn announced(&self) -> u64 {
        self.entries
    }

    /// The rows of the central directory; an error row is the last one.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, ZipError>> + use<'a> {
        let Self { source, directory, entries, .. } = *self;
        let mut at = directory;
        let mut left = entries;
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let row = read_row(source, at);
            match row {
                Ok((entry, next)) => {
                    at = next;
                    Some(Ok(entry))
                }
                Err(error) => {
                    left = 0;
                    Some(Err(error))
                }
            }
        })
    }

    /// Where the data of an entry begins.
    fn data(&self, entry: &Entry<'a>, limit: u64) -> Result<u64, ZipError> {
        if entry.flags & 1 != 0 {
            return Err(ZipError::Unsupported);
        }
        if entry.size > limit {
            return Err(ZipError::TooLong);
        }
        let at = self.prefix.checked_add(entry.offset).ok_or(ZipError::Damaged)?;
        let local = self.source.slice(at, 30).filter(|header| header.starts_with(LOCAL)).ok_or(ZipError::Damaged)?;
        let skip = 30 + u64::from(u16_at(local, 26)?) + u64::from(u16_at(local, 28)?);
        at.checked_add(skip).ok_or(ZipError::Damaged)
    }

    /// An archive that is stored in this one as it is; `None` where the entry is compressed.
    pub(crate) fn stored(&self, entry: &Entry<'a>, limit: u64) -> Result<Option<Source<'a>>, ZipError> {
        if entry.method != STORED {
            return Ok(None);
        }
        let at = self.data(entry, limit)?;
        self.source.within(at, entry.compressed).map(Some).ok_or(ZipError::Damaged)
    }

    /// The content of an entry; stored entries are not copied.
    pub(crate) fn read(&self, entry: &Entry<'a>, limit: u64) -> Result<Cow<'a, [u8]>, ZipError> {
        let at = self.data(entry, limit)?;
        let data = self.source.slice(at, entry.compressed).ok_or(ZipError::Damaged)?;
        match entry.method {
            STORED => Ok(Cow::Borrowed(data)),
            DEFLATED => {
                let mut out = Vec::with_capacity(usize::try_from(entry.size.min(1 << 20)).unwrap_or_default());
                flate2::bufread::DeflateDecoder::new(data)
                    .take(limit.saturating_add(1))
                    .read_to_end(&mut out)
                    .map_err(|_| ZipError::Damaged)?;
                if out.len() as u64 > limit { Err(ZipError::TooLong) } else { Ok(Cow::Owned(out)) }
            }
            _ => Err(ZipError::Unsupported),
        }
    }
}

/// One row and the place of the next.
fn read_row(source: Source<'_>, at: u64) -> Result<(Entry<'_>, u64), ZipError> {
    let row = source.slice(at, 46).filter(|row| row.starts_with(CENTRAL)).ok_or(ZipError::Damaged)?;
    let (name, extra, comment) = (u16_at(row, 28)?, u16_at(row, 30)?, u16_at(row, 32)?);
    let extra_at = at + 46 + u64::from(name);
    let mut entry = Entry {
        name: source.slice(at + 46, u64::from(name)).ok_or(ZipError::Damaged)?,
        flags: u16_at(row, 8)?,
        method: u16_at(row, 10)?,
        compressed: u64::from(u32_at(row, 20)?),
        size: u64::from(u32_at(row, 24)?),
        offset: u64::from(u32_at(row, 42)?),
    };
    let wide = source.slice(extra_at, u64::from(extra)).ok_or(ZipError::Damaged)?;
    widen(&mut entry, wide);
    Ok((entry, extra_at + u64::from(extra) + u64::from(comment)))
}

/// The zip64 extra field (4.5.3): 8-byte values for those that are all ones, in this order.
fn widen(entry: &mut Entry<'_>, mut extra: &[u8]) {
    while let (Ok(id), Ok(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(mut field) = extra.get(4..4 + usize::from(length)) else { return };
        if id == 1 {
            for value in [&mut entry.size, &mut entry.compressed, &mut entry.offset] {
                if *value == u64::from(u32::MAX)
                    && let Ok(wide) = u64_at(field, 0)
                {
                    *value = wide;
                    field = field.get(8..).unwrap_or_default();
                }
            }
        }
        extra = extra.get(4 + usize::from(length)..).unwrap_or_default();
    }
}

fn slice(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ZipError> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|raw| u16::from_le_bytes(*raw)).ok_or(ZipError::Damaged)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ZipError> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|raw| u32::from_le_bytes(*raw)).ok_or(ZipError::Damaged)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, ZipError> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|raw| u64::from_le_bytes(*raw)).ok_or(ZipError::Damaged)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn sample(prefix: &[u8]) -> Vec<u8> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, method) in [("a", zip::CompressionMethod::Stored), ("b", zip::CompressionMethod::Deflated)] {
            writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(&[b'x'; 3000]).unwrap();
        }
        [prefix, &writer.finish().unwrap().into_inner()].concat()
    }

    fn read_all(bytes: &[u8]) -> Result<usize, ZipError> {
        let archive = Archive::open(Source::Whole(bytes))?;
        archive.entries().take(100).map(|entry| archive.read(&entry?, 10_000).map(|content| content.len())).sum()
    }

    #[test]
    fn stored_and_deflated_entries_are_read_also_behind_a_script() {
        assert_eq!(read_all(&sample(b"")), Ok(6000));
        assert_eq!(read_all(&sample(b"#!/bin/sh\nexec java -jar $0\n")), Ok(6000));
        assert_eq!(read_all(b"not an archive"), Err(ZipError::NotAnArchive));
    }

    #[test]
    fn an_entry_longer_than_allowed_is_refused() {
        let bytes = sample(b"");
        let archive = Archive::open(Source::Whole(&bytes)).unwrap();
        for entry in archive.entries() {
            assert_eq!(archive.read(&entry.unwrap(), 2999).err(), Some(ZipError::TooLong));
        }
    }

    proptest! {
        #[test]
        fn mutated_archives_never_panic(at in 0usize..400, value: u8, cut in 0usize..400) {
            let mut bytes = sample(b"x");
            let length = bytes.len();
            bytes[length - 1 - at % length] = value;
            let _ = read_all(&bytes);
            bytes.truncate(length - cut % length);
            let _ = read_all(&bytes);
        }
    }
}
