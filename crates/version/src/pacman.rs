//! Arch Linux: `[epoch:]version[-release]` in the order of `vercmp` (vercmp(8)).
//!
//! An older branch of RPM's order: a word at the end is older than nothing, and where only one side has a release, none
//! counts.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let ((left_epoch, left, left_release), (right_epoch, right, right_release)) = (split(left), split(right));
    digits::compare(left_epoch, right_epoch).then_with(|| compare_segments(left, right)).then_with(|| {
        match (left_release, right_release) {
            (Some(left), Some(right)) => compare_segments(left, right),
            _ => Ordering::Equal,
        }
    })
}

fn split(version: &str) -> (&str, &str, Option<&str>) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", version),
    };
    let (version, release) = rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
    (epoch, version, release)
}

fn compare_segments(mut left: &str, mut right: &str) -> Ordering {
    let separator = |text: &str| text.bytes().position(|byte| byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    let begins = |text: &str, letter: bool| {
        text.bytes().next().is_some_and(|byte| if letter { byte.is_ascii_alphabetic() } else { byte.is_ascii_digit() })
    };
    while !left.is_empty() && !right.is_empty() {
        let (left_gap, right_gap) = (separator(left), separator(right));
        let ((_, left_rest), (_, right_rest)) = (left.split_at(left_gap), right.split_at(right_gap));
        if left_rest.is_empty() || right_rest.is_empty() {
            (left, right) = (left_rest, right_rest);
            break;
        }
        if left_gap != right_gap {
            return left_gap.cmp(&right_gap);
        }
        let letter = begins(left_rest, true);
        let end = |text: &str| {
            let same = |byte: u8| if letter { byte.is_ascii_alphabetic() } else { byte.is_ascii_digit() };
            text.bytes().position(|byte| !same(byte)).unwrap_or(text.len())
        };
        let ((a, left_after), (b, right_after)) =
            (left_rest.split_at(end(left_rest)), right_rest.split_at(end(right_rest)));
        let order = match (letter, b.is_empty()) {
            // A number is newer than a word.
            (true, true) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, false) => a.cmp(b),
            (false, false) => digits::compare(a, b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_after, right_after);
    }
    match (left.is_empty(), right.is_empty()) {
        (true, true) => Ordering::Equal,
        // What is left is newer, unless it is a word.
        (true, false) => {
            if begins(right, true) {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, true) => {
            if begins(left, true) {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, false) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_the_manual_lists_them() {
        for ordered in [
            &["1.0a", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1"][..],
            &["1", "1.0", "1.1", "1.1.1", "1.2", "2.0", "3.0.0", "1:0.1"],
            &["1.5-1", "1.5-2", "1.5.1-1", "1:1.0-1"],
        ] {
            for (at, low) in ordered.iter().enumerate() {
                for high in ordered.iter().skip(at + 1) {
                    assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
                    assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
                }
            }
        }
        for (left, right) in [("1.5-1", "1.5"), ("0:1.0-1", "1.0-1"), ("1.0", "1_0")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
