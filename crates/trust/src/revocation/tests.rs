use super::*;

/// `CRLDistributionPoints` as DER, with the points as they are.
fn points(points: &[u8]) -> Vec<u8> {
    [&[0x30, u8::try_from(points.len()).unwrap()], points].concat()
}

#[test]
fn addresses_are_those_of_full_names_with_plain_http() {
    // [0] { [0] { [6] "http://a" } }
    let http = [&[0x30, 14, 0xa0, 12, 0xa0, 10, 0x86, 8][..], b"http://a"].concat();
    let ldap = [&[0x30, 14, 0xa0, 12, 0xa0, 10, 0x86, 8][..], b"ldap://a"].concat();
    let found = distribution_points(&points(&[http.clone(), ldap.clone()].concat())).unwrap();
    assert_eq!((found.http, found.other), (vec!["http://a".to_owned()], true));
    let found = distribution_points(&points(&ldap)).unwrap();
    assert!(found.http.is_empty() && found.other);
    // A point that names nothing, and one that names no address.
    let name = [0x30, 6, 0xa0, 4, 0xa0, 2, 0x82, 0];
    let found = distribution_points(&points(&[&[0x30, 0][..], &name].concat())).unwrap();
    assert!(found.http.is_empty() && !found.other);
    assert!(distribution_points(&[0x30, 2, 0x30, 1]).is_err());
    let many = http.repeat(6);
    let found = distribution_points(&points(&many)).unwrap();
    assert_eq!((found.http.len(), found.other), (ADDRESSES_MAX, true));
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let now = Timestamp::from_second(1_000_000).unwrap();
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    assert!(!is_early(at(1_000_300), now) && is_early(at(1_000_301), now) && !is_early(at(0), now));
}
