//! `check` and the webhook answer alike: the same object, facts, policy and time give the same Verdict, whether the object
//! comes as a manifest or as an AdmissionReview.

use std::path::{Path, PathBuf};

use assay_case::{Case, Namespace, Verdict};
use assay_gate::{Policy, PolicyInput, decide, starter_environments};
use assay_kube::{Manifest, Manifests};
use serde_json::json;

use crate::fixture::{Harness, NOW, Temper, facts, namespaces, review, start_with};

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Workloads of the corpus that are judged alike, counted when this was written. Never to be lowered.
const FLOOR: usize = 8605;

async fn server() -> (Harness, Policy) {
    let policy = || {
        let environments = starter_environments().unwrap();
        Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap()
    };
    let server = start_with(Temper::Warm, |options| options.policy = Some(policy().into())).await;
    (server, policy())
}

/// Judges one object from its file and through the webhook. Gives the id of the webhook's decision and the file's verdict.
async fn judge(server: &Harness, policy: &Policy, manifest: &Manifest<'_>, namespace: &str) -> (String, Verdict) {
    let labels = namespaces().labels(namespace).cloned();
    let request = manifest.request(Namespace { name: namespace.into(), labels }).unwrap();
    let facts = facts(&request.images);
    let world = assay_case::World {
        promotions: assay_case::Known::new(Vec::new().into(), NOW.parse().unwrap()),
        ..assay_case::World::unknown()
    };
    let case = Case { request, facts, world: world.into() };
    let checked = decide(policy, &case, NOW.parse().unwrap());

    let group = manifest.api_version.split_once('/').map_or("", |(group, _)| group);
    let mut review = review(namespace, group, &manifest.kind, json!(null));
    review["request"]["object"] = serde_json::to_value(manifest.node()).unwrap();
    review["request"]["name"] = json!("");
    let response = server.validate(&review).await;
    assert_eq!(response["allowed"], checked.allowed);
    (response["auditAnnotations"]["decision"].as_str().unwrap().to_owned(), checked)
}

/// That the webhook's verdicts, as they were recorded, are the files' verdicts to the last word.
async fn assert_agreement(server: &Harness, verdicts: &[(String, Verdict)]) {
    assert!(server.running.flush_decisions().await);
    for (id, checked) in verdicts {
        assert_eq!(server.store.decision(id).unwrap().unwrap().verdict, *checked);
    }
}

#[tokio::test]
async fn check_and_webhook_agree_on_every_built_in_kind() {
    let (server, policy) = server().await;
    let text = include_bytes!("../../../kube/tests/data/workloads.yaml");
    let manifests = Manifests::parse(text, &[]).unwrap();
    assert_eq!(manifests.workloads.len(), 9);
    let mut verdicts = Vec::new();
    for manifest in &manifests.workloads {
        for namespace in ["payments-prod", "payments-dev", "unheard-of"] {
            verdicts.push(judge(&server, &policy, manifest, namespace).await);
        }
    }
    assert_agreement(&server, &verdicts).await;
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn check_and_webhook_agree_on_the_kyverno_policies_corpus() {
    let root = std::env::var_os("ASSAY_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from)
        .join("kyverno-policies");
    if !root.is_dir() {
        said!("skipped: corpus kyverno-policies not present");
        return;
    }
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let (server, policy) = server().await;
    let mut verdicts = Vec::new();
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        // Every file of it is one that kubectl takes.
        let manifests = Manifests::parse(&bytes, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for manifest in &manifests.workloads {
            verdicts.push(judge(&server, &policy, manifest, "payments-prod").await);
        }
    }
    assert_agreement(&server, &verdicts).await;
    said!("kyverno-policies: {0} of {0} workloads judged alike, from {1} files", verdicts.len(), paths.len());
    assert!(verdicts.len() >= FLOOR, "{} workloads", verdicts.len());
}
