//! R (CRAN, Bioconductor): numbers between dots and dashes, compared one by one; of two that agree the longer is newer
//! (`package_version` of base R).

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    compare_numbers(left.split(['.', '-']), right.split(['.', '-']))
}

/// Numbers one by one; what is no number counts as zero, and of two that agree the longer is newer.
pub(crate) fn compare_numbers<'a>(
    mut left: impl Iterator<Item = &'a str>,
    mut right: impl Iterator<Item = &'a str>,
) -> Ordering {
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => digits::compare(digits::split(a).0, digits::split(b).0),
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
    fn dots_and_dashes_are_the_same_and_length_counts() {
        for (low, high) in [("0.9", "0.75"), ("1.0", "1.0.0"), ("1.0-1", "1.0-2"), ("1.9", "1.10")] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        assert_eq!(compare("0.01.0", "0.1-0"), Ordering::Equal);
    }
}
