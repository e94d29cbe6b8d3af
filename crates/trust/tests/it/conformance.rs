//! The bundle cases of sigstore-conformance: each asked about its file and about its file's digest.
//!
//! `tests/data/sigstore-conformance` holds a few of them; the whole corpus is read where it is present.

use std::path::{Path, PathBuf};

use assay_model::Digest;
use assay_trust::{Artifact, Evidence, IdentityPolicy, Pattern, TrustMaterial, verify_bundle};

use crate::corpus;

/// Both questions of the 49 cases.
const FLOOR: usize = 98;

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// One case's verdict as a verifier's exit code would give it, with the cause.
fn verify(case: &Path, artifact: Artifact<'_>) -> Result<Evidence, String> {
    let text = |name: &str| std::fs::read_to_string(case.join(name)).ok();
    let key = text("key.pub");
    let mut material = TrustMaterial::new();
    material = match text("trusted_root.json") {
        Some(root) => material.with_trusted_root(root.as_bytes()),
        None => material.with_public_good(),
    }
    .map_err(|error| error.to_string())?;
    if let Some(pem) = &key {
        material = material.with_public_key(pem).map_err(|error| error.to_string())?;
    }
    let bundle = std::fs::read(case.join("bundle.sigstore.json")).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let evidence = verify_bundle(&bundle, artifact, &material, now).map_err(|error| error.to_string())?;
    if key.is_none() {
        let identity = text("identity").unwrap_or(IDENTITY.to_owned());
        let issuer = text("issuer").unwrap_or(ISSUER.to_owned());
        IdentityPolicy::new(Pattern::exact(issuer.trim()), Pattern::exact(identity.trim()))
            .check(evidence.signer())
            .map_err(|error| error.to_string())?;
    }
    Ok(evidence)
}

/// Asks every case of a folder; gives questions passed and asked, and what went wrong.
fn run(assets: &Path) -> (usize, usize, Vec<String>) {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(assets.join("bundle-verify"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("bundle.sigstore.json").is_file())
        .collect();
    cases.sort();
    let (mut passed, mut asked, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let file =
            if case.join("artifact").is_file() { case.join("artifact") } else { assets.join("bundle-verify/a.txt") };
        let bytes = std::fs::read(file).unwrap();
        for artifact in [Artifact::Bytes(&bytes), Artifact::Digest(Digest::of(&bytes))] {
            asked += 1;
            let result = verify(case, artifact);
            if result.is_err() == name.ends_with("_fail") {
                passed += 1;
            } else {
                wrong.push(format!("{name}: {result:?}"));
            }
        }
    }
    (passed, asked, wrong)
}

#[test]
fn every_case_of_the_corpus_has_the_expected_result() {
    let Some(corpus) = corpus::whole("sigstore") else { return };
    let assets = corpus.join("test/assets");
    let (passed, asked, wrong) = run(&assets);
    corpus::say(&format!("sigstore: {passed} of {asked} passed"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(passed >= FLOOR, "{passed} passed, the floor is {FLOOR}");
}

#[test]
fn every_case_of_the_sample_has_the_expected_result() {
    let (passed, asked, wrong) = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigstore-conformance"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((passed, asked), (22, 22));
}
