//! Semantic Versioning 2.0.0, section 11, read leniently: a leading `v`, missing or surplus parts, and numbers of any length.
//!
//! Parts after the third count as build metadata, and so do not order.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    left.numbers
        .iter()
        .zip(&right.numbers)
        .map(|(a, b)| digits::compare(a, b))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or_else(|| compare_prerelease(left.prerelease, right.prerelease))
}

struct Parts<'a> {
    numbers: [&'a str; 3],
    prerelease: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let version = version.strip_prefix(['v', 'V', '=']).unwrap_or(version);
        let version = version.split_once('+').map_or(version, |(rest, _build)| rest);
        let mut numbers = [""; 3];
        let mut rest = version;
        for number in &mut numbers {
            let (value, after) = digits::split(rest);
            *number = value;
            rest = after;
            match rest.strip_prefix('.') {
                Some(after) if !value.is_empty() => rest = after,
                _ => break,
            }
        }
        let prerelease = match rest.split_once('-') {
            Some((_, prerelease)) => Some(prerelease),
            // `1.2.3beta` and `1.2.rc1` lack the dash; a fourth number is no pre-release.
            None if rest.starts_with(|c: char| c.is_ascii_alphabetic()) => Some(rest),
            None => None,
        };
        Self { numbers, prerelease: prerelease.filter(|text| !text.is_empty()) }
    }
}

/// Orders two pre-releases (section 11.4); none is newer than any.
pub(crate) fn compare_prerelease(left: Option<&str>, right: Option<&str>) -> Ordering {
    let (left, right) = match (left, right) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(left), Some(right)) => (left, right),
    };
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match (digits::all(a), digits::all(b)) {
                (true, true) => digits::compare(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_releases_come_first_and_builds_do_not_count() {
        for (low, high) in
            [("1.0.0-alpha.1", "1.0.0-alpha.beta"), ("1.0.0-rc.1", "v1.0.0"), ("1.2", "1.2.1"), ("1.2.3beta", "1.2.3")]
        {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        assert_eq!(compare("1.2.3+a", "v1.2.3+b"), Ordering::Equal);
        assert_eq!(compare("1", "1.0.0"), Ordering::Equal);
    }
}
