//! The test data of notation-core-go, notation-go and notation's end-to-end suite, judged as their own tests judge it.
//!
//! `tests/data/notation-e2e` holds a few of the last; the whole corpora are read where they are present.

use std::path::{Path, PathBuf};

use assay_model::{Digest, Explain as _, Timestamp};
use assay_trust::notation::{
    BlobTrustPolicy, EnvelopeFormat, Level, NotationOutcome, NotationTrust, OciTrustPolicy, SignedArtifact,
    StatementTrust, StoreKind, StoreName, TrustStores,
};
use assay_trust::{RevocationData, RevocationRequest, revocation_list_expiry};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::Decode as _;
use serde_json::{Value, json};

use super::forge::{Key, Signer, at, payload, protected};
use super::verdicts::{ARTIFACT, policy};

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Counts judgements and keeps those that differ.
#[derive(Default)]
struct Tally {
    asked: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn expect(&mut self, name: &str, found: &str, expected: &str) {
        self.asked += 1;
        if found != expected {
            self.wrong.push(format!("{name}: {found}, expected {expected}"));
        }
    }

    fn finish(self, corpus: &str, floor: usize) {
        said!("{corpus}: {} of {} passed", self.asked - self.wrong.len(), self.asked);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert!(self.asked >= floor, "{} asked, the floor is {floor}", self.asked);
    }
}

fn corpus(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("ASSAY_CORPUS")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from)
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    said!("skipped: corpus {name} not present");
    None
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/notation-e2e")
}

fn name(text: &str) -> StoreName {
    let (kind, name) = text.split_once(':').unwrap();
    StoreName::new(StoreKind::from_word(kind).unwrap(), name).unwrap()
}

fn filled(files: &[(&str, Vec<u8>)]) -> TrustStores {
    files.iter().fold(TrustStores::new(), |stores, (store, file)| stores.with_file(name(store), file).unwrap())
}

/// One word for an outcome: the refusal's code, or `accepted` with the codes that were only logged.
fn verdict(outcome: &NotationOutcome) -> String {
    if let Some(error) = outcome.refusal() {
        return error.code().to_owned();
    }
    let logged = outcome.logged().map(assay_model::Explain::code);
    std::iter::once("accepted").chain(logged).collect::<Vec<_>>().join(" ")
}

/// A signature of an OCI layout, with what it refers to.
struct Referrer {
    envelope: Vec<u8>,
    media_type: String,
    subject: Value,
}

fn referrers(layout: &Path) -> Vec<Referrer> {
    let blobs = layout.join("blobs/sha256");
    let mut names: Vec<_> = std::fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut found = Vec::new();
    for path in names {
        let Ok(manifest) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else { continue };
        let (Some(layer), Some(subject)) = (manifest["layers"].get(0), manifest.get("subject")) else { continue };
        let digest: Digest = layer["digest"].as_str().unwrap().parse().unwrap();
        found.push(Referrer {
            envelope: std::fs::read(blobs.join(digest.hex())).unwrap(),
            media_type: layer["mediaType"].as_str().unwrap().to_owned(),
            subject: subject.clone(),
        });
    }
    found
}

fn judge_layout(referrer: &Referrer, policy: &OciTrustPolicy, stores: TrustStores, now: Timestamp) -> String {
    let trust = NotationTrust::new(policy.clone(), stores);
    let Some(statement) = trust.for_repository("localhost:5000/test-repo") else { return "no statement".to_owned() };
    let format = match EnvelopeFormat::from_media_type(&referrer.media_type) {
        Ok(format) => format,
        Err(_) if statement.statement().level() == Level::Skip => return "accepted".to_owned(),
        Err(error) => return error.code().to_owned(),
    };
    let artifact = SignedArtifact::Manifest {
        digest: referrer.subject["digest"].as_str().unwrap().parse().unwrap(),
        media_type: referrer.subject["mediaType"].as_str(),
        size: referrer.subject["size"].as_u64(),
    };
    verdict(&statement.verify(&referrer.envelope, format, artifact, &RevocationData::new(), now))
}

/// Policies of the end-to-end suite and the code of the rule that they break, none for those that are read.
const POLICIES: [(&str, &str); 43] = [
    ("any_registry_scope_trust_policy", ""),
    ("audit_trustpolicy", ""),
    ("blob_trust_policy", "trust-policy-malformed"),
    ("empty_registry_scope_trustpolicy", "trust-policy-scope"),
    ("empty_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("generate_test_trustpolicy", ""),
    ("invalid_format_trustpolicy", "trust-policy-malformed"),
    ("invalid_registry_scope_trustpolicy", ""),
    ("invalid_trust_store_trustpolicy", ""),
    ("invalid_trusted_identity_trustpolicy", ""),
    ("malformed_registry_scope_trustpolicy", "trust-policy-scope"),
    ("malformed_trust_store_trustpolicy", "trust-policy-store"),
    ("malformed_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("missing_country_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("missing_organization_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("missing_state_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("multi_statements_with_multi_wildcard_registry_scope_trustpolicy", "trust-policy-scope"),
    ("multi_statements_with_the_same_name_trustpolicy", "trust-policy-name-repeated"),
    ("multi_statements_with_the_same_registry_scope_trustpolicy", "trust-policy-scope"),
    ("multi_statements_with_wildcard_registry_scope_trustpolicy", ""),
    ("multiple_registry_scope_trustpolicy", ""),
    ("multiple_trust_store_trustpolicy", ""),
    ("multiple_trusted_identity_trustpolicy", ""),
    ("overlapped_registry_scope_trustpolicy", "trust-policy-scope"),
    ("overlapped_trust_store_trustpolicy", ""),
    ("overlapped_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("override_audit_trustpolicy", ""),
    ("override_integrity_for_permissive_trustpolicy", "trust-policy-override"),
    ("override_permissive_trustpolicy", ""),
    ("override_strict_trustpolicy", ""),
    ("permissive_trustpolicy", ""),
    ("quickstart_trustpolicy", ""),
    ("registry_scope_trustpolicy", ""),
    ("skip_trustpolicy", ""),
    ("timestamp_after_cert_expiry_trustpolicy", ""),
    ("timestamp_trustpolicy", ""),
    ("trustpolicy", ""),
    ("unset_trust_store_trustpolicy", "trust-policy-trust"),
    ("unset_trusted_identity_trustpolicy", "trust-policy-trust"),
    ("valid_trusted_identity_trustpolicy", ""),
    ("wildcard_plus_other_registry_scope_trustpolicy", "trust-policy-scope"),
    ("wildcard_plus_other_trusted_identity_trustpolicy", "trust-policy-identity"),
    ("wildcard_trust_store_trustpolicy", "trust-policy-store"),
];

/// Layout, policy, certificate in store `ca:e2e`, verdict: as `suite/trustpolicy` of the end-to-end suite expects it.
const VERDICTS: [(&str, &str, &str, &str); 33] = [
    ("e2e-valid-signature", "trustpolicy", "e2e", "accepted"),
    ("e2e-expired-signature", "trustpolicy", "e2e", "signature-expired"),
    ("e2e-with-expired-cert", "trustpolicy", "expired_e2e", "certificate-not-valid"),
    ("e2e-valid-signature", "trustpolicy", "new_e2e", "certificate-authority-unknown"),
    ("e2e-invalid-signature", "trustpolicy", "e2e", "notation-format-unknown"),
    ("e2e-valid-signature", "permissive_trustpolicy", "e2e", "accepted"),
    ("e2e-expired-signature", "permissive_trustpolicy", "e2e", "accepted signature-expired"),
    ("e2e-with-expired-cert", "permissive_trustpolicy", "expired_e2e", "accepted certificate-not-valid"),
    ("e2e-valid-signature", "permissive_trustpolicy", "new_e2e", "certificate-authority-unknown"),
    ("e2e-invalid-signature", "permissive_trustpolicy", "e2e", "notation-format-unknown"),
    ("e2e-expired-signature", "audit_trustpolicy", "e2e", "accepted signature-expired"),
    ("e2e-with-expired-cert", "audit_trustpolicy", "expired_e2e", "accepted certificate-not-valid"),
    ("e2e-valid-signature", "audit_trustpolicy", "new_e2e", "accepted certificate-authority-unknown"),
    ("e2e-invalid-signature", "audit_trustpolicy", "e2e", "notation-format-unknown"),
    ("e2e-invalid-signature", "skip_trustpolicy", "e2e", "accepted"),
    ("e2e-expired-signature", "override_strict_trustpolicy", "e2e", "accepted signature-expired"),
    ("e2e-with-expired-cert", "override_strict_trustpolicy", "expired_e2e", "accepted certificate-not-valid"),
    ("e2e-valid-signature", "override_strict_trustpolicy", "new_e2e", "accepted certificate-authority-unknown"),
    ("e2e-expired-signature", "override_permissive_trustpolicy", "e2e", "signature-expired"),
    ("e2e-with-expired-cert", "override_permissive_trustpolicy", "expired_e2e", "certificate-not-valid"),
    ("e2e-valid-signature", "override_permissive_trustpolicy", "new_e2e", "accepted certificate-authority-unknown"),
    ("e2e-expired-signature", "override_audit_trustpolicy", "e2e", "signature-expired"),
    ("e2e-with-expired-cert", "override_audit_trustpolicy", "expired_e2e", "certificate-not-valid"),
    ("e2e-valid-signature", "override_audit_trustpolicy", "new_e2e", "certificate-authority-unknown"),
    ("e2e-valid-signature", "valid_trusted_identity_trustpolicy", "e2e", "accepted"),
    ("e2e-valid-signature", "invalid_trusted_identity_trustpolicy", "e2e", "signer-mismatch"),
    ("e2e-valid-signature", "multiple_trusted_identity_trustpolicy", "e2e", "accepted"),
    ("e2e-valid-signature", "invalid_trust_store_trustpolicy", "e2e", "trust-store-missing"),
    ("e2e-valid-signature", "overlapped_trust_store_trustpolicy", "e2e", "accepted"),
    ("e2e-valid-signature", "invalid_registry_scope_trustpolicy", "e2e", "no statement"),
    ("e2e-valid-signature", "any_registry_scope_trust_policy", "e2e", "accepted"),
    ("e2e-valid-signature", "multi_statements_with_wildcard_registry_scope_trustpolicy", "e2e", "accepted"),
    ("e2e-valid-multiple-signatures", "trustpolicy", "e2e", "accepted certificate-authority-unknown"),
];

/// A time at which the certificates of the end-to-end suite are valid.
const E2E_NOW: &str = "2025-03-01T00:00:00Z";

fn read(path: PathBuf) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn policies(data: &Path, tally: &mut Tally) {
    for (name, expected) in POLICIES {
        let Some(json) = read(data.join(format!("config/trustpolicies/{name}.json"))) else { continue };
        let found = OciTrustPolicy::parse(&json).map_or_else(|error| error.code(), |_| "");
        tally.expect(name, found, expected);
    }
    for blob in ["config/trustpolicies/blob_trust_policy.json", "blob/trustpolicies/trustpolicy.blob.json"] {
        let Some(json) = read(data.join(blob)) else { continue };
        let found = BlobTrustPolicy::parse(&json).map(|policy| policy.global().is_some());
        tally.expect(blob, &format!("{found:?}"), "Ok(true)");
    }
}

fn layouts(data: &Path, tally: &mut Tally) {
    for (layout, policy_name, certificate, expected) in VERDICTS {
        let folder = data.join("registry/oci_layout").join(layout);
        let policy = read(data.join(format!("config/trustpolicies/{policy_name}.json")));
        let certificate = read(data.join(format!("config/localkeys/{certificate}.crt")));
        let (true, Some(policy), Some(certificate)) = (folder.is_dir(), policy, certificate) else { continue };
        let policy = OciTrustPolicy::parse(&policy).unwrap();
        let judge = |referrer: &Referrer| {
            judge_layout(referrer, &policy, filled(&[("ca:e2e", certificate.clone())]), at(E2E_NOW))
        };
        let found: Vec<_> = referrers(&folder).iter().map(judge).collect();
        tally.expect(&format!("{layout} under {policy_name}"), &found.join(" "), expected);
    }
}

/// The last certificate of an envelope, for a store that trusts it.
fn root_of(envelope: &[u8]) -> Vec<u8> {
    if EnvelopeFormat::guess(envelope) == Some(EnvelopeFormat::Cose) {
        use coset::TaggedCborSerializable as _;
        let headers = coset::CoseSign1::from_tagged_slice(envelope).unwrap().unprotected.rest;
        let chain = headers.iter().find(|(label, _)| *label == coset::Label::Int(33)).unwrap().1.as_array().unwrap();
        return chain.last().unwrap().as_bytes().unwrap().clone();
    }
    let envelope: Value = serde_json::from_slice(envelope).unwrap();
    let chain = envelope["header"]["x5c"].as_array().unwrap();
    STANDARD.decode(chain.last().unwrap().as_str().unwrap()).unwrap()
}

/// How a timestamp was judged where nobody can be asked about its authority: one that holds otherwise comes as far as
/// that question.
fn timestamp_verdict(outcome: &NotationOutcome) -> String {
    match outcome.refusal() {
        Some(error) if !outcome.wanted.is_empty() => {
            assert!(error.to_string().contains("nobody was asked"), "{error}");
            "holds, revocation open".to_owned()
        }
        _ => verdict(outcome),
    }
}

fn timestamps(data: &Path, tally: &mut Tally) {
    let root = read(data.join("config/timestamp/DigiCertTSARootSHA384.cer"));
    let other = read(data.join("config/timestamp/globalsignTSARoot.cer"));
    let (Some(root), Some(other)) = (root, other) else { return };
    let strict = policy(json!({"level": "strict", "override": {"expiry": "log"}}), &["ca:e2e", "tsa:e2e"], "*");
    // Its countersignatures are of an authority whose root the suite does not have.
    for (layout, tsa, expected) in [
        ("e2e-with-timestamped-signature", &root, "timestamp-invalid"),
        ("e2e-with-timestamped-signature", &other, "timestamp-invalid"),
        ("e2e-with-invalid-timestamped-signature", &root, "timestamp-invalid"),
    ] {
        let folder = data.join("registry/oci_layout").join(layout);
        for referrer in referrers(&folder) {
            let stores = filled(&[("ca:e2e", root_of(&referrer.envelope)), ("tsa:e2e", tsa.clone())]);
            let trust = NotationTrust::new(strict.clone(), stores);
            let artifact = SignedArtifact::Manifest {
                digest: referrer.subject["digest"].as_str().unwrap().parse().unwrap(),
                media_type: referrer.subject["mediaType"].as_str(),
                size: referrer.subject["size"].as_u64(),
            };
            let statement = trust.for_repository("a.example/b").unwrap();
            let outcome = statement.verify(
                &referrer.envelope,
                EnvelopeFormat::Jws,
                artifact,
                &RevocationData::new(),
                at(E2E_NOW),
            );
            tally.expect(layout, &timestamp_verdict(&outcome), expected);
        }
    }
    for (file, expected) in [
        ("Empty.txt", "trust-store-malformed"),
        ("invalid.crt", "trust-store-malformed"),
        ("notSelfIssued.crt", "trust-store-certificate"),
        ("intermediate.pem", "trust-store-certificate"),
        ("CertChain.pem", "trust-store-certificate"),
        ("globalsignTSARoot.cer", ""),
    ] {
        let bytes = read(data.join("config/timestamp").join(file)).unwrap();
        let found = TrustStores::new().with_file(name("tsa:e2e"), &bytes).map_or_else(|error| error.code(), |_| "");
        tally.expect(file, found, expected);
    }
}

fn blobs(data: &Path, content: &[u8], tally: &mut Tally) {
    let policy = read(data.join("blob/trustpolicies/trustpolicy.blob.json")).unwrap();
    let policy = BlobTrustPolicy::parse(&policy).unwrap();
    let jws = read(data.join("signatures/blob.jws.sig")).unwrap();
    let cose = read(data.join("signatures/blob.cose.sig")).unwrap();
    let tsa = read(data.join("config/timestamp/DigiCertTSARootSHA384.cer")).unwrap();
    let stores = filled(&[("ca:e2e", root_of(&jws)), ("ca:e2e", root_of(&cose)), ("tsa:e2e", tsa)]);
    let judge = |statement: &str, signature: &[u8], bytes: &[u8]| {
        let trust = StatementTrust::new(policy.statement(statement).unwrap(), &stores);
        let format = EnvelopeFormat::guess(signature).unwrap_or(EnvelopeFormat::Jws);
        let blob = SignedArtifact::Blob { bytes, media_type: None };
        let root = if format == EnvelopeFormat::Cose { root_of(&cose) } else { root_of(&jws) };
        let validity = x509_cert::Certificate::from_der(&root).unwrap().tbs_certificate.validity;
        let from = i64::try_from(validity.not_before.to_unix_duration().as_secs()).unwrap();
        let now = Timestamp::from_second(from + 60).unwrap();
        timestamp_verdict(&trust.verify(signature, format, blob, &RevocationData::new(), now))
    };
    for (file, signature) in [("blob.jws.sig", &jws), ("blob.cose.sig", &cose)] {
        tally.expect(file, &judge("test-blob-statement", signature, content), "accepted");
        tally.expect(file, &judge("test-blob-with-timestamping", signature, content), "timestamp-invalid");
        tally.expect(file, &judge("test-blob-statement", signature, b"other"), "evidence-wrong-digest");
    }
    let malformed = read(data.join("signatures/malformed.jws.sig")).unwrap();
    tally.expect("malformed.jws.sig", &judge("test-blob-statement", &malformed, content), "notation-malformed");
}

/// Signatures by the suite's own keys, with its revocation lists as answers.
fn revocation_lists(data: &Path, tally: &mut Tally) {
    let folder = data.join("config/crl");
    let text = |file: &str| String::from_utf8(read(folder.join(file)).unwrap()).unwrap();
    let chain = text("certchain_with_crl.pem");
    let chain: Vec<Vec<u8>> = x509_cert::Certificate::load_pem_chain(chain.as_bytes())
        .unwrap()
        .iter()
        .map(|certificate| der::Encode::to_der(certificate).unwrap())
        .collect();
    let signer = Signer { key: Key::rsa(&text("leaf.key")), chain };
    let trust = NotationTrust::new(
        policy(json!({"level": "strict"}), &["ca:e2e"], "x509.subject: C=US, ST=State, O=Organization"),
        filled(&[("ca:e2e", text("root.crt").into_bytes())]),
    );
    let statement = trust.for_repository("a.example/b").unwrap();
    let envelope = signer.jws(&protected(), payload().to_string().as_bytes()).to_string().into_bytes();
    for (leaf, intermediate, expected) in [
        ("leaf.crl", "intermediate.crl", "accepted"),
        ("leaf_revoked.crl", "intermediate.crl", "certificate-revoked"),
        ("leaf.crl", "intermediate_revoked.crl", "certificate-revoked"),
        ("leaf_expired.crl", "intermediate.crl", "revocation-unknown"),
        ("intermediate.crl", "leaf.crl", "revocation-unknown"),
    ] {
        let mut data = RevocationData::new();
        let outcome = loop {
            let now = at("2026-06-01T00:00:00Z");
            let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, ARTIFACT(), &data, now);
            if outcome.wanted.is_empty() {
                break outcome;
            }
            for request in outcome.wanted {
                let answer = match &request {
                    RevocationRequest::Ocsp { .. } => Err("nobody answers".to_owned()),
                    RevocationRequest::Crl { url } if url.ends_with("/leaf.crl") => {
                        Ok(read(folder.join(leaf)).unwrap().into())
                    }
                    RevocationRequest::Crl { .. } => Ok(read(folder.join(intermediate)).unwrap().into()),
                };
                data.insert(request, answer);
            }
        };
        tally.expect(&format!("{leaf} with {intermediate}"), &verdict(&outcome), expected);
    }
}

/// The suite's OCSP certificate asks its responder, and its responder only.
fn responder(data: &Path, tally: &mut Tally) {
    let folder = data.join("config/ocsp");
    let text = |file: &str| String::from_utf8(read(folder.join(file)).unwrap()).unwrap();
    let chain = x509_cert::Certificate::load_pem_chain(text("certchain_with_ocsp.pem").as_bytes()).unwrap();
    let chain = chain.iter().map(|certificate| der::Encode::to_der(certificate).unwrap()).collect();
    let signer = Signer { key: Key::rsa(&text("leaf.key")), chain };
    let stores = filled(&[("ca:e2e", text("root.crt").into_bytes())]);
    let trust = NotationTrust::new(policy(json!({"level": "strict"}), &["ca:e2e"], "*"), stores);
    let statement = trust.for_repository("a.example/b").unwrap();
    let envelope = signer.jws(&protected(), payload().to_string().as_bytes()).to_string().into_bytes();
    let now = at("2026-06-01T00:00:00Z");
    let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now);
    let wanted: Vec<_> = outcome.wanted.iter().map(|request| format!("{request:?}")).collect();
    tally.expect("ocsp leaf.crt", &wanted.join(" "), "OCSP http://localhost:10087");
}

fn end_to_end(data: &Path, tally: &mut Tally) {
    policies(data, tally);
    layouts(data, tally);
}

#[test]
fn notation_e2e_is_judged_as_its_suite_says() {
    let Some(corpus) = corpus("notation-e2e") else { return };
    let data = corpus.join("test/e2e/testdata");
    let mut tally = Tally::default();
    end_to_end(&data, &mut tally);
    timestamps(&data, &mut tally);
    blobs(&data, &read(corpus.join("LICENSE")).unwrap(), &mut tally);
    revocation_lists(&data, &mut tally);
    responder(&data, &mut tally);
    tally.finish("notation-e2e", 100);
}

#[test]
fn the_sample_of_notation_e2e_is_judged_as_its_suite_says() {
    let mut tally = Tally::default();
    end_to_end(&sample(), &mut tally);
    let asked = tally.asked;
    tally.finish("notation-e2e sample", 10);
    assert!(asked >= 10, "{asked}");
}

/// Envelope, time, verdict under strict with every store of the corpus: as `verifier_test.go` expects it.
const MOCKS: [(&str, &str); 17] = [
    ("ca_valid_sig_env", "accepted"),
    ("ca_invalid_sig_env", "notation-malformed"),
    ("ca_expired_sig_env", "signature-expired"),
    ("ca_plugin_sig_env", "notation-plugin-needed"),
    ("sa_valid_sig_env", "accepted"),
    ("sa_invalid_sig_env", "notation-malformed"),
    ("sa_expired_sig_env", "signature-expired"),
    ("sa_plugin_sig_env", "notation-plugin-needed"),
    ("sig_env_with_metadata", "accepted"),
    ("ca_compatible_pluginver_sig_env_0.0.9", "notation-plugin-needed"),
    ("ca_compatible_pluginver_sig_env_1.0.0", "notation-plugin-needed"),
    ("ca_compatible_pluginver_sig_env_1.0.0-alpha", "notation-plugin-needed"),
    ("ca_compatible_pluginver_sig_env_1.0.0-alpha.beta", "notation-plugin-needed"),
    ("ca_incompatible_pluginver_sig_env_1.0.1", "notation-plugin-needed"),
    ("ca_incompatible_pluginver_sig_env_1.0.9", "notation-plugin-needed"),
    ("ca_incompatible_pluginver_sig_env_1.1.0-alpha", "notation-plugin-needed"),
    ("ca_incompatible_pluginver_sig_env_1.2.3", "notation-plugin-needed"),
];

/// Judges an envelope about the very artifact that it names: the corpus has no artifacts.
fn judge_own(envelope: &[u8], trust: &NotationTrust, now: &str) -> NotationOutcome {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let format = EnvelopeFormat::guess(envelope).unwrap();
    let target = match format {
        EnvelopeFormat::Jws => {
            let envelope: Value = serde_json::from_slice(envelope).unwrap();
            // Where the payload is broken, any artifact will do: nothing may come of it.
            let written = URL_SAFE_NO_PAD.decode(envelope["payload"].as_str().unwrap());
            let written = written.unwrap_or_else(|_| payload().to_string().into_bytes());
            serde_json::from_slice::<Value>(&written).unwrap()["targetArtifact"].clone()
        }
        EnvelopeFormat::Cose => {
            use coset::TaggedCborSerializable as _;
            let payload = coset::CoseSign1::from_tagged_slice(envelope).unwrap().payload.unwrap();
            serde_json::from_slice::<Value>(&payload).unwrap()["targetArtifact"].clone()
        }
    };
    let artifact = SignedArtifact::Manifest {
        digest: target["digest"].as_str().unwrap().parse().unwrap(),
        media_type: target["mediaType"].as_str(),
        size: target["size"].as_u64(),
    };
    let statement = trust.for_repository("registry.acme-rockets.io/software/net-monitor").unwrap();
    statement.verify(envelope, format, artifact, &RevocationData::new(), at(now))
}

/// All files of a named store of notation-go's test data.
fn named_store(folder: &Path, store: &str) -> Result<TrustStores, assay_trust::notation::StoreError> {
    let (kind, directory) = store.split_once(':').unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join(kind).join(directory)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .try_fold(TrustStores::new(), |stores, file| stores.with_file(name(store), &std::fs::read(file).unwrap()))
}

fn merged(folder: &Path, stores: &[&str]) -> TrustStores {
    let mut merged = TrustStores::new();
    for store in stores {
        let (kind, directory) = store.split_once(':').unwrap();
        for entry in std::fs::read_dir(folder.join(kind).join(directory)).unwrap() {
            merged = merged.with_file(name(store), &std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        }
    }
    merged
}

#[test]
fn notation_go_is_judged_as_its_tests_say() {
    let Some(corpus) = corpus("notation-go") else { return };
    let folder = corpus.join("verifier/testdata/truststore/x509");
    let mut tally = Tally::default();
    let names = ["ca:valid-trust-store", "signingAuthority:valid-trust-store"];
    let strict = |verification: Value, names: &'static [&'static str]| {
        let folder = folder.clone();
        move |envelope: &[u8]| {
            let stores = merged(&folder, names).with_file(name("ca:valid-trust-store"), &root_of(envelope)).unwrap();
            NotationTrust::new(policy(verification.clone(), names, "*"), stores)
        }
    };
    let own = |path: &Path| {
        // The plugin envelopes and one more are self-signed by keys that no store of the corpus has.
        let envelope = read(path.to_owned()).unwrap();
        let root = root_of(&envelope);
        let stores = merged(&folder, &names).with_file(name("ca:valid-trust-store"), &root);
        let stores = stores.unwrap_or_else(|_| merged(&folder, &names));
        NotationTrust::new(policy(json!({"level": "strict"}), &names, "*"), stores)
    };
    // Some certificates of the mocks lived for a day.
    let within = |path: &Path| {
        let now = at("2023-02-01T00:00:00Z");
        let leaf = x509_cert::Certificate::from_der(&root_of(&read(path.to_owned()).unwrap())).unwrap();
        let validity = leaf.tbs_certificate.validity;
        let second = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap();
        let (from, until) = (second(validity.not_before), second(validity.not_after));
        if (from..=until).contains(&now.as_second()) { now } else { Timestamp::from_second(from + 60).unwrap() }
            .to_string()
    };
    for (mock, expected) in MOCKS {
        let path = corpus.join(format!("internal/mock/testdata/{mock}.json"));
        let found = verdict(&judge_own(&read(path.clone()).unwrap(), &own(&path), &within(&path)));
        tally.expect(mock, &found, expected);
    }
    let always = strict(json!({"level": "strict"}), &["ca:valid-trust-store", "tsa:test-timestamp"]);
    let after = strict(
        json!({"level": "strict", "verifyTimestamp": "afterCertExpiry"}),
        &["ca:valid-trust-store", "tsa:test-timestamp"],
    );
    let without = strict(json!({"level": "strict"}), &["ca:valid-trust-store"]);
    let mismatch = strict(json!({"level": "strict"}), &["ca:valid-trust-store", "tsa:test-mismatch"]);
    let now = "2024-06-20T00:00:00Z";
    type Case<'a> = (&'a str, &'a dyn Fn(&[u8]) -> NotationTrust, &'a str);
    let cases: [Case<'_>; 11] = [
        ("jwsWithTimestamp", &always, "holds, revocation open"),
        ("coseWithTimestamp", &always, "holds, revocation open"),
        ("jwsExpiredWithTimestamp", &always, "holds, revocation open"),
        ("coseExpiredWithTimestamp", &always, "holds, revocation open"),
        ("coseWithTimestamp", &after, "accepted"),
        ("coseExpiredWithTimestamp", &after, "holds, revocation open"),
        ("coseExpiredWithTimestamp", &without, "certificate-not-valid"),
        ("withoutTimestamp", &always, "timestamp-missing"),
        ("coseWithTimestamp", &mismatch, "timestamp-invalid"),
        ("timestampBeforeNotBefore", &always, "certificate-not-valid"),
        ("timestampAfterNotAfter", &always, "certificate-not-valid"),
    ];
    for (file, trust, expected) in cases {
        let path = corpus.join(format!("verifier/testdata/timestamp/sigEnv/{file}.sig"));
        let envelope = read(path).unwrap();
        // The tests of these look at the timestamp alone, so that some signers are in no store of the corpus.
        let outcome = judge_own(&envelope, &trust(&envelope), now);
        tally.expect(file, &timestamp_verdict(&outcome), expected);
    }
    let bare = read(corpus.join("verifier/testdata/timestamp/sigEnv/withoutTimestamp.sig")).unwrap();
    for token in [
        "TimeStampToken",
        "TimeStampTokenWithInvalidTSTInfo",
        "TimeStampTokenWithInvalideContentType",
        "TimeStampTokenWithoutCertificate",
    ] {
        let bytes = read(corpus.join(format!("verifier/testdata/timestamp/countersignature/{token}.p7s"))).unwrap();
        let mut envelope: Value = serde_json::from_slice(&bare).unwrap();
        envelope["header"]["io.cncf.notary.timestampSignature"] = json!(STANDARD.encode(bytes));
        let outcome = judge_own(envelope.to_string().as_bytes(), &always(&bare), now);
        tally.expect(token, &timestamp_verdict(&outcome), "timestamp-invalid");
    }
    for (store, expected) in [
        ("ca:trust-store-with-invalid-certs", "trust-store-malformed"),
        ("ca:trust-store-with-leaf-certs", "trust-store-certificate"),
        ("ca:trust-store-with-leaf-certs-in-single-file", "trust-store-certificate"),
        ("ca:valid-trust-store", ""),
        ("ca:valid-trust-store-2", ""),
        ("ca:valid-trust-store-self-signed", ""),
        ("signingAuthority:valid-trust-store", ""),
        ("signingAuthority:valid-trust-store-2", ""),
        ("tsa:test-mismatch", ""),
        ("tsa:test-timestamp", ""),
        ("tsa:test-nonCA", "trust-store-certificate"),
        ("tsa:test-nonSelfIssued", "trust-store-certificate"),
    ] {
        let found = named_store(&folder, store).map_or_else(|error| error.code(), |_| "");
        tally.expect(store, found, expected);
    }
    for file in ["jws_signature.sig", "cose_signature.sig"] {
        let envelope = read(corpus.join("internal/testdata").join(file)).unwrap();
        let audit = NotationTrust::new(policy(json!({"level": "audit"}), &["ca:a"], "*"), TrustStores::new());
        let outcome = judge_own(&envelope, &audit, "2023-03-15T00:00:00Z");
        tally.expect(file, if outcome.is_accepted() { "intact" } else { "refused" }, "intact");
    }
    tally.finish("notation-go", 46);
}

#[test]
fn notation_core_go_is_judged_as_its_tests_say() {
    let Some(corpus) = corpus("notation") else { return };
    let mut tally = Tally::default();
    for (file, expected) in [
        ("der.der", "1"),
        ("multi-der.der", "2"),
        ("pem.crt", "1"),
        ("multi-pem.crt", "2"),
        ("openssl-minimum-self-signed.pem", "1"),
        ("timestamp_root.crt", "1"),
        ("timestamp_intermediate.crt", "1"),
        ("timestamp_leaf.crt", "trust-store-certificate"),
        ("invalid", "trust-store-malformed"),
    ] {
        let bytes = read(corpus.join("x509/testdata").join(file)).unwrap();
        let found = TrustStores::new().with_file(name("ca:a"), &bytes);
        let found =
            found.map_or_else(|error| error.code().to_owned(), |stores| stores.count(&name("ca:a")).to_string());
        tally.expect(file, &found, expected);
    }
    for (file, expected) in
        [("delta.crl", true), ("crlWithMultipleFreshestCRLs.crl", true), ("certificateWithDeltaCRL.cer", false)]
    {
        let bytes = read(corpus.join("revocation/crl/testdata").join(file)).unwrap();
        tally.expect(file, &revocation_list_expiry(&bytes).is_some().to_string(), &expected.to_string());
    }
    // Both conformance envelopes have a critical attribute of their own, which nobody here understands.
    let trust = NotationTrust::new(policy(json!({"level": "audit"}), &["ca:a"], "*"), TrustStores::new());
    let statement = trust.for_repository("a.example/b").unwrap();
    let judge = |envelope: &[u8], format| {
        let outcome = statement.verify(envelope, format, ARTIFACT(), &RevocationData::new(), at(E2E_NOW));
        outcome.refusal().map_or("accepted".to_owned(), ToString::to_string)
    };
    let unknown = "`signedCritKey1` is marked critical and is not understood here";
    let jws = read(corpus.join("signature/jws/testdata/conformance.json")).unwrap();
    tally.expect("jws conformance", &judge(&jws, EnvelopeFormat::Jws), unknown);
    let cose: Value =
        serde_json::from_slice(&read(corpus.join("signature/cose/testdata/conformance.json")).unwrap()).unwrap();
    let cose = hex::decode(cose["expectedOutput"]["cborHex"].as_str().unwrap()).unwrap();
    tally.expect("cose conformance", &judge(&cose, EnvelopeFormat::Cose), unknown);
    tally.finish("notation", 14);
}
