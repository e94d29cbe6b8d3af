//! A valid bundle, changed in one place: rejected, or (where the place is documented as unauthenticated) without effect.

use std::path::Path;

use assay_model::{Digest, Explain as _, Timestamp};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sign::Statement;
use assay_trust::{Artifact, Evidence, TrustMaterial, VerifyError, verify_bundle};
use serde_json::Value;

/// All places of a value, as JSON pointers.
pub(crate) fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                out.push(format!("{at}/{name}"));
                places(below, &format!("{at}/{name}"), out);
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                out.push(format!("{at}/{index}"));
                places(below, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

/// Removes the place.
pub(crate) fn remove(bundle: &Value, place: &str) -> Value {
    let mut changed = bundle.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!(),
    }
    changed
}

/// Changes one character in the middle of a text to another of its alphabet, or a number by one.
pub(crate) fn change(bundle: &Value, place: &str) -> Option<Value> {
    let mut changed = bundle.clone();
    let leaf = changed.pointer_mut(place).unwrap();
    *leaf = match &*leaf {
        Value::String(text) if text.parse::<u64>().is_ok() => {
            Value::String((text.parse::<u64>().unwrap() + 1).to_string())
        }
        Value::String(text) if !text.is_empty() => {
            let mut characters: Vec<char> = text.chars().collect();
            let middle = characters.len() / 2;
            characters[middle] = if characters[middle] == 'A' { 'B' } else { 'A' };
            Value::String(characters.into_iter().collect())
        }
        _ => return None,
    };
    Some(changed)
}

/// The places whose change or removal leaves the bundle valid. The evidence must then be the same but for its source.
fn survivors(bundle: &[u8], artifact: Artifact<'_>, material: &TrustMaterial, now: Timestamp) -> (usize, Vec<String>) {
    let verify = |value: &Value| verify_bundle(&serde_json::to_vec(value).unwrap(), artifact, material, now);
    let value: Value = serde_json::from_slice(bundle).unwrap();
    let original = verify(&value).unwrap();
    let same = |evidence: &Evidence| {
        evidence.subject() == original.subject()
            && evidence.signer() == original.signer()
            && evidence.predicate() == original.predicate()
            && evidence.signed_at() == original.signed_at()
    };
    let mut all = Vec::new();
    places(&value, "", &mut all);
    let (mut tried, mut survived) = (0, Vec::new());
    for place in all {
        let removed = Some(("removed", remove(&value, &place)));
        let changed = change(&value, &place).map(|value| ("changed", value));
        for (how, mutant) in [removed, changed].into_iter().flatten() {
            tried += 1;
            if let Ok(evidence) = verify(&mutant) {
                assert!(same(&evidence), "{place} {how} altered the evidence");
                survived.push(format!("{place} {how}"));
            }
        }
    }
    survived.sort();
    (tried, survived)
}

fn sample(name: &str) -> (Vec<u8>, Vec<u8>, TrustMaterial) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigstore-conformance/bundle-verify");
    let read = |path: &str| std::fs::read(folder.join(path));
    let material = match read(&format!("{name}/trusted_root.json")) {
        Ok(root) => TrustMaterial::new().with_trusted_root(&root),
        Err(_) => TrustMaterial::new().with_public_good(),
    };
    let artifact = read(&format!("{name}/artifact")).or_else(|_| read("a.txt")).unwrap();
    (read(&format!("{name}/bundle.sigstore.json")).unwrap(), artifact, material.unwrap())
}

fn now() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

#[test]
fn a_public_message_signature_holds_in_every_place() {
    let (bundle, artifact, material) = sample("happy-path-v0.3-new-mediaType");
    let (tried, survived) = survivors(&bundle, Artifact::Bytes(&artifact), &material, now());
    assert!(tried > 40, "{tried}");
    // The signer's name in a checkpoint is not signed (C2SP signed-note: the key's hash identifies it), and the message's
    // digest is a hint that may be absent.
    let name = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope changed";
    assert_eq!(survived, ["/messageSignature/messageDigest removed", name]);
}

#[test]
fn a_public_attestation_holds_in_every_place() {
    let (bundle, artifact, material) = sample("happy-path-intoto-in-dsse-v3");
    let (tried, survived) = survivors(&bundle, Artifact::Bytes(&artifact), &material, now());
    assert!(tried > 40, "{tried}");
    let name = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope changed";
    assert_eq!(survived, [name], "the signer's name in a checkpoint is not signed");
}

#[test]
fn a_bundle_of_the_second_log_version_holds_in_every_place() {
    let (bundle, artifact, material) = sample("rekor2-dsse-happy-path");
    let (tried, survived) = survivors(&bundle, Artifact::Bytes(&artifact), &material, now());
    assert!(tried > 40, "{tried}");
    let name = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope changed";
    assert_eq!(survived, [name], "the signer's name in a checkpoint is not signed");
}

#[test]
fn our_own_keyless_bundle_holds_in_every_place() {
    let authority = Authority::new("2026-03-01T12:00:00Z".parse().unwrap());
    let image = Digest::of(b"image");
    let release = Identity::github("company/payments", "release.yml", "refs/heads/main");
    // The second entry of the log: the first has index zero and an empty proof, which is the same as none.
    evidence::signature(&authority, &release, &Digest::of(b"earlier image"));
    let bundle = evidence::bundle(&authority, &release, &Statement::image_signature(&image));
    let material = evidence::material(&authority);
    let (tried, survived) = survivors(bundle.bytes(), Artifact::Digest(image), &material, authority.clock().now());
    assert!(tried > 40, "{tried}");
    // Two sources prove the same time: without one, the other still does. What is there must hold.
    let material = "/verificationMaterial";
    let redundant = [
        "timestampVerificationData removed",
        "timestampVerificationData/rfc3161Timestamps removed",
        "timestampVerificationData/rfc3161Timestamps/0 removed",
        "tlogEntries/0/inclusionPromise removed",
    ];
    assert_eq!(survived, redundant.map(|source| format!("{material}/{source}")));
}

#[test]
fn our_own_key_bundle_holds_in_every_place_but_its_hint() {
    let pair = evidence::KeyPair::generate("release");
    let image = Digest::of(b"image");
    let bundle = pair.bundle(&Statement::image_signature(&image));
    let (_, survived) = survivors(bundle.bytes(), Artifact::Digest(image), &pair.material, now());
    let hints = ["publicKey/hint changed", "publicKey/hint removed", "tlogEntries removed"];
    assert_eq!(survived, hints.map(|hint| format!("/verificationMaterial/{hint}")), "and its empty list of entries");
}

/// The causes by which changes of a place may be refused, by the beginning of the place.
type Causes = &'static [(&'static str, &'static [&'static str])];

/// Every change or removal that is refused must be refused with one of the causes of its place.
fn assert_causes(document: &Value, causes: Causes, verify: impl Fn(&Value) -> Result<Evidence, VerifyError>) {
    verify(document).unwrap();
    let mut all = Vec::new();
    places(document, "", &mut all);
    let mut refused = 0;
    for place in all {
        let allowed = causes.iter().filter(|(beginning, _)| place.starts_with(beginning));
        let (_, allowed) = allowed.max_by_key(|(beginning, _)| beginning.len()).unwrap_or_else(|| panic!("{place}"));
        let mutants = [Some(remove(document, &place)), change(document, &place)];
        for mutant in mutants.into_iter().flatten() {
            let Err(error) = verify(&mutant) else { continue };
            refused += 1;
            let code = error.code();
            assert!(code == "bundle-malformed" || allowed.contains(&code), "{place}: {code}: {error}");
        }
    }
    assert!(refused > 5, "{refused}");
}

const MATERIAL_CAUSES: Causes = &[
    ("/mediaType", &["bundle-version-unsupported"]),
    ("/messageSignature/signature", &["signature-invalid"]),
    ("/messageSignature/messageDigest", &["evidence-wrong-digest", "bundle-unsupported"]),
    ("/messageSignature", &[]),
    ("/dsseEnvelope", &["signature-invalid"]),
    ("/verificationMaterial", &[]),
    // A changed certificate has another key, or is not the one of the log entry.
    ("/verificationMaterial/certificate", &["signature-invalid", "log-entry-mismatch", "bundle-unsupported"]),
    ("/verificationMaterial/x509CertificateChain", &["signature-invalid", "log-entry-mismatch", "bundle-unsupported"]),
    ("/verificationMaterial/tlogEntries", &["log-proof-invalid", "evidence-unverifiable"]),
    ("/verificationMaterial/tlogEntries/0/logId", &["log-unknown"]),
    ("/verificationMaterial/tlogEntries/0/kindVersion", &["log-entry-mismatch"]),
    ("/verificationMaterial/tlogEntries/0/canonicalizedBody", &["log-entry-mismatch", "bundle-unsupported"]),
    ("/verificationMaterial/tlogEntries/0/integratedTime", &["log-proof-invalid", "log-time-invalid"]),
    ("/verificationMaterial/tlogEntries/0/inclusionPromise", &["log-proof-invalid", "signing-time-unproven"]),
    ("/verificationMaterial/timestampVerificationData", &["timestamp-invalid", "signing-time-unproven"]),
];

#[test]
fn every_change_of_a_bundle_is_refused_with_the_cause_of_its_place() {
    for name in ["happy-path-v0.3-new-mediaType", "happy-path-intoto-in-dsse-v3", "rekor2-dsse-happy-path"] {
        let (bundle, artifact, material) = sample(name);
        let bundle = serde_json::from_slice(&bundle).unwrap();
        assert_causes(&bundle, MATERIAL_CAUSES, |mutant| {
            verify_bundle(&serde_json::to_vec(mutant).unwrap(), Artifact::Bytes(&artifact), &material, now())
        });
    }
}

#[test]
fn every_change_of_a_keyless_layer_is_refused_with_the_cause_of_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/connaisseur/test/testdata/cosign/securesystemsengineering/testimage");
    let read = |path: &str| std::fs::read(folder.join(path)).unwrap();
    let subject = Digest::of(&read("manifests/keyless.json"));
    let manifest: Value =
        serde_json::from_slice(&read(&format!("manifests/sha256-{}.sig.json", subject.hex()))).unwrap();
    let layer = &manifest["layers"][0];
    let payload = read(&format!("blobs/{}.json", layer["digest"].as_str().unwrap()));
    // The log entry as what it is, so that its fields are changed one by one.
    let mut annotations = layer["annotations"].clone();
    let bundle: Value = serde_json::from_str(annotations["dev.sigstore.cosign/bundle"].as_str().unwrap()).unwrap();
    annotations["dev.sigstore.cosign/bundle"] = bundle;
    let named: serde_json::Map<String, Value> =
        annotations.as_object().unwrap().iter().map(|(name, value)| (name.replace('/', "|"), value.clone())).collect();
    let material = TrustMaterial::new().with_public_good().unwrap();
    let causes: Causes = &[
        ("/dev.cosignproject.cosign|signature", &["signature-invalid"]),
        (
            "/dev.sigstore.cosign|certificate",
            &["signature-invalid", "log-entry-mismatch", "key-unknown", "trust-material-missing"],
        ),
        // The intermediates are at hand in the trusted root: those of the layer are not needed.
        ("/dev.sigstore.cosign|chain", &["bundle-unsupported"]),
        ("/dev.sigstore.cosign|bundle", &["log-proof-invalid", "evidence-unverifiable"]),
        ("/dev.sigstore.cosign|bundle/Payload/body", &["log-entry-mismatch", "bundle-unsupported"]),
        ("/dev.sigstore.cosign|bundle/Payload/logID", &["log-unknown"]),
    ];
    assert_causes(&Value::Object(named), causes, |mutant| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let annotations: std::collections::BTreeMap<String, String> =
            mutant.as_object().unwrap().iter().map(|(name, value)| (name.replace('|', "/"), text(value))).collect();
        let layer = assay_trust::CosignLayer { payload: &payload, annotations: &annotations };
        assay_trust::verify_cosign_signature(layer, subject, &material, now())
    });
}

#[test]
fn every_change_of_an_envelope_or_of_its_log_entry_is_refused_with_the_cause_of_its_place() {
    let path =
        "tests/data/slsa-verifier/cli/slsa-verifier/testdata/gha_maven/v2.1.0/binary-linux-amd64-push-v14.build.slsa";
    let bundle = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let document = serde_json::json!({
        "envelope": bundle["dsseEnvelope"],
        "entry": bundle["verificationMaterial"]["tlogEntries"][0],
    });
    let payload = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        bundle["dsseEnvelope"]["payload"].as_str().unwrap(),
    );
    let statement: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
    let subject: Digest =
        format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap()).parse().unwrap();
    let material = TrustMaterial::new().with_public_good().unwrap();
    let causes: Causes = &[
        ("/envelope", &["signature-invalid"]),
        // Without a certificate of its own, the envelope has that of the entry.
        ("/entry", &["log-proof-invalid", "log-unknown", "log-entry-mismatch", "evidence-unverifiable"]),
        ("/entry/integratedTime", &["log-proof-invalid", "log-time-invalid"]),
        ("/entry/inclusionPromise", &["log-proof-invalid", "signing-time-unproven"]),
        (
            "/entry/canonicalizedBody",
            &["log-entry-mismatch", "bundle-unsupported", "evidence-unverifiable", "signature-invalid"],
        ),
    ];
    assert_causes(&document, causes, |mutant| {
        let (Some(envelope), Some(entry)) = (mutant.get("envelope"), mutant.get("entry")) else {
            return Err(VerifyError::Malformed { part: "envelope", reason: "not there".to_owned() });
        };
        let entry = entry.to_string();
        assay_trust::verify_envelope(
            envelope.to_string().as_bytes(),
            Artifact::Digest(subject),
            &material,
            Some(entry.as_bytes()),
            now(),
        )
    });
}
