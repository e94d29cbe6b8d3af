//! Hackage: numbers between dots, compared as lists (Haskell's `Data.Version`; tags after a dash do not count).

use std::cmp::Ordering;

use crate::cran::compare_numbers;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let numbers = |version: &'_ str| version.split_once('-').map_or(version.len(), |(numbers, _tag)| numbers.len());
    let (left, right) = (left.split_at(numbers(left)).0, right.split_at(numbers(right)).0);
    compare_numbers(left.split('.'), right.split('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_agree_the_longer_is_newer() {
        assert_eq!(compare("1.0", "1.0.0"), Ordering::Less);
        assert_eq!(compare("0.1.26.0", "0.2"), Ordering::Less);
        assert_eq!(compare("1.10", "1.9"), Ordering::Greater);
        assert_eq!(compare("1.0-tag", "1.0"), Ordering::Equal);
    }
}
