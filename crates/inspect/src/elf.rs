//! The parts of an ELF executable that say how it was built, taken from a stream without keeping the machine code.
//!
//! Source: System V ABI, "Object Files" (ELF header, program header, section header). Not a loader and not a disassembler.

use assay_model::{Algorithm, Digest, Hasher};

/// Bytes of read-only data that are kept of a Go executable: build information of Go before 1.18 points into its beginning.
const GO_READ_ONLY: u64 = 32 << 20;
const EXECUTABLE: u32 = 1;
const WRITABLE: u32 = 2;

/// A loadable part of the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
    flags: u32,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    wide: bool,
    little: bool,
    section_offset: u64,
    section_size: u16,
    section_count: u16,
    section_names: u16,
}

/// Keeps the interesting byte ranges of an executable while it streams by.
pub(crate) struct Capture {
    header: Header,
    segments: Vec<Segment>,
    /// Sorted ranges of the file that are kept.
    ranges: Vec<(u64, u64)>,
    at: u64,
    /// Bytes of the file.
    size: u64,
    limit: u64,
    cut: bool,
    pieces: Vec<Piece>,
    buffer: Vec<u8>,
    hasher: Hasher,
}

/// A kept range: `length` bytes of the file from `offset` on, at `start` of the buffer.
#[derive(Clone, Copy)]
struct Piece {
    offset: u64,
    start: usize,
    length: usize,
}

impl Capture {
    /// `Some` where `first`, the beginning of a file of `size` bytes, is an ELF executable or shared object.
    pub(crate) fn begin(first: &[u8], size: u64, limit: u64) -> Option<Self> {
        let (header, segments) = parse_header(first)?;
        let go = memchr::memmem::find(first, b"\x04\0\0\0Go\0\0").is_some();
        let kept = |segment: &Segment| {
            if go { segment.flags & WRITABLE != 0 } else { segment.flags & EXECUTABLE == 0 }
        };
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        // Linkers that do not separate code put read-only data beside it: then nothing can be left out.
        let separate = segments.iter().any(|s| s.flags & (EXECUTABLE | WRITABLE) == 0);
        if go {
            for segment in &segments {
                let end = segment.offset.saturating_add(segment.size);
                if kept(segment) {
                    ranges.push((segment.offset, end));
                } else if segment.flags & EXECUTABLE == 0 {
                    ranges.push((segment.offset, end.min(segment.offset.saturating_add(GO_READ_ONLY))));
                }
            }
        } else if separate {
            let mut at = 0;
            let mut code: Vec<_> = segments.iter().filter(|segment| !kept(segment)).collect();
            code.sort_by_key(|segment| segment.offset);
            for segment in code {
                ranges.push((at, segment.offset));
                at = at.max(segment.offset.saturating_add(segment.size));
            }
            ranges.push((at, size));
        } else {
            ranges.push((0, size));
        }
        ranges.retain(|(from, to)| from < to);
        ranges.sort_unstable();
        // Overlapping claims are kept once.
        ranges.dedup_by(|next, last| {
            let overlaps = next.0 <= last.1;
            if overlaps {
                last.1 = last.1.max(next.1);
            }
            overlaps
        });
        Some(Self {
            header,
            segments,
            ranges,
            at: 0,
            size,
            limit,
            cut: false,
            pieces: Vec::new(),
            buffer: Vec::new(),
            hasher: Hasher::new(Algorithm::Sha256),
        })
    }

    /// Uses this empty buffer, so that its memory is not asked for anew.
    pub(crate) fn reuse(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
        self.buffer.clear();
        // In one piece: growing would hold it twice at times. What is asked for and not written costs nothing.
        let kept = self.ranges.iter().map(|(from, to)| to.min(&self.size) - from.min(&self.size)).sum::<u64>();
        self.buffer.try_reserve_exact(usize::try_from(kept.min(self.limit)).unwrap_or_default()).ok();
    }

    /// Takes the next bytes of the file.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        let (from, to) = (self.at, self.at.saturating_add(bytes.len() as u64));
        for &(start, end) in &self.ranges {
            let (low, high) = (start.max(from), end.min(to));
            if low >= high {
                continue;
            }
            let Some(part) = bytes.get((low - from) as usize..(high - from) as usize) else { continue };
            if self.buffer.len() as u64 + part.len() as u64 > self.limit {
                self.cut = true;
                break;
            }
            let continues = self.pieces.last().is_some_and(|piece| {
                piece.offset + piece.length as u64 == low && piece.start + piece.length == self.buffer.len()
            });
            match self.pieces.last_mut() {
                Some(piece) if continues => piece.length += part.len(),
                _ => self.pieces.push(Piece { offset: low, start: self.buffer.len(), length: part.len() }),
            }
            self.buffer.extend_from_slice(part);
        }
        self.at = to;
    }

    /// The end of the file.
    pub(crate) fn finish(self) -> Binary {
        Binary {
            header: self.header,
            segments: self.segments,
            pieces: self.pieces,
            buffer: self.buffer,
            cut: self.cut,
            digest: self.hasher.finish(),
        }
    }
}

/// What was kept of an executable.
pub(crate) struct Binary {
    header: Header,
    segments: Vec<Segment>,
    pieces: Vec<Piece>,
    buffer: Vec<u8>,
    cut: bool,
    digest: Digest,
}

impl Binary {
    /// SHA-256 of the whole file.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether a bound kept a part of it from being read.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn is_little_endian(&self) -> bool {
        self.header.little
    }

    /// All bytes that were kept, part after part.
    pub(crate) fn data(&self) -> &[u8] {
        &self.buffer
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Bytes of the file, where they were kept.
    pub(crate) fn bytes(&self, offset: u64, length: u64) -> Option<&[u8]> {
        self.pieces.iter().find_map(|piece| {
            let skip = usize::try_from(offset.checked_sub(piece.offset)?).ok()?;
            let length = usize::try_from(length).ok()?;
            if skip.checked_add(length)? > piece.length {
                return None;
            }
            let start = piece.start.checked_add(skip)?;
            self.buffer.get(start..start.checked_add(length)?)
        })
    }

    /// Bytes from a memory address on, as many of `length` as the segment's file part has.
    pub(crate) fn at_address(&self, address: u64, length: u64) -> Option<&[u8]> {
        let segment = self
            .segments
            .iter()
            .find(|segment| address >= segment.address && address - segment.address < segment.size)?;
        let skip = address - segment.address;
        self.bytes(segment.offset.checked_add(skip)?, length.min(segment.size - skip))
    }

    /// The kept bytes of each writable segment, in parts that are contiguous in the file, with their memory address.
    pub(crate) fn writable(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.segments.iter().filter(|segment| segment.flags & WRITABLE != 0).flat_map(move |segment| {
            let end = segment.offset.saturating_add(segment.size);
            self.pieces.iter().filter_map(move |piece| {
                let from = segment.offset.max(piece.offset);
                let to = end.min(piece.offset.saturating_add(piece.length as u64));
                let length = to.checked_sub(from).filter(|&length| length > 0)?;
                Some((segment.address.checked_add(from - segment.offset)?, self.bytes(from, length)?))
            })
        })
    }

    /// The content of the first section of this name. `None` also where the file was stripped of its section headers.
    pub(crate) fn section(&self, name: &str) -> Option<&[u8]> {
        let header = self.header;
        let (entry, count) = (u64::from(header.section_size), u64::from(header.section_count));
        let table = self.bytes(header.section_offset, entry.checked_mul(count)?)?;
        let field = |index: u16| {
            let start = usize::from(index).checked_mul(usize::from(header.section_size))?;
            let raw = table.get(start..start.checked_add(usize::from(header.section_size))?)?;
            let reader = Fields { bytes: raw, wide: header.wide, little: header.little };
            if header.wide {
                Some((reader.u32(0)?, reader.word(24)?, reader.word(32)?))
            } else {
                Some((reader.u32(0)?, reader.word(16)?, reader.word(20)?))
            }
        };
        let (_, names_offset, names_size) = field(header.section_names)?;
        let names = self.bytes(names_offset, names_size)?;
        (0..header.section_count).find_map(|index| {
            let (at, offset, size) = field(index)?;
            let rest = names.get(at as usize..)?.strip_prefix(name.as_bytes())?;
            if rest.first() == Some(&0) { self.bytes(offset, size) } else { None }
        })
    }
}

/// Symbols of one table that are looked at.
const SYMBOLS: usize = 1_000_000;

impl Binary {
    /// The address of a dynamic symbol (System V ABI, "Symbol Table").
    pub(crate) fn symbol(&self, name: &str) -> Option<u64> {
        let (table, names) = (self.section(".dynsym")?, self.section(".dynstr")?);
        let header = self.header;
        let (entry, value) = if header.wide { (24, 8) } else { (16, 4) };
        table.chunks_exact(entry).take(SYMBOLS).find_map(|raw| {
            let fields = Fields { bytes: raw, wide: header.wide, little: header.little };
            let rest = names.get(usize::try_from(fields.u32(0)?).ok()?..)?.strip_prefix(name.as_bytes())?;
            if rest.first() == Some(&0) { fields.word(value) } else { None }
        })
    }
}

/// Integers of a header.
struct Fields<'a> {
    bytes: &'a [u8],
    wide: bool,
    little: bool,
}

impl Fields<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let raw = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let raw = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) })
    }

    /// 8 bytes in a 64-bit file, 4 in a 32-bit one.
    fn word(&self, at: usize) -> Option<u64> {
        if !self.wide {
            return self.u32(at).map(u64::from);
        }
        let raw = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u64::from_le_bytes(raw) } else { u64::from_be_bytes(raw) })
    }
}

fn parse_header(first: &[u8]) -> Option<(Header, Vec<Segment>)> {
    if !first.starts_with(b"\x7fELF") {
        return None;
    }
    let wide = match first.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let little = match first.get(5)? {
        1 => true,
        2 => false,
        _ => return None,
    };
    let fields = Fields { bytes: first, wide, little };
    // ET_EXEC and ET_DYN: relocatable objects and core dumps are not run.
    if !matches!(fields.u16(16)?, 2 | 3) {
        return None;
    }
    let (programs, section_offset, counts) =
        if wide { (fields.word(32)?, fields.word(40)?, 54) } else { (fields.word(28)?, fields.word(32)?, 42) };
    let (entry, count) = (usize::from(fields.u16(counts)?), usize::from(fields.u16(counts + 2)?));
    let mut segments = Vec::new();
    for index in 0..count.min(256) {
        let start = usize::try_from(programs).ok()?.checked_add(index.checked_mul(entry)?)?;
        let Some(raw) = first.get(start..) else { break };
        let program = Fields { bytes: raw, wide, little };
        let segment = || {
            let (flags, offset, address, size) = if wide { (4, 8, 16, 32) } else { (24, 4, 8, 16) };
            Some(Segment {
                offset: program.word(offset)?,
                address: program.word(address)?,
                size: program.word(size)?,
                flags: program.u32(flags)?,
            })
        };
        const PT_LOAD: u32 = 1;
        if program.u32(0) == Some(PT_LOAD) {
            segments.extend(segment());
        }
    }
    let header = Header {
        wide,
        little,
        section_offset,
        section_size: fields.u16(counts + 4)?,
        section_count: fields.u16(counts + 6)?,
        section_names: fields.u16(counts + 8)?,
    };
    Some((header, segments))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit file of 4 KiB segments with these flags, filled with their index from 1 on, behind a 4 KiB header.
    fn file(flags: &[u32], note: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 4096];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16] = 3;
        file[32] = 64;
        file[54] = 56;
        file[56] = flags.len() as u8;
        for (index, flags) in flags.iter().enumerate() {
            let header = 64 + 56 * index;
            let offset = 4096 * (index as u64 + 1);
            file[header] = 1;
            file[header + 4] = *flags as u8;
            file[header + 8..header + 16].copy_from_slice(&offset.to_le_bytes());
            file[header + 16..header + 24].copy_from_slice(&(0x10000 + offset).to_le_bytes());
            file[header + 32..header + 40].copy_from_slice(&4096u64.to_le_bytes());
        }
        file[2048..2048 + note.len()].copy_from_slice(note);
        for index in 0..flags.len() {
            file.resize(file.len() + 4096, index as u8 + 1);
        }
        file
    }

    fn read(file: &[u8], limit: u64) -> Binary {
        let mut capture = Capture::begin(&file[..4096], file.len() as u64, limit).unwrap();
        for piece in file.chunks(1000) {
            capture.push(piece);
        }
        capture.finish()
    }

    const CODE: u32 = 5;
    const DATA: u32 = 6;
    const CONSTANTS: u32 = 4;

    #[test]
    fn machine_code_is_left_out_where_it_is_separate() {
        let binary = read(&file(&[CONSTANTS, CODE, DATA], b""), 1 << 20);
        assert_eq!(binary.bytes(4096, 3), Some(&[1; 3][..]));
        assert_eq!(binary.bytes(2 * 4096, 3), None);
        assert_eq!(binary.at_address(0x10000 + 3 * 4096 + 4095, 9), Some(&[3][..]));
        let writable: Vec<_> = binary.writable().map(|(address, bytes)| (address, bytes.len())).collect();
        assert_eq!(writable, [(0x10000 + 3 * 4096, 4096)]);
        assert_eq!(binary.digest(), Digest::of(&file(&[CONSTANTS, CODE, DATA], b"")));
        // Without a segment of constants, they are among the code.
        assert_eq!(read(&file(&[CODE, DATA], b""), 1 << 20).bytes(4096, 3), Some(&[1; 3][..]));
    }

    #[test]
    fn of_a_go_executable_only_data_is_kept() {
        let binary = read(&file(&[CODE, CONSTANTS, DATA], b"\x04\0\0\0Go\0\0"), 1 << 20);
        assert_eq!(binary.bytes(0, 3), None);
        assert_eq!(binary.bytes(2 * 4096, 3), Some(&[2; 3][..]));
        assert_eq!(binary.bytes(3 * 4096, 3), Some(&[3; 3][..]));
    }

    #[test]
    fn what_does_not_fit_is_cut_and_other_files_are_no_executables() {
        assert!(read(&file(&[CONSTANTS, CODE, DATA], b""), 5000).is_cut());
        for other in [&b"#!/bin/sh"[..], b"\x7fELF", b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x01\0"] {
            assert!(Capture::begin(other, 100, 100).is_none());
        }
    }

    #[test]
    fn overlapping_segments_are_kept_once() {
        let mut bytes = file(&[DATA; 60], b"\x04\0\0\0Go\0\0");
        for index in 0..30 {
            // All of them claim the whole file.
            let header = 64 + 56 * index;
            bytes[header + 8..header + 16].fill(0);
            bytes[header + 32..header + 40].copy_from_slice(&u64::MAX.to_le_bytes());
        }
        let binary = read(&bytes, 1 << 20);
        assert!(!binary.is_cut());
        assert_eq!(binary.into_buffer().len(), bytes.len());
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Binary, Capture};

    /// A 64-bit file with these sections, the last of which holds their names; the whole file is one segment at address 0.
    fn with_sections(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = vec![0; 64 + 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16] = 3;
        file[32] = 64;
        file[54] = 56;
        file[56] = 1;
        let mut names = vec![0];
        let mut headers = Vec::new();
        let mut row = |name: usize, offset: usize, size: usize| {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&(name as u32).to_le_bytes());
            header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            headers.extend_from_slice(&header);
        };
        for (name, bytes) in sections {
            row(names.len(), file.len(), bytes.len());
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            file.extend_from_slice(bytes);
        }
        row(names.len(), file.len(), names.len() + 10);
        names.extend_from_slice(b".shstrtab\0");
        file.extend_from_slice(&names);
        let table = file.len() as u64;
        file[40..48].copy_from_slice(&table.to_le_bytes());
        file[58] = 64;
        file[60] = sections.len() as u8 + 1;
        file[62] = sections.len() as u8;
        file.extend_from_slice(&headers);
        let size = file.len() as u64;
        file[64] = 1;
        file[68] = 4;
        file[96..104].copy_from_slice(&size.to_le_bytes());
        file
    }

    /// A file with one section.
    pub(crate) fn executable(name: &str, section: &[u8]) -> Vec<u8> {
        with_sections(&[(name, section.to_vec())])
    }

    /// A file with these dynamic symbols, each at its content.
    pub(crate) fn executable_with_symbols(symbols: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut names, mut table, mut data) = (vec![0], vec![0; 24], Vec::new());
        for (name, content) in symbols {
            table.extend_from_slice(&(names.len() as u32).to_le_bytes());
            table.extend_from_slice(&[0; 4]);
            // The data is the first section, behind the ELF header and the program header.
            table.extend_from_slice(&(120 + data.len() as u64).to_le_bytes());
            table.extend_from_slice(&(content.len() as u64).to_le_bytes());
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            data.extend_from_slice(content);
        }
        with_sections(&[(".data", data), (".dynsym", table), (".dynstr", names)])
    }

    /// The file as inspection keeps it.
    pub(crate) fn read(file: &[u8]) -> Binary {
        let mut capture = Capture::begin(file, file.len() as u64, 1 << 30).unwrap();
        capture.push(file);
        capture.finish()
    }
}
