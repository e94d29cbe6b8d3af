//! What is kept of a large archive while it streams by: names, texts and directories, not the classes.
//!
//! Local headers (APPNOTE 4.3.7) say what comes next and how long it is; where they do not (4.4.4, bit 3), the data ends
//! where sizes that fit it stand before the next header. Entries that no parser reads go by. An archive that is stored inside is followed in its turn
//! and has its SHA-256 taken on the way. What is to be believed is still the central directory: a part that it refers to
//! and that went by counts as damage, never as absent. Anything that is not understood is kept.

use assay_model::{Algorithm, Digest, Hasher};

use super::{CENTRAL, DEFLATED, LOCAL, STORED, u16_at, u32_at};
use crate::analyse::Body;

/// Bytes of a local header without name and extra field.
const HEADER: usize = 30;
/// Sizes and checksum follow the data (4.4.4).
const SIZES_FOLLOW: u16 = 1 << 3;
const ENCRYPTED: u16 = 1;
/// Of a data descriptor (4.3.9.3); not every writer sets it.
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// Bytes of the longest data descriptor.
const LOOKBACK: usize = 24;

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// No parser reads it.
    None,
    /// It is read.
    Content,
    /// It is an archive, too.
    Archive,
}

/// The kept parts of a file, and digests of archives in it.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// Bytes of the whole file.
    length: u64,
    /// Where each part begins, with its bytes; sorted.
    parts: Vec<(u64, Vec<u8>)>,
    /// SHA-256 of the file itself and of each archive that was followed, by place and length.
    digests: Vec<(u64, u64, Digest)>,
}

impl Captured {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the file, where they were kept in one piece.
    pub(crate) fn slice(&self, at: u64, length: u64) -> Option<&[u8]> {
        let part = self.parts.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        let (start, bytes) = self.parts.get(part)?;
        let skip = usize::try_from(at - start).ok()?;
        bytes.get(skip..skip.checked_add(usize::try_from(length).ok()?)?)
    }

    /// The last bytes before `end`, as many of `most` as were kept in one piece.
    pub(crate) fn tail(&self, end: u64, most: u64) -> Option<(u64, &[u8])> {
        let part = self.parts.partition_point(|(start, _)| *start < end).checked_sub(1)?;
        let (start, _) = self.parts.get(part)?;
        let from = end.saturating_sub(most).max(*start);
        Some((from, self.slice(from, end - from)?))
    }

    /// SHA-256 of an archive that was followed.
    pub(crate) fn digest(&self, at: u64, length: u64) -> Option<Digest> {
        self.digests.iter().find(|(start, size, _)| (*start, *size) == (at, length)).map(|(_, _, digest)| *digest)
    }

    /// Bytes that are kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// Reads the archive of `size` bytes that `body` is, following archives that are stored in it to `depth`.
pub(crate) fn capture<B: Body>(
    body: &mut B,
    size: u64,
    depth: u32,
    interest: impl Fn(&[u8]) -> Interest,
) -> Result<Captured, B::Error> {
    let mut reader = Reader { body, at: 0, open: Vec::new(), captured: Captured::default(), ended: false };
    reader.begin(size);
    while !reader.ended {
        reader.close();
        // Nothing is left open where the tar says that the file is shorter than it is.
        if reader.open.is_empty() || !reader.record(depth, &interest)? {
            reader.keep(u64::MAX)?;
        }
    }
    reader.close();
    // The outermost, whatever its header claimed.
    let last = std::mem::take(&mut reader.open);
    if let Some(Open { start, hasher, .. }) = last.into_iter().next() {
        reader.captured.digests.push((start, reader.at - start, hasher.finish()));
    }
    reader.captured.length = reader.at;
    Ok(reader.captured)
}

/// An archive that is being read.
struct Open {
    start: u64,
    end: u64,
    hasher: Hasher,
    /// Nothing more is understood of it: the rest is kept.
    plain: bool,
}

struct Reader<'a, B> {
    body: &'a mut B,
    at: u64,
    open: Vec<Open>,
    captured: Captured,
    ended: bool,
}

impl<B: Body> Reader<'_, B> {
    fn begin(&mut self, size: u64) {
        let end = self.at.saturating_add(size);
        self.open.push(Open { start: self.at, end, hasher: Hasher::new(Algorithm::Sha256), plain: false });
    }

    /// Takes the digests of archives that end here.
    fn close(&mut self) {
        while self.open.last().is_some_and(|open| open.end <= self.at)
            && let Some(Open { start, hasher, .. }) = self.open.pop()
        {
            self.captured.digests.push((start, self.at - start, hasher.finish()));
        }
    }

    /// One entry of the innermost archive; whether it was one. Where it was none, nothing was read.
    fn record(&mut self, depth: u32, interest: &impl Fn(&[u8]) -> Interest) -> Result<bool, B::Error> {
        let Some((end, plain)) = self.open.last().map(|open| (open.end, open.plain)) else { return Ok(false) };
        if plain {
            self.keep(end - self.at)?;
            return Ok(true);
        }
        let bytes = self.body.peek()?;
        if bytes.is_empty() {
            self.ended = true;
            return Ok(true);
        }
        let Some(header) = Header::read(bytes) else {
            // The central directory, or something else: to the end of this archive.
            if let Some(open) = self.open.last_mut() {
                open.plain = true;
            }
            return Ok(true);
        };
        let wanted = interest(header.name(bytes));
        let data = self.at.saturating_add(header.length as u64);
        let fits = |length: u64| data.checked_add(length).is_some_and(|after| after <= end);
        let deeper = wanted == Interest::Archive && self.open.len() < usize::try_from(depth).unwrap_or(usize::MAX);
        match header.compressed {
            Some(length) if fits(length) && deeper && header.method == STORED && !header.encrypted => {
                self.keep(header.length as u64)?;
                self.begin(length);
            }
            Some(length) if fits(length) && wanted != Interest::None => self.keep(header.length as u64 + length)?,
            Some(length) if fits(length) => self.pass(header.length as u64 + length)?,
            None if header.method == DEFLATED && !header.encrypted && data <= end => {
                let keep = wanted != Interest::None;
                self.step(header.length as u64, keep)?;
                if !self.described(end, keep)? {
                    self.give_up();
                }
            }
            _ => self.give_up(),
        }
        Ok(true)
    }

    /// Keeps the rest of the innermost archive.
    fn give_up(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.plain = true;
        }
    }

    /// Reads data and the sizes after it (4.3.9), up to where the next header begins; whether it was found before `end`. The
    /// sizes say how long the data was: what looks like a header in the data itself is none.
    fn described(&mut self, end: u64, keep: bool) -> Result<bool, B::Error> {
        let data = self.at;
        // The last bytes that went by.
        let mut before = [0; LOOKBACK];
        loop {
            let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let bytes = self.body.peek()?;
            let bytes = bytes.get(..bytes.len().min(left)).unwrap_or_default();
            // A header that begins here may end with the next bytes.
            let Some(within) = bytes.len().checked_sub(LOCAL.len()).filter(|within| *within > 0) else {
                return Ok(false);
            };
            let found = memchr::memmem::find_iter(bytes, b"PK").take_while(|place| *place <= within).find(|&place| {
                let header = bytes.get(place..).unwrap_or_default();
                let is_header = header.starts_with(LOCAL) || header.starts_with(CENTRAL);
                is_header && is_described(&last(&before, bytes, place), self.at + place as u64 - data)
            });
            let length = found.unwrap_or(within);
            before = last(&before, bytes, length);
            self.step(length as u64, keep)?;
            if found.is_some() {
                return Ok(true);
            }
        }
    }

    fn step(&mut self, bytes: u64, keep: bool) -> Result<(), B::Error> {
        if keep { self.keep(bytes) } else { self.pass(bytes) }
    }

    fn keep(&mut self, bytes: u64) -> Result<(), B::Error> {
        self.advance(bytes, true)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), B::Error> {
        self.advance(bytes, false)
    }

    fn advance(&mut self, mut left: u64, keep: bool) -> Result<(), B::Error> {
        while left > 0 {
            let bytes = self.body.peek()?;
            let bytes = bytes.get(..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))).unwrap_or_default();
            if bytes.is_empty() {
                self.ended = true;
                return Ok(());
            }
            for open in &mut self.open {
                open.hasher.update(bytes);
            }
            if keep {
                match self.captured.parts.last_mut() {
                    Some((start, part)) if *start + part.len() as u64 == self.at => part.extend_from_slice(bytes),
                    _ => self.captured.parts.push((self.at, bytes.to_vec())),
                }
            }
            let length = bytes.len();
            self.at += length as u64;
            left -= length as u64;
            self.body.consume(length);
        }
        Ok(())
    }
}

/// The `LOOKBACK` bytes before a place.
fn last(before: &[u8; LOOKBACK], bytes: &[u8], place: usize) -> [u8; LOOKBACK] {
    let mut last = [0; LOOKBACK];
    let passed = bytes.get(..place).unwrap_or_default();
    let passed = passed.get(passed.len().saturating_sub(LOOKBACK)..).unwrap_or_default();
    let (older, newer) = last.split_at_mut(LOOKBACK - passed.len());
    older.copy_from_slice(before.get(passed.len()..).unwrap_or_default());
    newer.copy_from_slice(passed);
    last
}

/// Whether the last of `passed` bytes are a data descriptor of what came before it: the checksum, the two sizes in 4 or in 8
/// bytes each (4.3.9.2), before them a signature or none.
fn is_described(last: &[u8; LOOKBACK], passed: u64) -> bool {
    [4, 8].into_iter().any(|width| {
        let descriptor = 4 + 2 * width;
        let size = last.get(LOOKBACK - 2 * width..LOOKBACK - width).unwrap_or_default();
        let size = size.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
        let signed = LOOKBACK.checked_sub(descriptor + DESCRIPTOR.len()).and_then(|at| last.get(at..));
        let signature = signed.is_some_and(|signed| signed.starts_with(DESCRIPTOR));
        let with = |signature: usize| passed.checked_sub((descriptor + signature) as u64) == Some(size);
        with(0) || (signature && with(DESCRIPTOR.len()))
    })
}

/// A local header.
struct Header {
    method: u16,
    encrypted: bool,
    /// Bytes of the data, where the header says so.
    compressed: Option<u64>,
    name: usize,
    /// With name and extra field.
    length: usize,
}

impl Header {
    /// `None` where these bytes begin with none, or with one longer than they are: names of jars are short.
    fn read(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.get(..HEADER).filter(|bytes| bytes.starts_with(LOCAL))?;
        let flags = u16_at(fixed, 6).ok()?;
        let compressed = u64::from(u32_at(fixed, 18).ok()?);
        let (name, extra) = (usize::from(u16_at(fixed, 26).ok()?), usize::from(u16_at(fixed, 28).ok()?));
        let length = HEADER + name + extra;
        // Sizes beyond 4 GiB stand elsewhere (4.5.3); no file that is read is as large.
        let known = flags & SIZES_FOLLOW == 0 && compressed != u64::from(u32::MAX);
        (bytes.len() >= length).then_some(Self {
            method: u16_at(fixed, 8).ok()?,
            encrypted: flags & ENCRYPTED != 0,
            compressed: known.then_some(compressed),
            name,
            length,
        })
    }

    fn name<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(HEADER..HEADER + self.name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
