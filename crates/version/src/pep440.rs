//! Python: PEP 440 (packaging.python.org, "Version specifiers"), and for what it rejects the order that setuptools and
//! `packaging.version.LegacyVersion` gave: below every PEP 440 version.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    match (Parsed::of(&left), Parsed::of(&right)) {
        (Some(left), Some(right)) => left.compare(&right),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => legacy_key(&left).cmp(&legacy_key(&right)),
    }
}

/// A version as PEP 440 reads it; numbers are kept as digits because they may have any length.
struct Parsed<'a> {
    epoch: &'a str,
    release: Vec<&'a str>,
    /// Rank of the letter (a, b, rc) and number.
    pre: Option<(u8, &'a str)>,
    post: Option<&'a str>,
    dev: Option<&'a str>,
    local: Option<&'a str>,
}

impl<'a> Parsed<'a> {
    /// Reads a lowercase version by the grammar of PEP 440, appendix B, with all its alternative spellings.
    fn of(version: &'a str) -> Option<Self> {
        let version = version.strip_prefix('v').unwrap_or(version);
        let (version, local) =
            version.split_once('+').map_or((version, None), |(version, local)| (version, Some(local)));
        if let Some(local) = local {
            let part_ok = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !local.split(['.', '-', '_']).all(part_ok) {
                return None;
            }
        }
        let (epoch, rest) = match version.split_once('!') {
            Some((epoch, rest)) if digits::all(epoch) => (epoch, rest),
            Some(_) => return None,
            None => ("", version),
        };
        let (first, mut rest) = digits::split(rest);
        if first.is_empty() {
            return None;
        }
        let mut release = vec![first];
        while let Some(after) = rest.strip_prefix('.') {
            let (number, after) = digits::split(after);
            if number.is_empty() {
                break;
            }
            release.push(number);
            rest = after;
        }
        let mut parsed = Self { epoch, release, pre: None, post: None, dev: None, local };
        if let Some((rank, number, after)) = tagged(
            rest,
            &[("alpha", 0), ("beta", 1), ("preview", 2), ("pre", 2), ("rc", 2), ("a", 0), ("b", 1), ("c", 2)],
        ) {
            parsed.pre = Some((rank, number));
            rest = after;
        }
        if let Some((_, number, after)) = tagged(rest, &[("post", 0), ("rev", 0), ("r", 0)]) {
            parsed.post = Some(number);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('-') {
            let (number, after) = digits::split(after);
            if !number.is_empty() {
                parsed.post = Some(number);
                rest = after;
            }
        }
        if let Some((_, number, after)) = tagged(rest, &[("dev", 0)]) {
            parsed.dev = Some(number);
            rest = after;
        }
        rest.is_empty().then_some(parsed)
    }

    fn compare(&self, other: &Self) -> Ordering {
        digits::compare(self.epoch, other.epoch)
            .then_with(|| compare_release(&self.release, &other.release))
            .then_with(|| compare_tag(self.pre_key(), other.pre_key()))
            .then_with(|| match (self.post, other.post) {
                (Some(a), Some(b)) => digits::compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            })
            .then_with(|| match (self.dev, other.dev) {
                (Some(a), Some(b)) => digits::compare(a, b),
                // A development release comes before what it develops.
                (a, b) => b.is_some().cmp(&a.is_some()),
            })
            .then_with(|| compare_local(self.local, other.local))
    }

    /// `1.0.dev1` sorts before `1.0a1`, and a release without a pre tag after `1.0rc9`.
    fn pre_key(&self) -> (u8, &'a str) {
        match self.pre {
            Some((rank, number)) => (rank + 1, number),
            None if self.post.is_none() && self.dev.is_some() => (0, ""),
            None => (u8::MAX, ""),
        }
    }
}

fn compare_tag(left: (u8, &str), right: (u8, &str)) -> Ordering {
    left.0.cmp(&right.0).then_with(|| digits::compare(left.1, right.1))
}

fn compare_release<'a>(left: &[&'a str], right: &[&'a str]) -> Ordering {
    (0..left.len().max(right.len()))
        .map(|at| {
            let part = |numbers: &[&'a str]| numbers.get(at).copied().unwrap_or_default();
            digits::compare(part(left), part(right))
        })
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Local labels: none before any, letters before numbers, shorter before longer.
fn compare_local(left: Option<&str>, right: Option<&str>) -> Ordering {
    let (left, right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (left, right) => return left.is_some().cmp(&right.is_some()),
    };
    let (mut left, mut right) = (left.split(['.', '-', '_']), right.split(['.', '-', '_']));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) if a.is_none() || b.is_none() => return a.is_some().cmp(&b.is_some()),
            (a, b) => {
                let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
                match (digits::all(a), digits::all(b)) {
                    (true, true) => digits::compare(a, b),
                    (false, false) => a.cmp(b),
                    (a, b) => a.cmp(&b),
                }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Reads `[.-_]tag[.-_]number`, where the separators and the number may be missing.
fn tagged<'a>(text: &'a str, tags: &[(&str, u8)]) -> Option<(u8, &'a str, &'a str)> {
    let start = text.strip_prefix(['.', '-', '_']).unwrap_or(text);
    let (rest, rank) = tags.iter().find_map(|(tag, rank)| start.strip_prefix(tag).map(|rest| (rest, *rank)))?;
    let numbered = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
    let (number, after) = digits::split(numbered);
    // A separator belongs to the tag only if a number follows it.
    Some(if number.is_empty() { (rank, "", rest) } else { (rank, number, after) })
}

/// The sort key of `pkg_resources.parse_version` before PEP 440: numbers padded to eight digits, words behind a star.
fn legacy_key(version: &str) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for part in legacy_parts(version) {
        if part.starts_with('*') {
            if part.as_str() < "*final" {
                while key.last().is_some_and(|last| last == "*final-") {
                    key.pop();
                }
            }
            while key.last().is_some_and(|last| last == "00000000") {
                key.pop();
            }
        }
        key.push(part);
    }
    key
}

fn legacy_parts(version: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| {
            (first.is_ascii_digit() && c.is_ascii_digit()) || (first.is_ascii_lowercase() && c.is_ascii_lowercase())
        };
        let separator = matches!(first, '.' | '-');
        let end = if separator {
            first.len_utf8()
        } else if same(first) {
            rest.find(|c: char| !same(c)).unwrap_or(rest.len())
        } else {
            let begins = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || matches!(c, '.' | '-');
            rest.find(begins).unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        let part = match part {
            "." => continue,
            "pre" | "preview" | "rc" => "c",
            "-" => "final-",
            "dev" => "@",
            part => part,
        };
        parts.push(if digits::all(part) { format!("{part:0>8}") } else { format!("*{part}") });
    }
    parts.push("*final".to_owned());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_pep_440_orders() {
        for (low, high) in [
            ("1.0.dev1", "1.0a1"),
            ("1.0a1", "1.0.alpha-2"),
            ("1.0rc1", "1.0"),
            ("1.0", "1.0.post1"),
            ("1.0-1", "1.0.rev2"),
            ("9.9", "1!0.1"),
            ("1.0+ubuntu.1", "1.0+ubuntu.2"),
            ("1.0.1b", "1.0.1"),
            ("not-a-version", "0.0.dev0"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        for (left, right) in [("1.0", "1.0.0"), ("v1.0RC1", "1.0c1"), ("1.0-post", "1.0.post0")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
