//! Paths of certificates that `rcgen` makes.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
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
