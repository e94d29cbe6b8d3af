//! Verification of Notation signatures beside the bare signature check, on one core, best of several runs.
//!
//!     cargo bench -p assay-trust --bench notation
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use assay_model::Digest;
use assay_trust::RevocationData;
use assay_trust::notation::{
    EnvelopeFormat, NotationTrust, OciTrustPolicy, SignedArtifact, StoreKind, StoreName, TrustStores,
};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use der::{Decode as _, Encode as _};
use serde_json::{Value, json};

const ROUNDS: usize = 9;
const REPEATS: u32 = 2_000;

/// Least time of one repetition.
fn best(mut work: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        for _ in 0..REPEATS {
            work();
        }
        start.elapsed() / REPEATS
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/notation-go/internal/testdata");
    let jws = std::fs::read(data.join("jws_signature.sig")).unwrap();
    let cose = std::fs::read(data.join("cose_signature.sig")).unwrap();
    let parsed: Value = serde_json::from_slice(&jws).unwrap();
    let text = |name: &str| parsed[name].as_str().unwrap();
    let leaf = STANDARD.decode(parsed["header"]["x5c"][0].as_str().unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text("payload")).unwrap()).unwrap();
    let digest: Digest = payload["targetArtifact"]["digest"].as_str().unwrap().parse().unwrap();

    let certificate = x509_cert::Certificate::from_der(&leaf).unwrap();
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().unwrap();
    let signed = format!("{}.{}", text("protected"), text("payload"));
    let signature = URL_SAFE_NO_PAD.decode(text("signature")).unwrap();
    let floor = best(|| {
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, black_box(&spki))
            .verify(signed.as_bytes(), &signature)
            .unwrap();
    });

    use coset::TaggedCborSerializable as _;
    let chain = coset::CoseSign1::from_tagged_slice(&cose).unwrap().unprotected.rest;
    let other = chain.iter().find_map(|(label, value)| match (label, value) {
        (coset::Label::Int(33), coset::cbor::Value::Array(all)) => all.last()?.as_bytes().cloned(),
        _ => None,
    });
    let store = StoreName::new(StoreKind::Ca, "ours").unwrap();
    let stores = [leaf, other.unwrap()]
        .iter()
        .try_fold(TrustStores::new(), |stores, der| stores.with_file(store.clone(), der))
        .unwrap();
    let document = json!({"version": "1.0", "trustPolicies": [{"name": "bench", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict", "override": {"authenticTimestamp": "log"}},
        "trustStores": ["ca:ours"], "trustedIdentities": ["*"]}]});
    let policy = OciTrustPolicy::parse(document.to_string().as_bytes()).unwrap();
    let trust = NotationTrust::new(policy, stores);
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let artifact = SignedArtifact::Manifest { digest, media_type: None, size: None };
    let now = "2023-03-14T12:00:00Z".parse().unwrap();
    let nothing = RevocationData::new();
    println!("bare RSA-2048 PSS check    {:7.1} us", micros(floor));
    for (name, envelope, format) in [("JWS", &jws, EnvelopeFormat::Jws), ("COSE", &cose, EnvelopeFormat::Cose)] {
        let outcome = statement.verify(envelope, format, artifact, &nothing, now);
        assert!(outcome.evidence.is_some(), "{name}: {:?}", outcome.refusal());
        let time = best(|| {
            black_box(statement.verify(black_box(envelope), format, artifact, &nothing, now));
        });
        // A chain of one: the trust store has it, and has checked its signature on itself when it was read.
        println!(
            "{name:<5} with all five checks {:7.1} us, {:.2} of the bare check",
            micros(time),
            micros(time) / micros(floor)
        );
    }
}
