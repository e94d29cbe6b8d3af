//! Which rows of the registry may read a path: one look at its name instead of all patterns.
//!
//! Each pattern is filed under what is fixed in it: the name of the file, its extension, the first letter of the name or,
//! where the name says nothing, the first directory. What the look-up returns is a superset; the row itself decides.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{ALL, Ecosystem};
use crate::path;

/// Longest extension of a pattern. Extensions of paths are compared without their case (`.JAR` is one).
const EXTENSION: usize = 16;

/// A set of rows of [`ALL`], by their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows(u128);

const _: () = assert!(ALL.len() <= u128::BITS as usize, "rows are places in 128 bits");

impl Rows {
    fn insert(&mut self, row: usize) {
        self.0 |= 1 << row;
    }

    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of them that hold.
    pub(crate) fn filter(self, mut keep: impl FnMut(&dyn Ecosystem) -> bool) -> Self {
        let mut kept = Self::default();
        for (row, ecosystem) in self.places() {
            if keep(ecosystem) {
                kept.insert(row);
            }
        }
        kept
    }

    /// The rows, in the registry's order.
    pub(crate) fn ecosystems(self) -> impl Iterator<Item = &'static dyn Ecosystem> {
        self.places().map(|(_, ecosystem)| ecosystem)
    }

    fn places(self) -> impl Iterator<Item = (usize, &'static dyn Ecosystem)> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let row = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            Some((row, *ALL.get(row)?))
        })
    }
}

#[derive(Default)]
struct Index {
    names: HashMap<&'static str, Rows>,
    /// In lower case.
    extensions: HashMap<String, Rows>,
    /// By the first byte of the name.
    initials: HashMap<u8, Rows>,
    /// By the first directory.
    tops: HashMap<&'static str, Rows>,
    /// Nothing is fixed: asked for every path.
    always: Rows,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::default();
    for (row, ecosystem) in ALL.iter().enumerate() {
        for pattern in ecosystem.about().files {
            index.rows_of(pattern).insert(row);
        }
    }
    index
});

impl Index {
    /// Where a pattern is filed.
    fn rows_of(&mut self, pattern: &'static str) -> &mut Rows {
        let name = path::split(pattern).1;
        let Some((prefix, _)) = name.split_once('*') else { return self.names.entry(name).or_default() };
        if let Some(extension) = extension(name).filter(|extension| !extension.contains('*')) {
            return self.extensions.entry(extension.to_ascii_lowercase()).or_default();
        }
        if let Some(first) = prefix.bytes().next() {
            return self.initials.entry(first).or_default();
        }
        let top = pattern.strip_prefix('/').and_then(|anchored| anchored.split('/').next());
        match top.filter(|top| !top.contains('*')) {
            Some(top) => self.tops.entry(top).or_default(),
            None => &mut self.always,
        }
    }
}

/// What stands behind the last dot.
fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// The rows that may read the file at this normalised path, or its name.
pub(crate) fn candidates(path: &str) -> Rows {
    let index = &*INDEX;
    let name = path::split(path).1;
    let mut rows = index.always.0;
    let mut add = |found: Option<&Rows>| rows |= found.map_or(0, |found| found.0);
    add(index.names.get(name));
    if let Some(extension) = extension(name).map(str::as_bytes)
        && let Some(lower) = [0; EXTENSION].get_mut(..extension.len())
    {
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        add(std::str::from_utf8(lower).ok().and_then(|extension| index.extensions.get(extension)));
    }
    add(name.bytes().next().and_then(|first| index.initials.get(&first)));
    add(path.split('/').next().and_then(|top| index.tops.get(top)));
    Rows(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ecosystems::Scope;

    /// What every row says by itself.
    fn wanted(path: &str, scope: Scope) -> Rows {
        let mut rows = Rows::default();
        ALL.iter().enumerate().filter(|(_, row)| row.wants(path, scope)).for_each(|(place, _)| rows.insert(place));
        rows
    }

    /// Pieces of all patterns, so that generated paths come near to what is read.
    fn pieces() -> Vec<String> {
        let mut pieces: Vec<String> = ALL
            .iter()
            .flat_map(|row| row.about().files)
            .flat_map(|pattern| pattern.split('/'))
            .filter(|piece| *piece != "**" && !piece.is_empty())
            .flat_map(|piece| [piece.replace('*', ""), piece.replace('*', "x-1.0"), piece.to_uppercase()])
            .collect();
        pieces.sort();
        pieces.dedup();
        pieces
    }

    #[test]
    fn patterns_without_anything_fixed_are_none() {
        assert!(INDEX.always.is_empty(), "a pattern that is asked for every path of every image");
        assert!(INDEX.extensions.keys().all(|extension| extension.len() <= EXTENSION));
        assert!(candidates("usr/share/zoneinfo/Europe/Berlin").is_empty());
    }

    #[test]
    fn the_store_of_nix_is_asked_for_whatever_lies_in_it() {
        let path = "nix/store/0c7c96gikmzv87i7lv3vq5s1cmfjd6zf-glibc-2.37-8/lib/libc.so";
        let named: Vec<_> = candidates(path).ecosystems().filter_map(|row| row.read_path(path)).collect();
        assert_eq!(named.len(), 1);
        assert_eq!(ALL.iter().filter(|row| row.read_path(path).is_some()).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_index_finds_what_asking_every_row_finds(
            parts in proptest::collection::vec(prop_oneof![
                proptest::sample::select(pieces()), "[a-zA-Z.]{1,4}".boxed(), "\\PC{0,3}".boxed()
            ], 1..6),
        ) {
            let path = path::normalise(parts.join("/").as_bytes()).unwrap();
            for scope in [Scope::Image, Scope::Directory] {
                prop_assert_eq!(candidates(&path).filter(|row| row.wants(&path, scope)), wanted(&path, scope));
            }
        }
    }
}
