//! What slsa-verifier's own tests expect of its corpus: which source, branch, tag, builder and inputs must pass and which
//! must not. `tests/data/slsa-verifier/expectations.json` holds them, taken from its `main_regression_test.go`.
//!
//! Only the expectation is judged here, on what the envelope and its certificate say: most of the envelopes have nothing
//! that proves when they were signed. npm's bundles are complete, and are verified. Rows about bytes of the artifact or
//! about the log are judged where signatures are; rows about images need layouts that the corpus does not hold whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_model::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::super::*;
use crate::sigstore::fulcio;
use crate::statement::Statement;
use crate::x509::Certificate;
use crate::{Artifact, NpmError, Predicate, TrustMaterial, predicates, verify_npm};

/// Questions of the whole corpus.
const FLOOR: usize = 4446;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Row {
    suite: String,
    name: String,
    artifacts: Vec<String>,
    provenance: Option<String>,
    source: String,
    branch: Option<String>,
    tag: Option<String>,
    versioned_tag: Option<String>,
    builder: Option<String>,
    builders: Vec<String>,
    inputs: BTreeMap<String, String>,
    package_name: Option<String>,
    package_version: Option<String>,
    error: Option<String>,
    no_version: bool,
}

/// The codes that a cause of slsa-verifier may have here.
fn codes(error: &str) -> &'static [&'static str] {
    match error {
        "ErrorMismatchBranch" => &["branch-mismatch"],
        "ErrorMismatchSource" | "ErrorMalformedURI" => &["source-mismatch"],
        "ErrorMismatchTag" => &["tag-mismatch"],
        "ErrorMismatchVersionedTag" => &["version-mismatch"],
        "ErrorInvalidSemver" => &["version-invalid", "version-mismatch"],
        "ErrorInvalidRef" => &["branch-mismatch", "tag-mismatch", "version-mismatch"],
        "ErrorUntrustedReusableWorkflow" | "ErrorMismatchBuilderID" | "ErrorInvalidBuilderID" | "ErrorNotSupported" => {
            &["builder-untrusted"]
        }
        "ErrorMismatchWorkflowInputs" => &["input-mismatch"],
        "ErrorMismatchPackageName" | "ErrorMismatchPackageVersion" => &["npm-package-mismatch"],
        _ => &[],
    }
}

/// Rows that ask about bytes, not about the build.
fn is_about_bytes(row: &Row) -> bool {
    matches!(row.error.as_deref(), Some("ErrorMismatchHash" | "ErrorRekorSearch"))
}

fn expectation(row: &Row, builder: Option<&str>) -> BuildExpectation {
    let mut expected = BuildExpectation::new(&row.source);
    if let Some(branch) = &row.branch {
        expected = expected.with_branch(branch);
    }
    if let Some(tag) = &row.tag {
        expected = expected.with_tag(tag);
    }
    if let Some(tag) = &row.versioned_tag {
        expected = expected.with_versioned_tag(tag);
    }
    if let Some(builder) = builder {
        expected = expected.with_builder(BuilderId::parse(builder).unwrap());
    }
    row.inputs.iter().fold(expected, |expected, (name, value)| expected.with_input(name, value))
}

/// What an envelope or bundle says, and who its certificate names. Nothing is verified.
fn said(path: &Path) -> Option<(Signer, Provenance)> {
    let text = std::fs::read_to_string(path).ok()?;
    let document: Value =
        serde_json::from_str(text.lines().next().filter(|_| text.starts_with("{\"")).unwrap_or(&text))
            .or_else(|_| serde_json::from_str(&text))
            .unwrap();
    let material = &document["verificationMaterial"];
    let der = [&material["certificate"]["rawBytes"], &material["x509CertificateChain"]["certificates"][0]["rawBytes"]];
    let der = der.into_iter().find_map(Value::as_str).map(|text| STANDARD.decode(text).unwrap());
    let envelope = document.get("dsseEnvelope").unwrap_or(&document);
    let der = der.or_else(|| {
        let pem = envelope["signatures"][0]["cert"].as_str()?;
        let lines = pem.lines().skip(1).take_while(|line| !line.starts_with('-'));
        STANDARD.decode(lines.collect::<String>()).ok()
    })?;
    let signer = fulcio::signer(&Certificate::parse(&der).unwrap()).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let statement = Statement::parse(&payload).unwrap();
    match predicates::read(&statement.predicate_type, statement.predicate).unwrap().1 {
        Predicate::Provenance(provenance) => Some((signer, *provenance)),
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[derive(Default)]
struct Score {
    passed: usize,
    asked: usize,
    absent: usize,
    wrong: Vec<String>,
}

impl Score {
    fn judge(&mut self, what: &str, row: &Row, found: Result<(), &'static str>, released: bool) {
        self.asked += 1;
        let right = match (&row.error, found) {
            // slsa-verifier takes a builder at a branch in its own tests only.
            (_, Err("builder-not-released")) => !released,
            (None, Ok(())) => released,
            (Some(error), Err(code)) => codes(error).contains(&code),
            _ => false,
        };
        if right {
            self.passed += 1;
        } else {
            self.wrong.push(format!("{what}: {}: {found:?}, expected {:?}", row.name, row.error));
        }
    }

    fn build(&mut self, root: &Path, folder: &str, row: &Row) {
        let artifact = root.join(folder).join(&row.artifacts[0]);
        let extension = match () {
            () if row.suite == "github" || folder.is_empty() => "intoto.jsonl",
            () if row.suite == "container-based" => "intoto.build.slsa",
            () if ["delegator", "maven", "gradle"].iter().any(|name| folder.contains(name)) => "build.slsa",
            () => "intoto.jsonl",
        };
        let own = PathBuf::from(format!("{}.{extension}", artifact.display()));
        let path = row.provenance.as_ref().map_or(own, |name| root.join(folder).join(name));
        let Some((signer, provenance)) = said(&path) else {
            self.absent += 1;
            return;
        };
        let name = BuilderId::parse(&provenance.builder_id).unwrap();
        let released = match &signer {
            Signer::Keyless { subject, .. } => builder::is_release(&BuilderId::parse(subject).unwrap()),
            _ => false,
        };
        let version = folder.split('/').nth(1).unwrap_or_default();
        let mut builders = vec![Some(name.name().to_owned()), None];
        // Whoever asks for a builder of somebody else's trusts it: that is another question than the one of the row.
        if !folder.contains("delegator") && !name.is_of_slsa_framework() {
            builders = vec![None];
        }
        if folder.contains("delegator") {
            builders.truncate(1);
        }
        if !version.is_empty() {
            builders.push(Some(format!("{}@{version}", name.name())));
            builders.push(Some(format!("{}@refs/tags/{version}", name.name())));
        }
        if row.builder.is_some() || row.suite == "github" {
            builders = vec![row.builder.clone()];
        }
        for builder in builders {
            let found = expectation(row, builder.as_deref()).check(&signer, &provenance);
            let found = found.map(drop).map_err(|error| error.code());
            self.judge(&format!("{} by {builder:?}", path.display()), row, found, released);
        }
    }

    fn package(&mut self, root: &Path, row: &Row, material: &TrustMaterial) {
        let path = root.join("npm/gha").join(format!("{}.json", row.artifacts[0]));
        let Ok(bytes) = std::fs::read(&path) else {
            self.absent += 1;
            return;
        };
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let digest = document["attestations"].as_array().unwrap().iter().find_map(|one| {
            let payload = STANDARD.decode(one["bundle"]["dsseEnvelope"]["payload"].as_str()?).ok()?;
            let statement: Value = serde_json::from_slice(&payload).ok()?;
            format!("sha512:{}", statement["subject"][0]["digest"]["sha512"].as_str()?).parse::<Digest>().ok()
        });
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let evidence = verify_npm(&bytes, Artifact::Digest(digest.unwrap()), material, now);
        if row.error.as_deref() == Some("ErrorInvalidSignature") {
            self.asked += 1;
            if matches!(&evidence, Err(NpmError::Bundle(_))) {
                self.passed += 1;
            } else {
                self.wrong.push(format!("{}: {evidence:?}", path.display()));
            }
            return;
        }
        let found = evidence.map_err(|error| error.code()).and_then(|evidence| {
            let build = evidence.check_build(&expectation(row, row.builder.as_deref()));
            build.map_err(|error| error.code())?;
            let package = evidence.check_package(row.package_name.as_deref(), row.package_version.as_deref());
            package.map_err(|error| error.code())
        });
        self.judge(&path.display().to_string(), row, found, true);
    }
}

/// Folders of a builder's versions, from v1.2.2 on.
fn versions(root: &Path, builders: &[String]) -> Vec<String> {
    let mut folders = Vec::new();
    for builder in builders {
        for entry in std::fs::read_dir(root.join(builder)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let numbers: Vec<u32> =
                name.trim_start_matches('v').split('.').filter_map(|part| part.parse().ok()).collect();
            if numbers >= vec![1, 2, 2] {
                folders.push(format!("{builder}/{name}"));
            }
        }
    }
    folders.sort();
    folders
}

fn run(root: &Path, keys: &Path) -> Score {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slsa-verifier");
    let rows: Vec<Row> = serde_json::from_slice(&std::fs::read(own.join("expectations.json")).unwrap()).unwrap();
    let mut material = TrustMaterial::new().with_public_good().unwrap();
    let document: Value = serde_json::from_slice(&std::fs::read(keys).unwrap()).unwrap();
    for key in document["keys"].as_array().unwrap() {
        if key["keyUsage"] == "npm:attestations" {
            let body = key["publicKey"]["rawBytes"].as_str().unwrap();
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
            material = material.with_public_key(&pem).unwrap();
        }
    }
    let mut score = Score::default();
    for row in rows.iter().filter(|row| !is_about_bytes(row)) {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let builders = match row.suite.as_str() {
            "npm" => {
                score.package(root, row, &material);
                continue;
            }
            "github" => {
                score.build(root, "bcr", row);
                continue;
            }
            "container-based" => named(&["gha_container-based"]),
            "artifact" if row.builders.is_empty() => {
                named(&["gha_go", "gha_generic", "gha_delegator", "gha_maven", "gha_gradle"])
            }
            "artifact" => row.builders.clone(),
            _ => continue,
        };
        let folders = if row.no_version { vec![String::new()] } else { versions(root, &builders) };
        for folder in folders {
            score.build(root, &folder, row);
        }
    }
    score
}

fn print(text: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn the_expectations_of_slsa_verifier_hold_on_the_sample() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slsa-verifier");
    let score = run(&own, &own.join("npm-keys.json"));
    assert!(score.wrong.is_empty() && score.passed >= 60, "{} of {}: {:#?}", score.passed, score.asked, score.wrong);
}

#[test]
fn the_expectations_of_slsa_verifier_hold() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = std::env::var_os("ASSAY_CORPUS");
    let corpus = corpus.map_or_else(|| repository.join("../shared/conformance"), PathBuf::from);
    let root = corpus.join("slsa-verifier/cli/slsa-verifier/testdata");
    let keys = corpus.join("sigstore-root/targets/registry.npmjs.org/keys.json");
    if !root.is_dir() || !keys.is_file() {
        print("skipped: corpus slsa-verifier not present");
        return;
    }
    let score = run(&root, &keys);
    let (passed, asked, absent) = (score.passed, score.asked, score.absent);
    print(&format!("slsa-verifier expectations: {passed} of {asked} passed ({absent} without a file in the corpus)"));
    assert!(score.wrong.is_empty() && passed >= FLOOR, "{passed}: {:#?}", score.wrong);
}
