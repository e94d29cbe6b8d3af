//! Laws that hold for every scheme and any text.

use std::cmp::Ordering;

use assay_version::Scheme;
use proptest::prelude::*;

fn scheme() -> impl Strategy<Value = Scheme> {
    proptest::sample::select(Scheme::ALL.to_vec())
}

/// Texts that look like versions, and some that do not.
fn version() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}([-+~_^.:!]?(alpha|beta|rc|r|p|git|dev|post|el9|SNAPSHOT)?[0-9]{0,3}){0,3}",
        "(v|go|[0-9]:)?[0-9]{1,2}\\.[0-9]{1,2}[a-z]{0,3}[0-9]{0,2}",
        "\\PC{1,24}",
    ]
}

proptest! {
    #[test]
    fn a_version_equals_itself(scheme in scheme(), version in version()) {
        if let Ok(order) = scheme.compare(&version, &version) {
            prop_assert_eq!(order, Ordering::Equal);
        }
    }

    #[test]
    fn order_is_antisymmetric(scheme in scheme(), left in version(), right in version()) {
        let forward = scheme.compare(&left, &right);
        let backward = scheme.compare(&right, &left);
        match (forward, backward) {
            (Ok(forward), Ok(backward)) => prop_assert_eq!(forward, backward.reverse()),
            (Err(_), Err(_)) => {}
            (forward, backward) => prop_assert!(false, "{forward:?} against {backward:?}"),
        }
    }

    #[test]
    fn order_is_transitive_for_plain_versions(scheme in scheme(), numbers in proptest::collection::vec((0_u32..40, 0_u32..40, 0_u32..40), 3)) {
        let mut versions: Vec<_> = numbers.iter().map(|(a, b, c)| format!("{a}.{b}.{c}")).collect();
        versions.sort_by(|left, right| scheme.compare(left, right).unwrap());
        let mut expected = numbers.clone();
        expected.sort_unstable();
        let expected: Vec<_> = expected.iter().map(|(a, b, c)| format!("{a}.{b}.{c}")).collect();
        prop_assert_eq!(versions, expected);
    }
}
