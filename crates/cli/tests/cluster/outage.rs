//! Bad times: edits by hand, Assay away, the API server away.

use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, environment, pod, prepare, until};

fn configuration(plane: &ControlPlane, kind: &str) -> Option<Value> {
    let output = plane.try_kubectl(&["get", kind, "assay", "-o", "json"]);
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_webhook_that_is_edited_by_hand_is_repaired() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let _serving = Serving::start(&plane);
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        let wanted = configuration(&plane, kind).unwrap()["webhooks"].clone();
        for webhook in wanted.as_array().unwrap() {
            assert_eq!((&webhook["timeoutSeconds"], &webhook["sideEffects"]), (&json!(5), &json!("NoneOnDryRun")));
        }
        let is_back = || match configuration(&plane, kind) {
            Some(held) if held["webhooks"] == wanted => Ok(()),
            other => Err(format!("{other:?}")),
        };
        for (operation, path, value) in [
            ("replace", "/webhooks/0/failurePolicy", json!("Ignore")),
            ("replace", "/webhooks/0/objectSelector", json!({"matchLabels": {"no": "such"}})),
            ("replace", "/webhooks/0/rules/0/operations", json!(["CONNECT"])),
            ("add", "/webhooks/0/matchConditions/-", json!({"name": "never", "expression": "false"})),
            ("replace", "/webhooks/0/clientConfig/caBundle", json!("")),
            ("remove", "/webhooks/0", Value::Null),
        ] {
            let patch = json!([{"op": operation, "path": path, "value": value}]).to_string();
            plane.kubectl(&["patch", kind, "assay", "--type=json", "-p", &patch]);
            eventually(path, is_back);
        }
        plane.kubectl(&["delete", kind, "assay"]);
        eventually("deleted, it is made again", is_back);
    }
    until(&plane, "shop-prod", TAGGED, "a tag is refused", |said| !said.ok && said.text.contains("require-digest"));
}

#[test]
fn without_assay_what_is_enforced_is_closed_and_the_rest_open() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    plane.apply(&environment("dev", &[("require-digest", "warn")]).to_string());
    let serving = Serving::start(&plane);
    until(&plane, "shop-prod", PINNED, "a digest is admitted", |said| said.ok);
    let stopped = serving.stop();
    let create = |namespace: &str| {
        plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod(namespace, "probe", PINNED))
    };
    let said = create("shop-prod");
    assert!(!said.ok && said.text.contains("failed calling webhook \"closed.assay.dev\""), "{}", said.text);
    // A namespace that is new, while nobody can say what it is.
    plane.try_kubectl(&["create", "namespace", "shop-new"]);
    assert!(!create("shop-new").ok);
    // What only warns, what runs the cluster, and what Assay itself needs to come back.
    for namespace in ["shop-dev", "kube-system", "assay-system"] {
        let said = create(namespace);
        assert!(said.ok, "{namespace}: {}", said.text);
    }
    // Leases, scaling and deletion are never asked about.
    plane.kubectl(&["create", "configmap", "free", "-n", "shop-prod", "--dry-run=server"]);
    // The policy can be mended meanwhile, but nobody can grant an Exception unseen.
    plane.apply(&environment("prod", &[("require-digest", "warn")]).to_string());
    let exception = json!({
        "apiVersion": "assay.dev/v1", "kind": "Exception", "metadata": {"name": "unseen"},
        "spec": {
            "owner": "o", "reason": "r", "controls": ["require-digest"], "subjects": [{"repository": "a/"}],
            "scope": {"namespaces": ["shop-prod"]}, "expiresAt": "2100-01-01T00:00:00Z", "compensatingControl": "c",
        },
    });
    let said = plane.try_apply(&exception.to_string());
    assert!(!said.ok && said.text.contains("exceptions.assay.dev"), "{}", said.text);
    let _serving = stopped.start();
    until(&plane, "shop-prod", TAGGED, "what was mended is in force", |said| said.ok && said.text.contains("Warning"));
}

#[test]
fn a_restart_of_the_api_server_is_survived_on_both_sides() {
    let Some(mut plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let mut serving = Serving::start(&plane);
    plane.without_api_server(|| serving.said("cannot be watched, what was known stays"));
    until(&plane, "shop-prod", TAGGED, "what was in force still is", |said| {
        !said.ok && said.text.contains("require-digest")
    });
    plane.apply(&environment("prod", &[]).to_string());
    until(&plane, "shop-prod", TAGGED, "and changes are followed again", |said| said.ok);
}

/// The API server answers from its caches or not at all; Assay needs neither to decide.
#[test]
fn a_restart_of_etcd_is_survived() {
    let Some(mut plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let _serving = Serving::start(&plane);
    plane.without_etcd(|plane| {
        assert!(!plane.try_kubectl(&["create", "namespace", "never", "--request-timeout=2s"]).status.success());
    });
    until(&plane, "shop-prod", TAGGED, "what was in force still is", |said| {
        !said.ok && said.text.contains("require-digest")
    });
    plane.apply(&environment("prod", &[]).to_string());
    until(&plane, "shop-prod", TAGGED, "and changes are followed again", |said| said.ok);
}

/// The certificate changes while requests come in: none of them meets one that it cannot verify for long.
#[test]
fn a_certificate_that_is_lost_is_made_again_and_presented_at_once() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let _serving = Serving::start(&plane);
    let bundle = || {
        let held = configuration(&plane, "validatingwebhookconfiguration").unwrap();
        held["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap().to_owned()
    };
    let before = bundle();
    plane.kubectl(&["delete", "secret", "assay-webhook", "-n", "assay-system"]);
    eventually("the webhook names another authority", || if bundle() == before { Err(String::new()) } else { Ok(()) });
    until(&plane, "shop-prod", PINNED, "a digest is admitted", |said| said.ok);
    until(&plane, "shop-prod", TAGGED, "a tag is refused", |said| !said.ok && said.text.contains("require-digest"));
}

/// Two replicas share one certificate and one registration.
#[test]
fn a_second_replica_takes_what_the_first_one_made() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let first = Serving::start(&plane);
    let secret = || plane.kubectl(&["get", "secret", "assay-webhook", "-n", "assay-system", "-o", "jsonpath={.data}"]);
    let before = secret();
    let second = Serving::start(&plane);
    assert_eq!(secret(), before);
    drop(second);
    drop(first);
}
