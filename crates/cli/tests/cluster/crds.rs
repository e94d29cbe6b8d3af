//! The CustomResourceDefinitions, as the API server takes them.

use std::process::Command;

use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::serving::{Serving, TAGGED, deployed, environment, prepare, until};

const KINDS: [&str; 4] = ["environments", "exceptions", "releaseartifacts", "trustroots"];

/// What `assay crds` prints.
pub(crate) fn printed() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).arg("crds").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Applies the definitions and waits until they are served.
pub(crate) fn install(plane: &ControlPlane) {
    plane.apply(&printed());
    for kind in KINDS {
        plane.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &format!("crd/{kind}.assay.dev")]);
    }
}

#[test]
fn every_definition_is_structural_and_survives_apply() {
    let Some(plane) = plane() else { return };
    install(&plane);
    // A second apply goes by the annotation that the first one left.
    assert!(plane.apply(&printed()).matches("unchanged").count() == KINDS.len());
    for kind in KINDS {
        let text = plane.kubectl(&["get", "crd", &format!("{kind}.assay.dev"), "-o", "json"]);
        let definition: Value = serde_json::from_str(&text).unwrap();
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let of = |name: &str| conditions.iter().find(|own| own["type"] == name).map(|own| own["status"].clone());
        assert_eq!(of("NonStructuralSchema"), None, "{kind}");
        assert_eq!(of("NamesAccepted"), Some(json!("True")), "{kind}");
        let kept = &definition["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
        assert!(kept.as_str().unwrap().len() < assay_kube::ANNOTATION_BYTES_MAX);
    }
}

#[test]
fn what_is_deployed_is_taken_by_the_api_server() {
    let Some(plane) = plane() else { return };
    plane.apply(&deployed("namespace.yaml"));
    for file in ["crds.yaml", "rbac.yaml", "assay.yaml"] {
        let said = plane.try_kubectl_with(&["apply", "--dry-run=server", "-f", "-"], &deployed(file));
        // Nothing of it goes against what its own namespace demands of Pods.
        assert!(said.ok && !said.text.contains("Warning"), "{file}: {}", said.text);
    }
}

const GOOD: &str = "
apiVersion: assay.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  tier: prod
  namespaces: {matchLabels: {assay.dev/environment: prod}}
  registries: [registry.example.com/release/]
  trustRoot: public-good
  signers:
    - name: release-workflow
      for: [signature, sbom, scan]
      keyless:
        issuer: https://token.actions.githubusercontent.com
        subject: {glob: 'https://github.com/company/*/.github/workflows/release.yml@refs/heads/main'}
  require: {signature: {of: [release-workflow], atLeast: 1}}
  controls:
    high-cve: {action: warn, whenInternetFacing: enforce}
    run-as-non-root: {action: off}
  exceptions: {maximumDuration: 30d, approvers: ['group:platform-security']}
---
apiVersion: assay.dev/v1
kind: Exception
metadata: {name: payments-zlib}
spec:
  owner: team-payments
  reason: no upstream fix
  controls: [critical-cve]
  subjects: [{vulnerability: CVE-2026-1234}, {repository: registry.example.com/release/payments/}]
  scope: {namespaces: [payments-prod], workloads: [Deployment/payments-api]}
  expiresAt: 2026-12-15T00:00:00Z
  compensatingControl: egress blocked
---
apiVersion: assay.dev/v1
kind: ReleaseArtifact
metadata: {name: payments-api-1-18-3}
spec:
  service: payments-api
  source: {repository: github.com/company/payments, commit: 4f2c1e9}
  image: {repository: registry.example.com/release/payments/api, digest: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}
---
apiVersion: assay.dev/v1
kind: TrustRoot
metadata: {name: company}
spec:
  sigstore: publicGood
  keys: [{name: release, pem: '-----BEGIN PUBLIC KEY-----'}]
";

#[test]
fn good_objects_are_taken_and_read_back_as_they_were() {
    let Some(plane) = plane() else { return };
    install(&plane);
    plane.apply(GOOD);
    let table = plane.kubectl(&["get", "exceptions"]);
    let header = table.lines().next().unwrap();
    for column in ["OWNER", "EXPIRES", "BREAK-GLASS", "ACTIVE", "REASON", "AGE"] {
        assert!(header.contains(column), "{table}");
    }
    assert!(table.contains("team-payments"), "{table}");
    // What comes back is what our own reader reads, with nothing lost on the way.
    let back = plane.kubectl(&["get", "environments,exceptions,releaseartifacts,trustroots", "-o", "yaml"]);
    let loaded = assay_kinds::load_yaml(&back, "cluster").unwrap();
    let mut names: Vec<&str> = loaded.objects.iter().map(|object| object.value.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["company", "payments-api-1-18-3", "payments-zlib", "prod"]);
    let written = assay_kinds::load_yaml(GOOD, "file").unwrap();
    for object in written.objects {
        assert!(loaded.objects.iter().any(|own| same(&own.value, &object.value)), "{}", object.value.name());
    }
}

fn same(a: &assay_kinds::Kind, b: &assay_kinds::Kind) -> bool {
    use assay_kinds::Kind;
    match (a, b) {
        (Kind::Environment(a), Kind::Environment(b)) => a.spec_digest() == b.spec_digest(),
        (Kind::Exception(a), Kind::Exception(b)) => a.spec_digest() == b.spec_digest(),
        (Kind::ReleaseArtifact(a), Kind::ReleaseArtifact(b)) => a.spec_digest() == b.spec_digest(),
        (Kind::TrustRoot(a), Kind::TrustRoot(b)) => a.spec_digest() == b.spec_digest(),
        _ => false,
    }
}

#[test]
fn bad_objects_are_refused_with_what_is_wrong() {
    let Some(plane) = plane() else { return };
    install(&plane);
    let cases = [
        ("tier: prod", "tier: production", "Unsupported value: \"production\""),
        ("registries: [", "registres: [", "unknown field \"spec.registres\""),
        ("action: warn", "action: warm", "Unsupported value"),
        (
            "      keyless:",
            "      key: other\n      keyless:",
            "a signer is exactly one of keyless, key and certificate",
        ),
        ("atLeast: 1", "atLeast: 2", "atLeast cannot be more than there are names"),
        ("maximumDuration: 30d", "maximumDuration: a month", "spec.exceptions.maximumDuration"),
        (
            "    - name: release-workflow",
            "    - {name: release-workflow, for: [vex], key: a}\n    - name: release-workflow",
            "Duplicate value",
        ),
        ("  owner: team-payments\n", "", "spec.owner: Required value"),
        (
            "[{vulnerability: CVE-2026-1234}, ",
            "[{vulnerability: CVE-2026-1234, package: zlib}, ",
            "must have at most 1 item",
        ),
        ("expiresAt: 2026-12-15T00:00:00Z", "expiresAt: christmas", "spec.expiresAt"),
        (
            "compensatingControl: egress blocked",
            "compensatingControl: egress blocked\n  approval: {by: a, at: '2027-01-01T00:00:00Z'}",
            "it expires before it is approved",
        ),
        ("scope: {namespaces: [payments-prod], ", "scope: {", "spec.scope.namespaces: Required value"),
        ("digest: 'sha256:e3b0", "digest: 'sha256:E3B0", "spec.image.digest"),
        ("commit: 4f2c1e9", "commit: main", "spec.source.commit"),
        ("pem: '-----BEGIN PUBLIC KEY-----'", "file: release.pem", "a cluster has no files beside an object"),
        (
            "  sigstore: publicGood\n  keys: [{name: release, pem: '-----BEGIN PUBLIC KEY-----'}]",
            "  {}",
            "at least 1 propert",
        ),
    ];
    for (from, to, said) in cases {
        assert!(GOOD.contains(from), "{from}");
        let answer = plane.try_kubectl_with(&["apply", "--dry-run=server", "-f", "-"], &GOOD.replacen(from, to, 1));
        assert!(!answer.ok && answer.text.contains(said), "{to}: {}", answer.text);
    }
}

#[test]
fn what_was_promised_cannot_change() {
    let Some(plane) = plane() else { return };
    install(&plane);
    let approved = GOOD.replace(
        "compensatingControl: egress blocked",
        "compensatingControl: egress blocked\n  approval: {by: lead, at: '2026-11-20T00:00:00Z'}",
    );
    plane.apply(&approved);
    for (from, to, said) in [
        ("commit: 4f2c1e9", "commit: 4f2c1ea", "a release is one digest of one source for ever"),
        ("controls: [critical-cve]", "controls: [critical-cve, require-digest]", "what was approved cannot change"),
        ("2026-12-15T00:00:00Z", "2027-12-15T00:00:00Z", "what was approved cannot change"),
    ] {
        let answer = plane.try_apply(&approved.replace(from, to));
        assert!(!answer.ok && answer.text.contains(said), "{to}: {}", answer.text);
    }
    // Without the approval everything may be written anew.
    plane.apply(&GOOD.replace("controls: [critical-cve]", "controls: [high-cve]"));
}

/// An installation of before stored its objects as v1alpha1: they are in force after the upgrade, and may still be written.
#[test]
fn an_object_that_an_older_version_stored_is_in_force() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let stores = |older: bool| {
        let flags = [json!(!older), json!(older)];
        let patch: Vec<Value> = (0..2)
            .map(|index| json!({"op": "replace", "path": format!("/spec/versions/{index}/storage"), "value": flags[index]}))
            .collect();
        plane.kubectl(&["patch", "crd", "environments.assay.dev", "--type=json", "-p", &json!(patch).to_string()]);
    };
    let older = |action: &str| {
        let mut object = environment("prod", &[("require-digest", action)]);
        object["apiVersion"] = json!("assay.dev/v1alpha1");
        object.to_string()
    };
    stores(true);
    let said = plane.apply(&older("enforce"));
    assert!(said.contains("Warning: assay.dev/v1alpha1 Environment is old; write assay.dev/v1"), "{said}");
    // The upgrade: what is new is stored as v1, and what is there stays as it was written.
    install(&plane);
    let definition = plane.kubectl(&["get", "crd", "environments.assay.dev", "-o", "json"]);
    let definition: Value = serde_json::from_str(&definition).unwrap();
    assert!(definition["status"]["storedVersions"].as_array().unwrap().contains(&json!("v1alpha1")), "{definition}");
    let _serving = Serving::start(&plane);
    until(&plane, "shop-prod", TAGGED, "it is in force", |said| !said.ok && said.text.contains("(require-digest)"));
    // A pipeline that still writes the older version is understood, and judged by the same rules.
    let bad = older("enforce").replace("127.0.0.1:1/shop/", "");
    assert!(!plane.try_apply(&bad).ok);
    plane.apply(&older("warn"));
    until(&plane, "shop-prod", TAGGED, "and so is what it says now", |said| said.ok && said.text.contains("Warning"));
}
