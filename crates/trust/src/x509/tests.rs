//! Paths of certificates that `rcgen` makes.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};

use super::*;

/// A certificate with its key, to issue others.
struct Issued {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

fn authority(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf() -> CertificateParams {
    let mut params = params("leaf");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params
}

fn issue(params: CertificateParams, by: Option<&Issued>) -> Issued {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let der = match by {
        None => params.self_signed(&key).unwrap(),
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap(),
    };
    Issued { params, key, certificate: Certificate::parse(der.der()).unwrap() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn find<'a>(leaf: &'a Issued, pool: &'a [Certificate], anchors: &'a [Anchor]) -> Result<Path<'a>, X509Error> {
    verify_path(&leaf.certificate, pool, anchors, at("2026-06-01T00:00:00Z"), Purpose::CODE_SIGNING)
}

#[test]
fn a_path_over_intermediates_is_found_whatever_stands_beside_them() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let one = issue(authority("one", BasicConstraints::Constrained(1)), Some(&root));
    let two = issue(authority("two", BasicConstraints::Constrained(0)), Some(&one));
    let namesake = issue(authority("two", BasicConstraints::Unconstrained), None);
    let leaf = issue(leaf(), Some(&two));
    let pool = [namesake.certificate, two.certificate.clone(), one.certificate.clone()];
    let anchors = [Anchor::new(root.certificate.clone())];
    let path = find(&leaf, &pool, &anchors).unwrap();
    let names: Vec<_> = path.certificates.iter().map(|certificate| certificate.subject_text()).collect();
    assert_eq!((names.len(), path.anchor), (4, 0), "{names:?}");
    assert_eq!(path.issuer().map(Certificate::der), Some(two.certificate.der()));
    // An intermediate may be the anchor: then the path ends there.
    let anchors = [Anchor::new(two.certificate.clone())];
    assert_eq!(find(&leaf, &pool, &anchors).unwrap().certificates.len(), 2);
    // Without the middle there is no path.
    assert!(matches!(find(&leaf, &pool[..2], &[Anchor::new(root.certificate)]), Err(X509Error::UnknownIssuer { .. })));
}

#[test]
fn every_certificate_must_be_valid_at_the_time() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let mut short = authority("short", BasicConstraints::Unconstrained);
    short.not_after = rcgen::date_time_ymd(2026, 3, 1);
    let short = issue(short, Some(&root));
    let leaf = issue(leaf(), Some(&short));
    let (pool, anchors) = ([short.certificate], [Anchor::new(root.certificate)]);
    let judge =
        |time: &str| verify_path(&leaf.certificate, &pool, &anchors, at(time), Purpose::CODE_SIGNING).map(|_path| ());
    assert_eq!(judge("2026-02-01T00:00:00Z"), Ok(()));
    assert!(matches!(judge("2026-06-01T00:00:00Z"), Err(X509Error::Expired { .. })));
    assert!(matches!(judge("2025-06-01T00:00:00Z"), Err(X509Error::NotYetValid { .. })));
    assert!(matches!(judge("2027-06-01T00:00:00Z"), Err(X509Error::Expired { .. })));
    let [anchor] = anchors;
    let anchors = [anchor.within(Some(at("2026-02-15T00:00:00Z")), None)];
    let early = verify_path(&leaf.certificate, &pool, &anchors, at("2026-02-01T00:00:00Z"), Purpose::CODE_SIGNING);
    assert!(matches!(early, Err(X509Error::AnchorNotTrusted { .. })));
}

#[test]
fn authorities_issue_only_what_they_may() {
    let root = issue(authority("root", BasicConstraints::Constrained(0)), None);
    let below = issue(authority("below", BasicConstraints::Unconstrained), Some(&root));
    let two_deep = issue(leaf(), Some(&below));
    let anchors = [Anchor::new(root.certificate.clone())];
    let pool = [below.certificate];
    assert!(matches!(find(&two_deep, &pool, &anchors), Err(X509Error::PathLength { allowed: 0, found: 1, .. })));

    let no_authority = issue(leaf(), Some(&root));
    let by_leaf = issue(leaf(), Some(&no_authority));
    assert!(matches!(find(&by_leaf, &[no_authority.certificate], &anchors), Err(X509Error::NotAuthority { .. })));

    let mut signs_nothing = authority("signs nothing", BasicConstraints::Unconstrained);
    signs_nothing.key_usages = vec![KeyUsagePurpose::CrlSign];
    let signs_nothing = issue(signs_nothing, None);
    let leaf_of_it = issue(leaf(), Some(&signs_nothing));
    let anchors = [Anchor::new(signs_nothing.certificate)];
    assert!(matches!(find(&leaf_of_it, &[], &anchors), Err(X509Error::NotAuthority { .. })));

    let mut other_purpose = authority("other purpose", BasicConstraints::Unconstrained);
    other_purpose.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
    let other_purpose = issue(other_purpose, None);
    let leaf_of_it = issue(leaf(), Some(&other_purpose));
    assert!(matches!(
        find(&leaf_of_it, &[], &[Anchor::new(other_purpose.certificate)]),
        Err(X509Error::Purpose { .. })
    ));
}

#[test]
fn leaves_are_for_the_wanted_purpose_and_leave_nothing_critical_unread() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let anchors = [Anchor::new(root.certificate.clone())];
    let mut unread = leaf();
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    unread.custom_extensions.push(unknown);
    let unread = issue(unread, Some(&root));
    assert!(matches!(find(&unread, &[], &anchors), Err(X509Error::CriticalExtension { .. })));

    let mut no_purpose = leaf();
    no_purpose.extended_key_usages.clear();
    let no_purpose = issue(no_purpose, Some(&root));
    assert!(matches!(find(&no_purpose, &[], &anchors), Err(X509Error::Purpose { .. })));

    let mut no_signatures = leaf();
    no_signatures.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let no_signatures = issue(no_signatures, Some(&root));
    assert!(matches!(find(&no_signatures, &[], &anchors), Err(X509Error::KeyUsage { .. })));

    // For timestamps the purpose stands alone and critical.
    let mut stamps = leaf();
    stamps.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
    let stamps = issue(stamps, Some(&root));
    let time = at("2026-06-01T00:00:00Z");
    let judged = verify_path(&stamps.certificate, &[], &anchors, time, Purpose::TIME_STAMPING);
    assert!(matches!(judged, Err(X509Error::Purpose { reason: "the purpose is not marked critical", .. })));
}

#[test]
fn a_pool_of_look_alikes_is_bounded() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let leaf = issue(leaf(), Some(&root));
    let pool = vec![root.certificate.clone(); 33];
    assert!(matches!(find(&leaf, &pool, &[]), Err(X509Error::TooMany { limit: 32, .. })));
    // An issuer's name with another key is no issuer.
    let other = issue(authority("root", BasicConstraints::Unconstrained), None);
    let anchors = [Anchor::new(other.certificate)];
    let refused = find(&leaf, &[], &anchors);
    assert!(matches!(refused, Err(X509Error::SignatureInvalid { .. })), "{refused:?}");
}

#[test]
fn a_changed_certificate_does_not_verify() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let leaf = issue(leaf(), Some(&root));
    let anchors = [Anchor::new(root.certificate)];
    let der = leaf.certificate.der();
    let mut accepted = 0;
    for place in 0..der.len() {
        let mut changed = der.to_vec();
        changed[place] ^= 1;
        let Ok(changed) = Certificate::parse(&changed) else { continue };
        let path = verify_path(&changed, &[], &anchors, at("2026-06-01T00:00:00Z"), Purpose::CODE_SIGNING);
        accepted += usize::from(path.is_ok());
    }
    assert_eq!(accepted, 0);
}

#[test]
fn pem_holds_certificates_and_nothing_else() {
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let pem =
        x509_cert::der::pem::encode_string("CERTIFICATE", x509_cert::der::pem::LineEnding::LF, root.certificate.der())
            .unwrap();
    assert_eq!(Certificate::parse_pem(&format!("{pem}\n{pem}"), 4).unwrap().len(), 2);
    assert!(matches!(Certificate::parse_pem(&pem.repeat(3), 2), Err(X509Error::TooMany { .. })));
    for wrong in ["", "text", &format!("{pem}rest"), &pem.replace("CERTIFICATE", "PUBLIC KEY")] {
        assert!(matches!(Certificate::parse_pem(wrong, 4), Err(X509Error::Malformed { .. })), "{wrong}");
    }
}

/// An authority that is constrained to names, critical as RFC 5280 wants it.
fn constrained(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>) -> CertificateParams {
    let mut params = authority("constrained", BasicConstraints::Unconstrained);
    params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
    params
}

fn named(name: SanType) -> CertificateParams {
    let mut params = leaf();
    params.subject_alt_names = vec![name];
    params
}

#[test]
fn names_must_be_permitted_and_not_excluded_by_every_authority_above() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let mail = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let ip = |name: &str| SanType::IpAddress(name.parse().unwrap());
    let permitted = vec![
        GeneralSubtree::DnsName("example.com".into()),
        GeneralSubtree::Rfc822Name("example.com".into()),
        GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_v4_prefix([10, 0, 0, 0], 8)),
    ];
    let excluded = vec![GeneralSubtree::DnsName("secret.example.com".into())];
    let root = issue(authority("root", BasicConstraints::Unconstrained), None);
    let above = issue(constrained(permitted, excluded), Some(&root));
    let below = issue(authority("below", BasicConstraints::Unconstrained), Some(&above));
    let pool = [above.certificate.clone(), below.certificate.clone()];
    let anchors = [Anchor::new(root.certificate.clone())];
    for (name, fits) in [
        (dns("build.example.com"), true),
        (dns("build.example.org"), false),
        (dns("a.secret.example.com"), false),
        (mail("ada@example.com"), true),
        (mail("ada@sub.example.com"), false),
        (ip("10.1.2.3"), true),
        (ip("192.0.2.1"), false),
        // Of a kind that nobody constrained.
        (uri("https://anywhere.example.net/a"), true),
    ] {
        // Directly below it, and one authority further down.
        for by in [&above, &below] {
            let leaf = issue(named(name.clone()), Some(by));
            let found = find(&leaf, &pool, &anchors).map(drop);
            match found {
                Ok(()) => assert!(fits, "{name:?}"),
                Err(X509Error::NameConstraint { .. }) => assert!(!fits, "{name:?}"),
                Err(error) => panic!("{name:?}: {error}"),
            }
        }
    }
    // As a trust anchor it is constrained, too.
    let leaf = issue(named(dns("build.example.org")), Some(&above));
    let anchors = [Anchor::new(above.certificate.clone())];
    let refused = find(&leaf, &[], &anchors);
    assert!(matches!(refused, Err(X509Error::NameConstraint { .. })), "{refused:?}");
}

#[test]
fn subjects_are_directory_names_and_their_addresses_are_addresses() {
    let organisation = |name: &str| {
        let mut subject = rcgen::DistinguishedName::new();
        subject.push(DnType::OrganizationName, name);
        subject
    };
    let with_subject = |build: &dyn Fn(&mut rcgen::DistinguishedName)| {
        let mut params = leaf();
        params.distinguished_name = rcgen::DistinguishedName::new();
        build(&mut params.distinguished_name);
        params
    };
    let by = issue(constrained(vec![GeneralSubtree::DirectoryName(organisation("Wabbit"))], vec![]), None);
    let anchors = [Anchor::new(by.certificate.clone())];
    let judge = |params: CertificateParams| find(&issue(params, Some(&by)), &[], &anchors).map(drop);
    let own = with_subject(&|subject| {
        subject.push(DnType::OrganizationName, "WABBIT");
        subject.push(DnType::CommonName, "builder");
    });
    assert_eq!(judge(own), Ok(()), "case does not count");
    for other in ["Wabbit Networks", "Rabbit"] {
        let other = with_subject(&|subject| subject.push(DnType::OrganizationName, other));
        assert!(matches!(judge(other), Err(X509Error::NameConstraint { .. })));
    }
    // The part stands first in the subject, not somewhere.
    let behind = with_subject(&|subject| {
        subject.push(DnType::CommonName, "builder");
        subject.push(DnType::OrganizationName, "Wabbit");
    });
    assert!(matches!(judge(behind), Err(X509Error::NameConstraint { .. })));

    let by = issue(constrained(vec![GeneralSubtree::Rfc822Name("example.com".into())], vec![]), None);
    let anchors = [Anchor::new(by.certificate.clone())];
    let judge = |params: CertificateParams| find(&issue(params, Some(&by)), &[], &anchors).map(drop);
    let email = |address: &'static str| {
        with_subject(&move |subject| {
            subject.push(DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]), address);
        })
    };
    assert_eq!(judge(email("ada@example.com")), Ok(()));
    for address in ["ada@example.net", "nobody"] {
        assert!(matches!(judge(email(address)), Err(X509Error::NameConstraint { .. })), "{address}");
    }
}

#[test]
fn constraints_that_cannot_be_read_or_compared_refuse() {
    // Depths, a range of odd length, an empty extension, and no extension at all.
    for value in [
        &[0x30, 0x0c, 0xa0, 0x0a, 0x30, 0x08, 0x82, 0x03, b'a', b'.', b'b', 0x80, 0x01, 0x01][..],
        &[0x30, 0x09, 0xa0, 0x07, 0x30, 0x05, 0x87, 0x03, 1, 2, 3],
        &[0x30, 0x00],
        &[0x05, 0x00],
    ] {
        assert!(names::Constraints::parse(value).is_err(), "{value:?}");
    }
    // A registered identifier is constrained, and a certificate with one is refused; without one it is not.
    let registered = [0x30, 0x0b, 0xa0, 0x09, 0x30, 0x07, 0x88, 0x05, 0x2b, 0x06, 0x01, 0x04, 0x01];
    let mut params = authority("registered", BasicConstraints::Unconstrained);
    let mut constraints = CustomExtension::from_oid_content(&[2, 5, 29, 30], registered.to_vec());
    constraints.set_criticality(true);
    params.custom_extensions.push(constraints);
    let by = issue(params, None);
    let anchors = [Anchor::new(by.certificate.clone())];
    let without = issue(leaf(), Some(&by));
    assert!(find(&without, &[], &anchors).is_ok());
    let mut with = leaf();
    let names =
        CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x07, 0x88, 0x05, 0x2b, 0x06, 0x01, 0x04, 0x01]);
    with.custom_extensions.push(names);
    let with = issue(with, Some(&by));
    assert!(matches!(find(&with, &[], &anchors), Err(X509Error::NameConstraint { .. })));
}
