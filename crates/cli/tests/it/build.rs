//! `verify --source-uri` on bundles of slsa-verifier's corpus, and `verify --emit-vsa` from the judgement to its admission.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::assay::Assay;
use crate::verify::{Lab, key};

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Bundles of the whole corpus, each asked four times.
const FLOOR: usize = 232;
/// Most bundles of the corpus whose signing workflow was used at a branch.
const UNRELEASED_MAX: usize = 4;
const SOURCE: &str = "github.com/slsa-framework/example-package";

/// The subject of a bundle's statement, and the builder that it names.
fn stated(bundle: &Path) -> (String, String) {
    use base64::Engine as _;
    let document: Value = serde_json::from_slice(&std::fs::read(bundle).unwrap()).unwrap();
    let payload = document["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let digest = format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap());
    let builder = statement["predicate"]["runDetails"]["builder"]["id"].as_str().unwrap().to_owned();
    (digest, builder)
}

fn bundles(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bundles(&path, found);
        } else if path.to_string_lossy().ends_with(".build.slsa") {
            found.push(path);
        }
    }
    found.sort();
}

/// Asks every bundle for what it is and for three things that it is not.
fn run(folder: &Path) -> (usize, usize, Vec<String>) {
    let assay = Assay::new();
    let mut all = Vec::new();
    bundles(folder, &mut all);
    let (mut passed, mut asked, mut unreleased, mut wrong) = (0, 0, 0, Vec::new());
    for bundle in all {
        let (digest, builder) = stated(&bundle);
        let path = bundle.display().to_string();
        let ask = |more: &[&str]| {
            let fixed = ["verify", "--offline", "--bundle", &path, &digest];
            let output = assay.run(&[&fixed, more].concat());
            (output.status.code().unwrap(), assay.shown(&output))
        };
        let other = builder.replace(".yml@", "x.yml@");
        let questions: [(&[&str], i32); 4] = [
            (&["--source-uri", SOURCE, "--builder-id", &builder], 0),
            (&["--source-uri", "github.com/slsa-framework/example-packageA", "--builder-id", &builder], 1),
            (&["--source-uri", SOURCE, "--builder-id", &other], 1),
            (&["--source-uri", SOURCE, "--builder-id", &builder, "--source-branch", "master"], 1),
        ];
        for (more, code) in questions {
            asked += 1;
            let (found, shown) = ask(more);
            // slsa-verifier takes a workflow at a branch in its own tests only.
            let at_a_branch = code == 0 && found == 1 && shown.contains("builder-not-released");
            unreleased += usize::from(at_a_branch);
            if found == code || at_a_branch {
                passed += 1;
            } else {
                wrong.push(format!("{path} {more:?}: exit {found}\n{shown}"));
            }
        }
    }
    assert!(unreleased <= UNRELEASED_MAX, "{unreleased} builders are not used at a release");
    (passed, asked, wrong)
}

#[test]
fn builds_are_what_they_say_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (passed, asked, wrong) = run(&root.join("crates/trust/tests/data/slsa-verifier"));
    assert!(asked > 0 && passed == asked, "{wrong:#?}");
    let corpus = std::env::var_os("ASSAY_CORPUS").map_or_else(|| root.join("../shared/conformance"), PathBuf::from);
    let folder = corpus.join("slsa-verifier/cli/slsa-verifier/testdata");
    if !folder.is_dir() {
        said!("skipped: corpus slsa-verifier not present");
        return;
    }
    let (passed, asked, wrong) = run(&folder);
    said!("slsa-verifier expectations through the command line: {passed} of {asked} passed");
    assert!(passed >= FLOOR && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_level_and_the_provenance_are_shown() {
    let assay = Assay::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/data/slsa-verifier");
    let bundle = sample.join("gha_maven/v2.1.0/binary-linux-amd64-workflow_dispatch.build.slsa");
    let (digest, builder) = stated(&bundle);
    let path = bundle.display().to_string();
    let fixed = ["verify", "--offline", "--bundle", &path, &digest, "--source-uri", SOURCE];
    let output = assay.run(&[&fixed[..], &["--print-provenance"]].concat());
    let shown = assay.shown(&output);
    assert!(output.status.success(), "{shown}");
    for part in
        ["SLSA Build L3", &builder, "\"sourceRepository\": \"https://github.com/slsa-framework/example-package\""]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let usage = |more: &[&str]| assay.run(&[&["verify", "--bundle", &path, &digest], more].concat()).status.code();
    assert_eq!(usage(&["--source-branch", "main"]), Some(2), "a branch of what?");
    assert_eq!(usage(&["--source-uri", SOURCE, "--builder-id", "a@b@c"]), Some(2));
    assert_eq!(usage(&["--source-uri", SOURCE, "--workflow-input", "name"]), Some(2));
    // npm's attestations hold two bundles; the registry's key has to be named.
    let package = sample.join("npm/gha/gundam-visor-cli-v1-tag.tgz.json").display().to_string();
    let keyless = [
        "verify",
        "--offline",
        "--bundle",
        &package,
        &digest,
        "--source-uri",
        "github.com/ramonpetgrave64/gundam-visor",
    ];
    assert_ne!(assay.run(&keyless).status.code(), Some(0));
}

const POLICY: &str = "
apiVersion: assay.dev/v1
kind: TrustRoot
metadata: {name: company}
spec:
  keys:
    - {name: release, file: release.pub}
    - {name: verifier, file: verifier.pub}
---
apiVersion: assay.dev/v1
kind: Environment
metadata: {name: ci}
spec:
  tier: dev
  trustRoot: company
  registries: [REGISTRY/]
  signers: [{name: release, for: [signature], key: release}]
  controls: {trusted-signer: {action: enforce}}
---
apiVersion: assay.dev/v1
kind: Environment
metadata: {name: edge}
spec:
  tier: dev
  trustRoot: company
  registries: [REGISTRY/]
  signers: [{name: verifier, for: [vsa], key: verifier}]
  vsa: {verifier: 'https://ci.example.com/verifier', maxAge: 1h}
  controls: {trusted-signer: {action: enforce}, require-signature: {action: enforce}}
";

#[test]
fn a_summary_is_written_of_what_is_allowed_only_and_stands_in_elsewhere() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    key(&assay, "release");
    key(&assay, "verifier");
    assay.file("policy.yaml", POLICY.replace("REGISTRY", &lab.registry.host()));
    let run = |arguments: &[&str]| {
        let output = assay.run(arguments);
        (output.status.code().unwrap(), assay.shown(&output))
    };
    let summarise = |environment: &str, file: &str| {
        run(&[
            "verify",
            &image,
            "--emit-vsa",
            file,
            "--verifier-id",
            "https://ci.example.com/verifier",
            "--key",
            "verifier.pem",
            "--config",
            "policy.yaml",
            "--env",
            environment,
        ])
    };
    let (code, shown) = summarise("ci", "vsa.json");
    assert!(code == 1 && shown.contains("no summary is written"), "{code} {shown}");
    assert_eq!(run(&["verify", &image, "--key", "verifier.pub", "--type", "vsa"]).0, 1, "nothing was attached");
    assert_eq!(summarise("edge", "edge.json").0, 1, "nothing vouches for it at the edge");

    assert_eq!(run(&["sign", &image, "--key", "release.pem"]).0, 0);
    let (code, shown) = summarise("ci", "vsa.json");
    assert!(code == 0 && shown.contains("attached"), "{code} {shown}");
    let digest = digest.to_string();
    assert_eq!(run(&["verify", "--bundle", "vsa.json", &digest, "--key", "verifier.pub"]).0, 0);
    assert_eq!(run(&["verify", &image, "--key", "verifier.pub", "--type", "vsa"]).0, 0);

    // The edge knows no release key: it goes by the summary, and says so.
    let (code, shown) = summarise("edge", "edge.json");
    assert_eq!(code, 0, "{shown}");
    assay.file("pod.yaml", format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: app}}\nspec:\n  containers:\n    - name: app\n      image: {image}\n      securityContext: {{allowPrivilegeEscalation: false}}\n"
    ));
    let (code, shown) = run(&["check", "-f", "pod.yaml", "--config", "policy.yaml", "--env", "edge", "-o", "json"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("says the verification summary of https://ci.example.com/verifier"), "{shown}");
}
