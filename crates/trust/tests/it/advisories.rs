//! What went wrong in other verifiers, tried on this one. Each test is called after the advisory.

use assay_model::{Digest, Explain, Timestamp};
use assay_sandbox::sigstore::{Authority, Fault, Identity, evidence};
use assay_sign::Statement;
use assay_trust::{
    Artifact, EvidenceKind, MaterialError, Predicate, RestoreError, SealingKey, TrustMaterial, VerifyError,
    verify_bundle,
};
use serde_json::{Value, json};

fn authority() -> Authority {
    Authority::new("2026-03-01T12:00:00Z".parse().unwrap())
}

fn release() -> Identity {
    Identity::github("company/payments", "release.yml", "refs/heads/main")
}

fn signed(authority: &Authority, content: &[u8]) -> Value {
    let bundle = evidence::bundle(authority, &release(), &Statement::image_signature(&Digest::of(content)));
    serde_json::from_slice(bundle.bytes()).unwrap()
}

fn verify(authority: &Authority, bundle: &Value, content: &[u8]) -> Result<EvidenceKind, VerifyError> {
    let bytes = serde_json::to_vec(bundle).unwrap();
    let later = authority.clock().now() + jiff::SignedDuration::from_hours(2);
    verify_bundle(&bytes, Artifact::Digest(Digest::of(content)), &evidence::material(authority), later)
        .map(|evidence| evidence.kind())
}

/// kyverno: the digest that was verified is the one that is reported.
#[test]
fn cve_2022_47633_evidence_is_about_the_digest_that_was_asked_for() {
    let authority = authority();
    let bundle = signed(&authority, b"image");
    assert_eq!(verify(&authority, &bundle, b"image"), Ok(EvidenceKind::Signature));
    assert!(matches!(verify(&authority, &bundle, b"other image"), Err(VerifyError::WrongDigest { .. })));
}

/// cosign, policy-controller: an attestation of another type is not the wanted one.
#[test]
fn cve_2022_35929_an_attestation_of_another_type_is_of_another_kind() {
    let authority = authority();
    let image = Digest::of(b"image");
    let other = evidence::attestation(&authority, &release(), &image, "https://example.com/custom/v1", "{}");
    assert_eq!(other.kind(), EvidenceKind::Other);
    assert!(matches!(other.predicate(), Predicate::Other(kept) if kept.body.as_deref() == Some("{}")));
    // A provenance that merely names a look-alike type is none.
    let look_alike = evidence::attestation(&authority, &release(), &image, "https://slsa.dev/provenance/v1/", "{}");
    assert_eq!(look_alike.kind(), EvidenceKind::Other);
}

/// cosign: what cannot be parsed is an error.
#[test]
fn cve_2022_36056_and_cve_2026_39395_what_cannot_be_parsed_is_an_error() {
    let authority = authority();
    let image = Digest::of(b"image");
    let statement =
        Statement::attestation(&image, "https://slsa.dev/provenance/v1", br#"{"runDetails": "none"}"#).unwrap();
    let bundle = evidence::bundle(&authority, &release(), &statement);
    let result = verify_bundle(
        bundle.bytes(),
        Artifact::Digest(image),
        &evidence::material(&authority),
        authority.clock().now(),
    );
    assert!(matches!(result, Err(VerifyError::PredicateMalformed { .. })));
}

/// cosign, gitsign: a valid log entry of something else.
#[test]
fn cve_2022_23649_and_cve_2026_22703_the_log_entry_must_be_of_this_signature() {
    let authority = authority();
    let (mut ours, other) = (signed(&authority, b"image"), signed(&authority, b"other image"));
    let entries = "/verificationMaterial/tlogEntries";
    *ours.pointer_mut(entries).unwrap() = other.pointer(entries).unwrap().clone();
    assert!(matches!(verify(&authority, &ours, b"image"), Err(VerifyError::LogEntryMismatch { .. })));
}

/// cosign, sigstore-go, timestamp-authority: validity counts at the proven time, not now.
#[test]
fn cve_2026_24122_validity_is_judged_at_the_proven_time() {
    let authority = authority();
    let bundle = signed(&authority, b"image");
    authority.clock().advance(365 * 24 * 3600 / 5);
    assert_eq!(verify(&authority, &bundle, b"image"), Ok(EvidenceKind::Signature));
    authority.set_fault(Some(Fault::ExpiredCertificate));
    let expired = signed(&authority, b"image");
    assert!(matches!(verify(&authority, &expired, b"image"), Err(VerifyError::CertificateExpired { .. })));
    let early = verify_bundle(
        &serde_json::to_vec(&bundle).unwrap(),
        Artifact::Digest(Digest::of(b"image")),
        &evidence::material(&authority),
        Timestamp::UNIX_EPOCH,
    );
    assert!(matches!(early, Err(VerifyError::InFuture { .. })));
}

/// sigstore-go, timestamp-authority: authorities and log keys count only while the trusted root says so.
#[test]
fn cve_2026_54787_authorities_and_logs_count_only_in_their_time() {
    let authority = authority();
    let bundle = serde_json::to_vec(&signed(&authority, b"image")).unwrap();
    let root: Value = serde_json::from_slice(&authority.trusted_root_json()).unwrap();
    let judge = |place: &str| {
        let mut root = root.clone();
        root.pointer_mut(place).unwrap()["validFor"] =
            json!({"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"});
        let material = TrustMaterial::new().with_trusted_root(root.to_string().as_bytes()).unwrap();
        let now = authority.clock().now();
        verify_bundle(&bundle, Artifact::Digest(Digest::of(b"image")), &material, now).map(|evidence| evidence.kind())
    };
    assert!(matches!(judge("/certificateAuthorities/0"), Err(VerifyError::AuthorityNotValid { .. })));
    assert!(matches!(judge("/timestampAuthorities/0"), Err(VerifyError::TimestampOutsideAuthority { .. })));
    assert!(matches!(judge("/tlogs/0/publicKey"), Err(VerifyError::LogTime { .. })));
    assert!(matches!(judge("/ctlogs/0/publicKey"), Err(VerifyError::CertificateTransparency { .. })));
}

/// sigstore-go: the same log does not count twice. One entry more or less never makes a second proof; a repeated one is
/// still one time and one signer.
#[test]
fn cve_2026_49834_a_repeated_entry_is_one_entry() {
    let authority = authority();
    let mut bundle = signed(&authority, b"image");
    let entries = bundle.pointer_mut("/verificationMaterial/tlogEntries").unwrap().as_array_mut().unwrap();
    let entry = entries[0].clone();
    entries.push(entry.clone());
    assert_eq!(verify(&authority, &bundle, b"image"), Ok(EvidenceKind::Signature));
    let entries = bundle.pointer_mut("/verificationMaterial/tlogEntries").unwrap().as_array_mut().unwrap();
    entries.extend(std::iter::repeat_n(entry, 8));
    assert!(matches!(verify(&authority, &bundle, b"image"), Err(VerifyError::TooLarge { .. })));
}

/// gitsign: keys of logs come from the trusted root only.
#[test]
fn cve_2023_47122_log_keys_come_from_the_trusted_root() {
    let authority = authority();
    authority.set_fault(Some(Fault::WrongLogKey));
    let bundle = signed(&authority, b"image");
    assert!(matches!(verify(&authority, &bundle, b"image"), Err(VerifyError::LogProof { .. })));
    let unknown = verify_bundle(
        &serde_json::to_vec(&bundle).unwrap(),
        Artifact::Digest(Digest::of(b"image")),
        &TrustMaterial::new().with_public_good().unwrap(),
        authority.clock().now(),
    );
    assert_eq!(unknown, Err(VerifyError::UnknownAuthority));
}

/// gitsign: no certificates at all.
#[test]
fn cve_2026_44310_an_empty_certificate_set_is_an_error() {
    let authority = authority();
    let mut bundle = signed(&authority, b"image");
    let material = bundle.pointer_mut("/verificationMaterial").unwrap().as_object_mut().unwrap();
    material.remove("certificate");
    assert!(matches!(verify(&authority, &bundle, b"image"), Err(VerifyError::Malformed { .. })));
    let material = bundle.pointer_mut("/verificationMaterial").unwrap().as_object_mut().unwrap();
    material.insert("x509CertificateChain".to_owned(), json!({"certificates": []}));
    assert!(matches!(verify(&authority, &bundle, b"image"), Err(VerifyError::Malformed { .. })));
}

/// gitsign: the bytes that are verified are the bytes that are read.
#[test]
fn cve_2026_44309_a_second_payload_is_refused() {
    let authority = authority();
    let text = signed(&authority, b"image").to_string();
    let start = text.find(r#""payload":"#).unwrap();
    let twice = format!("{}\"payload\":\"e30=\",{}", &text[..start], &text[start..]);
    let result = verify_bundle(
        twice.as_bytes(),
        Artifact::Digest(Digest::of(b"image")),
        &evidence::material(&authority),
        authority.clock().now(),
    );
    assert!(matches!(result, Err(VerifyError::Malformed { part: "bundle", .. })), "{result:?}");
}

/// sigstore-go: loops over counts of the sender.
#[test]
fn cve_2024_45395_counts_are_bounded() {
    let authority = authority();
    let mut bundle = signed(&authority, b"image");
    let stamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    let stamps = bundle.pointer_mut(stamps).unwrap().as_array_mut().unwrap();
    let stamp = stamps[0].clone();
    stamps.extend(std::iter::repeat_n(stamp, 100));
    assert!(matches!(verify(&authority, &bundle, b"image"), Err(VerifyError::TooLarge { found: 101, .. })));
}

/// A key's bundle that carries an entry must have it verified: an unknown log is no log.
#[test]
fn ghsa_whqx_f9j3_ch6m_an_entry_is_never_ignored() {
    let authority = authority();
    let pair = evidence::KeyPair::generate("release");
    let image = Digest::of(b"image");
    let mut bundle: Value = serde_json::from_slice(pair.bundle(&Statement::image_signature(&image)).bytes()).unwrap();
    let entries = "/verificationMaterial/tlogEntries";
    *bundle.pointer_mut(entries).unwrap() = signed(&authority, b"image").pointer(entries).unwrap().clone();
    let bytes = serde_json::to_vec(&bundle).unwrap();
    let now = authority.clock().now();
    let alone = verify_bundle(&bytes, Artifact::Digest(image), &pair.material, now);
    assert!(matches!(alone, Err(VerifyError::LogEntryMismatch { .. })), "{alone:?}");
    let with_root = pair.material.clone().with_trusted_root(&authority.trusted_root_json()).unwrap();
    let mismatch = verify_bundle(&bytes, Artifact::Digest(image), &with_root, now);
    assert!(matches!(mismatch, Err(VerifyError::LogEntryMismatch { .. })), "{mismatch:?}");
}

/// A bundle that is signed by a key nobody trusts.
#[test]
fn ghsa_fx35_mq7g_6g98_an_unexpected_key_is_refused() {
    let (ours, theirs) = (evidence::KeyPair::generate("release"), evidence::KeyPair::generate("other"));
    let image = Digest::of(b"image");
    let bundle = theirs.bundle(&Statement::image_signature(&image));
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let result = verify_bundle(bundle.bytes(), Artifact::Digest(image), &ours.material, now);
    assert!(matches!(&result, Err(error @ VerifyError::UnknownKey { .. }) if error.code() == "key-unknown"));
}

/// notation: what the store kept counts only under its seal and the same trust material.
#[test]
fn cve_2024_23332_stored_evidence_is_not_rolled_back() {
    let authority = authority();
    let kept = evidence::signature(&authority, &release(), &Digest::of(b"image"));
    let (key, other) = (SealingKey::new(&[7; 32]), SealingKey::new(&[8; 32]));
    let sealed = kept.seal(&key);
    let root = evidence::material(&authority).hash();
    assert_eq!(assay_trust::Evidence::restore(&sealed, &key, root), Ok(kept));
    assert_eq!(assay_trust::Evidence::restore(&sealed, &other, root), Err(RestoreError::WrongSeal));
    let changed = assay_trust::Evidence::restore(&sealed, &key, TrustMaterial::new().hash());
    assert!(matches!(changed, Err(RestoreError::OtherTrustRoot { .. })));
    let text = serde_json::to_string(&sealed).unwrap().replacen("company/payments", "company/evil-app", 1);
    let edited = serde_json::from_str(&text).unwrap();
    assert_eq!(assay_trust::Evidence::restore(&edited, &key, root), Err(RestoreError::WrongSeal));
}

/// Trust material that trusts too many or nothing usable is refused as a whole.
#[test]
fn trust_material_is_bounded() {
    let pem = evidence::KeyPair::generate("k").public_key_pem;
    let mut material = TrustMaterial::new();
    for _ in 0..64 {
        material = material.with_public_key(&pem).unwrap();
    }
    assert!(matches!(material.with_public_key(&pem), Err(MaterialError::TooLarge { .. })));
}

/// rekor: log entries that are empty, or hold nothing where something belongs, end in an error.
#[test]
fn cve_2023_33199_and_cve_2026_23831_empty_log_entries_are_errors() {
    let authority = authority();
    let good = signed(&authority, b"image");
    let entry = "/verificationMaterial/tlogEntries/0";
    let fields: Vec<String> = good.pointer(entry).unwrap().as_object().unwrap().keys().cloned().collect();
    assert!(fields.len() >= 5, "{fields:?}");
    let places = fields.iter().map(|field| format!("{entry}/{field}")).chain([entry.to_owned()]);
    for place in places {
        for nothing in [Value::Null, json!({}), json!([]), json!("")] {
            let mut bundle = good.clone();
            let part = bundle.pointer_mut(&place).unwrap();
            // Where nothing stands, nothing is damaged; and beside an inclusion proof no promise is needed.
            if *part == nothing || (nothing.is_null() && place.ends_with("/inclusionPromise")) {
                continue;
            }
            *part = nothing.clone();
            assert!(verify(&authority, &bundle, b"image").is_err(), "{place} = {nothing}");
        }
    }
}
