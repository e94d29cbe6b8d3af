//! What went wrong in Notation, and does not here.

use assay_model::{Digest, Explain as _};
use assay_trust::notation::{EnvelopeFormat, NotationTrust, SignedArtifact, StoreKind, TrustStores};
use assay_trust::{CheckName, RevocationData};
use serde_json::json;

use super::forge::{Root, now, payload, protected};
use super::verdicts::{ARTIFACT, policy, store, stores};

#[test]
fn cve_2023_33959_a_signature_is_about_the_digest_that_was_asked_for() {
    let root = Root::new("root");
    let envelope = root.leaf("signer", |_| {}).valid_jws().to_string().into_bytes();
    for level in ["strict", "permissive", "audit"] {
        let trust = NotationTrust::new(policy(json!({"level": level}), &["ca:ours"], "*"), stores(&root));
        let statement = trust.for_repository("registry.example.com/a").unwrap();
        let other = SignedArtifact::Manifest { digest: Digest::of(b"another"), media_type: None, size: None };
        let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, other, &RevocationData::new(), now());
        assert_eq!(outcome.refusal().map(assay_model::Explain::code), Some("evidence-wrong-digest"), "{level}");
        assert!(outcome.evidence.is_none());
    }
}

#[test]
fn cve_2024_23332_an_expired_signature_that_a_permissive_policy_lets_through_says_so() {
    let root = Root::new("root");
    let mut header = protected();
    header["io.cncf.notary.expiry"] = json!("2026-05-02T00:00:00Z");
    let envelope = root.leaf("signer", |_| {}).jws(&header, payload().to_string().as_bytes()).to_string().into_bytes();
    let trust = NotationTrust::new(policy(json!({"level": "permissive"}), &["ca:ours"], "*"), stores(&root));
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now());
    let evidence = outcome.evidence.as_ref().unwrap();
    let expiry = evidence.checks().iter().find(|check| check.name == CheckName::Expiry).unwrap();
    assert_eq!(expiry.failed.as_deref(), Some("the signature expired at 2026-05-02T00:00:00Z"));
    assert_eq!(outcome.details.unwrap().expiry, Some("2026-05-02T00:00:00Z".parse().unwrap()));
}

#[test]
fn cve_2023_25656_and_cve_2023_33958_envelopes_chains_and_headers_are_bounded() {
    let root = Root::new("root");
    let signer = root.leaf("signer", |_| {});
    let trust = NotationTrust::new(policy(json!({"level": "audit"}), &["ca:ours"], "*"), stores(&root));
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let code = |bytes: &[u8], format| {
        let outcome = statement.verify(bytes, format, ARTIFACT(), &RevocationData::new(), now());
        outcome.refusal().map(assay_model::Explain::code)
    };
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(code(&large, EnvelopeFormat::Jws), Some("notation-too-large"));
    assert_eq!(code(&large, EnvelopeFormat::Cose), Some("notation-too-large"));
    let mut many = protected();
    for index in 0..100 {
        many[format!("header-{index}")] = json!("x");
    }
    let many = signer.jws(&many, payload().to_string().as_bytes()).to_string();
    assert_eq!(code(many.as_bytes(), EnvelopeFormat::Jws), Some("notation-malformed"));
    let mut long = signer.valid_jws();
    let leaf = long["header"]["x5c"][0].clone();
    long["header"]["x5c"] = json!(vec![leaf; 500]);
    assert_eq!(code(long.to_string().as_bytes(), EnvelopeFormat::Jws), Some("notation-certificate-rule"));
    // CBOR that says it holds more than there is, and CBOR nested without end.
    for bytes in [vec![0xd2, 0x84, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], vec![0x81; 100_000]] {
        assert_eq!(code(&bytes, EnvelopeFormat::Cose), Some("notation-malformed"));
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(deep.as_bytes(), EnvelopeFormat::Jws), Some("notation-malformed"));
    let file = vec![b'-'; (1 << 20) + 1];
    let refused = TrustStores::new().with_file(store(StoreKind::Ca, "a"), &file).unwrap_err();
    assert_eq!(refused.code(), "trust-store-too-large");
}

#[test]
fn cve_2024_56138_the_timestamp_authoritys_certificates_may_be_revoked() {
    use base64::Engine as _;
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/notation-go/verifier/testdata");
    let envelope = std::fs::read(data.join("timestamp/sigEnv/jwsWithTimestamp.sig")).unwrap();
    let parsed: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(parsed["payload"].as_str().unwrap()).unwrap();
    let target: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let digest: Digest = target["targetArtifact"]["digest"].as_str().unwrap().parse().unwrap();
    let leaf = base64::engine::general_purpose::STANDARD.decode(parsed["header"]["x5c"][0].as_str().unwrap()).unwrap();
    let clock = std::fs::read(data.join("truststore/x509/tsa/test-timestamp/globalsignRoot.cer")).unwrap();
    let stores = TrustStores::new()
        .with_file(store(StoreKind::Ca, "ours"), &leaf)
        .and_then(|stores| stores.with_file(store(StoreKind::Tsa, "clock"), &clock))
        .unwrap();
    // Even where the signer's own revocation is skipped.
    let level = json!({"level": "strict", "override": {"revocation": "skip"}});
    let trust = NotationTrust::new(policy(level, &["ca:ours", "tsa:clock"], "*"), stores);
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let artifact = SignedArtifact::Manifest { digest, media_type: None, size: None };
    let judge = |data: &RevocationData| {
        statement.verify(&envelope, EnvelopeFormat::Jws, artifact, data, "2024-06-20T00:00:00Z".parse().unwrap())
    };
    let mut answers = RevocationData::new();
    let first = judge(&answers);
    assert!(!first.wanted.is_empty() && first.evidence.is_none());
    for _ in 0..8 {
        for request in judge(&answers).wanted {
            answers.insert(request, Err("nobody answers".to_owned()));
        }
    }
    let outcome = judge(&answers);
    assert!(outcome.wanted.is_empty());
    assert_eq!(outcome.refusal().map(assay_model::Explain::code), Some("timestamp-invalid"));
    assert!(outcome.refusal().unwrap().to_string().contains("not known whether its certificate"));
}
