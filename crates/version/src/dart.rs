//! Dart's pub: Semantic Versioning in which build metadata counts, and comes after none
//! (dart.dev/tools/pub/versioning, class `Version` of pub_semver).

use std::cmp::Ordering;

use crate::semver;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    semver::compare(left, right).then_with(|| match (build(left), build(right)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(left), Some(right)) => semver::compare_prerelease(Some(left), Some(right)),
    })
}

fn build(version: &str) -> Option<&str> {
    version.split_once('+').map(|(_, build)| build).filter(|build| !build.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_comes_after_none() {
        for (low, high) in
            [("1.0.0-pre+1", "1.0.0"), ("1.0.0", "1.0.0+1"), ("1.0.0+9", "1.0.0+10"), ("1.0.0+9", "1.0.0+a")]
        {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
    }
}
