//! Where the entries of a tar file lie: POSIX ustar and pax, GNU long names. Nothing is unpacked.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

const BLOCK: u64 = 512;
/// Most entries of an archive: an image has a few for each layer.
const ENTRIES_MAX: usize = 100_000;
/// Longest extended header.
const EXTENDED_MAX: u64 = 1 << 20;

/// An entry that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file: where its bytes begin, and how many there are.
    File { offset: u64, length: u64 },
    /// A symbolic or hard link to another entry; none where it leads outside.
    Link { target: Option<String> },
}

/// What extended headers say about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// The entries by name. Names that lead outside, truncation and nonsense are errors with a reason.
pub(super) fn entries<R: Read + Seek>(mut input: R) -> Result<BTreeMap<String, Entry>, String> {
    let end = input.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    input.rewind().map_err(|error| error.to_string())?;
    let mut input = BufReader::new(input);
    let mut entries = BTreeMap::new();
    let mut extended = Extended::default();
    let mut at = 0u64;
    let mut count = 0usize;
    while at < end {
        let mut block = [0u8; BLOCK as usize];
        input.read_exact(&mut block).map_err(|_| "cut short in a header".to_owned())?;
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        count += 1;
        if count > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        if at == 0 && block.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err("compressed: decompress it first (zstd -d)".to_owned());
        }
        check_sum(&block)?;
        let kind = field(&block, 156, 1).first().copied().unwrap_or(0);
        let special = matches!(kind, b'x' | b'g' | b'L' | b'K');
        let size = match extended.size.take_if(|_| !special) {
            Some(size) => size,
            None => number(field(&block, 124, 12)).ok_or("a size that is no number")?,
        };
        let offset = at + BLOCK;
        let next = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|padded| padded.checked_add(offset))
            .ok_or("a size beyond all bounds")?;
        if size > end.saturating_sub(offset) {
            return Err("cut short in an entry".to_owned());
        }
        if special {
            read_extended(&mut input, kind, size, &mut extended)?;
        } else {
            let this = std::mem::take(&mut extended);
            let name = this.path.unwrap_or_else(|| ustar_name(&block));
            let link = this.link.unwrap_or_else(|| text(field(&block, 157, 100)));
            add(&mut entries, &name, kind, &link, offset, size)?;
        }
        input.seek(SeekFrom::Start(next)).map_err(|error| error.to_string())?;
        at = next;
    }
    Ok(entries)
}

fn add(
    entries: &mut BTreeMap<String, Entry>,
    name: &str,
    kind: u8,
    link: &str,
    offset: u64,
    length: u64,
) -> Result<(), String> {
    let Some(inside) = normalise("", name) else { return Err(format!("the entry {name:?} leads outside")) };
    let folder = inside.rsplit_once('/').map_or("", |(folder, _)| folder);
    let entry = match kind {
        b'0' | 0 | b'7' => Entry::File { offset, length },
        b'1' => Entry::Link { target: normalise("", link) },
        b'2' => Entry::Link { target: normalise(folder, link) },
        _ => return Ok(()),
    };
    let once = matches!(inside.as_str(), "manifest.json" | "index.json" | "oci-layout");
    if entries.insert(inside, entry).is_some() && once {
        return Err(format!("the entry {name:?} is there twice"));
    }
    Ok(())
}

/// `name` seen from `folder`, without `.` and `..`; none where it leads outside.
fn normalise(folder: &str, name: &str) -> Option<String> {
    if name.starts_with('/') || name.contains('\0') || name.contains('\\') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn read_extended(input: &mut impl Read, kind: u8, size: u64, extended: &mut Extended) -> Result<(), String> {
    if size > EXTENDED_MAX {
        return Err("an extended header of more than 1 MiB".to_owned());
    }
    let mut bytes = Vec::new();
    input.take(size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match kind {
        b'L' => extended.path = Some(text(&bytes)),
        b'K' => extended.link = Some(text(&bytes)),
        b'x' => read_pax(&bytes, extended)?,
        // A global header sets defaults such as comments: nothing that is used here.
        _ => {}
    }
    Ok(())
}

/// Records `LENGTH KEY=VALUE\n` (POSIX pax, "pax Extended Header").
fn read_pax(mut bytes: &[u8], extended: &mut Extended) -> Result<(), String> {
    let bad = || "a malformed pax header".to_owned();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length = bytes.get(..space).and_then(|digits| str::from_utf8(digits).ok()?.parse::<usize>().ok());
        let length = length.ok_or_else(bad)?;
        let record = bytes.get(space + 1..length).ok_or_else(bad)?;
        let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        let (key, value) = record.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        match key {
            b"path" => extended.path = Some(String::from_utf8(value.to_vec()).map_err(|_| bad())?),
            b"linkpath" => extended.link = Some(String::from_utf8(value.to_vec()).map_err(|_| bad())?),
            b"size" => {
                let size = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                extended.size = Some(size.ok_or_else(bad)?);
            }
            _ => {}
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn check_sum(block: &[u8; BLOCK as usize]) -> Result<(), String> {
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(*byte) })
        .sum();
    if number(field(block, 148, 8)) == Some(sum) { Ok(()) } else { Err("not a tar file, or damaged".to_owned()) }
}

fn field(block: &[u8; BLOCK as usize], at: usize, length: usize) -> &[u8] {
    block.get(at..at + length).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn ustar_name(block: &[u8; BLOCK as usize]) -> String {
    let name = text(field(block, 0, 100));
    let prefix = text(field(block, 345, 155));
    // GNU's own format keeps times where POSIX has the prefix.
    if field(block, 257, 6) == b"ustar\0" && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// Octal text, or GNU's base 256 for what is longer.
fn number(bytes: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = bytes
        && first & 0x80 != 0
    {
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = bytes.iter().skip_while(|byte| **byte == b' ').take_while(|byte| !matches!(byte, 0 | b' '));
    digits.into_iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_inside() {
        assert_eq!(normalise("", "./a//b/../c").as_deref(), Some("a/c"));
        assert_eq!(normalise("a/b", "../c/layer.tar").as_deref(), Some("a/c/layer.tar"));
        for name in ["/etc/passwd", "../x", "a/../../x", "a\\b"] {
            assert_eq!(normalise("", name), None, "{name}");
        }
    }

    #[test]
    fn sizes_are_octal_or_base_256_and_never_overflow() {
        assert_eq!(number(b"00000000017\0"), Some(15));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(b"9"), None);
    }

    #[test]
    fn pax_records_are_read_and_malformed_ones_refused() {
        let mut extended = Extended::default();
        read_pax(b"12 path=a/b\n11 size=42\n", &mut extended).unwrap();
        assert_eq!((extended.path.as_deref(), extended.size), (Some("a/b"), Some(42)));
        for bad in [&b"99 path=a\n"[..], b"x path=a\n", b"5 a=b", b"0 a=b\n", b"2 "] {
            assert!(read_pax(bad, &mut Extended::default()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_archive_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = entries(Cursor::new(bytes));
        }

        #[test]
        fn any_pax_header_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_pax(&bytes, &mut Extended::default());
        }
    }
}
