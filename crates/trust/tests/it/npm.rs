//! npm's attestations: both must be there, and about one package.

use assay_model::{Digest, Explain as _};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sign::{KeyAlgorithm, KeySigner, PrivateKey, SignedBundle, Statement};
use assay_trust::{Artifact, TrustMaterial, predicates, verify_npm};
use serde_json::{Value, json};

const PUBLISH: &str = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1";

struct Npm {
    authority: Authority,
    registry: KeySigner,
    material: TrustMaterial,
}

fn sample(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slsa-verifier/npm/gha");
    std::fs::read(folder.join(name)).unwrap()
}

impl Npm {
    fn new() -> Self {
        let authority = Authority::new("2026-03-01T12:00:00Z".parse().unwrap());
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let material = evidence::material(&authority).with_public_key(&key.public_key_pem().unwrap()).unwrap();
        Self { authority, registry: KeySigner::new(key), material }
    }

    fn provenance(&self) -> SignedBundle {
        let predicate = br#"{"buildDefinition":{"buildType":"b"},"runDetails":{"builder":{"id":"b"}}}"#;
        let statement = Statement::attestation(&package(), predicates::SLSA_PROVENANCE_V1, predicate).unwrap();
        evidence::bundle(&self.authority, &Identity::github("company/a", "release.yml", "refs/heads/main"), &statement)
    }

    fn publish(&self, predicate: &Value) -> SignedBundle {
        let statement = Statement::attestation(&package(), PUBLISH, predicate.to_string().as_bytes()).unwrap();
        self.registry.sign_now(&statement).unwrap()
    }

    fn verify(&self, bundles: &[&SignedBundle]) -> Result<(), &'static str> {
        let parsed: Vec<Value> = bundles
            .iter()
            .map(|bundle| json!({"predicateType": "x", "bundle": serde_json::from_slice::<Value>(bundle.bytes()).unwrap()}))
            .collect();
        self.verify_bytes(json!({"attestations": parsed}).to_string().as_bytes())
    }

    fn verify_bytes(&self, bytes: &[u8]) -> Result<(), &'static str> {
        let now = self.authority.clock().now();
        verify_npm(bytes, Artifact::Digest(package()), &self.material, now).map(drop).map_err(|error| error.code())
    }
}

fn package() -> Digest {
    Digest::of(b"package")
}

/// The registry's keys with their periods.
fn keys() -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slsa-verifier/npm-keys.json"))
        .unwrap()
}

fn subject(document: &Value) -> Digest {
    use base64::Engine as _;
    let payload = document["attestations"][0]["bundle"]["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    format!("sha512:{}", statement["subject"][0]["digest"]["sha512"].as_str().unwrap()).parse().unwrap()
}

/// The key of 2022 has ended; what it signed while it was valid counts, and what is said to be of another time does not.
#[test]
fn a_key_of_the_registry_counts_for_its_own_period() {
    let sample = sample("gundam-visor-cli-v1-tag.tgz.json");
    let document: Value = serde_json::from_slice(&sample).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let root = TrustMaterial::new().with_public_good().unwrap();
    let judge = |keys: &[u8]| {
        let material = root.clone().with_npm_keys(keys).unwrap();
        verify_npm(&sample, Artifact::Digest(subject(&document)), &material, now)
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(judge(&keys()), Ok(()));
    let moved = |name: &str, at: &str| {
        let mut keys: Value = serde_json::from_slice(&keys()).unwrap();
        for key in keys["keys"].as_array_mut().unwrap() {
            key["publicKey"]["validFor"][name] = json!(at);
        }
        keys.to_string().into_bytes()
    };
    assert_eq!(judge(&moved("start", "2026-01-01T00:00:00Z")), Err("key-not-valid"));
    assert_eq!(judge(&moved("end", "2023-01-01T00:00:00Z")), Err("key-not-valid"));
    let hash = |keys: &[u8]| TrustMaterial::new().with_npm_keys(keys).unwrap().hash();
    assert_ne!(hash(&keys()), hash(&moved("end", "2023-01-01T00:00:00Z")), "another period is other trust");
}

#[test]
fn ghsa_r2xv_vpr2_42m9_publication_and_provenance_must_agree() {
    let material = TrustMaterial::new().with_public_good().unwrap().with_npm_keys(&keys()).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let one: Value = serde_json::from_slice(&sample("gundam-visor-cli-v1-tag.tgz.json")).unwrap();
    let other: Value = serde_json::from_slice(&sample("provenance-npm-test-ossf.tgz.json")).unwrap();
    let verify = |document: &Value, digest: Digest| {
        verify_npm(document.to_string().as_bytes(), Artifact::Digest(digest), &material, now)
            .map_err(|error| error.code().to_owned())
    };
    let package = verify(&one, subject(&one)).unwrap();
    assert_eq!((package.name.as_str(), package.version.as_str()), ("gundam-visor", "1.0.1"));
    assert!(package.check_package(Some("gundam-visor"), Some("1.0.2")).is_err());
    let scoped = verify(&other, subject(&other)).unwrap();
    assert_eq!(scoped.name, "@laurentsimon/provenance-npm-test");

    // The publication of one package beside the provenance of another: each by itself is valid.
    let mut mixed = one.clone();
    mixed["attestations"][1] = other["attestations"][1].clone();
    assert_eq!(verify(&mixed, subject(&one)).unwrap_err(), "evidence-wrong-digest");
    assert_eq!(verify(&mixed, subject(&other)).unwrap_err(), "evidence-wrong-digest");
    // One of the two alone.
    for index in [0, 1] {
        let mut alone = one.clone();
        alone["attestations"].as_array_mut().unwrap().remove(index);
        assert_eq!(verify(&alone, subject(&one)).unwrap_err(), "npm-attestation-missing");
    }
    let mut twice = one.clone();
    twice["attestations"].as_array_mut().unwrap().push(one["attestations"][1].clone());
    assert_eq!(verify(&twice, subject(&one)).unwrap_err(), "npm-attestation-twice");
}

#[test]
fn what_is_about_the_same_bytes_must_have_the_same_name() {
    let npm = Npm::new();
    // The sandbox's statements have digests only: a subject without a name is no package.
    let publish = npm.publish(&json!({"name": "a", "version": "1.0.0"}));
    assert_eq!(npm.verify(&[&npm.provenance(), &publish]), Err("npm-attestations-malformed"));
    assert_eq!(npm.verify(&[]), Err("npm-attestation-missing"));
    assert_eq!(npm.verify_bytes(b"{}"), Err("npm-attestations-malformed"));
    let flood = json!({"attestations": vec![json!({"bundle": {}}); 17]});
    assert_eq!(npm.verify_bytes(flood.to_string().as_bytes()), Err("npm-attestations-malformed"));
}
