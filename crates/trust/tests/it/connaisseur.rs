//! The images of connaisseur's validator tests: cosign's older signatures, with keys and keyless.

use std::collections::BTreeMap;
use std::path::Path;

use assay_model::{Digest, Timestamp};
use assay_trust::{
    CosignLayer, Evidence, IdentityPolicy, Pattern, Signer, TrustMaterial, VerifyError, verify_cosign_signature,
};
use serde_json::Value;

use crate::corpus::{self, Tally};

fn now() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// One result for each layer of the signature image of `image`; none where there is no such image.
fn verify(folder: &Path, image: &str, material: &TrustMaterial) -> Vec<Result<Evidence, VerifyError>> {
    let repository = folder.join("securesystemsengineering/testimage");
    let manifest = std::fs::read(repository.join(format!("manifests/{image}.json"))).unwrap();
    let subject = Digest::of(&manifest);
    let signatures = repository.join(format!("manifests/sha256-{}.sig.json", subject.hex()));
    let Ok(signatures) = std::fs::read(signatures) else { return Vec::new() };
    let signatures: Value = serde_json::from_slice(&signatures).unwrap();
    let layers = signatures["layers"].as_array().unwrap();
    let judge = |layer: &Value| {
        let blob = repository.join(format!("blobs/{}.json", layer["digest"].as_str().unwrap()));
        let payload = std::fs::read(blob).unwrap();
        assert_eq!(Digest::of(&payload).to_string(), layer["digest"].as_str().unwrap());
        let annotations: BTreeMap<String, String> = serde_json::from_value(layer["annotations"].clone()).unwrap();
        let layer = CosignLayer { payload: &payload, annotations: &annotations };
        verify_cosign_signature(layer, subject, material, now())
    };
    layers.iter().map(judge).collect()
}

/// Which of the named keys signed the image.
fn signers(folder: &Path, image: &str, names: &[&str]) -> Vec<String> {
    let mut material = TrustMaterial::new();
    for name in names {
        let pem = std::fs::read_to_string(folder.join(format!("{name}.key"))).unwrap();
        material = material.with_named_key(name, &pem).unwrap();
    }
    let mut found: Vec<String> = verify(folder, image, &material)
        .into_iter()
        .flatten()
        .filter_map(|evidence| {
            let Signer::Key { fingerprint } = evidence.signer() else { return None };
            let key = material.keys().iter().find(|key| key.fingerprint() == *fingerprint)?;
            key.name().map(str::to_owned)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The cases of `TestValidateImage` and `TestValidateImageKeyless` that are about signatures; reaching an image that does
/// not exist and reading their configuration are not.
fn run(corpus: &Path) -> Tally {
    let folder = corpus.join("test/testdata/cosign");
    let mut tally = Tally::default();
    let three = "multi-cosigned-alice-bob-charlie";
    let keyed: [(&str, &[&str], &[&str]); 6] = [
        ("multi-cosigned-alice", &["alice"], &["alice"]),
        ("multi-cosigned-alice", &["alice", "bob"], &["alice"]),
        ("multi-cosigned-alice", &["bob"], &[]),
        (three, &["alice", "bob"], &["alice", "bob"]),
        (three, &["alice", "bob", "charlie"], &["alice", "bob", "charlie"]),
        ("co-unsigned", &["alice", "bob"], &[]),
    ];
    for (image, trusted, wanted) in keyed {
        let found = signers(&folder, image, trusted);
        tally.count(&format!("{image} {trusted:?}"), (found != wanted).then(|| format!("signed by {found:?}")));
    }
    let material = TrustMaterial::new().with_public_good().unwrap();
    let keyless = verify(&folder, "keyless", &material);
    let identities = [("**github**", "philipp*", true), ("**google**", "bob@gmail.com", false)];
    for (issuer, subject, wanted) in identities {
        let policy = IdentityPolicy::new(Pattern::glob(issuer).unwrap(), Pattern::glob(subject).unwrap());
        let accepted = keyless.iter().flatten().any(|evidence| policy.check(evidence.signer()).is_ok());
        tally.count(&format!("keyless {subject}"), (accepted != wanted).then(|| format!("{keyless:?}")));
    }
    tally
}

#[test]
fn every_image_of_the_corpus_is_judged_as_its_tests_say() {
    if let Some(folder) = corpus::whole("connaisseur") {
        run(&folder).settle("connaisseur (cosign)", 8);
    }
}

#[test]
fn every_image_of_the_sample_is_judged_as_its_tests_say() {
    let tally = run(&corpus::sample("connaisseur"));
    assert!(tally.wrong.is_empty() && tally.asked == 8, "{tally:#?}");
}
