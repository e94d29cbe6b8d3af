//! The five checks under each level, on forged signatures.

use assay_model::Explain as _;
use assay_trust::notation::{
    Action, EnvelopeFormat, NotationOutcome, NotationTrust, OciTrustPolicy, SignedArtifact, StoreKind, StoreName,
    TrustStores, Validation,
};
use assay_trust::{CheckName, RevocationData, Signer as Identity, TrustMaterial};
use serde_json::{Value, json};

use super::forge::{MANIFEST, Root, Signer, artifact, at, now, payload, protected, protected_by_authority};

pub(super) fn store(kind: StoreKind, name: &str) -> StoreName {
    StoreName::new(kind, name).unwrap()
}

/// A policy with one statement for every repository.
pub(super) fn policy(verification: Value, stores: &[&str], identity: &str) -> OciTrustPolicy {
    let document = json!({"version": "1.0", "trustPolicies": [{
        "name": "test", "registryScopes": ["*"], "signatureVerification": verification,
        "trustStores": stores, "trustedIdentities": [identity]}]});
    OciTrustPolicy::parse(document.to_string().as_bytes()).unwrap()
}

pub(super) fn stores(root: &Root) -> TrustStores {
    TrustStores::new()
        .with_file(store(StoreKind::Ca, "ours"), &root.der())
        .unwrap()
        .with_file(store(StoreKind::SigningAuthority, "ours"), &root.der())
        .unwrap()
}

pub(super) const ARTIFACT: fn() -> SignedArtifact<'static> =
    || SignedArtifact::Manifest { digest: artifact(), media_type: Some(MANIFEST), size: Some(10) };

/// What a policy with this level says about an envelope of ours.
fn judge(envelope: &Value, root: &Root, verification: Value, identity: &str) -> NotationOutcome {
    let trust = NotationTrust::new(policy(verification, &["ca:ours", "signingAuthority:ours"], identity), stores(root));
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let bytes = envelope.to_string().into_bytes();
    statement.verify(&bytes, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now())
}

fn level(name: &str) -> Value {
    json!({"level": name})
}

fn ours() -> (Root, Signer) {
    let root = Root::new("root");
    let signer = root.leaf("signer", |_| {});
    (root, signer)
}

fn code(outcome: &NotationOutcome) -> Option<&'static str> {
    outcome.refusal().map(assay_model::Explain::code)
}

#[test]
fn a_valid_signature_is_evidence_of_its_signer() {
    let (root, signer) = ours();
    let outcome = judge(&signer.valid_jws(), &root, level("strict"), "x509.subject: C=US, ST=WA, O=Forge");
    assert_eq!(outcome.refusal(), None);
    let evidence = outcome.evidence.unwrap();
    assert_eq!(evidence.subject(), artifact());
    let Identity::Certificate { subject, authority, .. } = evidence.signer() else { panic!("a certificate") };
    assert_eq!(subject, "CN=signer,O=Forge,ST=WA,C=US");
    assert_eq!(authority, "ca:ours");
    // Nothing proves the time, so that it counts as long as its certificates do; its own end comes first.
    assert_eq!(evidence.signed_at(), None);
    assert_eq!(evidence.valid_until(), Some(at("2027-01-01T00:00:00Z")));
    assert_eq!(outcome.results.len(), 5);
    assert!(outcome.results.iter().all(|result| result.failure.is_none() && result.action == Action::Enforce));
    let details = outcome.details.unwrap();
    assert_eq!((details.scheme, details.agent.as_deref()), ("notary.x509", Some("forge/1")));
}

#[test]
fn both_formats_and_both_schemes_verify() {
    let (root, signer) = ours();
    let trust = NotationTrust::new(policy(level("strict"), &["ca:ours", "signingAuthority:ours"], "*"), stores(&root));
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let cose = signer.valid_cose();
    let outcome = statement.verify(&cose, EnvelopeFormat::Cose, ARTIFACT(), &RevocationData::new(), now());
    assert_eq!(outcome.refusal(), None);
    let by_authority = signer.jws(&protected_by_authority(), payload().to_string().as_bytes());
    let outcome = judge(&by_authority, &root, level("strict"), "*");
    let evidence = outcome.evidence.unwrap();
    assert_eq!(evidence.signed_at(), Some(at("2026-05-01T00:00:00Z")));
    // What an authority says was in time stays so.
    assert_eq!(evidence.valid_until(), None);
}

#[test]
fn formats_are_known_by_media_type_and_by_their_first_byte() {
    let (_, signer) = ours();
    assert_eq!(EnvelopeFormat::guess(signer.valid_jws().to_string().as_bytes()), Some(EnvelopeFormat::Jws));
    assert_eq!(EnvelopeFormat::guess(&signer.valid_cose()), Some(EnvelopeFormat::Cose));
    assert_eq!(EnvelopeFormat::guess(b"\x00"), None);
    assert_eq!(EnvelopeFormat::from_media_type("application/jose+json"), Ok(EnvelopeFormat::Jws));
    assert_eq!(EnvelopeFormat::from_media_type("application/cose"), Ok(EnvelopeFormat::Cose));
    let other = EnvelopeFormat::from_media_type("application/unsupported+json").unwrap_err();
    assert_eq!(other.code(), "notation-format-unknown");
}

#[test]
fn levels_decide_what_a_failure_means() {
    let (root, signer) = ours();
    let stranger = Root::new("stranger").leaf("signer", |_| {});
    let mut expired = protected();
    expired["io.cncf.notary.expiry"] = json!("2026-05-02T00:00:00Z");
    let expired = signer.jws(&expired, payload().to_string().as_bytes());
    let mut broken = signer.valid_jws();
    broken["signature"] = stranger.valid_jws()["signature"].clone();
    let ended = root.leaf("signer", |params| params.not_after = rcgen::date_time_ymd(2026, 5, 30)).valid_jws();
    let stranger = stranger.valid_jws();
    // Per level: is it accepted, is it evidence.
    let cases = [
        (&broken, Validation::Integrity, [(false, false), (false, false), (false, false)]),
        (&stranger, Validation::Authenticity, [(false, false), (false, false), (true, false)]),
        (&expired, Validation::Expiry, [(false, false), (true, true), (true, true)]),
        (&ended, Validation::AuthenticTimestamp, [(false, false), (true, true), (true, true)]),
    ];
    for (envelope, validation, expected) in cases {
        for (name, expected) in ["strict", "permissive", "audit"].into_iter().zip(expected) {
            let outcome = judge(envelope, &root, level(name), "*");
            let found = (outcome.is_accepted(), outcome.evidence.is_some());
            assert_eq!(found, expected, "{validation:?} under {name}: {:?}", outcome.results);
            let failed = outcome.results.iter().find(|result| result.failure.is_some()).unwrap();
            assert_eq!(failed.validation, validation, "{name}");
            assert_eq!(failed.failure.as_ref().unwrap().validation(), validation);
            if !expected.0 {
                assert_eq!(outcome.results.last(), Some(failed), "nothing follows an enforced failure");
            }
        }
    }
}

#[test]
fn a_logged_failure_stays_visible_in_the_evidence() {
    let (root, signer) = ours();
    let mut expired = protected();
    expired["io.cncf.notary.expiry"] = json!("2026-05-02T00:00:00Z");
    let envelope = signer.jws(&expired, payload().to_string().as_bytes());
    let evidence = judge(&envelope, &root, level("permissive"), "*").evidence.unwrap();
    let check = evidence.checks().iter().find(|check| check.name == CheckName::Expiry).unwrap();
    assert!(check.failed.as_ref().unwrap().contains("expired at 2026-05-02"));
    let others = evidence.checks().iter().filter(|check| check.failed.is_some());
    assert_eq!(others.count(), 1);
    // The store gives it back as it was.
    let key = assay_trust::SealingKey::new(&[7; 32]);
    let restored = assay_trust::Evidence::restore(&evidence.seal(&key), &key, evidence.trust_root()).unwrap();
    assert_eq!(restored, evidence);
}

#[test]
fn overrides_change_single_checks() {
    let (root, signer) = ours();
    let mut expired = protected();
    expired["io.cncf.notary.expiry"] = json!("2026-05-02T00:00:00Z");
    let envelope = signer.jws(&expired, payload().to_string().as_bytes());
    let logged = judge(&envelope, &root, json!({"level": "strict", "override": {"expiry": "log"}}), "*");
    assert!(logged.is_accepted());
    assert_eq!(logged.logged().map(assay_model::Explain::code).collect::<Vec<_>>(), ["signature-expired"]);
    let enforced = judge(&envelope, &root, json!({"level": "audit", "override": {"expiry": "enforce"}}), "*");
    assert_eq!(code(&enforced), Some("signature-expired"));
}

#[test]
fn skip_accepts_everything_and_proves_nothing() {
    let document = json!({"version": "1.0", "trustPolicies": [
        {"name": "none", "registryScopes": ["*"], "signatureVerification": {"level": "skip"}}]});
    let policy = OciTrustPolicy::parse(document.to_string().as_bytes()).unwrap();
    let trust = NotationTrust::new(policy, TrustStores::new());
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let outcome = statement.verify(b"anything", EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now());
    assert!(outcome.is_accepted() && outcome.evidence.is_none() && outcome.results.is_empty());
}

#[test]
fn only_trusted_identities_count() {
    let (root, signer) = ours();
    let envelope = signer.valid_jws();
    for identity in ["*", "x509.subject: C=US, S=WA, O=Forge, CN=signer", "x509.subject:O=Forge,ST=WA,C=US"] {
        assert_eq!(code(&judge(&envelope, &root, level("strict"), identity)), None, "{identity}");
    }
    for identity in ["x509.subject: C=US, ST=WA, O=Forge, CN=other", "x509.subject: C=US, ST=WA, O=Forge, L=Seattle"] {
        assert_eq!(code(&judge(&envelope, &root, level("strict"), identity)), Some("signer-mismatch"), "{identity}");
    }
    assert_eq!(code(&judge(&envelope, &root, level("strict"), "plugin.example: x")), Some("signer-mismatch"));
    let nameless =
        root.leaf("signer", |params| params.distinguished_name = rcgen::DistinguishedName::new()).valid_jws();
    let outcome = judge(&nameless, &root, level("strict"), "x509.subject: C=US, ST=WA, O=Forge");
    assert_eq!(code(&outcome), Some("signer-mismatch"));
}

#[test]
fn each_scheme_has_its_own_kind_of_store() {
    let (root, signer) = ours();
    let only = |kind: StoreKind, word: &str, envelope: &Value| {
        let stores = TrustStores::new().with_file(store(kind, "ours"), &root.der()).unwrap();
        let trust = NotationTrust::new(policy(level("strict"), &[word], "*"), stores);
        let statement = trust.for_repository("registry.example.com/a").unwrap();
        let bytes = envelope.to_string().into_bytes();
        code(&statement.verify(&bytes, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now()))
    };
    let by_authority = signer.jws(&protected_by_authority(), payload().to_string().as_bytes());
    assert_eq!(only(StoreKind::Ca, "ca:ours", &signer.valid_jws()), None);
    assert_eq!(only(StoreKind::SigningAuthority, "signingAuthority:ours", &by_authority), None);
    assert_eq!(only(StoreKind::Ca, "ca:ours", &by_authority), Some("trust-store-missing"));
    assert_eq!(
        only(StoreKind::SigningAuthority, "signingAuthority:ours", &signer.valid_jws()),
        Some("trust-store-missing")
    );
    assert_eq!(only(StoreKind::Ca, "ca:theirs", &signer.valid_jws()), Some("trust-store-missing"));
    // Timestamp authorities vouch for nobody else.
    assert_eq!(only(StoreKind::Tsa, "tsa:ours", &signer.valid_jws()), Some("trust-store-missing"));
}

#[test]
fn a_timestamp_is_needed_where_the_policy_says_so() {
    let root = Root::new("root");
    let envelope = root.leaf("signer", |params| params.not_after = rcgen::date_time_ymd(2026, 7, 1)).valid_jws();
    let judge_at = |verification: Value, now: &str| {
        let stores = stores(&root).with_file(store(StoreKind::Tsa, "clock"), &Root::new("clock").der()).unwrap();
        let trust = NotationTrust::new(policy(verification, &["ca:ours", "tsa:clock"], "*"), stores);
        let statement = trust.for_repository("registry.example.com/a").unwrap();
        let bytes = envelope.to_string().into_bytes();
        code(&statement.verify(&bytes, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), at(now)))
    };
    let after = || json!({"level": "strict", "verifyTimestamp": "afterCertExpiry"});
    assert_eq!(judge_at(level("strict"), "2026-06-01T00:00:00Z"), Some("timestamp-missing"));
    assert_eq!(judge_at(after(), "2026-06-01T00:00:00Z"), None);
    assert_eq!(judge_at(after(), "2026-07-02T00:00:00Z"), Some("timestamp-missing"));
}

#[test]
fn the_authoritys_time_must_lie_within_the_certificates_and_before_now() {
    let (root, signer) = ours();
    let signed_at = |time: &str| {
        let mut header = protected_by_authority();
        header["io.cncf.notary.authenticSigningTime"] = json!(time);
        code(&judge(&signer.jws(&header, payload().to_string().as_bytes()), &root, level("strict"), "*"))
    };
    assert_eq!(signed_at("2024-01-01T00:00:00Z"), None);
    assert_eq!(signed_at("2023-12-31T23:59:59Z"), Some("certificate-not-valid"));
    assert_eq!(signed_at("2026-06-01T00:00:01Z"), Some("signed-in-future"));
}

#[test]
fn trust_material_with_another_policy_is_other_material() {
    let (root, _) = ours();
    let with = |verification: Value| {
        let trust = NotationTrust::new(policy(verification, &["ca:ours"], "*"), stores(&root));
        TrustMaterial::new().with_notation(trust)
    };
    assert!(!with(level("strict")).is_empty());
    assert_eq!(with(level("strict")).hash(), with(level("strict")).hash());
    assert_ne!(with(level("strict")).hash(), with(level("audit")).hash());
    assert_ne!(with(level("strict")).hash(), TrustMaterial::new().hash());
    let other = NotationTrust::new(policy(level("strict"), &["ca:ours"], "*"), stores(&Root::new("other")));
    assert_ne!(TrustMaterial::new().with_notation(other).hash(), with(level("strict")).hash());
}

#[test]
fn stores_take_authorities_and_self_signed_certificates_only() {
    let (root, signer) = ours();
    let into = |kind, file: &[u8]| TrustStores::new().with_file(store(kind, "a"), file);
    assert_eq!(into(StoreKind::Ca, &signer.chain[0]).unwrap_err().code(), "trust-store-certificate");
    let intermediate = root.leaf("below", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    });
    assert!(into(StoreKind::Ca, &intermediate.chain[0]).is_ok());
    assert_eq!(into(StoreKind::Tsa, &intermediate.chain[0]).unwrap_err().code(), "trust-store-certificate");
    let both = [root.der(), intermediate.chain[0].clone()].concat();
    assert_eq!(into(StoreKind::Ca, &both).unwrap().count(&store(StoreKind::Ca, "a")), 2);
    let pem = format!("explanation\n{}\nmore\n{}", root.issuer.pem(), root.issuer.pem());
    assert_eq!(into(StoreKind::Ca, pem.as_bytes()).unwrap().count(&store(StoreKind::Ca, "a")), 2);
    for wrong in [
        &b""[..],
        b"none",
        b"\x30\x03\x02\x01",
        b"-----BEGIN CERTIFICATE-----\nAAAA",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(into(StoreKind::Ca, wrong).unwrap_err().code(), "trust-store-malformed");
    }
}
