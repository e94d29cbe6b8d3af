//! One digest through the environments: copied, judged, recorded, and nothing else in its place.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use assay_sandbox::{BuiltImage, ImageBuilder};

use crate::assay::Assay;
use crate::verify::{Lab, key};

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

/// A repository whose TrustRoot knows the key `builder`, and an image of it.
fn attested() -> (Lab, Assay, String, assay_model::Digest) {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    for name in ["builder", "stranger"] {
        key(&assay, name);
    }
    assay.file(
        "policy.yaml",
        "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {name: ours}\nspec: {keys: [{name: builder, file: builder.pub}]}\n",
    );
    let image = format!("{}/team/app", lab.registry.host());
    (lab, assay, image, digest)
}

const COMMIT: &str = "4f2c1e9d0b6a7c8e9f00112233445566778899aa";

/// Attests with a key that the image was built from a commit.
fn attest_source(assay: &Assay, by: &str, pinned: &str, commit: &str) {
    let predicate = serde_json::json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": {"workflow": {"repository": "https://github.com/company/app", "ref": "refs/heads/main"}},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/company/app@refs/heads/main", "digest": {"gitCommit": commit}}]},
        "runDetails": {"builder": {"id": "https://builder.example.com/v1"}}
    });
    assay.file("provenance.json", predicate.to_string());
    let key = format!("{by}.pem");
    let output =
        assay.run(&["attest", pinned, "--type", "slsaprovenance1", "--predicate", "provenance.json", "--key", &key]);
    assert!(output.status.success(), "{}", assay.shown(&output));
}

fn create(assay: &Assay, name: &str, image: &str, rest: &[&str]) -> (i32, serde_json::Value, String) {
    let own =
        ["release", "create", name, "--service", "app", "--config", "policy.yaml", "--image", image, "-o", "json"];
    let output = assay.run(&[&own[..], rest].concat());
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), json, assay.shown(&output))
}

#[test]
fn a_release_knows_its_source_and_evidence_by_what_verifies() {
    let (_lab, assay, image, digest) = attested();
    let (by_tag, pinned) = (format!("{image}:1.0"), format!("{image}@{digest}"));
    let (code, _, said) = create(&assay, "a", &by_tag, &[]);
    assert!(code == 2 && said.contains("no verified provenance says where"), "{said}");
    attest_source(&assay, "stranger", &pinned, COMMIT);
    let (code, _, said) = create(&assay, "a", &by_tag, &[]);
    assert!(code == 2 && said.contains("no verified provenance says where"), "a stranger's word is none: {said}");
    attest_source(&assay, "builder", &pinned, COMMIT);
    for arguments in [
        vec!["sign", &pinned, "--key", "builder.pem"],
        vec!["attest", &pinned, "--from-sbom", "--key", "builder.pem"],
        vec!["attest", &pinned, "--from-scan", "--key", "builder.pem"],
    ] {
        assert!(assay.run(&arguments).status.success(), "{arguments:?}");
    }
    let (code, json, said) = create(&assay, "a", &by_tag, &[]);
    assert_eq!(code, 0, "{said}");
    let spec = &json["release"]["spec"];
    assert_eq!(spec["image"]["digest"], digest.to_string());
    assert_eq!(json["tag"], by_tag);
    assert_eq!(spec["source"], serde_json::json!({"repository": "github.com/company/app", "commit": COMMIT}));
    assert!(json["sourceBy"].as_str().unwrap().starts_with("key "), "{json}");
    for (kind, field) in [("signature", "signature"), ("sbom", "sbom"), ("provenance", "provenance"), ("scan", "scan")]
    {
        let place = spec["evidence"][field].as_str().unwrap();
        assert!(place.starts_with(&format!("oci://{image}@sha256:")), "{place}");
        assert!(spec["evidence"]["signers"][kind].as_str().unwrap().starts_with("key "), "{json}");
    }
    let rejected = json["rejected"][0].as_str().unwrap();
    assert!(rejected.contains("trust-material-missing"), "the stranger's is named: {json}");
}

#[test]
fn what_is_said_of_the_source_must_be_what_the_provenance_says() {
    let (_lab, assay, image, digest) = attested();
    let pinned = format!("{image}@{digest}");
    attest_source(&assay, "builder", &pinned, COMMIT);
    let same = ["--source", "https://github.com/company/app.git", "--commit", &COMMIT[..9]];
    let (code, json, said) = create(&assay, "a", &pinned, &same);
    assert_eq!((code, json["release"]["spec"]["source"]["commit"].as_str()), (0, Some(COMMIT)), "{said}");
    for other in [["--source", "github.com/company/other"], ["--commit", "0000000"]] {
        let (code, _, said) = create(&assay, "b", &pinned, &other);
        assert!(code == 2 && said.contains("is not what the verified provenance says"), "{said}");
    }
    attest_source(&assay, "builder", &pinned, "1111111111111111111111111111111111111111");
    let (code, _, said) = create(&assay, "b", &pinned, &[]);
    assert!(code == 2 && said.contains("says different things about its source"), "{said}");
}

/// One platform with a vulnerable package, one without: what was known is known of both.
#[test]
fn a_promotion_keeps_the_findings_of_every_platform() {
    let (lab, assay) = (Lab::new(), Assay::new().variable("USER", "release-manager"));
    let host = lab.registry.host();
    let image = |platform: &str, status: &str| {
        ImageBuilder::new()
            .platform(platform.parse().unwrap())
            .layer([
                ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", 0o644),
                ("var/lib/dpkg/status", status, 0o644),
            ])
            .build()
    };
    let vulnerable = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\nSource: zlib\n\n";
    let index = BuiltImage::index(&[image("linux/amd64", ""), image("linux/arm64", vulnerable)]);
    let digest = lab.registry.put_image("team/app", "1.0", &index);
    assay.file(
        "policy.yaml",
        format!("apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: dev}}\nspec: {{tier: dev, registries: [{host}/team/]}}\n"),
    );
    let image = format!("{host}/team/app@{digest}");
    let (code, _, said) = create(&assay, "app-1-0", &image, &["--source", "s", "--commit", "c"]);
    assert_eq!(code, 0, "{said}");
    let json = promote(&assay, "promote", &["dev"]);
    assert_eq!((json["exit"].as_i64(), json["entry"].as_i64()), (Some(0), Some(1)), "{json}");
    assert_eq!(json["counts"]["critical"], 1, "amd64 alone has none: {json}");
    let of_arm = |outcome: &&serde_json::Value| outcome["control"] == "critical-cve" && outcome["outcome"] == "fail";
    let outcomes = json["verdict"]["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.iter().find(of_arm).unwrap()["target"]["platform"], "linux/arm64", "{json}");
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

/// Somebody else approves, by a signature over exactly this; everything else is no approval.
#[test]
fn a_promotion_needs_the_signature_of_somebody_else() {
    let (lab, assay, digest) = released();
    for name in ["lead", "release-manager", "stranger"] {
        key(&assay, name);
    }
    let host = lab.registry.host();
    let environment = |name: &str| {
        format!(
            "---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n  tier: dev\n  \
             registries: [{host}/team/]\n  controls: {{change-approval: {{action: enforce, approvers: [lead, release-manager]}}}}\n"
        )
    };
    let root = "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {name: people}\nspec:\n  keys:\n    \
                - {name: lead, file: lead.pub}\n    - {name: release-manager, file: release-manager.pub}\n";
    assay.file("policy.yaml", format!("{root}{}{}", environment("dev"), environment("test")));
    let approve = |by: &str, rest: &[&str]| {
        let (key, out) = (format!("{by}.pem"), format!("{by}.json"));
        let own = ["release", "approve", "app-1-0", "--config", "policy.yaml", "--key", &key, "--out", &out];
        assay.seen(&[&own[..], rest].concat())
    };
    let denied = |rest: &[&str], why: &str| {
        let json = promote(&assay, "promote", rest);
        assert_eq!((json["exit"].as_i64(), &json["entry"]), (Some(1), &serde_json::Value::Null), "{json}");
        assert!(json["verdict"].to_string().contains(why), "{json}");
    };
    denied(&["dev"], "and nobody approved that");
    // Who promotes does not approve it, too; nobody's key is no approval, and nothing is written.
    assert!(approve("release-manager", &["--to", "dev"]).starts_with("exit 0"));
    denied(&["dev", "--approval", "release-manager.json"], "approved what release-manager promotes");
    let said = approve("stranger", &["--to", "dev"]);
    assert!(said.starts_with("exit 2") && said.contains("does not hold"), "{said}");
    assert!(!assay.path().join("stranger.json").exists());
    // An approval of something else.
    for other in [&["--to", "test"][..], &["--to", "dev", "--rollback"]] {
        assert!(approve("lead", other).starts_with("exit 0"));
        let arguments =
            ["release", "promote", "app-1-0", "--config", "policy.yaml", "--to", "dev", "--approval", "lead.json"];
        let said = assay.seen(&arguments);
        assert!(said.starts_with("exit 2") && said.contains("does not hold for release app-1-0 to dev"), "{said}");
    }
    let said = approve("lead", &["--to", "dev"]);
    assert!(said.contains("by      lead") && said.contains("--approval lead.json"), "{said}");
    let json = promote(&assay, "promote", &["dev", "--approval", "lead.json"]);
    assert_eq!((json["exit"].as_i64(), json["approvedBy"].as_str()), (Some(0), Some("lead")), "{json}");
    let status = promote_status(&assay);
    assert_eq!(status["releases"][0]["promotions"][0]["approval"]["by"], "lead", "{status} {digest}");
}

fn promote_status(assay: &Assay) -> serde_json::Value {
    let output = assay.run(&["release", "status", "-o", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", assay.shown(&output)))
}
