//! A valid bundle, changed in one place: rejected, or (where the place is documented as unauthenticated) without effect.

use std::path::Path;

use assay_model::{Digest, Timestamp};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sign::Statement;
use assay_trust::{Artifact, Evidence, TrustMaterial, verify_bundle};
use serde_json::Value;

/// All places of a value, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
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
fn remove(bundle: &Value, place: &str) -> Value {
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
fn change(bundle: &Value, place: &str) -> Option<Value> {
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
    // Of the second version only the index, the hashes and the checkpoint count; what stands beside them is a copy.
    let entry = "/verificationMaterial/tlogEntries/0";
    let copies = [
        "inclusionProof/checkpoint/envelope changed",
        "inclusionProof/logIndex changed",
        "inclusionProof/logIndex removed",
        "inclusionProof/rootHash changed",
        "inclusionProof/treeSize changed",
        "logId/keyId changed",
    ];
    assert_eq!(survived, copies.map(|copy| format!("{entry}/{copy}")));
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
