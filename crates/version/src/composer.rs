//! Packagist: the order of PHP's `version_compare`, which Composer uses (php.net/version_compare).
//!
//! A version is cut at `.`, `-`, `_`, `+` and at every change between digits and letters. A word that is none of the known
//! stabilities comes first, then `dev`, `alpha`, `beta`, `rc`, numbers, and patch levels.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    let (left, right) = (parts(&left), parts(&right));
    for at in 0..left.len().max(right.len()) {
        let order = match (left.get(at), right.get(at)) {
            (Some(a), Some(b)) => compare_parts(a, b),
            (Some(more), None) => against_nothing(more),
            (None, Some(more)) => against_nothing(more).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// A version that goes on is newer if it goes on with a number, or with a patch level.
fn against_nothing(part: &str) -> Ordering {
    if digits::all(part) { Ordering::Greater } else { stability(part).cmp(&NUMBER) }
}

fn compare_parts(left: &str, right: &str) -> Ordering {
    match (digits::all(left), digits::all(right)) {
        (true, true) => digits::compare(left, right),
        (left_number, right_number) => {
            let rank = |part, number| if number { NUMBER } else { stability(part) };
            rank(left, left_number).cmp(&rank(right, right_number))
        }
    }
}

/// Rank of a number among the words.
const NUMBER: u8 = 5;

fn stability(word: &str) -> u8 {
    // As in PHP, a word counts by how it begins: `patch` is `p`, `alphabet` is `alpha`.
    const WORDS: [(&str, u8); 8] =
        [("dev", 1), ("alpha", 2), ("a", 2), ("beta", 3), ("b", 3), ("rc", 4), ("#", NUMBER), ("p", 6)];
    WORDS.iter().find(|(start, _)| word.starts_with(start)).map_or(0, |(_, rank)| *rank)
}

/// Numbers that Composer fills up with zeros: to it, `1.0` is `1.0.0.0`.
const NUMBERS: usize = 4;

fn parts(version: &str) -> Vec<&str> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let version = version.split_once('+').map_or(version, |(version, _build)| version);
    let version = version.strip_suffix("-stable").unwrap_or(version);
    let mut parts = Vec::new();
    let mut rest = version;
    loop {
        let (number, after) = digits::split(rest);
        if number.is_empty() {
            break;
        }
        parts.push(number);
        rest = after;
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
            _ => break,
        }
    }
    if !parts.is_empty() {
        parts.resize(parts.len().max(NUMBERS), "0");
    }
    for piece in rest.split(['.', '-', '_']) {
        let mut rest = piece;
        while let Some(first) = rest.bytes().next() {
            let numeric = first.is_ascii_digit();
            let end = rest.bytes().position(|byte| byte.is_ascii_digit() != numeric).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            parts.push(part);
            rest = after;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stabilities_order_as_php_does() {
        let ordered = ["1.0-foo", "1.0-dev", "1.0a1", "1.0-beta2", "1.0RC1", "1.0", "1.0-patch1", "1.0.1"];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{} < {}", pair[0], pair[1]);
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{} > {}", pair[1], pair[0]);
        }
        assert_eq!(compare("v1.0.0-stable", "1.0.0"), Ordering::Equal);
        assert_eq!(compare("dev-main", "0.1"), Ordering::Less, "a branch is below every release");
    }
}
