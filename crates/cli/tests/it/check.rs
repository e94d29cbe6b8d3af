//! `check` and `pin` on manifests, with images of a registry on loopback.

use crate::assay::Assay;
use crate::verify::{Lab, key};

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  namespace: payments\nspec:\n  template:\n    spec:\n      \
         containers:\n        - name: api\n          image: {image}  # the release\n          securityContext:\n            \
         runAsNonRoot: true\n            allowPrivilegeEscalation: false\n---\napiVersion: v1\nkind: Service\n\
         metadata: {{name: api}}\n"
    )
}

#[test]
fn a_manifest_is_judged_offline_with_marks_and_fixes() {
    let assay = Assay::new();
    assay.file("deploy/api.yaml", deployment("registry.example.com/payments/api:prod"));
    insta::assert_snapshot!(assay.seen(&["check", "-f", "deploy", "--env", "prod", "--offline"]));
}

#[test]
fn the_same_verdict_goes_to_every_format() {
    let assay = Assay::new();
    assay.file("api.yaml", deployment("registry.example.com/payments/api:prod"));
    let mut arguments = vec!["check", "-f", "api.yaml", "--env", "prod", "--offline", "-q"];
    for output in
        ["-o", "json=a.json", "-o", "sarif=a.sarif", "-o", "junit=a.xml", "-o", "markdown=a.md", "-o", "github"]
    {
        arguments.push(output);
    }
    let output = assay.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let read = |name: &str| std::fs::read_to_string(assay.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    let outcomes = json["objects"][0]["verdict"]["outcomes"].as_array().unwrap();
    let unmet = |outcome: &&serde_json::Value| {
        matches!(outcome["outcome"].as_str(), Some("fail" | "error" | "warn")) && outcome["action"] != "audit"
    };
    let expected = outcomes.iter().filter(unmet).count();
    let sarif: serde_json::Value = serde_json::from_str(&read("a.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), expected);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), expected);
    assert!(read("a.xml").contains("<failure ") && read("a.md").contains("require-digest"));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let assay = Assay::new();
    assay.file("a.yaml", "kind: Pod\napiVersion: v1\nspec: {containers: []}\nspec: {}\n");
    insta::assert_snapshot!(assay.seen(&["check", "-f", "a.yaml", "--offline"]));
    assay.file("b.yaml", "apiVersion: assay.dev/v1\nkind: Enviroment\nmetadata: {name: x}\n");
    let seen = assay.seen(&["check", "-f", "b.yaml", "--offline"]);
    assert!(seen.starts_with("exit 2") && seen.contains("Enviroment"), "{seen}");
    assert!(assay.seen(&["check", "-f", "c.yaml"]).starts_with("exit 2"));
    let seen = assay.seen(&["check", "-f", "a.yaml", "--env", "prdo", "--offline"]);
    assert!(seen.starts_with("exit 2") && seen.contains("did you mean prod"), "{seen}");
}

#[test]
fn standard_input_is_a_file_too() {
    let assay = Assay::new();
    let text = deployment("registry.example.com/api:1");
    let output = assay.run_with_input(&["check", "-f", "-", "--env", "dev", "--offline"], text.as_bytes());
    assert!(String::from_utf8(output.stdout).unwrap().contains("stdin:11"));
}

/// One policy, one signed image by digest: what the cluster will say.
#[test]
fn a_signed_image_by_digest_passes_and_an_unsigned_one_does_not() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let (signed, unsigned) = (lab.push("team/app", "1.0", "one"), lab.push("team/app", "2.0", "two"));
    let host = lab.registry.host();
    key(&assay, "release");
    assay.file(
        "policy/own.yaml",
        format!(
            "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: ours}}\nspec:\n  keys: [{{name: release, file: \
             ../release.pub}}]\n---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: test}}\nspec:\n  tier: dev\n  \
             registries: [{host}/team/]\n  trustRoot: [ours]\n  signers: [{{name: release, for: [signature], key: release}}]\n  \
             controls:\n    require-signature: {{action: enforce}}\n    trusted-signer: {{action: enforce}}\n"
        ),
    );
    let image = format!("{host}/team/app@{signed}");
    assert!(assay.run(&["sign", &image, "--key", "release.pem"]).status.success());
    assay.file("good.yaml", deployment(&image));
    assay.file("bad.yaml", deployment(&format!("{host}/team/app@{unsigned}")));
    let check = |file: &str| assay.seen(&["check", "-f", file, "--env", "test", "--config", "policy"]);
    let good = check("good.yaml");
    assert!(good.starts_with("exit 0"), "{good}");
    let bad = check("bad.yaml");
    assert!(bad.starts_with("exit 1") && bad.contains("require-signature"), "{bad}");
}

#[test]
fn tags_become_digests_and_everything_else_stays() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "one");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let path = assay.file("api.yaml", deployment(&image));
    assay.file("Dockerfile", format!("FROM {image} AS base\nFROM base\n"));
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(assay.run(&["pin", "-f", "api.yaml", "--diff"]).status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "--diff writes nothing");
    assert!(assay.run(&["pin", "-f", "api.yaml", "-f", "Dockerfile"]).status.success());
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, before.replace(&image, &format!("{image}@{digest}")));
    let docker = std::fs::read_to_string(assay.path().join("Dockerfile")).unwrap();
    assert_eq!(docker, format!("FROM {image}@{digest} AS base\nFROM base\n"));
    assert_eq!(assay.run(&["pin", "-f", "api.yaml", "--diff"]).status.code(), Some(0));
    assay.file("gone.yaml", deployment(&format!("{}/team/none:1", lab.registry.host())));
    assert_eq!(assay.run(&["pin", "-f", "gone.yaml"]).status.code(), Some(2));
}

#[test]
fn the_controls_are_listed_and_explained() {
    insta::assert_snapshot!(Assay::new().seen(&["policy", "list"]));
    insta::assert_snapshot!(Assay::new().seen(&["policy", "explain", "require-digest"]));
}

#[test]
fn an_exception_says_why_it_does_nothing() {
    let assay = Assay::new();
    let made = [
        "exception",
        "new",
        "--control",
        "critical-cve",
        "--vulnerability",
        "CVE-2026-1234",
        "--namespace",
        "payments",
        "--expires-at",
        "2036-01-01T00:00:00Z",
        "--to",
        "e.yaml",
    ];
    assert!(assay.run(&made).status.success());
    insta::assert_snapshot!(assay.seen(&["exception", "check", "-f", "e.yaml"]));
    insta::assert_snapshot!(std::fs::read_to_string(assay.path().join("e.yaml")).unwrap());
    assert_eq!(assay.run(&made).status.code(), Some(2), "an existing file is not written over");
}
