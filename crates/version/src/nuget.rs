//! NuGet: up to four numbers and a Semantic Versioning pre-release without regard to case; build metadata does not count
//! (learn.microsoft.com/nuget/concepts/package-versioning).

use std::cmp::Ordering;

use crate::{digits, semver};

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    let ((left, left_pre), (right, right_pre)) = (split(&left), split(&right));
    for at in 0..left.len().max(right.len()) {
        let number = |numbers: &[&str]| numbers.get(at).copied().unwrap_or_default().to_owned();
        let order = digits::compare(&number(&left), &number(&right));
        if order != Ordering::Equal {
            return order;
        }
    }
    semver::compare_prerelease(left_pre, right_pre)
}

fn split(version: &str) -> (Vec<&str>, Option<&str>) {
    let version = version.strip_prefix('v').unwrap_or(version);
    let version = version.split_once('+').map_or(version, |(version, _build)| version);
    let (numbers, prerelease) =
        version.split_once('-').map_or((version, None), |(numbers, prerelease)| (numbers, Some(prerelease)));
    (numbers.split('.').map(|number| digits::split(number).0).collect(), prerelease.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fourth_number_counts_and_case_does_not() {
        for (low, high) in [("1.0.0", "1.0.0.1"), ("1.0.0-beta", "1.0.0"), ("1.0.0-beta.2", "1.0.0-beta.11")] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
        for (left, right) in [("1.0", "1.0.0.0"), ("1.0.0-RC.1", "1.0.0-rc.1"), ("1.0.0+a", "1.0.0+b"), ("1.01", "1.1")]
        {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
