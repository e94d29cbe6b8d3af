//! Numbers of any length as their decimal digits: versions such as `20240101000000000000` exceed every integer type.

use std::cmp::Ordering;

/// Orders two runs of ASCII digits by their numeric value; an empty run is zero.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Splits off the leading ASCII digits.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Whether the text is one or more ASCII digits.
pub(crate) fn all(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_any_length_compare_by_value() {
        assert_eq!(compare("007", "7"), Ordering::Equal);
        assert_eq!(compare("", "0"), Ordering::Equal);
        assert_eq!(compare("99999999999999999999999998", "99999999999999999999999999"), Ordering::Less);
        assert_eq!(compare("10", "9"), Ordering::Greater);
        assert_eq!(split("12ab3"), ("12", "ab3"));
    }
}
