//! One digest through the environments: copied, judged, recorded, and nothing else in its place.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::assay::Assay;
use crate::verify::Lab;

/// A release `app-1-0` of an image in `team/app`, a dev that takes images of `team/` and `release/`.
fn released() -> (Lab, Assay, assay_model::Digest) {
    let (lab, assay) = (Lab::new(), Assay::new().variable("USER", "release-manager"));
    let digest = lab.push("team/app", "1.0", "app");
    let host = lab.registry.host();
    assay.file(
        "policy.yaml",
        format!(
            "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: dev}}\n\
             spec: {{tier: dev, registries: [{host}/team/, {host}/release/]}}\n"
        ),
    );
    let image = format!("{host}/team/app@{digest}");
    let create = ["release", "create", "app-1-0", "--service", "app", "--source", "s", "--commit", "c", "--image"];
    let created = assay.run(&[&create[..], &[&image]].concat());
    assert!(created.status.success(), "{}", assay.shown(&created));
    (lab, assay, digest)
}

fn promote(assay: &Assay, verb: &str, rest: &[&str]) -> serde_json::Value {
    let arguments = ["release", verb, "app-1-0", "--config", "policy.yaml", "-o", "json", "--to"];
    let output = assay.run(&[&arguments[..], rest].concat());
    let mut json: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", assay.shown(&output)));
    json["exit"] = output.status.code().into();
    json
}

#[test]
fn what_is_promoted_is_copied_and_read_again_and_is_the_same_digest() {
    let (lab, assay, digest) = released();
    let target = format!("{}/release/app", lab.registry.host());
    let json = promote(&assay, "promote", &["dev", "--target", &target]);
    assert_eq!((json["exit"].as_i64(), json["entry"].as_i64()), (Some(0), Some(1)), "{json}");
    assert_eq!(json["copied"]["to"], target);
    assert!(lab.registry.manifest("release/app", digest).is_some());
    let intact = assay.seen(&["release", "verify-ledger"]);
    assert!(intact.starts_with("exit 0") && intact.contains("intact  1 entry"), "{intact}");
}

#[test]
fn what_is_refused_is_not_copied() {
    let (lab, assay, digest) = released();
    let target = format!("{}/elsewhere/app", lab.registry.host());
    let json = promote(&assay, "promote", &["dev", "--target", &target]);
    assert_eq!(
        (json["exit"].as_i64(), json.get("entry").and_then(serde_json::Value::as_i64)),
        (Some(1), None),
        "{json}"
    );
    assert!(lab.registry.manifest("elsewhere/app", digest).is_none());
    let outcomes = json["verdict"]["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().any(|own| own["control"] == "allowed-registries" && own["outcome"] == "fail"), "{json}");
}

#[test]
fn a_rebuilt_image_is_refused_with_what_differs() {
    let (lab, assay, digest) = released();
    let rebuilt = lab.push("team/app", "1.0", "rebuilt");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let json = promote(&assay, "promote", &["dev", "--image", &image]);
    assert_eq!(json["exit"], 1, "{json}");
    assert_eq!(json["rebuilt"]["released"], digest.to_string());
    assert_eq!(json["rebuilt"]["offered"], rebuilt.to_string());
    assert!(json["rebuilt"]["difference"].is_object(), "{json}");
    let said =
        assay.seen(&["release", "promote", "app-1-0", "--to", "dev", "--config", "policy.yaml", "--image", &image]);
    assert!(said.contains("one build goes through all environments"), "{said}");
    assert!(assay.seen(&["release", "status"]).contains("not promoted yet"));
}

#[test]
fn a_rollback_goes_through_the_same_gate() {
    let (_lab, assay, _) = released();
    let never = promote(&assay, "rollback", &["prod"]);
    assert_eq!(never["exit"], 1, "{never}");
    let outcomes = never["verdict"]["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().any(|own| own["control"] == "rollback-risk" && own["outcome"] == "fail"), "{never}");
    assert_eq!(promote(&assay, "promote", &["dev"])["exit"], 0);
    let back = promote(&assay, "rollback", &["dev"]);
    assert_eq!((back["exit"].as_i64(), back["entry"].as_i64()), (Some(0), Some(2)), "{back}");
}

#[test]
fn a_promotion_is_no_admission() {
    let (_lab, assay, digest) = released();
    assert_eq!(promote(&assay, "promote", &["dev"])["exit"], 0);
    let output = assay.run(&["trace", &digest.to_string(), "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let step = |name: &str| json["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap().clone();
    assert_eq!(step("promote")["standing"], "proven", "{json}");
    assert_eq!(step("admit")["standing"], "unknown", "{json}");
}

/// The source package's name and the upstream version find what Debian calls `zlib1g 1:1.2.13`.
#[test]
fn the_zero_day_question_is_asked_in_upstreams_words() {
    let (lab, assay, digest) = released();
    let image = format!("{}/team/app", lab.registry.host());
    let pods = serde_json::json!({"kind": "List", "items": [
        {"kind": "Pod", "metadata": {"name": "api", "namespace": "payments", "labels": {"team": "team-payments"}},
         "spec": {"containers": [{"name": "api", "image": image}]},
         "status": {"phase": "Running", "containerStatuses": [{"name": "api", "imageID": format!("{image}@{digest}")}]}},
    ]});
    assert!(assay.run_with_input(&["inventory", "sync", "-f", "-"], pods.to_string().as_bytes()).status.success());
    for (question, runs) in [("zlib1g@<1.3.1", true), ("zlib@<1.3.1", true), ("zlib@>=1.3.1", false), ("zlib", true)] {
        let seen = assay.seen(&["who-runs", question]);
        assert_eq!(seen.contains("1 Pod"), runs, "{question}\n{seen}");
    }
}

#[test]
fn the_webhook_configuration_is_written_and_changed_policies_are_taken_in() {
    let assay = Assay::new();
    let policy = |registry: &str| {
        format!(
            "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: dev}}\nspec: {{tier: dev, registries: [{registry}/]}}\n"
        )
    };
    assay.file("policies/dev.yaml", policy("one.example.com"));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--development-certificate", "localhost"];
    let mut child = assay
        .command()
        .args(arguments)
        .args(["--print-webhook-configuration", "localhost", "--config", "policies"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.next().unwrap().starts_with("listening on https://127.0.0.1:"));
    assay.file("policies/dev.yaml", policy("another.example.com"));
    let taken = said.by_ref().find(|line| line.contains("in force") || line.contains("stays"));
    assert!(taken.unwrap().starts_with("policy sha256:"));
    assay.file(
        "policies/dev.yaml",
        "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {name: dev}\nspec: {teir: dev}\n",
    );
    assert!(said.any(|line| line == "the policy of before stays in force"));
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let mut configuration = String::new();
    child.stdout.take().unwrap().read_to_string(&mut configuration).unwrap();
    assert!(configuration.contains("kind: ValidatingWebhookConfiguration"), "{configuration}");
    assert!(configuration.contains("/validate\n") && configuration.contains("caBundle: "), "{configuration}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
