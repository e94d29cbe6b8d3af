//! A tar reader for hostile archives: ustar, GNU long names and links, pax headers, base-256 sizes.
//!
//! It follows what Go's `archive/tar` accepts, because that is what container runtimes unpack with: a scanner that
//! reads an archive differently can be shown something else than what runs. Formats: POSIX.1-2017 `pax`, "ustar
//! Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format". It does not unpack anything.

use std::io::{self, Read};

const BLOCK: usize = 512;
/// Bytes of one extended header (pax records, GNU long name): Go's bound, too.
const EXTENDED_BYTES: u64 = 1 << 20;
const BUFFER: usize = 256 << 10;
/// Bytes of an entry that [`Tar::peek`] shows at least, where the entry has them.
pub(crate) const PEEK: usize = 4096;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    HardLink,
    SymbolicLink,
    Directory,
    /// Devices, pipes.
    Special,
}

/// One entry, with its extended headers applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As stored: not normalised.
    pub(crate) path: Vec<u8>,
    /// Link target, as stored.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    /// Bytes of content in the archive.
    pub(crate) size: u64,
    /// Permission bits, with set-user-ID (0o4000) and set-group-ID (0o2000).
    pub(crate) mode: u32,
    /// Whether the content is a sparse map with pieces, not the file itself.
    pub(crate) sparse: bool,
}

/// Why an archive could not be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TarError {
    /// The archive ends inside an entry.
    #[error("the archive ends inside an entry")]
    Truncated,
    /// The source failed; it keeps the cause.
    #[error("the source failed")]
    Source,
    #[error("a header is damaged")]
    Header,
    #[error("an extended header is damaged or too long")]
    Extended,
}

/// Reads entries one after the other from a stream.
pub(crate) struct Tar<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Content of the current entry that was not consumed.
    content: u64,
    padding: u64,
}

impl<R: Read> Tar<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, content: 0, padding: 0 }
    }

    pub(crate) fn into_source(self) -> R {
        self.source
    }

    /// The next entry; what was not consumed of the current one is skipped. `None` at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut path = None;
        let mut link = None;
        let mut pax = Pax::default();
        loop {
            let skip = self.content.checked_add(self.padding).ok_or(TarError::Header)?;
            self.skip(skip)?;
            (self.content, self.padding) = (0, 0);
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().all(|&byte| byte == 0) {
                // One empty block must be followed by another, or by the end.
                return match self.block()? {
                    Some(second) if second.iter().any(|&byte| byte != 0) => Err(TarError::Header),
                    _ => Ok(None),
                };
            }
            if !checksum_holds(&block) {
                return Err(TarError::Header);
            }
            let mut size = number(&block[124..136]).ok_or(TarError::Header)?;
            let flag = block[156];
            match flag {
                b'L' | b'K' => {
                    let text = cut(self.extended(size)?, 0);
                    if flag == b'L' {
                        path = Some(text);
                    } else {
                        link = Some(text);
                    }
                    continue;
                }
                b'x' => {
                    let records = self.extended(size)?;
                    pax = Pax::parse(&records).ok_or(TarError::Extended)?;
                    continue;
                }
                b'g' | b'V' | b'M' | b'N' | b'D' => {
                    self.content = size;
                    self.padding = padding(size);
                    continue;
                }
                _ => {}
            }
            if let Some(pax_size) = pax.size {
                size = pax_size;
            }
            let kind = match flag {
                b'1' => Kind::HardLink,
                b'2' => Kind::SymbolicLink,
                b'3' | b'4' | b'6' => Kind::Special,
                b'5' => Kind::Directory,
                _ => Kind::Regular,
            };
            if kind != Kind::Regular {
                size = 0;
            }
            let mut sparse = pax.sparse;
            if flag == b'S' {
                sparse = true;
                let mut extended = block[482] != 0;
                while extended {
                    extended = self.block()?.ok_or(TarError::Truncated)?[504] != 0;
                }
            }
            self.content = size;
            self.padding = padding(size);
            let path = pax.path.or(path).unwrap_or_else(|| ustar_path(&block));
            // Old archives mark a directory by a slash at the end of a regular file's name.
            let kind = if kind == Kind::Regular && path.ends_with(b"/") { Kind::Directory } else { kind };
            let link = pax.link.or(link).unwrap_or_else(|| cut(block[157..257].to_vec(), 0));
            // No reader of ours depends on the mode, so a damaged one is none.
            let mode = number(&block[100..108]).and_then(|mode| u32::try_from(mode).ok()).unwrap_or_default();
            return Ok(Some(Entry { path, link, kind, size, mode, sparse }));
        }
    }

    /// The next bytes of the current entry's content, at least [`PEEK`] or all that are left. Empty at its end.
    pub(crate) fn peek(&mut self) -> Result<&[u8], TarError> {
        let wanted = usize::try_from(self.content).unwrap_or(usize::MAX);
        self.fill(wanted.min(PEEK))?;
        let available = (self.end - self.start).min(wanted);
        if available == 0 && wanted > 0 {
            return Err(TarError::Truncated);
        }
        Ok(&self.buffer[self.start..self.start + available])
    }

    /// Steps over bytes that [`Self::peek`] showed.
    pub(crate) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.content = self.content.saturating_sub(bytes as u64);
    }

    /// Makes `wanted` bytes (at most [`PEEK`]) available, or as many as there are.
    fn fill(&mut self, wanted: usize) -> Result<(), TarError> {
        if self.end - self.start >= wanted.max(1) {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted.max(1) {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(TarError::Source),
            }
        }
        Ok(())
    }

    /// The next 512 bytes; `None` where nothing is left.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        self.fill(BLOCK)?;
        let available = &self.buffer[self.start..self.end];
        if available.is_empty() {
            return Ok(None);
        }
        let block = *available.first_chunk::<BLOCK>().ok_or(TarError::Truncated)?;
        self.start += BLOCK;
        Ok(Some(block))
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), TarError> {
        while bytes > 0 {
            self.fill(1)?;
            let available = (self.end - self.start) as u64;
            if available == 0 {
                return Err(TarError::Truncated);
            }
            let step = available.min(bytes);
            self.start += step as usize;
            bytes -= step;
        }
        Ok(())
    }

    fn extended(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > EXTENDED_BYTES {
            return Err(TarError::Extended);
        }
        (self.content, self.padding) = (size, padding(size));
        let mut bytes = Vec::new();
        while self.content > 0 {
            let chunk = self.peek()?;
            let length = chunk.len();
            bytes.extend_from_slice(chunk);
            self.consume(length);
        }
        Ok(bytes)
    }
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

/// The bytes before the first NUL.
fn cut(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    if let Some(nul) = memchr::memchr(0, bytes.get(at..).unwrap_or_default()) {
        bytes.truncate(at + nul);
    }
    bytes
}

fn ustar_path(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = cut(block[..100].to_vec(), 0);
    // GNU headers (`ustar  `) have times where ustar has the prefix.
    let prefix = if &block[257..263] == b"ustar\0" { cut(block[345..500].to_vec(), 0) } else { Vec::new() };
    if prefix.is_empty() { name } else { [prefix.as_slice(), b"/", &name].concat() }
}

/// Unsigned or, as some old writers have it, signed sum of the header with blanks in place of the checksum.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let Some(stored) = number(&block[148..156]) else { return false };
    let mut unsigned = 0u64;
    let mut signed = 0i64;
    for (at, &byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stored == unsigned || i64::try_from(stored) == Ok(signed)
}

/// Octal text, or big-endian binary where the first bit is set. Negative and larger than `i64::MAX` is no number.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        if first & 0x40 != 0 {
            return None;
        }
        let value = rest
            .iter()
            .try_fold(u64::from(first & 0x3f), |value, &byte| value.checked_mul(256)?.checked_add(u64::from(byte)))?;
        return i64::try_from(value).is_ok().then_some(value);
    }
    let text = field.trim_ascii();
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())].trim_ascii();
    text.iter().try_fold(0u64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// The pax records that change what is read.
#[derive(Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl Pax {
    /// Records are `LENGTH KEY=VALUE\n`, the length counting itself.
    fn parse(mut records: &[u8]) -> Option<Self> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let space = memchr::memchr(b' ', records)?;
            let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
            let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
            records = records.get(length..)?;
            let equals = memchr::memchr(b'=', record)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                // An empty value takes the record back (POSIX.1-2017 pax, "pax Header Block").
                b"path" | b"GNU.sparse.name" if memchr::memchr(0, value).is_none() => {
                    pax.path = Some(value.to_vec()).filter(|value| !value.is_empty());
                }
                b"linkpath" => pax.link = Some(value.to_vec()).filter(|value| !value.is_empty()),
                b"size" => {
                    let size: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
                    pax.size = Some(size).filter(|&size| i64::try_from(size).is_ok());
                }
                _ if key.starts_with(b"GNU.sparse.") => pax.sparse = true,
                _ => {}
            }
        }
        Some(pax)
    }
}

#[cfg(test)]
mod tests;
