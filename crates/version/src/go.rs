//! Go: module versions (semantic, with pseudo-versions and `+incompatible`) and the toolchain's own `go1.21rc2`.
//!
//! Advisories write the standard library's versions semantically (`1.21.0-rc.2`), binaries record `go1.21rc2`
//! (go.dev/doc/toolchain#version), so the second is turned into the first.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::{digits, semver};

/// Orders two module or toolchain versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    semver::compare(&normal(left), &normal(right))
}

/// A build from a working tree, which the toolchain marks as such.
pub(crate) fn is_development(version: &str) -> bool {
    version.starts_with("(devel)") || version.starts_with("devel") || version == "unknown"
}

/// `go1.21rc2 X:boringcrypto` becomes `1.21.0-rc.2`; module versions stay as they are.
fn normal(version: &str) -> Cow<'_, str> {
    let Some(toolchain) = version.strip_prefix("go") else { return Cow::Borrowed(version) };
    // Experiments and vendor builds follow after a space or a dash.
    let toolchain = toolchain.split([' ', '-']).next().unwrap_or_default();
    let Some(at) = toolchain.find(|c: char| c.is_ascii_alphabetic()) else { return Cow::Borrowed(toolchain) };
    let (numbers, prerelease) = toolchain.split_at(at);
    let word = prerelease.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = prerelease.get(word.len()..).unwrap_or_default();
    let padding = ".0".repeat(2_usize.saturating_sub(numbers.matches('.').count()));
    let separator = if digits::all(number) { "." } else { "" };
    Cow::Owned(format!("{numbers}{padding}-{word}{separator}{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_versions_and_toolchain_versions_fall_between_releases() {
        for (low, high) in [
            ("v0.0.0-20210220033141-f8bda1e9f3ba", "v0.0.0-20220722155237-a158d28d115b"),
            ("v0.0.0-20220722155237-a158d28d115b", "v0.1.0"),
            ("v1.2.4-0.20230101000000-abcdefabcdef", "v1.2.4"),
            ("v2.0.0+incompatible", "v2.0.1+incompatible"),
            ("go1.21rc2", "go1.21.0"),
            ("go1.20.14", "1.21.0-rc.2"),
            ("go1.21.0-rc.1", "go1.21.1"),
            ("go1.21.5 X:boringcrypto", "1.21.6"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        assert_eq!(compare("go1.21rc2", "1.21.0-rc.2"), Ordering::Equal);
        assert_eq!(compare("go1.21", "1.21.0"), Ordering::Equal);
    }
}
