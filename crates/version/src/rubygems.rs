//! RubyGems: `Gem::Version` (guides.rubygems.org/patterns, "Pre-release gems").
//!
//! A version is a list of numbers and words; a dash starts a pre-release as `.pre.` does. A word is older than any number, a
//! missing part counts as zero, and zeros at the end of the numbers, and of the words, do not count.

use std::cmp::Ordering;

use crate::digits;

/// Orders two gem versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.replace('-', ".pre."), right.replace('-', ".pre."));
    let (left, right) = (parts(&left), parts(&right));
    for at in 0..left.len().max(right.len()) {
        let part = |parts: &[&'_ str]| parts.get(at).map_or_else(|| "0".to_owned(), |part| (*part).to_owned());
        let (a, b) = (part(&left), part(&right));
        let order = match (digits::all(&a), digits::all(&b)) {
            (true, true) => digits::compare(&a, &b),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => a.cmp(&b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Numbers and words in turn, without the zeros that end the numbers before the first word, and those that end the whole.
fn parts(version: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = version;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        rest = rest.get(start..).unwrap_or_default();
        let numeric = rest.starts_with(|c: char| c.is_ascii_digit());
        let same = |byte: u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
        let (part, after) = rest.split_at(rest.bytes().position(|byte| !same(byte)).unwrap_or(rest.len()));
        if !numeric && parts.iter().all(|part| digits::all(part)) {
            trim_zeros(&mut parts);
        }
        parts.push(part);
        rest = after;
    }
    trim_zeros(&mut parts);
    parts
}

fn trim_zeros(parts: &mut Vec<&str>) {
    while parts.last().is_some_and(|part| part.bytes().all(|byte| byte == b'0')) {
        parts.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pre_releases_and_trailing_zeros_do_not_count() {
        for (low, high) in [
            ("1.0.0.pre", "1.0.0"),
            ("1.0.0-rc1", "1.0.0"),
            ("1.0.a9", "1.0.a10"),
            ("1.9", "1.10"),
            ("2.0.0.a", "2.0.0.b"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        for (left, right) in [("1.0", "1"), ("1.0.0.b1", "1.b1"), ("1.0-rc1", "1.0.pre.rc1"), ("1.0.a2", "1.0.a.2")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
