//! More bad times: killed in the middle of an answer, another version beside us, objects as large as they get.

use std::net::TcpListener;
use std::time::Instant;

use assay_kube::{LEASES, VALIDATING_WEBHOOKS};
use serde_json::{Value, json};

use crate::plane::plane;
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, environment, pod, prepare, until};

/// A registry that takes connections and never answers holds the request; then there is no more webhook.
#[test]
fn a_webhook_that_is_killed_while_it_decides_admits_nothing() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = registry.local_addr().unwrap().to_string();
    let mut prod = environment("prod", &[("require-signature", "enforce")]);
    prod["spec"]["registries"] = json!([format!("{host}/shop/")]);
    plane.apply(&prod.to_string());
    let home = tempfile::tempdir().unwrap();
    let serving = Serving::start_with(&plane, home, &[("ASSAY_PLAIN_HTTP", &host)]);
    let image = PINNED.replace("127.0.0.1:1", &host);
    let said = std::thread::scope(|scope| {
        let create = scope.spawn(|| plane.try_kubectl_with(&["create", "-f", "-"], &pod("shop-prod", "cut", &image)));
        // It asks the registry, so that the request is being decided.
        let held = registry.accept().unwrap();
        serving.kill();
        let said = create.join().unwrap();
        drop(held);
        said
    });
    assert!(!said.ok && said.text.contains("failed calling webhook \"closed.assay.dev\""), "{}", said.text);
    assert!(!plane.try_kubectl(&["get", "pod", "cut", "-n", "shop-prod"]).status.success());
    // It comes back by itself, with all that it knew.
    let serving = serving.stop().start();
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    until(&plane, "shop-prod", TAGGED, "it decides again", |said| !said.ok && said.text.contains("(require-digest)"));
    assert_eq!(serving.decisions(), 0, "what was never answered was never decided");
}

#[test]
fn of_two_versions_side_by_side_only_the_one_that_leads_writes() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let first = Serving::start(&plane);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = plane.client();
    drop(first);
    // The other version holds the Lease, and registers otherwise than this one would.
    let (mut lease, mut webhooks) = runtime.block_on(async {
        let lease = client.get(LEASES, Some("assay-system"), "assay").await.unwrap();
        (lease.0, client.get(VALIDATING_WEBHOOKS, None, "assay").await.unwrap().0)
    });
    lease["spec"]["holderIdentity"] = json!("another-version");
    lease["spec"]["renewTime"] = json!("2100-01-01T00:00:00.000000Z");
    webhooks["webhooks"][0]["timeoutSeconds"] = json!(7);
    webhooks["webhooks"][0]["failurePolicy"] = json!("Ignore");
    let timeout = || {
        let held = runtime.block_on(client.get(VALIDATING_WEBHOOKS, None, "assay")).unwrap();
        held.0["webhooks"][0]["timeoutSeconds"].as_u64().unwrap()
    };
    runtime.block_on(async {
        client.replace(LEASES, Some("assay-system"), "assay", &lease).await.unwrap();
        client.replace(VALIDATING_WEBHOOKS, None, "assay", &webhooks).await.unwrap();
    });
    let mut second = Serving::start(&plane);
    assert_eq!(timeout(), 7, "what another one keeps is left alone");
    // It goes: this one takes over, and has it its own way.
    runtime.block_on(async {
        let mut lease = client.get(LEASES, Some("assay-system"), "assay").await.unwrap().0;
        assert_eq!(lease["spec"]["holderIdentity"], "another-version");
        lease["spec"]["holderIdentity"] = json!("");
        client.replace(LEASES, Some("assay-system"), "assay", &lease).await.unwrap();
    });
    second.said("leading:");
    eventually("it registers as it should be", || if timeout() == 5 { Ok(()) } else { Err(timeout().to_string()) });
    until(&plane, "shop-prod", TAGGED, "and decides", |said| !said.ok && said.text.contains("(require-digest)"));
}

/// As large as an API server takes them.
#[test]
fn a_pod_of_a_megabyte_is_decided_about_in_time() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce"), ("run-as-non-root", "warn")]).to_string());
    let serving = Serving::start(&plane);
    until(&plane, "shop-prod", TAGGED, "it is enforced", |said| !said.ok);
    let large = |image: &str| {
        let mut object: Value = serde_json::from_str(&pod("shop-prod", "large", image)).unwrap();
        let variable = |number: usize| json!({"name": format!("V{number}"), "value": "x".repeat(1_000)});
        object["spec"]["containers"][0]["env"] = (0..1_000).map(variable).collect();
        object.to_string()
    };
    let started = Instant::now();
    let said = plane.try_kubectl_with(&["create", "-f", "-"], &large(TAGGED));
    assert!(!said.ok && said.text.contains("(require-digest)"), "{}", said.text);
    let said = plane.try_kubectl_with(&["create", "-f", "-"], &large(PINNED));
    assert!(said.ok, "{}", said.text);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    assert_eq!(serving.decisions(), 2);
}

#[test]
fn a_deployment_of_sixty_containers_is_refused_in_words_that_can_be_read() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let _serving = Serving::start(&plane);
    until(&plane, "shop-prod", TAGGED, "it is enforced", |said| !said.ok);
    let deployment = |image: fn(usize) -> String| {
        let labels = json!({"app": "many"});
        let container = |number: usize| json!({"name": format!("c{number}"), "image": image(number)});
        let template =
            json!({"metadata": {"labels": labels}, "spec": {"containers": (0..60).map(container).collect::<Value>()}});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many", "namespace": "shop-prod"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        })
        .to_string()
    };
    let tagged = deployment(|number| format!("127.0.0.1:1/shop/app-{number}:1.0"));
    let said = plane.try_kubectl_with(&["create", "-f", "-"], &tagged);
    assert!(!said.ok && said.text.contains("56 more images are rejected"), "{}", said.text);
    assert!(said.text.contains("56 more images were judged by their tags (unbound)"), "{}", said.text);
    assert!(said.text.len() < 2_000, "{}", said.text);
    let pinned = deployment(|number| PINNED.replace("/api@", &format!("/app-{number}@")));
    let said = plane.try_kubectl_with(&["create", "-f", "-"], &pinned);
    assert!(said.ok, "{}", said.text);
}
