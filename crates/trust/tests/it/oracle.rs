//! `sigstore-verify` beside us: another implementation, asked the same questions.
//!
//! Of the corpora both must say the same. Of changed bundles we may be stricter, never more lenient.

use std::path::Path;

use assay_model::{Digest, Timestamp};
use assay_trust::{Artifact, TrustMaterial, verify_bundle};
use serde_json::Value;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{ArtifactDigest, Bundle, DerPublicKey, HashAlgorithm};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use crate::corpus;
use crate::mutation::{change, places, remove};

const PUBLIC_GOOD: &str = include_str!("../../data/roots/public-good.json");

/// A question with the material it is asked with.
struct Question {
    name: String,
    bundle: Vec<u8>,
    content: Vec<u8>,
    root: String,
    key: Option<String>,
}

impl Question {
    fn of_case(assets: &Path, case: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(case.join(name)).ok();
        let artifact = case.join("artifact");
        let file = if artifact.is_file() { artifact } else { assets.join("bundle-verify/a.txt") };
        Self {
            name: case.file_name().unwrap().to_string_lossy().into_owned(),
            bundle: std::fs::read(case.join("bundle.sigstore.json")).unwrap(),
            content: std::fs::read(file).unwrap(),
            root: text("trusted_root.json").unwrap_or_else(|| PUBLIC_GOOD.to_owned()),
            key: text("key.pub"),
        }
    }

    fn ours(&self, bundle: &[u8]) -> bool {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut material = TrustMaterial::new().with_trusted_root(self.root.as_bytes()).unwrap();
        if let Some(pem) = &self.key {
            let Ok(trusted) = material.with_public_key(pem) else { return false };
            material = trusted;
        }
        verify_bundle(bundle, Artifact::Digest(Digest::of(&self.content)), &material, now).is_ok()
    }

    fn theirs(&self, bundle: &[u8]) -> bool {
        let parsed = std::str::from_utf8(bundle).ok().and_then(|text| Bundle::from_json(text).ok());
        let Some(parsed) = parsed else { return false };
        let verifier = Verifier::new(&TrustedRoot::from_json(&self.root).unwrap()).unwrap();
        let digest = Digest::of(&self.content).as_bytes().to_vec();
        let digest = ArtifactDigest::new(HashAlgorithm::Sha2256, digest).unwrap();
        let artifact = sigstore_verify::types::Artifact::Digest(digest);
        match &self.key {
            Some(pem) => {
                let Ok(key) = DerPublicKey::from_pem(pem) else { return false };
                let mut policy = PublicKeyVerificationPolicy::new(key);
                // A key needs no log here; what is there must hold for both.
                if parsed.verification_material.tlog_entries.is_empty() {
                    policy = policy.skip_tlog_unsafe();
                }
                verifier.verify(artifact, &parsed, &policy).is_ok()
            }
            None => verifier.verify(artifact, &parsed, &VerificationPolicy::any_identity()).is_ok(),
        }
    }
}

fn questions(assets: &Path) -> Vec<Question> {
    let cases = std::fs::read_dir(assets.join("bundle-verify")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = cases.filter(|path| path.join("bundle.sigstore.json").is_file()).collect();
    cases.sort();
    cases.iter().map(|case| Question::of_case(assets, case)).collect()
}

#[test]
fn both_say_the_same_of_every_case() {
    let assets =
        corpus::whole("sigstore").map_or_else(|| corpus::sample("sigstore-conformance"), |all| all.join("test/assets"));
    let mut tally = corpus::Tally::default();
    for question in questions(&assets) {
        let (ours, theirs) = (question.ours(&question.bundle), question.theirs(&question.bundle));
        tally.count(&question.name, (ours != theirs).then(|| format!("ours {ours}, theirs {theirs}")));
    }
    tally.settle("sigstore, beside sigstore-verify", 11);
}

#[test]
fn what_the_other_refuses_we_never_accept() {
    let mut asked = 0;
    for question in questions(&corpus::sample("sigstore-conformance")) {
        // A refused case refuses its changes for the same reason: nothing is learnt from them.
        if question.name.ends_with("_fail") {
            continue;
        }
        let bundle: Value = serde_json::from_slice(&question.bundle).unwrap();
        let mut all = Vec::new();
        places(&bundle, "", &mut all);
        for place in all {
            for mutant in [Some(remove(&bundle, &place)), change(&bundle, &place)].into_iter().flatten() {
                let mutant = mutant.to_string();
                asked += 1;
                if question.ours(mutant.as_bytes()) {
                    assert!(question.theirs(mutant.as_bytes()), "{} {place}: we accept it", question.name);
                }
            }
        }
    }
    assert!(asked > 200, "{asked}");
}
