//! RPM: `[epoch:]version[-release]`, each part in the order of rpmvercmp (rpm-version(7)).

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions; an absent epoch is 0, and no release sorts before any.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    digits::compare(left_epoch.unwrap_or_default(), right_epoch.unwrap_or_default())
        .then_with(|| compare_version_release(left, right))
}

/// Orders two versions as if neither had an epoch: for advisory data that lost it (of AlmaLinux's bounds three in four).
pub fn compare_without_epoch(left: &str, right: &str) -> Ordering {
    compare_version_release(split_epoch(left).1, split_epoch(right).1)
}

/// Whether the text has an epoch written out.
pub fn has_epoch(version: &str) -> bool {
    split_epoch(version).0.is_some()
}

fn split_epoch(version: &str) -> (Option<&str>, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if digits::all(epoch) => (Some(epoch), rest),
        _ => (None, version),
    }
}

fn compare_version_release(left: &str, right: &str) -> Ordering {
    let (left_version, left_release) = split_release(left);
    let (right_version, right_release) = split_release(right);
    compare_segments(left_version, right_version).then_with(|| match (left_release, right_release) {
        (Some(left), Some(right)) => compare_segments(left, right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    })
}

fn split_release(version: &str) -> (&str, Option<&str>) {
    version.rsplit_once('-').map_or((version, None), |(version, release)| (version, Some(release)))
}

/// rpmvercmp: runs of digits or of letters, separated by anything else; `~` sorts before the end, `^` after it and before
/// everything else. By bytes: an advisory's match takes thousands of these.
fn compare_segments(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        (left, right) = (after_separators(left), after_separators(right));
        match (left.split_first(), right.split_first()) {
            (Some((b'~', a)), Some((b'~', b))) | (Some((b'^', a)), Some((b'^', b))) => {
                (left, right) = (a, b);
                continue;
            }
            (Some((b'~', _)), _) | (None, Some((b'^', _))) => return Ordering::Less,
            (_, Some((b'~', _))) | (Some((b'^', _)), None) => return Ordering::Greater,
            (Some((b'^', _)), Some(_)) => return Ordering::Less,
            (Some(_), Some((b'^', _))) => return Ordering::Greater,
            (Some(_), Some(_)) => {}
            (left, right) => return left.is_some().cmp(&right.is_some()),
        }
        let (a, left_rest) = segment(left);
        let (b, right_rest) = segment(right);
        let numeric = |segment: &[u8]| segment.first().is_some_and(u8::is_ascii_digit);
        let order = match (numeric(a), numeric(b)) {
            (true, true) => compare_numbers(a, b),
            // A number is newer than letters.
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

fn after_separators(text: &[u8]) -> &[u8] {
    let counts = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^');
    text.get(text.iter().position(counts).unwrap_or(text.len())..).unwrap_or_default()
}

/// The leading run of digits, or of letters.
fn segment(text: &[u8]) -> (&[u8], &[u8]) {
    let numeric = text.first().is_some_and(u8::is_ascii_digit);
    let same = |byte: &u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at(text.iter().position(|byte| !same(byte)).unwrap_or(text.len()))
}

/// Two runs of digits by their value, of any length.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    let (left, right) = (left.split_at(significant(left)).1, right.split_at(significant(right)).1);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_tildes_and_carets_order_as_rpm_does() {
        for (low, high) in [
            ("1.0~rc1-1", "1.0-1"),
            ("1.0-1", "1.0^git1-1"),
            ("1.0^git1", "1.0.1"),
            ("3.0.7-9.el9", "1:3.0.7-2.el9"),
            ("7.61.1-22.el8", "7.61.1-22.el8.3"),
            ("1.a", "1.1"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
    }

    #[test]
    fn a_lost_epoch_can_be_left_out_of_the_comparison() {
        assert!(has_epoch("1:3.0.7-2.el9") && !has_epoch("3.0.7-2.el9") && !has_epoch("a:1"));
        assert_eq!(compare("1:3.0.7-2.el9", "3.0.7-9.el9"), Ordering::Greater);
        assert_eq!(compare_without_epoch("1:3.0.7-2.el9", "3.0.7-9.el9"), Ordering::Less);
    }
}
