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
    let by_tag = seen(&[&create[..], &["--image", &format!("{image}:1.0")]].concat());
    assert!(by_tag.starts_with("exit 0") && by_tag.contains(&digest.to_string()), "a tag is resolved once: {by_tag}");
    let offline = seen(&[&create[..], &["--offline", "--image", &format!("{image}:1.0")]].concat());
    assert!(offline.starts_with("exit 2") && offline.contains("has no digest"), "{offline}");
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

/// A CronJob between two runs, by its last finished Pod, and an image volume: both are in use.
#[test]
fn what_runs_again_and_what_is_mounted_is_in_the_inventory() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let (digest, data) = (lab.push("team/app", "1.0", "app"), lab.push("team/data", "1.0", "data"));
    let host = lab.registry.host();
    let (image, volume) = (format!("{host}/team/app"), format!("{host}/team/data@{data}"));
    let pod = |name: &str, job: &str, phase: &str, started: &str| {
        serde_json::json!({"kind": "Pod", "metadata": {"name": name, "namespace": "ops",
                "ownerReferences": [{"kind": "Job", "name": job, "controller": true}]},
            "spec": {"containers": [{"name": "run", "image": image}],
                "volumes": [{"name": "run", "image": {"reference": volume}}]},
            "status": {"phase": phase, "startTime": started,
                "containerStatuses": [{"name": "run", "imageID": format!("{image}@{digest}")}]}})
    };
    let items = serde_json::json!({"kind": "List", "items": [
        {"kind": "Job", "metadata": {"name": "nightly-x", "namespace": "ops",
            "ownerReferences": [{"kind": "CronJob", "name": "nightly", "controller": true}]}},
        pod("nightly-x-1", "nightly-x", "Succeeded", "2026-11-20T02:00:00Z"),
        pod("backup-old", "backup-29397840", "Succeeded", "2025-11-23T04:00:02Z"),
        pod("backup-new", "backup-29397900", "Failed", "2025-11-23T05:00:02Z"),
        pod("migrate-1", "migrate", "Succeeded", "2026-11-20T02:00:00Z"),
    ]});
    assert!(assay.run_with_input(&["inventory", "sync", "-f", "-"], items.to_string().as_bytes()).status.success());
    let json: serde_json::Value =
        serde_json::from_slice(&assay.run(&["inventory", "list", "-o", "json"]).stdout).unwrap();
    let rows: Vec<_> = json["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            ["kind", "workload", "pod", "container", "role"]
                .map(|field| row[field].as_str().unwrap().to_owned())
                .join(" ")
        })
        .collect();
    assert_eq!(
        rows,
        [
            "CronJob backup backup-new run container",
            "CronJob backup backup-new volume:run image-volume",
            "CronJob nightly nightly-x-1 run container",
            "CronJob nightly nightly-x-1 volume:run image-volume",
        ]
    );
    let seen = assay.seen(&["who-runs", &data.to_string(), "-v"]);
    assert!(seen.contains("ops/backup-new") && seen.contains("volume:run"), "{seen}");
    assert!(!assay.seen(&["who-runs", &data.to_string()]).contains("ops/backup-new"), "Pods are listed with -v");
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
    assert!(!explained.contains("disallow-latest"), "what passed is shown with -v: {explained}");
    let detailed = assay.seen(&["explain", &id[..8], "-v"]);
    assert!(detailed.contains("pass  disallow-latest"), "{detailed}");
    assert!(assay.seen(&["explain", "ffff"]).starts_with("exit 2"));
}

#[test]
fn without_a_store_a_question_says_how_to_fill_it() {
    insta::assert_snapshot!(Assay::new().seen(&["who-runs", "zlib"]));
}

/// It is on record before it is made: a cluster that is away leaves a record that it was wanted, and why it is not so.
#[test]
fn a_flip_that_cannot_be_made_is_on_record_as_that() {
    let assay = Assay::new();
    assay.file(
        "config",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
         users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n",
    );
    let path = assay.path().join("store.db");
    drop(assay_store::Store::open(&path).unwrap());
    let store = format!("sqlite:{}", path.display());
    let flip = ["--flip", "require-digest", "--by", "ada", "--force", "--reason", "tonight", "--kubeconfig", "config"];
    let flipped = assay.run(&[&["--store", &store, "readiness", "--env", "prod"][..], &flip].concat());
    assert_eq!(flipped.status.code(), Some(2), "{}", String::from_utf8_lossy(&flipped.stderr));
    let changes = assay_store::Store::open(&path).unwrap().policy_changes().unwrap();
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert!(
        matches!(&change.outcome, assay_store::ChangeState::Failed(why) if why.contains("127.0.0.1:1")),
        "{change:?}"
    );
    assert_eq!((change.by.as_str(), change.reason.as_deref()), ("ada", Some("tonight")));
}
