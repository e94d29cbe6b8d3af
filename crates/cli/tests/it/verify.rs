//! `verify` on the bundle cases of sigstore-conformance, through the binary, and on images of a registry.

use std::path::{Path, PathBuf};

use assay_model::Digest;
use assay_sandbox::{ImageBuilder, Registry, RegistryOptions};
use assay_sign::{KeyAlgorithm, PrivateKey};

use crate::assay::Assay;

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Both questions of the 49 cases.
const FLOOR: usize = 98;

fn verify(assay: &Assay, case: &Path, artifact: &str) -> i32 {
    let path = |name: &str| case.join(name).display().to_string();
    let text = |name: &str| std::fs::read_to_string(case.join(name)).ok().map(|text| text.trim().to_owned());
    let mut arguments = vec!["verify".to_owned(), "--offline".into(), "--bundle".into(), path("bundle.sigstore.json")];
    if case.join("key.pub").is_file() {
        arguments.extend(["--key".to_owned(), path("key.pub")]);
    } else {
        arguments.extend(["--certificate-identity".to_owned(), text("identity").unwrap_or(IDENTITY.into())]);
        arguments.extend(["--certificate-oidc-issuer".to_owned(), text("issuer").unwrap_or(ISSUER.into())]);
    }
    if case.join("trusted_root.json").is_file() {
        arguments.extend(["--trusted-root".to_owned(), path("trusted_root.json")]);
    }
    arguments.push(artifact.to_owned());
    let output = assay.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    output.status.code().unwrap()
}

/// Questions passed and asked, and what went wrong.
fn run(assets: &Path) -> (usize, usize, Vec<String>) {
    let assay = Assay::new();
    let cases = std::fs::read_dir(assets.join("bundle-verify")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = cases.filter(|path| path.join("bundle.sigstore.json").is_file()).collect();
    cases.sort();
    let (mut passed, mut asked, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let own = case.join("artifact");
        let file = if own.is_file() { own } else { assets.join("bundle-verify/a.txt") };
        let digest = Digest::of(&std::fs::read(&file).unwrap()).to_string();
        let expected_to_fail = case.to_string_lossy().ends_with("_fail");
        for artifact in [file.to_str().unwrap(), &digest] {
            asked += 1;
            let code = verify(&assay, case, artifact);
            if (code != 0) == expected_to_fail && (0..=2).contains(&code) {
                passed += 1;
            } else {
                wrong.push(format!("{} {artifact}: exit {code}", case.display()));
            }
        }
    }
    (passed, asked, wrong)
}

#[test]
fn every_bundle_case_has_the_expected_exit_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = std::env::var_os("ASSAY_CORPUS").map_or_else(|| root.join("../shared/conformance"), PathBuf::from);
    let assets = corpus.join("sigstore/test/assets");
    if !assets.is_dir() {
        said!("skipped: corpus sigstore not present");
        return;
    }
    let (passed, asked, wrong) = run(&assets);
    said!("sigstore through the command line: {passed} of {asked} passed");
    assert!(passed >= FLOOR && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_sample_of_the_corpus_has_the_expected_exit_codes() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/data/sigstore-conformance");
    let (passed, asked, wrong) = run(&sample);
    assert!(asked > 0 && passed == asked, "{wrong:#?}");
}

#[test]
fn a_signature_by_anybody_is_not_asked_for() {
    insta::assert_snapshot!(Assay::new().seen(&["verify", "registry.example.com/app:1"]));
    let half = ["verify", "app:1", "--certificate-identity", "a@b"];
    assert_eq!(Assay::new().run(&half).status.code(), Some(2));
    let unanchored =
        ["verify", "app:1", "--certificate-identity-regexp", "company", "--certificate-oidc-issuer", "https://i"];
    assert_eq!(Assay::new().run(&unanchored).status.code(), Some(2));
}

/// A registry on loopback, kept alive by its runtime.
pub(crate) struct Lab {
    /// The registry answers as long as this lives.
    _runtime: tokio::runtime::Runtime,
    pub registry: Registry,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = runtime.block_on(Registry::start(RegistryOptions::default())).unwrap();
        Self { _runtime: runtime, registry }
    }

    pub(crate) fn push(&self, repository: &str, tag: &str, name: &str) -> Digest {
        let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\nSource: zlib\n\n";
        let image = ImageBuilder::new().layer([
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", 0o644),
            ("var/lib/dpkg/status", status, 0o644),
            ("app/name", name, 0o644),
        ]);
        self.registry.put_image(repository, tag, &image.build())
    }
}

pub(crate) fn key(assay: &Assay, name: &str) {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assay.file(&format!("{name}.pem"), key.private_key_pem().unwrap().expose());
    assay.file(&format!("{name}.pub"), key.public_key_pem().unwrap());
}

#[test]
fn an_image_is_signed_attested_verified_and_copied_with_all_of_it() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    key(&assay, "release");
    key(&assay, "other");
    let run = |arguments: &[&str]| {
        let output = assay.run(arguments);
        (output.status.code().unwrap(), assay.shown(&output))
    };
    let ok = |arguments: &[&str]| {
        let (code, shown) = run(arguments);
        assert_eq!(code, 0, "{arguments:?}\n{shown}");
        shown
    };
    assert_eq!(run(&["verify", &image, "--key", "release.pub"]).0, 1, "nothing is signed yet");
    ok(&["sign", &image, "--key", "release.pem"]);
    ok(&["verify", &image, "--key", "release.pub"]);
    let (code, shown) = run(&["verify", &image, "--key", "other.pub"]);
    assert!(code == 1 && shown.contains("does not count"), "{shown}");

    // CVE-2022-35929: a signature is there, the attestation that is asked for is not.
    assert_eq!(run(&["verify", &image, "--key", "release.pub", "--type", "cyclonedx"]).0, 1);
    ok(&["attest", &image, "--key", "release.pem", "--from-sbom"]);
    ok(&["attest", &image, "--key", "release.pem", "--from-scan"]);
    ok(&["verify", &image, "--key", "release.pub", "--type", "cyclonedx"]);
    ok(&["verify", &image, "--key", "release.pub", "--type", "scan"]);

    let tree = ok(&["tree", &image]);
    assert_eq!(tree.matches("application/vnd.dev.sigstore.bundle").count(), 3, "{tree}");
    ok(&["copy", &image, "oci:copied"]);
    ok(&["verify", "oci:copied", "--offline", "--key", "release.pub"]);
    let promoted = format!("{}/release/app:1.0", lab.registry.host());
    ok(&["copy", "oci:copied", &promoted]);
    ok(&["verify", &promoted, "--key", "release.pub", "--type", "scan"]);
}

#[test]
fn a_tag_is_not_signed_unless_it_is_resolved_on_purpose() {
    let (lab, assay) = (Lab::new(), Assay::new());
    lab.push("team/app", "1.0", "app");
    key(&assay, "release");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let refused = assay.run(&["sign", &image, "--key", "release.pem"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--resolve"));
    assert!(assay.run(&["sign", &image, "--key", "release.pem", "--resolve"]).status.success());
}

/// An envelope by itself, its log entry, and who the certificate names.
fn envelope(assay: &Assay) -> (PathBuf, PathBuf, String) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(
        "../trust/tests/data/slsa-verifier/cli/slsa-verifier/testdata/gha_maven/v2.1.0/binary-linux-amd64-push-v14.build.slsa",
    );
    let bundle: serde_json::Value = serde_json::from_slice(&std::fs::read(sample).unwrap()).unwrap();
    let envelope = &bundle["dsseEnvelope"];
    let payload =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, envelope["payload"].as_str().unwrap());
    let statement: serde_json::Value = serde_json::from_slice(&payload.unwrap()).unwrap();
    let digest = format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap());
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    (assay.file("build.intoto.jsonl", envelope.to_string()), assay.file("entry.json", entry.to_string()), digest)
}

#[test]
fn an_envelope_by_itself_is_verified_with_its_log_entry_only() {
    let assay = Assay::new();
    let (envelope, entry, digest) = envelope(&assay);
    let (envelope, entry) = (envelope.to_str().unwrap(), entry.to_str().unwrap());
    let wanted = [
        "--certificate-identity-regexp",
        "^https://github\\.com/slsa-framework/.*$",
        "--certificate-oidc-issuer",
        "https://token.actions.githubusercontent.com",
    ];
    let run = |more: &[&str]| {
        let arguments = [&["verify", "--offline", "--bundle", envelope], more, &wanted, &[digest.as_str()]].concat();
        let output = assay.run(&arguments);
        (output.status.code().unwrap(), assay.shown(&output))
    };
    let (code, shown) = run(&[]);
    assert!(code == 1 && shown.contains("evidence-unverifiable"), "{shown}");
    let (code, shown) = run(&["--rekor-entry", entry]);
    assert_eq!(code, 0, "{shown}");
    // Another instance does not know the log, nor the authority.
    for instance in ["github", "staging"] {
        let (code, shown) = run(&["--rekor-entry", entry, "--trusted-root", instance]);
        assert_eq!(code, 1, "{instance}: {shown}");
    }
    let (code, shown) = run(&["--rekor-entry", envelope]);
    assert_eq!(code, 2, "an envelope is no log entry: {shown}");
    let alone = assay.run(&["verify", "app:1", "--rekor-entry", entry, "--key", "k.pub"]);
    assert_eq!(alone.status.code(), Some(2), "an entry goes with --bundle");
}

#[test]
fn a_pinned_authority_is_asked_for_instead_of_an_identity() {
    let assay = Assay::new();
    let (envelope, entry, digest) = envelope(&assay);
    let nothing = assay.file("ca.pem", "no certificate");
    let run = |file: &Path| {
        let paths = [&envelope, &entry].map(|path| path.to_str().unwrap());
        let [envelope, entry] = paths;
        let file = file.to_str().unwrap();
        let arguments = ["verify", "--bundle", envelope, "--rekor-entry", entry, "--ca-roots", file, &digest];
        let output = assay.run(&arguments);
        (output.status.code().unwrap(), assay.shown(&output))
    };
    let (code, shown) = run(&nothing);
    assert!(code == 2 && shown.contains("ca-roots"), "{shown}");
    // A valid signature of somebody else's certificate is not the authority's.
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/data/rfc3161/rsa-root.pem");
    let (code, shown) = run(&authority);
    assert!(code == 1 && shown.contains("does not count"), "{shown}");
}
