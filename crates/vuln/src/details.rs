//! What only an explanation shows of a record: its text, its links and its times. Lines of JSON in zstd frames of many records.
//!
//! A record's text and links repeat its names, whose digits do not compress. Before they are compressed, each occurrence of the
//! record's own name, and of those of its vulnerabilities, becomes one byte that JSON has no use for.

use serde::{Deserialize, Serialize};

/// Bytes that stand for names, in the order of the names.
const MARKS: std::ops::RangeInclusive<u8> = 0x0b..=0x1f;
/// How many names they can stand for.
pub(crate) const MOST_NAMES: usize = 21;
/// Most bytes of a record's details, with its names in their places.
const MAX_DETAILS: usize = 32 << 20;
/// Largest block that is inflated.
const MAX_BLOCK: usize = 64 << 20;
/// Length at which a block is closed: it takes a millisecond to inflate.
const BLOCK: usize = 1 << 20;
/// zstd level: the higher ones save a few percent of a pack, and take most of the time that it takes to build.
const LEVEL: i32 = 9;

/// What the details of a record hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Details {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) details: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<String>,
    /// Seconds since 1970; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) published: i64,
    /// Seconds since 1970; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) modified: i64,
}

impl Details {
    /// Drops everything but the times.
    pub(crate) fn keep_times(&mut self) {
        *self = Self { published: self.published, modified: self.modified, ..Self::default() };
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A block that was closed.
pub(crate) struct Block {
    /// The frame.
    pub(crate) packed: Vec<u8>,
    /// Its length when inflated.
    pub(crate) length: usize,
    /// Its first record.
    pub(crate) first: u32,
}

/// Writes the details of records, one after the other.
#[derive(Default)]
pub(crate) struct Writer {
    lines: Vec<u8>,
    first: u32,
    records: u32,
    blocks: Vec<Block>,
}

impl Writer {
    /// The next record.
    pub(crate) fn add(&mut self, details: &Details, names: &[&str]) {
        // Writing to memory does not fail, and no key of it can.
        let mut text = serde_json::to_string(details).unwrap_or_default();
        for (mark, name) in MARKS.zip(names) {
            if !name.is_empty() && text.contains(name) {
                text = text.replace(name, char::from(mark).encode_utf8(&mut [0; 4]));
            }
        }
        if !self.lines.is_empty() && self.lines.len() + text.len() > BLOCK {
            self.close();
        }
        self.lines.extend_from_slice(text.as_bytes());
        self.lines.push(b'\n');
        self.records += 1;
    }

    fn close(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        // Compressing into memory fails only where memory itself does; the block then reads as damaged, not as empty.
        let packed = zstd::bulk::compress(&self.lines, LEVEL).unwrap_or_default();
        self.blocks.push(Block { packed, length: self.lines.len(), first: self.first });
        self.lines.clear();
        self.first = self.records;
    }

    /// All blocks.
    pub(crate) fn finish(mut self) -> Vec<Block> {
        self.close();
        self.blocks
    }
}

/// The details of one record of a block; `None` where it is damaged.
pub(crate) fn read(packed: &[u8], length: usize, line: usize, names: &[&str]) -> Option<Details> {
    if length > MAX_BLOCK {
        return None;
    }
    let lines = zstd::bulk::decompress(packed, length).ok()?;
    let line = lines.split(|byte| *byte == b'\n').nth(line)?;
    let mut text = Vec::with_capacity(line.len());
    for byte in line {
        if MARKS.contains(byte) {
            let name = names.get(usize::from(byte - MARKS.start()))?;
            text.extend_from_slice(name.as_bytes());
        } else {
            text.push(*byte);
        }
        if text.len() > MAX_DETAILS {
            return None;
        }
    }
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_texts_and_links_take_one_byte() {
        let mut writer = Writer::default();
        let of = |at: u32| Details {
            details: format!("See CVE-2024-{at} and CVE-2024-{at}5\n\u{b}{}", "x".repeat(60_000)),
            references: vec![format!("https://nvd.nist.gov/vuln/detail/CVE-2024-{at}")],
            published: i64::from(at),
            modified: 0,
        };
        let names: Vec<[String; 2]> = (0..40).map(|at| [format!("X-{at}"), format!("CVE-2024-{at}")]).collect();
        for (at, names) in (0..40).zip(&names) {
            writer.add(&of(at), &names.each_ref().map(String::as_str));
        }
        let blocks = writer.finish();
        assert_eq!(blocks.iter().map(|block| block.first).collect::<Vec<_>>(), [0, 17, 34]);
        for (at, names) in (0..40).zip(&names) {
            let block = blocks.iter().rfind(|block| block.first <= at).unwrap();
            let names = names.each_ref().map(String::as_str);
            let line = (at - block.first) as usize;
            assert_eq!(read(&block.packed, block.length, line, &names), Some(of(at)));
            assert_eq!(read(&block.packed, block.length, line, &[]), None, "marks without names");
        }
        assert_eq!(read(b"no frame", 100, 0, &[]), None);
        assert_eq!(read(&blocks[0].packed, usize::MAX, 0, &[]), None);
        assert_eq!(read(&blocks[0].packed, blocks[0].length, 99, &["", ""]), None);
    }

    proptest! {
        #[test]
        fn whatever_the_text_is_it_comes_back(text in "(CVE-1|X|[\\x00-\\x1f\"\\\\]|\\PC){0,40}") {
            let details = Details { details: text, references: vec!["X".into()], published: 1, modified: -2 };
            let mut writer = Writer::default();
            writer.add(&details, &["X", "CVE-1", "", "n"]);
            let blocks = writer.finish();
            prop_assert_eq!(read(&blocks[0].packed, blocks[0].length, 0, &["X", "CVE-1", "", "n"]), Some(details));
        }
    }
}
