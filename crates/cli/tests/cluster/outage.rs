//! Bad times: edits by hand, Assay away, the API server away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::peer::said;
use crate::plane::{ControlPlane, plane};
use crate::policy::at;
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, environment, pod, prepare, until};

/// Requests that are made at once while certificates change.
const AT_ONCE: usize = 16;

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

/// A role of before the Lease: nobody can know who leads. The registration is made, repaired and kept up to date all the
/// same, and what is missing is named.
#[test]
fn without_a_role_for_the_lease_every_replica_keeps_the_registration() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let old: Value =
        serde_json::from_str(&plane.kubectl(&["get", "role", "assay", "-n", "assay-system", "-o", "json"])).unwrap();
    let rules: Vec<&Value> = old["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["apiGroups"] != json!(["coordination.k8s.io"]))
        .collect();
    let patch = json!({"rules": rules}).to_string();
    plane.kubectl(&["patch", "role", "assay", "-n", "assay-system", "--type=merge", "-p", &patch]);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    plane.apply(&environment("dev", &[("require-digest", "enforce")]).to_string());
    let mut serving = Serving::start(&plane);
    serving.said("Role assay in assay-system needs create on leases.coordination.k8s.io, and get and update on assay");
    assert!(!serving.log().contains("leading:"));
    // It is made, and repaired.
    let kind = "validatingwebhookconfiguration";
    let wanted = configuration(&plane, kind).unwrap()["webhooks"].clone();
    let patch = r#"[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]"#;
    plane.kubectl(&["patch", kind, "assay", "--type=json", "-p", patch]);
    eventually("it is repaired", || match configuration(&plane, kind) {
        Some(held) if held["webhooks"] == wanted => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Another policy is another registration: what only warns is open.
    plane.apply(&environment("dev", &[("require-digest", "warn")]).to_string());
    eventually("it follows the policy", || {
        let held = configuration(&plane, kind).unwrap()["webhooks"].to_string();
        if held.contains("open.assay.dev") && held.contains("shop-dev") { Ok(()) } else { Err(held) }
    });
    // The role is there by now: one of them leads.
    plane.apply(&crate::serving::deployed("rbac.yaml"));
    serving.said("leading:");
}

/// The cluster was switched off, and nobody starts Assay but its controllers: what they need is never asked about.
#[test]
fn a_cold_start_of_everything_comes_back_by_itself() {
    let Some(mut plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    until(&plane, "shop-prod", TAGGED, "a tag is refused", |said| !said.ok && said.text.contains("require-digest"));
    let stopped = serving.stop();
    plane.cold_start();
    let create = |object: &str| plane.try_kubectl_with(&["create", "-f", "-"], object);
    assert!(!create(&pod("shop-prod", "early", PINNED)).ok, "what is enforced stays closed");
    // Nodes report, and the controllers make the Pods of the cluster and of Assay.
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}});
    assert!(create(&node.to_string()).ok);
    plane.kubectl(&["delete", "node", "node-1"]);
    for namespace in ["kube-system", "assay-system"] {
        let labels = json!({"app": "returns"});
        let template =
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": TAGGED}]}});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "returns", "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        });
        let said = create(&deployment.to_string());
        assert!(said.ok, "{namespace}: {}", said.text);
        eventually(&format!("its Pod is made in {namespace}"), || {
            let pods = plane.kubectl(&["get", "pods", "-n", namespace, "-l", "app=returns", "-o", "name"]);
            if pods.trim().is_empty() { Err(pods) } else { Ok(()) }
        });
    }
    let _serving = stopped.start();
    until(&plane, "shop-prod", TAGGED, "it decides again", |said| !said.ok && said.text.contains("(require-digest)"));
    until(&plane, "shop-prod", PINNED, "and admits", |said| said.ok);
}

/// Ends the load, also where something did not hold: the test would wait for it for ever.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// First the certificate runs out, then the authority: both are renewed with an overlap, and no request meets one that the
/// API server cannot verify.
#[test]
fn certificates_are_rotated_under_load_and_every_request_is_answered() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let _serving = Serving::start(&plane);
    until(&plane, "shop-prod", PINNED, "a digest is admitted", |said| said.ok);
    let secret = || -> Value {
        let data = plane.kubectl(&[
            "get",
            "secret",
            "assay-webhook",
            "-n",
            "assay-system",
            "-o",
            r"jsonpath={.data.authority\.json}",
        ]);
        serde_json::from_slice(&STANDARD.decode(data.trim()).unwrap()).unwrap()
    };
    let write = |authority: &Value| {
        let patch = json!({"data": {"authority.json": STANDARD.encode(authority.to_string())}}).to_string();
        plane.kubectl(&["patch", "secret", "assay-webhook", "-n", "assay-system", "--type=merge", "-p", &patch]);
    };
    let becomes = |what: &str, is_so: &dyn Fn(&Value) -> bool| {
        eventually(what, || Some(secret()).filter(|own| is_so(own)).ok_or_else(|| "it is as it was".to_owned()))
    };
    let done = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let until_end = Done(&done);
        let load = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = plane.client();
            let object: Value = serde_json::from_str(&pod("shop-prod", "probe", PINNED)).unwrap();
            let (mut answers, started) = (Vec::new(), std::time::Instant::now());
            while !done.load(Ordering::Relaxed) {
                let some = (0..AT_ONCE).map(|_| client.try_create(assay_kube::PODS, Some("shop-prod"), &object));
                answers.extend(runtime.block_on(futures_util::future::join_all(some)));
                // The API server and its database share two cores with everybody.
                std::thread::sleep(Duration::from_millis(100));
            }
            said!("{} answers in {} ms", answers.len(), started.elapsed().as_millis());
            answers
        });
        let mut authority = secret();
        let first = authority["leaf"]["certificate"].clone();
        authority["leaf"]["until"] = json!(at(10 * 24 * 3_600));
        write(&authority);
        let mut authority = becomes("the certificate is renewed", &|own| own["leaf"]["certificate"] != first);
        let signer = authority["signer"].clone();
        authority["signer"]["until"] = json!(at(100 * 24 * 3_600));
        write(&authority);
        let mut authority = becomes("the next authority is announced", &|own| own["next"].is_array());
        let bundle = authority["next"][0]["certificate"].as_str().unwrap().to_owned();
        eventually("the API server is told of it", || {
            let held = configuration(&plane, "validatingwebhookconfiguration").unwrap();
            let told = STANDARD.decode(held["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap()).unwrap();
            if String::from_utf8_lossy(&told).contains(&bundle) { Ok(()) } else { Err(String::new()) }
        });
        authority["next"][1] = json!(at(-8 * 24 * 3_600));
        write(&authority);
        becomes("it signs", &|own| own["signer"]["name"] != signer["name"] && own["retired"][0].is_object());
        until(&plane, "shop-prod", TAGGED, "a tag is refused", |said| {
            !said.ok && said.text.contains("(require-digest)")
        });
        drop(until_end);
        load.join().unwrap()
    });
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(failed.is_empty() && answers.len() >= 2 * AT_ONCE, "{} of {}: {failed:?}", failed.len(), answers.len());
}
