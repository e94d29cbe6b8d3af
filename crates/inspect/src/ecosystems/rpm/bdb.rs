//! The Berkeley DB hash table `Packages` of rpm before 4.16 (RHEL 8 and older, Amazon Linux 2).
//!
//! Source: Berkeley DB, `src/dbinc/db_page.h` and `src/dbinc/hash.h`: pages with a table of item offsets, keys and values in
//! turn, long values in chains of overflow pages. Numbers are in the byte order of the machine that wrote them.

use std::collections::HashSet;

const MAGIC: u32 = 0x0006_1561;
const MAGIC_AT: usize = 12;
const PAGE_SIZE_AT: usize = 20;
const ENCRYPTION_AT: usize = 24;
const HEADER_BYTES: usize = 26;
const HASH_UNSORTED: u8 = 2;
const HASH: u8 = 13;
const OVERFLOW: u8 = 7;
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;

struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    little: bool,
}

/// Calls `each` with every header; whether all of them could be read.
pub(super) fn read(bytes: &[u8], each: &mut dyn FnMut(&[u8])) -> bool {
    let magic = bytes.get(MAGIC_AT..).and_then(|rest| rest.first_chunk::<4>());
    let little = match magic {
        Some(raw) if u32::from_le_bytes(*raw) == MAGIC => true,
        Some(raw) if u32::from_be_bytes(*raw) == MAGIC => false,
        _ => return false,
    };
    let mut pages = Pages { bytes, size: 0, little };
    let size = pages.u32(bytes, PAGE_SIZE_AT).and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
    if !(512..=65_536).contains(&size) || !size.is_power_of_two() || bytes.get(ENCRYPTION_AT) != Some(&0) {
        return false;
    }
    pages.size = size;
    let mut complete = bytes.len().is_multiple_of(size);
    // An overflow page belongs to one value, so that damaged files cannot make this run for long.
    let mut used = HashSet::new();
    for page in bytes.chunks_exact(size).skip(1) {
        if matches!(page.get(25), Some(&HASH | &HASH_UNSORTED)) {
            complete &= pages.items(page, &mut used, each).is_some();
        }
    }
    complete
}

impl<'a> Pages<'a> {
    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) })
    }

    fn u16(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(usize::from(if self.little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) }))
    }

    fn items(&self, page: &'a [u8], used: &mut HashSet<u32>, each: &mut dyn FnMut(&[u8])) -> Option<()> {
        let entries = self.u16(page, 20)?;
        for value in (1..entries).step_by(2) {
            let offset = |index: usize| self.u16(page, HEADER_BYTES + 2 * index);
            // Items are laid down from the end of the page.
            let (start, end) = (offset(value)?, offset(value - 1)?);
            let item = page.get(start..end)?;
            let key = page.get(end..if value == 1 { self.size } else { offset(value - 2)? })?;
            // Key 0 keeps the highest number that was given away.
            if key.get(1..).is_some_and(|key| !key.is_empty() && key.iter().all(|byte| *byte == 0)) {
                continue;
            }
            match *item.first()? {
                KEY_DATA => each(item.get(1..)?),
                OFF_PAGE => each(&self.chain(self.u32(item, 4)?, self.u32(item, 8)?, used)?),
                _ => return None,
            }
        }
        Some(())
    }

    /// A value in overflow pages.
    fn chain(&self, first: u32, length: u32, used: &mut HashSet<u32>) -> Option<Vec<u8>> {
        let length = usize::try_from(length).ok().filter(|&length| length <= self.bytes.len())?;
        let mut value = Vec::with_capacity(length);
        let mut next = first;
        while value.len() < length {
            if next == 0 || !used.insert(next) {
                return None;
            }
            let start = usize::try_from(next).ok()?.checked_mul(self.size)?;
            let page = self.bytes.get(start..start.checked_add(self.size)?)?;
            if page.get(25) != Some(&OVERFLOW) {
                return None;
            }
            let held = self.u16(page, 22)?.min(length - value.len());
            if held == 0 {
                return None;
            }
            value.extend_from_slice(page.get(HEADER_BYTES..HEADER_BYTES.checked_add(held)?)?);
            next = self.u32(page, 16)?;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 512;

    fn page(number: u32, kind: u8, next: u32, entries: u16, held: u16) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        page[8..12].copy_from_slice(&number.to_le_bytes());
        page[16..20].copy_from_slice(&next.to_le_bytes());
        page[20..22].copy_from_slice(&entries.to_le_bytes());
        page[22..24].copy_from_slice(&held.to_le_bytes());
        page[25] = kind;
        page
    }

    /// A table with key 0, a value on the page and a value of 700 bytes in two overflow pages.
    fn database() -> Vec<u8> {
        let mut meta = page(0, 8, 0, 0, 0);
        meta[MAGIC_AT..16].copy_from_slice(&MAGIC.to_le_bytes());
        meta[20..24].copy_from_slice(&(PAGE as u32).to_le_bytes());
        let mut table = page(1, HASH, 0, 6, 0);
        let mut at = PAGE;
        let off = [&[OFF_PAGE, 0, 0, 0][..], &2u32.to_le_bytes(), &700u32.to_le_bytes()].concat();
        let items: [&[u8]; 6] =
            [b"\x01\0\0\0\0", b"\x01\x02\0\0\0", b"\x01\x01\0\0\0", b"\x01here", b"\x01\x02\0\0\0", &off];
        for (index, item) in items.iter().enumerate() {
            at -= item.len();
            table[at..at + item.len()].copy_from_slice(item);
            table[26 + 2 * index..28 + 2 * index].copy_from_slice(&(at as u16).to_le_bytes());
        }
        let mut first = page(2, OVERFLOW, 3, 1, 486);
        first[26..].fill(b'a');
        let mut second = page(3, OVERFLOW, 0, 1, 214);
        second[26..240].fill(b'b');
        [meta, table, first, second].concat()
    }

    fn values(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let mut out = Vec::new();
        let complete = read(bytes, &mut |value| out.push(value.to_vec()));
        (out, complete)
    }

    #[test]
    fn values_on_the_page_and_behind_it_are_read() {
        let (found, complete) = values(&database());
        assert!(complete);
        assert_eq!(found, [b"here".to_vec(), [vec![b'a'; 486], vec![b'b'; 214]].concat()]);
    }

    #[test]
    fn chains_that_run_in_a_circle_or_end_early_are_damage() {
        let mut circle = database();
        circle[3 * PAGE + 16] = 2;
        circle[3 * PAGE + 22..3 * PAGE + 24].copy_from_slice(&10u16.to_le_bytes());
        assert_eq!(values(&circle), (vec![b"here".to_vec()], false));
        let cut = database();
        assert!(!values(&cut[..3 * PAGE]).1);
        assert!(!values(&cut[..100]).1);
        assert!(!values(b"").1);
    }

    proptest! {
        #[test]
        fn any_change_is_read_or_refused(at in 0usize..2048, byte: u8) {
            let mut bytes = database();
            bytes[at] = byte;
            values(&bytes);
        }
    }
}
