//! Tables of whole numbers, each column as wide as its largest value needs.
//!
//! ```text
//! size  
//!    c  width of each column in bytes, 0 (all zero) to 4
//!       the rows
//! ```

use crate::format::MAX_COLUMNS;

/// Where a table lies and how wide its columns are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Table {
    /// Offset of the first row in the file.
    start: usize,
    rows: u32,
    /// Bytes of a row.
    stride: usize,
    /// Where each column ends within a row.
    ends: [u8; MAX_COLUMNS],
}

impl Table {
    /// A table without rows.
    pub(crate) const EMPTY: Self = Self { start: 0, rows: 0, stride: 0, ends: [0; MAX_COLUMNS] };

    /// The table in `length` bytes from `start`; `None` where they are no table of so many columns.
    pub(crate) fn parse(bytes: &[u8], start: usize, length: usize, columns: usize) -> Option<Self> {
        let section = bytes.get(start..start.checked_add(length)?)?;
        if section.is_empty() {
            return Some(Self::default());
        }
        let (widths, rows) = section.split_at_checked(columns)?;
        let mut table = Self { start: start + columns, ..Self::default() };
        for (end, width) in table.ends.iter_mut().zip(widths) {
            if *width > 4 {
                return None;
            }
            table.stride += usize::from(*width);
            *end = u8::try_from(table.stride).ok()?;
        }
        if table.stride == 0 || rows.len() % table.stride != 0 {
            return None;
        }
        table.rows = u32::try_from(rows.len() / table.stride).ok()?;
        Some(table)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// The first `N` columns of a row.
    #[inline]
    pub(crate) fn row<const N: usize>(&self, bytes: &[u8], index: u32) -> Option<[u32; N]> {
        let bytes = self.bytes_of(bytes, index)?;
        let mut row = [0; N];
        let mut begin = 0;
        for (cell, end) in row.iter_mut().zip(self.ends) {
            let end = usize::from(end);
            *cell = number(bytes.get(begin..end)?);
            begin = end;
        }
        Some(row)
    }

    /// One cell.
    #[inline]
    pub(crate) fn cell(&self, bytes: &[u8], index: u32, column: usize) -> Option<u32> {
        let bytes = self.bytes_of(bytes, index)?;
        let begin = column.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let end = self.ends.get(column).copied()?;
        Some(number(bytes.get(usize::from(begin)..usize::from(end))?))
    }

    fn bytes_of<'a>(&self, bytes: &'a [u8], index: u32) -> Option<&'a [u8]> {
        if index >= self.rows {
            return None;
        }
        let begin = self.start.checked_add((index as usize).checked_mul(self.stride)?)?;
        bytes.get(begin..begin.checked_add(self.stride)?)
    }
}

#[inline]
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The bytes of a table, of its rows one after the other.
pub(crate) fn pack(rows: &[u32], columns: usize) -> Vec<u8> {
    if rows.is_empty() || columns == 0 {
        return Vec::new();
    }
    let mut widths = vec![0_u8; columns];
    for row in rows.chunks_exact(columns) {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max((32 - value.leading_zeros()).div_ceil(8) as u8);
        }
    }
    // A row without bytes could not be counted.
    if let Some(first) = widths.first_mut() {
        *first = (*first).max(1);
    }
    let mut bytes = widths.clone();
    for row in rows.chunks_exact(columns) {
        for (width, value) in widths.iter().zip(row) {
            bytes.extend(value.to_le_bytes().iter().take(usize::from(*width)));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [0, 0, 0xffff_ffff, 0, 300, 1];
        let bytes = pack(&rows, 3);
        assert_eq!(bytes.len(), 3 + 2 * (1 + 2 + 4));
        let table = Table::parse(&bytes, 0, bytes.len(), 3).unwrap();
        assert_eq!((table.row(&bytes, 0), table.row(&bytes, 1)), (Some([0, 0, u32::MAX]), Some([0, 300, 1])));
        assert_eq!((table.cell(&bytes, 1, 1), table.cell(&bytes, 1, 3)), (Some(300), None));
        assert_eq!(table.row::<3>(&bytes, 2), None);
        for (length, columns) in [(bytes.len() - 1, 3), (2, 3), (bytes.len() + 1, 3), (4, 3)] {
            assert!(Table::parse(&bytes, 0, length, columns).is_none(), "{length}");
        }
        assert!(Table::parse(&[0, 0, 7], 0, 3, 2).is_none(), "rows without bytes");
        assert!(Table::parse(&[5, 0, 0, 0, 0, 0], 0, 6, 1).is_none(), "no number has five bytes");
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_again(rows in proptest::collection::vec(any::<[u32; 4]>(), 1..20), shift in 0_u32..32) {
            let flat: Vec<u32> = rows.iter().flatten().map(|value| value >> shift).collect();
            let bytes = pack(&flat, 4);
            let table = Table::parse(&bytes, 0, bytes.len(), 4).unwrap();
            let read: Vec<u32> = (0..table.rows()).flat_map(|at| table.row::<4>(&bytes, at).unwrap()).collect();
            prop_assert_eq!(read, flat);
        }
    }
}
