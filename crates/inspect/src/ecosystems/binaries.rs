//! Well-known programs and libraries that no package manager installed, by the version in their own executable.
//!
//! A name and a text are a guess, so everything here is marked heuristic; what a stronger sign names too is not listed a
//! second time. A new one is a row of the table with a fragment of a real file.

use std::sync::{LazyLock, OnceLock};

use assay_model::{EvidenceTier, PackageType};
use regex::bytes::Regex;

use super::{About, Ecosystem, Found, package, pattern};
use crate::elf::Binary;

mod table;

use table::KNOWN;

pub(crate) struct Binaries;

/// A program that is known by its file's name and a text inside.
struct Known {
    name: &'static str,
    /// File names, as patterns.
    files: &'static [&'static str],
    /// The version is group 1.
    expression: &'static str,
    /// What its file has, as found in one, with the version to be read from it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of each row"))]
    sample: (&'static str, &'static str),
}

const ABOUT: About = About::installed("Well-known executables", EvidenceTier::Heuristic, &[]);

/// Expressions, compiled when a file of their name is seen for the first time. The tests compile them all.
static EXPRESSIONS: LazyLock<Vec<OnceLock<Option<Regex>>>> =
    LazyLock::new(|| KNOWN.iter().map(|_| OnceLock::new()).collect());

impl Ecosystem for Binaries {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read_binary(&self, path: &str, binary: &Binary, found: &mut Found) {
        for (known, version) in versions(path, binary.data()) {
            let mut package = package(PackageType::Generic, known.name, &version, EvidenceTier::Heuristic, path);
            package.digest = Some(binary.digest());
            found.packages.push(package);
        }
    }
}

/// Names of all rows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// What the file at this path with this data is known as.
fn versions<'a>(path: &'a str, data: &'a [u8]) -> impl Iterator<Item = (&'static Known, String)> + use<'a> {
    let name = crate::path::split(path).1;
    KNOWN.iter().zip(EXPRESSIONS.iter()).filter_map(move |(known, expression)| {
        if !known.files.iter().any(|file| pattern::name(file, name)) {
            return None;
        }
        let expression = expression.get_or_init(|| Regex::new(known.expression).ok()).as_ref()?;
        let version = expression.captures(data)?.get(1)?;
        Some((known, String::from_utf8_lossy(version.as_bytes()).into_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that a pattern stands for.
    fn example(pattern: &str) -> String {
        pattern.replace('*', "3")
    }

    #[test]
    fn each_row_reads_the_version_of_its_sample_and_of_nothing_else() {
        assert!(KNOWN.len() >= 60, "{}", KNOWN.len());
        for known in KNOWN {
            let (text, version) = known.sample;
            for file in known.files {
                let path = format!("usr/bin/{}", example(file));
                let found: Vec<_> = versions(&path, text.as_bytes()).collect();
                assert!(
                    found.iter().any(|(row, found)| row.name == known.name && found == version),
                    "{}: {path} has {:?}",
                    known.name,
                    found.iter().map(|(row, version)| (row.name, version)).collect::<Vec<_>>()
                );
                assert_eq!(versions(&path, b"\0no version 1.2 here\0").count(), 0, "{}", known.name);
            }
            assert_eq!(versions("usr/bin/something-else", text.as_bytes()).count(), 0, "{}", known.name);
        }
    }

    #[test]
    fn names_and_expressions_are_not_given_twice() {
        let mut expressions: Vec<_> = KNOWN.iter().map(|known| (known.name, known.expression)).collect();
        expressions.sort_unstable();
        expressions.dedup();
        assert_eq!(expressions.len(), KNOWN.len());
    }
}
