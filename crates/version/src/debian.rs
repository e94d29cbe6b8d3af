//! Debian and Ubuntu: `[epoch:]upstream-version[-debian-revision]` (Debian Policy, section 5.6.12).

use std::cmp::Ordering;

use crate::digits;

/// Orders two Debian versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    digits::compare(left.epoch, right.epoch)
        .then_with(|| compare_part(left.upstream, right.upstream))
        .then_with(|| compare_part(left.revision, right.revision))
}

struct Parts<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        // A colon after anything but digits belongs to the upstream version.
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) if digits::all(epoch) => (epoch, rest),
            _ => ("", version),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, upstream, revision }
    }
}

/// The alternating walk of the policy: a run of non-digits, then a run of digits, until one side differs.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split_text(left);
        let (right_text, right_rest) = split_text(right);
        let (left_number, left_rest) = digits::split(left_rest);
        let (right_number, right_rest) = digits::split(right_rest);
        let order = compare_text(left_text, right_text).then_with(|| digits::compare(left_number, right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_text(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// `~` sorts before the end of a part, the end before letters, letters before everything else.
fn compare_text(left: &str, right: &str) -> Ordering {
    let weight = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    };
    let (mut left, mut right) = (left.bytes(), right.bytes());
    loop {
        let (a, b) = (left.next(), right.next());
        let order = weight(a).cmp(&weight(b));
        if order != Ordering::Equal || a.is_none() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilde_epoch_and_revision_order_as_the_policy_says() {
        for (low, high) in [
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0+b1"),
            ("9.9-9", "1:0.1"),
            ("1.2.13.dfsg-1", "1.2.13.dfsg-1+deb12u1"),
            ("1.0-1~bpo11+1", "1.0-1"),
            ("1.0a", "1.0+"),
            ("2.9", "2.10"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        assert_eq!(compare("0:1.0-0", "1.0"), Ordering::Equal);
    }
}
