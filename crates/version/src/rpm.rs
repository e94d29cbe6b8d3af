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
/// everything else.
fn compare_segments(mut left: &str, mut right: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        left = left.trim_start_matches(separator);
        right = right.trim_start_matches(separator);
        match (left.strip_prefix('~'), right.strip_prefix('~')) {
            (Some(a), Some(b)) => {
                (left, right) = (a, b);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (left.strip_prefix('^'), right.strip_prefix('^')) {
            (Some(a), Some(b)) => {
                (left, right) = (a, b);
                continue;
            }
            (Some(_), None) => return if right.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if left.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if left.is_empty() || right.is_empty() {
            return left.len().min(1).cmp(&right.len().min(1));
        }
        let (a, left_rest) = segment(left);
        let (b, right_rest) = segment(right);
        let order = match (digits::all(a), digits::all(b)) {
            (true, true) => digits::compare(a, b),
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

/// The leading run of digits, or of letters.
fn segment(text: &str) -> (&str, &str) {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit());
    let same = |byte: u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at(text.bytes().position(|byte| !same(byte)).unwrap_or(text.len()))
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
