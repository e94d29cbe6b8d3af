//! Reads the rows of one table from an SQLite database in memory, without SQLite.
//!
//! Source: "Database File Format" (sqlite.org/fileformat2.html), sections 1.3 (header), 1.6 (b-tree pages), 2.1 (record
//! format). Read-only; a write-ahead log is not looked at, since package managers leave none in an image.

use std::collections::HashSet;

const MAGIC: &[u8] = b"SQLite format 3\0";
const INTERIOR_TABLE: u8 = 0x05;
const LEAF_TABLE: u8 = 0x0d;
/// SQLite's own bound on the depth of a b-tree is 20.
const DEPTH: u32 = 20;

/// Why a database could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqliteError {
    NotADatabase,
    NoTable,
    Damaged,
}

/// One value of a record. Numbers are not needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
    Other,
}

/// A database file.
pub(crate) struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    usable: usize,
}

impl<'a> Database<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, SqliteError> {
        let header = bytes.get(..100).filter(|h| h.starts_with(MAGIC)).ok_or(SqliteError::NotADatabase)?;
        let page_size = match be(header, 16, 2)? {
            1 => 65_536,
            size @ 512..=32_768 if size.is_power_of_two() => size as usize,
            _ => return Err(SqliteError::Damaged),
        };
        let usable = page_size.checked_sub(usize::from(*header.get(20).ok_or(SqliteError::Damaged)?));
        let usable = usable.filter(|&usable| usable >= 480).ok_or(SqliteError::Damaged)?;
        Ok(Self { bytes, page_size, usable })
    }

    /// Calls `each` with the values of every row of a table.
    pub(crate) fn rows(&self, table: &str, mut each: impl FnMut(&[Value<'_>])) -> Result<(), SqliteError> {
        let mut root = None;
        // The schema is the table at page 1: type, name, tbl_name, rootpage, sql.
        self.walk(1, &mut |values| {
            if let [Value::Bytes(b"table"), Value::Bytes(name), _, Value::Integer(page), ..] = values
                && *name == table.as_bytes()
            {
                root = u32::try_from(*page).ok();
            }
        })?;
        self.walk(root.ok_or(SqliteError::NoTable)?, &mut each)
    }

    fn walk(&self, root: u32, each: &mut dyn FnMut(&[Value<'_>])) -> Result<(), SqliteError> {
        let mut seen = HashSet::new();
        self.page(root, DEPTH, &mut seen, each)
    }

    fn page(
        &self,
        number: u32,
        depth: u32,
        seen: &mut HashSet<u32>,
        each: &mut dyn FnMut(&[Value<'_>]),
    ) -> Result<(), SqliteError> {
        let depth = depth.checked_sub(1).ok_or(SqliteError::Damaged)?;
        if !seen.insert(number) {
            return Err(SqliteError::Damaged);
        }
        let page = self.raw_page(number)?;
        let start = if number == 1 { 100 } else { 0 };
        let kind = *page.get(start).ok_or(SqliteError::Damaged)?;
        let cells = be(page, start + 3, 2)? as usize;
        let pointers = start + if kind == INTERIOR_TABLE { 12 } else { 8 };
        for index in 0..cells {
            let cell = be(page, pointers + 2 * index, 2)? as usize;
            match kind {
                INTERIOR_TABLE => self.page(be(page, cell, 4)?, depth, seen, each)?,
                LEAF_TABLE => self.row(page, cell, seen, each)?,
                _ => return Err(SqliteError::Damaged),
            }
        }
        if kind == INTERIOR_TABLE {
            self.page(be(page, start + 8, 4)?, depth, seen, each)?;
        }
        Ok(())
    }

    fn row(
        &self,
        page: &'a [u8],
        cell: usize,
        seen: &mut HashSet<u32>,
        each: &mut dyn FnMut(&[Value<'_>]),
    ) -> Result<(), SqliteError> {
        let (size, at) = varint(page, cell)?;
        let (_row_id, at) = varint(page, at)?;
        let size = usize::try_from(size).map_err(|_| SqliteError::Damaged)?;
        if size > self.bytes.len() {
            return Err(SqliteError::Damaged);
        }
        let local = self.local_size(size);
        let head = page.get(at..at + local).ok_or(SqliteError::Damaged)?;
        if local == size {
            return record(head, each);
        }
        let mut payload = head.to_vec();
        let mut next = be(page, at + local, 4)?;
        while payload.len() < size {
            // A page belongs to one chain only, so damaged files cannot make this run for long.
            if !seen.insert(next) {
                return Err(SqliteError::Damaged);
            }
            let overflow = self.raw_page(next)?;
            let take = (size - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(overflow.get(4..4 + take).ok_or(SqliteError::Damaged)?);
            next = be(overflow, 0, 4)?;
        }
        record(&payload, each)
    }

    /// Bytes of a payload that stay on its leaf page (section 1.6, "the amount of payload that spills").
    fn local_size(&self, size: usize) -> usize {
        let most = self.usable - 35;
        if size <= most {
            return size;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fit = least + (size - least) % (self.usable - 4);
        if fit <= most { fit } else { least }
    }

    fn raw_page(&self, number: u32) -> Result<&'a [u8], SqliteError> {
        let index =
            usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).ok_or(SqliteError::Damaged)?;
        let start = index.checked_mul(self.page_size).ok_or(SqliteError::Damaged)?;
        let end = start.checked_add(self.page_size).ok_or(SqliteError::Damaged)?;
        self.bytes.get(start..end).ok_or(SqliteError::Damaged)
    }
}

/// A record: header size, serial types, then the values.
fn record(payload: &[u8], each: &mut dyn FnMut(&[Value<'_>])) -> Result<(), SqliteError> {
    let (header, mut at) = varint(payload, 0)?;
    let header = usize::try_from(header).map_err(|_| SqliteError::Damaged)?;
    let mut content = header;
    let mut values = Vec::new();
    while at < header && values.len() < 64 {
        let (serial, next) = varint(payload, at)?;
        at = next;
        let length = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(SqliteError::Damaged),
            _ => usize::try_from((serial - 12) / 2).map_err(|_| SqliteError::Damaged)?,
        };
        let end = content.checked_add(length).ok_or(SqliteError::Damaged)?;
        let raw = payload.get(content..end).ok_or(SqliteError::Damaged)?;
        content = end;
        values.push(match serial {
            1..=6 => {
                let negative = raw.first().is_some_and(|byte| byte & 0x80 != 0);
                Value::Integer(
                    raw.iter().fold(if negative { -1 } else { 0 }, |value, &byte| value << 8 | i64::from(byte)),
                )
            }
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            12.. => Value::Bytes(raw),
            _ => Value::Other,
        });
    }
    each(&values);
    Ok(())
}

/// Big-endian, 7 bits a byte, all 8 of the ninth; and the place behind it.
fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), SqliteError> {
    let mut value = 0u64;
    for index in 0..9 {
        let byte = *bytes.get(at + index).ok_or(SqliteError::Damaged)?;
        if index == 8 {
            return Ok((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Ok((value, at + index + 1));
        }
    }
    Err(SqliteError::Damaged)
}

/// A big-endian number of at most 4 bytes.
fn be(bytes: &[u8], at: usize, length: usize) -> Result<u32, SqliteError> {
    let raw = bytes.get(at..at + length).ok_or(SqliteError::Damaged)?;
    Ok(raw.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variable_length_integers_have_up_to_nine_bytes() {
        assert_eq!(varint(&[0x7f], 0), Ok((127, 1)));
        assert_eq!(varint(&[0x81, 0x00], 0), Ok((128, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Ok((u64::MAX, 9)));
        assert_eq!(varint(&[0x81], 0), Err(SqliteError::Damaged));
    }

    #[test]
    fn records_hold_integers_and_bytes() {
        let payload = [6, 1, 2, 8, 9, 18, 0xfe, 0x01, 0x00, b'a', b'b', b'c'];
        let mut seen = Vec::new();
        record(&payload, &mut |values| seen = values.iter().map(|value| format!("{value:?}")).collect()).unwrap();
        assert_eq!(seen, ["Integer(-2)", "Integer(256)", "Integer(0)", "Integer(1)", "Bytes([97, 98, 99])"]);
        assert_eq!(record(&payload[..11], &mut |_| {}), Err(SqliteError::Damaged));
    }

    #[test]
    fn payloads_spill_as_the_format_says() {
        let database = Database { bytes: &[], page_size: 4096, usable: 4096 };
        // "X is U-35", "M is ((U-12)*32/255)-23": 4061 and 489 for pages of 4096 bytes.
        assert_eq!(database.local_size(4061), 4061);
        assert_eq!(database.local_size(4062), 489);
        assert_eq!(database.local_size(489 + 4092), 489);
        assert_eq!(database.local_size(489 + 4092 + 100), 589);
    }

    #[test]
    fn what_is_no_database_is_told_apart_from_damage() {
        assert_eq!(Database::open(b"short").err(), Some(SqliteError::NotADatabase));
        let mut header = [0; 100];
        header[..16].copy_from_slice(MAGIC);
        assert_eq!(Database::open(&header).err(), Some(SqliteError::Damaged), "a page of no bytes");
        header[16..18].copy_from_slice(&512u16.to_be_bytes());
        header[20] = 255;
        assert_eq!(Database::open(&header).err(), Some(SqliteError::Damaged), "nothing usable");
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = record(&payload, &mut |_| {});
        }
    }
}
