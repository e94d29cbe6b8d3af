//! slsa-verifier's test data: bundles, npm's answers and envelopes by themselves. Who built what from where is judged in
//! other tests; here it is whether signature, certificate and log hold.

use std::path::Path;

use assay_model::{Digest, Timestamp};
use assay_trust::{Artifact, Evidence, TrustMaterial, VerifyError, verify_file};
use base64::Engine as _;
use serde_json::Value;

use crate::corpus::{self, Tally};

fn public_good() -> TrustMaterial {
    TrustMaterial::new().with_public_good().unwrap()
}

/// Public-good, and npm's keys for publish attestations.
fn with_npm() -> TrustMaterial {
    let keys = std::fs::read(corpus::sample("slsa-verifier/npm-keys.json")).unwrap();
    public_good().with_npm_keys(&keys).unwrap()
}

/// The first subject of a statement in an envelope.
fn subject(envelope: &Value) -> Digest {
    let payload = base64::engine::general_purpose::STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let digests = statement["subject"][0]["digest"].as_object().unwrap();
    let known = ["sha256", "sha512"]
        .into_iter()
        .find_map(|algorithm| digests.get(algorithm).map(|hex| format!("{algorithm}:{}", hex.as_str().unwrap())));
    known.unwrap().parse().unwrap()
}

fn verify(bytes: &[u8], subject: Digest, material: &TrustMaterial) -> Vec<Result<Evidence, VerifyError>> {
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    verify_file(bytes, Artifact::Digest(subject), material, None, now).unwrap()
}

/// What the results of a file must be.
fn judge(name: &str, document: &Value, results: &[Result<Evidence, VerifyError>]) -> Option<String> {
    let right = if let Some(attestations) = document["attestations"].as_array() {
        // npm's answer: provenance by the workflow, publication by npm's key; one signature of some is broken.
        let broken = |attestation: &Value| {
            let provenance = attestation["predicateType"].as_str().unwrap().contains("slsa.dev/provenance");
            name.contains(if provenance { "invalidsigprov" } else { "invalidsigpub" })
        };
        attestations.len() == results.len()
            && attestations.iter().zip(results).all(|(attestation, result)| result.is_err() == broken(attestation))
    } else if document.get("payloadType").is_some() {
        matches!(results, [Err(VerifyError::Unverifiable { .. })])
    } else {
        matches!(results, [Ok(_)])
    };
    (!right).then(|| format!("{results:?}"))
}

/// Sorts files into bundles, npm's answers and envelopes; Google Cloud Build's own format and image indices are neither.
fn run(corpus: &Path) -> [Tally; 3] {
    let (public_good, with_npm) = (public_good(), with_npm());
    let mut tallies = <[Tally; 3]>::default();
    for path in corpus::files(&corpus.join("cli")) {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { continue };
        let (sort, envelope) = match &document {
            _ if document.get("dsseEnvelope").is_some() => (0, &document["dsseEnvelope"]),
            _ if document.get("attestations").is_some() => (1, &document["attestations"][0]["bundle"]["dsseEnvelope"]),
            _ if document.get("payloadType").is_some() => (2, &document),
            _ => continue,
        };
        let results = verify(&bytes, subject(envelope), if sort == 1 { &with_npm } else { &public_good });
        let name = path.strip_prefix(corpus).unwrap().display().to_string();
        tallies[sort].count(&name, judge(&name, &document, &results));
    }
    tallies
}

#[test]
fn every_file_of_the_corpus_is_judged_as_its_tests_say() {
    let Some(folder) = corpus::whole("slsa-verifier") else { return };
    let [bundles, answers, envelopes] = run(&folder);
    bundles.settle("slsa-verifier (bundles)", 61);
    answers.settle("slsa-verifier (npm answers)", 15);
    envelopes.settle("slsa-verifier (envelopes, unverifiable by themselves)", 105);
}

#[test]
fn every_file_of_the_sample_is_judged_as_its_tests_say() {
    let tallies = run(&corpus::sample("slsa-verifier"));
    assert_eq!(tallies.each_ref().map(|tally| tally.asked), [2, 3, 2]);
    assert!(tallies.iter().all(|tally| tally.wrong.is_empty()), "{tallies:#?}");
}

/// An envelope together with its log entry, taken from a bundle, is what the bundle is.
#[test]
fn an_envelope_is_verified_with_its_log_entry() {
    let folder = corpus::sample("slsa-verifier/cli/slsa-verifier/testdata");
    let path = folder.join("gha_maven/v2.1.0/binary-linux-amd64-push-v14.build.slsa");
    let bundle: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let envelope = bundle["dsseEnvelope"].to_string();
    let entry = bundle["verificationMaterial"]["tlogEntries"][0].clone();
    let (material, now) = (public_good(), "2026-11-01T00:00:00Z".parse().unwrap());
    let artifact = Artifact::Digest(subject(&bundle["dsseEnvelope"]));
    let verify = |entry: Option<String>| {
        let entry = entry.as_deref().map(str::as_bytes);
        assay_trust::verify_envelope(envelope.as_bytes(), artifact, &material, entry, now)
    };
    assert_eq!(verify(None), Err(VerifyError::Unverifiable { not_after: None }));
    let evidence = verify(Some(entry.to_string())).unwrap();
    assert!(evidence.signed_at().is_some());
    // The same entry as Rekor's API tells it.
    let decode = |pointer: &str| {
        base64::engine::general_purpose::STANDARD.decode(entry.pointer(pointer).unwrap().as_str().unwrap())
    };
    let number = |pointer: &str| entry.pointer(pointer).unwrap().as_str().unwrap().parse::<u64>().unwrap();
    let hashes: Vec<String> = entry["inclusionProof"]["hashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| hex::encode(base64::engine::general_purpose::STANDARD.decode(hash.as_str().unwrap()).unwrap()))
        .collect();
    let answer = serde_json::json!({ "24296fb24b8ad77a": {
        "body": entry["canonicalizedBody"],
        "integratedTime": number("/integratedTime"),
        "logID": hex::encode(decode("/logId/keyId").unwrap()),
        "logIndex": number("/logIndex"),
        "verification": {
            "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "inclusionProof": {
                "checkpoint": entry["inclusionProof"]["checkpoint"]["envelope"],
                "hashes": hashes,
                "logIndex": number("/inclusionProof/logIndex"),
                "rootHash": hex::encode(decode("/inclusionProof/rootHash").unwrap()),
                "treeSize": number("/inclusionProof/treeSize"),
            },
        },
    }});
    assert_eq!(verify(Some(answer.to_string())).unwrap().signer(), evidence.signer());
    // The entry of another envelope does not help.
    let other = folder.join("bcr/MODULE.bazel.intoto.jsonl");
    let other: Value = serde_json::from_slice(&std::fs::read(other).unwrap()).unwrap();
    let foreign = verify(Some(other["verificationMaterial"]["tlogEntries"][0].to_string()));
    assert!(
        matches!(foreign, Err(VerifyError::SignatureInvalid | VerifyError::LogEntryMismatch { .. })),
        "{foreign:?}"
    );
}

/// slsa-verifier: npm's publish attestation and the provenance beside it are both about the package that is asked about.
#[test]
fn ghsa_r2xv_vpr2_42m9_both_attestations_of_a_package_are_about_it() {
    let folder = corpus::sample("slsa-verifier/cli/slsa-verifier/testdata/npm/gha");
    let answer = std::fs::read(folder.join("provenance-npm-test-ossf.tgz.json")).unwrap();
    let parsed: Value = serde_json::from_slice(&answer).unwrap();
    let package = subject(&parsed["attestations"][0]["bundle"]["dsseEnvelope"]);
    let both = verify(&answer, package, &with_npm());
    assert!(both.len() == 2 && both.iter().all(Result::is_ok), "{both:?}");
    let other = verify(&answer, Digest::of(b"another package"), &with_npm());
    assert!(other.iter().all(|result| matches!(result, Err(VerifyError::WrongDigest { .. }))), "{other:?}");
    // Without npm's key the publication is nobody's, whatever the provenance says.
    let alone = verify(&answer, package, &public_good());
    assert_eq!(alone.iter().filter(|result| result.is_ok()).count(), 1, "{alone:?}");
}
