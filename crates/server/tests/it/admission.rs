//! What is asked and what is answered.

use serde_json::json;

use crate::fixture::{PINNED, TAG, Temper, pod, review, start};

#[tokio::test]
async fn a_pinned_pod_is_allowed() {
    let server = start(Temper::Warm).await;
    let response = server.validate(&review("payments-prod", "", "Pod", pod(PINNED))).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["auditAnnotations"]["environment"], "prod");
}

#[tokio::test]
async fn a_tag_is_refused_with_reason_and_next_step() {
    let server = start(Temper::Warm).await;
    let response = server.validate(&review("payments-prod", "", "Pod", pod(TAG))).await;
    assert_eq!(response["allowed"], false, "{response}");
    assert_eq!(response["status"]["code"], 403);
    let message = response["status"]["message"].as_str().unwrap();
    let id = response["auditAnnotations"]["decision"].as_str().unwrap();
    for part in [
        "container api: image registry.example.com/payments/api:prod is rejected in prod: ",
        "(require-digest)",
        "Fix: assay check -f FILE --env prod.",
        &format!("Why: assay explain {}", &id[..8]),
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[tokio::test]
async fn every_way_to_bring_an_image_in_is_judged() {
    let server = start(Temper::Warm).await;
    let template = |spec: serde_json::Value| json!({"metadata": {"name": "api"}, "spec": {"template": {"spec": spec}}});
    let good = json!([{"name": "api", "image": PINNED}]);
    let bad = json!([{"name": "bad", "image": "docker.io/evil/miner:1"}]);
    let reviews = [
        review("payments-prod", "apps", "Deployment", template(json!({"containers": bad}))),
        review("payments-prod", "apps", "StatefulSet", template(json!({"containers": good, "initContainers": bad}))),
        review("payments-prod", "batch", "Job", template(json!({"containers": good, "ephemeralContainers": bad}))),
        review(
            "payments-prod",
            "batch",
            "CronJob",
            json!({"spec": {"jobTemplate": template(json!({"containers": bad}))}}),
        ),
        review(
            "payments-prod",
            "",
            "Pod",
            json!({"spec": {"containers": good, "volumes": [{"name": "v", "image": {"reference": "evil/data:1"}}]}}),
        ),
    ];
    for review in reviews {
        let response = server.validate(&review).await;
        assert_eq!(response["allowed"], false, "{review}");
        assert!(response["status"]["message"].as_str().unwrap().contains("allowed-registries"), "{response}");
    }
}

#[tokio::test]
async fn an_ephemeral_container_and_an_update_are_judged() {
    let server = start(Temper::Warm).await;
    let mut debug = review("payments-prod", "", "Pod", pod(PINNED));
    debug["request"]["operation"] = json!("UPDATE");
    debug["request"]["subResource"] = json!("ephemeralcontainers");
    debug["request"]["oldObject"] = pod(PINNED);
    debug["request"]["object"]["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox"}]);
    let response = server.validate(&debug).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().starts_with("ephemeral container debug: image busybox"));

    let mut update = review("payments-prod", "", "Pod", pod(TAG));
    update["request"]["operation"] = json!("UPDATE");
    update["request"]["oldObject"] = pod(PINNED);
    assert_eq!(server.validate(&update).await["allowed"], false);
    update["request"]["oldObject"] = pod(TAG);
    let response = server.validate(&update).await;
    assert_eq!(response["allowed"], true, "nothing new runs");
    assert!(
        response["auditAnnotations"]["passed"].as_str().unwrap().contains("neither the Pod specification nor labels")
    );
}

#[tokio::test]
async fn scale_and_other_kinds_pass_with_a_note() {
    let server = start(Temper::Warm).await;
    let mut scale = review("payments-prod", "autoscaling", "Scale", json!({"spec": {"replicas": 3}}));
    scale["request"]["operation"] = json!("UPDATE");
    scale["request"]["subResource"] = json!("scale");
    let response = server.validate(&scale).await;
    assert_eq!(response["allowed"], true);
    assert!(response["auditAnnotations"]["passed"].as_str().unwrap().contains("scale changes no template"));
    let response = server.validate(&review("payments-prod", "", "ConfigMap", json!({}))).await;
    assert_eq!(response["allowed"], true);
}

#[tokio::test]
async fn environments_differ_and_an_unknown_namespace_gets_the_strictest() {
    let server = start(Temper::Warm).await;
    let response = server.validate(&review("payments-dev", "", "Pod", pod(TAG))).await;
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("(require-digest)")), "{warnings:?}");
    let response = server.validate(&review("unheard-of", "", "Pod", pod(TAG))).await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["auditAnnotations"]["environment"], "prod");
}

#[tokio::test]
async fn a_controllers_pod_of_an_admitted_owner_is_a_reschedule() {
    let server = start(Temper::Warm).await;
    let replica_set = json!({"metadata": {"name": "api-7d9f"}, "spec": {"template": {"spec": pod(PINNED)["spec"]}}});
    assert_eq!(server.validate(&review("payments-prod", "apps", "ReplicaSet", replica_set)).await["allowed"], true);
    let mut object = pod(PINNED);
    object["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": "api-7d9f", "controller": true}]);
    let mut of_controller = review("payments-prod", "", "Pod", object);
    of_controller["request"]["userInfo"]["username"] = json!("system:serviceaccount:kube-system:replicaset-controller");
    let mut of_user = of_controller.clone();
    of_user["request"]["userInfo"]["username"] = json!("ada@example.com");
    let mut of_other_owner = of_controller.clone();
    of_other_owner["request"]["object"]["metadata"]["ownerReferences"][0]["name"] = json!("api-other");
    for (review, want) in [(&of_controller, "reschedule"), (&of_user, "create"), (&of_other_owner, "create")] {
        let response = server.validate(review).await;
        let id = response["auditAnnotations"]["decision"].as_str().unwrap().to_owned();
        assert!(server.running.flush_decisions().await);
        let record = server.store.decision(&id).unwrap().unwrap();
        assert_eq!(record.verdict.operation.name(), want);
    }
}
