//! Gentoo: `numbers[letter]{_suffix[number]}[-rN]` (Package Manager Specification, section 3.3).

use std::cmp::Ordering;

use crate::digits;

/// The suffixes in order; the place of none is [`NO_SUFFIX`].
const SUFFIXES: [&str; 6] = ["alpha", "beta", "pre", "rc", "", "p"];
const NO_SUFFIX: usize = 4;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    compare_numbers(&left.numbers, &right.numbers)
        .then_with(|| left.letter.cmp(&right.letter))
        .then_with(|| compare_suffixes(&left.suffixes, &right.suffixes))
        .then_with(|| digits::compare(left.revision, right.revision))
        .then_with(|| left.rest.cmp(right.rest))
}

struct Parts<'a> {
    numbers: Vec<&'a str>,
    letter: Option<u8>,
    suffixes: Vec<(usize, &'a str)>,
    revision: &'a str,
    /// What follows no grammar.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let (version, revision) = match version.rsplit_once("-r") {
            Some((version, revision)) if digits::all(revision) => (version, revision),
            _ => (version, ""),
        };
        let (first, mut rest) = digits::split(version);
        let mut numbers = vec![first];
        while let Some((number, after)) = rest.strip_prefix('.').map(digits::split).filter(|(text, _)| !text.is_empty())
        {
            numbers.push(number);
            rest = after;
        }
        let letter = rest.bytes().next().filter(u8::is_ascii_lowercase);
        if letter.is_some() {
            rest = rest.get(1..).unwrap_or_default();
        }
        let mut suffixes = Vec::new();
        while let Some(name) = rest.strip_prefix('_') {
            let known = (0..SUFFIXES.len()).filter(|at| *at != NO_SUFFIX).find_map(|at| {
                let after = name.strip_prefix(SUFFIXES.get(at)?)?;
                let (number, after) = digits::split(after);
                (after.is_empty() || after.starts_with('_')).then_some((at, number, after))
            });
            let Some((at, number, after)) = known else { break };
            suffixes.push((at, number));
            rest = after;
        }
        Self { numbers, letter, suffixes, revision, rest }
    }
}

/// The first number by value; later ones by value too, unless one begins with a zero: then as fractions.
fn compare_numbers(left: &[&str], right: &[&str]) -> Ordering {
    for (at, (a, b)) in left.iter().zip(right).enumerate() {
        let order = if at > 0 && (a.starts_with('0') || b.starts_with('0')) {
            a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
        } else {
            digits::compare(a, b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn compare_suffixes(left: &[(usize, &str)], right: &[(usize, &str)]) -> Ordering {
    for at in 0..left.len().max(right.len()) {
        let suffix = |list: &[(usize, &str)]| {
            list.get(at).map_or((NO_SUFFIX, String::new()), |(rank, number)| (*rank, (*number).to_owned()))
        };
        let ((a, a_number), (b, b_number)) = (suffix(left), suffix(right));
        let order = a.cmp(&b).then_with(|| digits::compare(&a_number, &b_number));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_the_specification_says() {
        let ordered = [
            "1_alpha", "1_alpha2", "1_beta", "1_pre1", "1_rc3", "1", "1-r1", "1_p0-r1", "1_p1", "1a", "1.01", "1.1",
            "1.1b", "1.2", "1.10", "2",
        ];
        for (at, low) in ordered.iter().enumerate() {
            for high in ordered.iter().skip(at + 1) {
                assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
                assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
            }
        }
        for (left, right) in [("1-r0", "1"), ("1.010", "1.01"), ("1_p", "1_p0")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
