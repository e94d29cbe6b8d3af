//! The bundles of sigstore-python's tests. A bundle stands beside its file as `NAME.sigstore` or `NAME.sigstore.json`;
//! which must fail is what `test_models.py`, `test_verifier.py` and the integration tests say.

use std::path::{Path, PathBuf};

use assay_model::{Digest, Timestamp};
use assay_trust::{Artifact, TrustMaterial, verify_bundle};
use base64::Engine as _;
use serde_json::Value;

use crate::corpus::{self, Tally};

/// What upstream's tests refuse: a broken bundle, a foreign log entry, no proven time, a timestamp that is late, that
/// stands twice, or too many of them.
const REFUSED: [&str; 9] = [
    "bundle_cve_2022_36056.txt.sigstore",
    "bundle_invalid_version.txt.sigstore",
    "bundle_no_cert_v1.txt.sigstore",
    "bundle_no_checkpoint.txt.sigstore",
    "bundle_no_log_entry.txt.sigstore",
    "bundle_v3_no_signed_time.txt.sigstore.json",
    "bundle.duplicate.sigstore",
    "bundle.many_timestamp.sigstore",
    "bundle.txt.late_timestamp.sigstore",
];

/// Production and staging as they are compiled in, the staging root of that time, and the test authority for timestamps.
fn material(assets: &Path, of_timestamps: bool) -> TrustMaterial {
    if of_timestamps {
        let config: Value =
            serde_json::from_slice(&std::fs::read(assets.join("tsa/trust_config.json")).unwrap()).unwrap();
        let mut root = config["trustedRoot"].clone();
        let authority: Value = serde_json::from_slice(&std::fs::read(assets.join("tsa/ca.json")).unwrap()).unwrap();
        root["timestampAuthorities"].as_array_mut().unwrap().push(authority);
        return TrustMaterial::new().with_trusted_root(root.to_string().as_bytes()).unwrap();
    }
    let mut material = TrustMaterial::new().with_public_good().unwrap().with_staging().unwrap();
    for path in corpus::files(&assets.join("staging-tuf/targets")) {
        if path.to_string_lossy().ends_with("trusted_root.json") {
            material = material.with_trusted_root(&std::fs::read(path).unwrap()).unwrap();
        }
    }
    material
}

/// The file that a bundle stands beside.
fn artifact(bundle: &Path) -> Option<PathBuf> {
    let name = bundle.file_name()?.to_str()?;
    let file = name.split(".sigstore").next()?.trim_end_matches(".late_timestamp");
    // The bundles of duplicate and of many timestamps are all of one file.
    let file = if matches!(file, "bundle.duplicate" | "bundle.many_timestamp") { "bundle.txt" } else { file };
    Some(bundle.with_file_name(file)).filter(|path| path.is_file())
}

/// The digest that the bundle itself names: an attestation is about another file than it stands beside, and one file is
/// too large to be in the corpus.
fn stated(bundle: &Value) -> Digest {
    let decode = |text: &Value| base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap();
    if let Some(envelope) = bundle.get("dsseEnvelope") {
        let statement: Value = serde_json::from_slice(&decode(&envelope["payload"])).unwrap();
        let hex = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
        return format!("sha256:{hex}").parse().unwrap();
    }
    let bytes = decode(&bundle["messageSignature"]["messageDigest"]["digest"]);
    format!("sha256:{}", hex::encode(bytes)).parse().unwrap()
}

fn run(corpus: &Path) -> Tally {
    let assets = corpus.join("test/assets");
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut tally = Tally::default();
    for path in corpus::files(&assets) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !(name.ends_with(".sigstore") || name.ends_with(".sigstore.json")) {
            continue;
        }
        let bundle = std::fs::read(&path).unwrap();
        let material = material(&assets, path.parent().unwrap().ends_with("tsa"));
        let parsed: Value = serde_json::from_slice(&bundle).unwrap();
        let beside = artifact(&path).filter(|_| parsed.get("dsseEnvelope").is_none());
        let content = beside.map(|path| std::fs::read(path).unwrap());
        let artifact = match &content {
            Some(bytes) => Artifact::Bytes(bytes),
            None => Artifact::Digest(stated(&parsed)),
        };
        let result = verify_bundle(&bundle, artifact, &material, now);
        let wrong = result.is_ok() == REFUSED.contains(&name);
        tally.count(name, wrong.then(|| format!("{result:?}")));
    }
    tally
}

#[test]
fn every_bundle_of_the_corpus_is_judged_as_its_tests_say() {
    if let Some(folder) = corpus::whole("sigstore-python") {
        run(&folder).settle("sigstore-python", 18);
    }
}

#[test]
fn every_bundle_of_the_sample_is_judged_as_its_tests_say() {
    let tally = run(&corpus::sample("sigstore-python"));
    assert!(tally.wrong.is_empty() && tally.asked == 6, "{tally:#?}");
}
