//! Verification beside its floor: the bare signature checks of the same bundle, in one run, on one thread.
//!
//!     cargo bench -p assay-trust --bench verify
//!
//! The floor counts every signature that must be checked, with keys and messages made up on the spot; hashing, parsing and
//! comparing come on top. Parsing the trusted root is not part of a verification: a process does it once. Rounds
//! alternate, CPU seconds are the kernel's for this thread, the best of all rounds counts.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

use std::path::Path;

use assay_model::{Digest, Timestamp};
use assay_sandbox::sigstore::evidence;
use assay_sign::Statement;
use assay_trust::{Artifact, TrustMaterial, verify_bundle};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
    VerificationAlgorithm,
};

const ROUNDS: usize = 10;
/// The kernel charges a thread by ticks of 4 ms: a round of the cheapest row takes several.
const EACH: u32 = 800;
const MESSAGE: &[u8] = &[7; 512];

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let pair = evidence::KeyPair::generate("release");
    let image = Digest::of(b"image");
    let key = pair.bundle(&Statement::image_signature(&image));
    let (first, first_artifact, first_material) = sample("happy-path-v0.3-new-mediaType");
    let (second, second_artifact, second_material) = sample("rekor2-happy-path");
    let p256 = check(&ECDSA_P256_SHA256_ASN1, ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING));
    let p384 = check(&ECDSA_P384_SHA384_ASN1, ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING));
    let ed25519 = check(&ED25519, {
        let pair = Ed25519KeyPair::generate().unwrap();
        (pair.public_key().as_ref().to_vec(), pair.sign(MESSAGE).as_ref().to_vec())
    });
    println!("bundle                      floor µs   verify µs   ratio   signatures of the floor");
    row(
        "log v1, keyless",
        "P-384 (leaf), P-256 (SCT, promise, checkpoint, artifact)",
        || {
            p384();
            (0..4).for_each(|_| p256());
        },
        || verify(&first, Artifact::Bytes(&first_artifact), &first_material),
    );
    row(
        "log v2, timestamp",
        "P-384 (leaf, token, its chain), P-256 (SCT, artifact), Ed25519 (checkpoint)",
        || {
            (0..3).for_each(|_| p384());
            (0..2).for_each(|_| p256());
            ed25519();
        },
        || verify(&second, Artifact::Bytes(&second_artifact), &second_material),
    );
    row("key", "P-256", &p256, || verify(key.bytes(), Artifact::Digest(image), &pair.material));
    row("trusted root, parsed", "none: once a process", || {}, || drop(TrustMaterial::new().with_public_good()));
}

fn row(name: &str, signatures: &str, floor: impl Fn(), verify: impl Fn()) {
    let (mut best_floor, mut best_verify) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        best_floor = best_floor.min(time(&floor));
        best_verify = best_verify.min(time(&verify));
    }
    let ratio = best_verify / best_floor.max(0.01);
    println!("{name:26} {best_floor:9.1}   {best_verify:9.1}   {ratio:5.2}   {signatures}");
}

/// CPU microseconds of one call.
fn time(run: &impl Fn()) -> f64 {
    let before = cpu();
    (0..EACH).for_each(|_| run());
    (cpu() - before) * 1e6 / f64::from(EACH)
}

/// CPU seconds of this thread (proc(5), /proc/PID/schedstat).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap();
    (pair.public_key().as_ref().to_vec(), signature.as_ref().to_vec())
}

fn check(algorithm: &'static dyn VerificationAlgorithm, (key, signature): (Vec<u8>, Vec<u8>)) -> impl Fn() {
    let key = UnparsedPublicKey::new(algorithm, key).parse().unwrap();
    move || key.verify_sig(MESSAGE, &signature).unwrap()
}

fn verify(bundle: &[u8], artifact: Artifact<'_>, material: &TrustMaterial) {
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    verify_bundle(bundle, artifact, material, now).unwrap();
}

fn sample(name: &str) -> (Vec<u8>, Vec<u8>, TrustMaterial) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigstore-conformance/bundle-verify");
    let material = match std::fs::read(folder.join(name).join("trusted_root.json")) {
        Ok(root) => TrustMaterial::new().with_trusted_root(&root),
        Err(_) => TrustMaterial::new().with_public_good(),
    };
    let bundle = std::fs::read(folder.join(name).join("bundle.sigstore.json")).unwrap();
    (bundle, std::fs::read(folder.join("a.txt")).unwrap(), material.unwrap())
}
