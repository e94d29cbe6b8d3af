//! From release to Pod: `release`, `inventory`, `who-runs`, `trace`, `explain`.

use crate::assay::Assay;
use crate::verify::Lab;

/// Times and loopback ports differ from run to run.
fn settled(text: &str, host: &str) -> String {
    let mut out = String::new();
    for line in text.replace(host, "REGISTRY").lines() {
        let mut words = Vec::new();
        for word in line.split(' ') {
            let time = word.len() >= 5 && word.as_bytes()[2] == b':' && word[..2].bytes().all(|b| b.is_ascii_digit());
            let date = word.starts_with("20") && word.matches('-').count() == 2;
            let id = word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
            // Short digests of findings hold the time at which they were matched.
            let short = word.starts_with("sha256:") && word.trim_end_matches([',', ')']).len() == 19;
            words.push(if short {
                "SHORT-DIGEST"
            } else if time {
                "TIME"
            } else if date {
                "DATE"
            } else if id {
                "ID"
            } else {
                word
            });
        }
        out.push_str(words.join(" ").trim_end());
        out.push('\n');
    }
    out
}

fn pods(image: &str, digest: &assay_model::Digest) -> String {
    serde_json::json!({"kind": "List", "items": [
        {"kind": "Namespace", "metadata": {"name": "payments", "labels": {"assay.dev/environment": "prod"}}},
        {"kind": "Pod", "metadata": {"name": "api-6d5f-x1", "namespace": "payments",
            "labels": {"pod-template-hash": "6d5f", "team": "team-payments"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "api-6d5f", "controller": true}]},
         "spec": {"containers": [{"name": "api", "image": image}]},
         "status": {"phase": "Running", "startTime": "2026-11-20T08:00:00Z",
            "containerStatuses": [{"name": "api", "imageID": format!("{image}@{digest}")}]}},
        {"kind": "Pod", "metadata": {"name": "gone", "namespace": "payments"}, "spec": {"containers": []},
         "status": {"phase": "Succeeded"}},
    ]})
    .to_string()
}

#[test]
fn one_digest_is_followed_from_release_to_pod() {
    let (lab, assay) = (Lab::new(), Assay::new().variable("USER", "release-manager"));
    let digest = lab.push("team/app", "1.0", "app");
    let host = lab.registry.host();
    let image = format!("{host}/team/app");
    let seen = |arguments: &[&str]| settled(&assay.seen(arguments), &host);
    assay.file(
        "policy.yaml",
        format!("apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: dev}}\nspec: {{tier: dev, registries: [{host}/team/]}}\n"),
    );
    let pinned = format!("{image}@{digest}");
    let create = [
        "release",
        "create",
        "app-1-0",
        "--service",
        "app",
        "--source",
        "github.com/company/app",
        "--commit",
        "4f2c1e9",
    ];
    let created = seen(&[&create[..], &["--image", &pinned]].concat());
    assert!(created.starts_with("exit 0"), "{created}");
    assert!(
        seen(&[&create[..], &["--image", &format!("{image}:1.0")]].concat()).starts_with("exit 2"),
        "a tag is no release"
    );
    let rebuilt = format!("{image}@{}", lab.push("team/app", "1.0", "rebuilt"));
    assert!(
        seen(&[&create[..], &["--image", &rebuilt]].concat()).starts_with("exit 2"),
        "another digest, another release"
    );

    let promoted = seen(&["release", "promote", "app-1-0", "--to", "dev", "--config", "policy.yaml"]);
    assert!(promoted.starts_with("exit 0") && promoted.contains("ledger    1"), "{promoted}");
    let refused = seen(&["release", "promote", "app-1-0", "--to", "prod", "--config", "policy.yaml"]);
    assert!(refused.starts_with("exit 1") && refused.contains("require-signature"), "{refused}");
    insta::assert_snapshot!(seen(&["release", "status"]));

    assay.file("pods.json", pods(&image, &digest));
    insta::assert_snapshot!(seen(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]));
    insta::assert_snapshot!(seen(&["inventory", "list"]));
    let json: serde_json::Value =
        serde_json::from_slice(&assay.run(&["inventory", "list", "-o", "json"]).stdout).unwrap();
    let row = &json["containers"][0];
    assert_eq!(row["workload"], "api");
    assert_eq!((row["kind"].as_str(), row["environment"].as_str()), (Some("Deployment"), Some("prod")));
    insta::assert_snapshot!(seen(&["who-runs", "zlib1g@<1:1.3"]));
    assert!(seen(&["who-runs", "zlib1g@>=1:1.3"]).contains("runs nowhere"));
    assert!(seen(&["who-runs", &digest.to_string()]).contains("1 Pod"));
    assert!(seen(&["who-runs", "CVE-2023-45853"]).contains("1 Pod"), "{}", seen(&["who-runs", "CVE-2023-45853"]));
    insta::assert_snapshot!(seen(&["trace", &digest.hex()[..10]]));
    assert_eq!(seen(&["trace", "payments/api-6d5f-x1"]), seen(&["trace", &digest.to_string()]));
}

#[test]
fn a_decision_is_explained_by_the_beginning_of_its_id() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    let create = ["release", "create", "a", "--service", "a", "--source", "s", "--commit", "c", "--image", &image];
    assert!(assay.run(&create).status.success());
    let refused = assay.run(&["release", "promote", "a", "--to", "prod", "--by", "me", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    let id = json["decision"].as_str().unwrap();
    let explained = assay.seen(&["explain", &id[..8]]);
    assert!(explained.starts_with("exit 0") && explained.contains("require-signature"), "{explained}");
    assert!(assay.seen(&["explain", "ffff"]).starts_with("exit 2"));
}

#[test]
fn without_a_store_a_question_says_how_to_fill_it() {
    insta::assert_snapshot!(Assay::new().seen(&["who-runs", "zlib"]));
}
