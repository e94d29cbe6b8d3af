//! The mutating webhook pins the tags of Pods, and nothing else.

use assay_server::Mutation;
use serde_json::json;

use crate::fixture::{Harness, PINNED, TAG, Temper, pod, policy, review, start_with, tagged};

async fn server() -> Harness {
    serving(Mutation::Pods).await
}

async fn serving(mutation: Mutation) -> Harness {
    start_with(Temper::Warm, |options| {
        options.policy = Some(policy());
        options.mutate = mutation;
    })
    .await
}

async fn patch_of(server: &Harness, review: &serde_json::Value) -> Option<serde_json::Value> {
    let (status, answer) = server.post("/mutate", review.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(answer["response"]["allowed"], true);
    let patch = answer["response"]["patch"].as_str()?;
    Some(serde_json::from_slice(&decode(patch)).unwrap())
}

/// Standard base64, as RFC 4648 section 4 has it.
fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> =
        text.bytes().filter_map(|byte| ALPHABET.iter().position(|&c| c == byte)).map(|digit| digit as u32).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let value = group.iter().enumerate().fold(0, |value, (index, digit)| value | digit << (18 - 6 * index));
        bytes.extend(value.to_be_bytes()[1..group.len()].iter());
    }
    bytes
}

#[tokio::test]
async fn tags_of_a_new_pod_are_pinned() {
    let server = server().await;
    let mut object = pod(PINNED);
    object["spec"]["initContainers"] = json!([{"name": "init", "image": TAG}]);
    let patch = patch_of(&server, &review("payments-prod", "", "Pod", object.clone())).await.unwrap();
    let pinned = format!("{TAG}@{}", tagged());
    assert_eq!(patch, json!([{"op": "replace", "path": "/spec/initContainers/0/image", "value": pinned}]));
    object["spec"]["initContainers"][0]["image"] = json!(pinned);
    let review = review("payments-prod", "", "Pod", object);
    assert_eq!(server.validate(&review).await["allowed"], true, "what was pinned is admitted");
    assert!(patch_of(&server, &review).await.is_none(), "pinning twice changes nothing");
}

#[tokio::test]
async fn templates_and_running_pods_are_left_alone() {
    let server = server().await;
    let deployment = json!({"spec": {"template": {"spec": pod(TAG)["spec"]}}});
    assert!(patch_of(&server, &review("payments-prod", "apps", "Deployment", deployment)).await.is_none());
    let mut update = review("payments-prod", "", "Pod", pod(TAG));
    update["request"]["operation"] = json!("UPDATE");
    assert!(patch_of(&server, &update).await.is_none());
}

/// A ReplicaSet that differs from its Deployment's template is none to the controller, which would make another one, and
/// another one: what controllers make is theirs.
#[tokio::test]
async fn templates_are_pinned_where_that_is_asked_for_and_what_controllers_make_of_them_is_not() {
    let server = serving(Mutation::Templates).await;
    let object = json!({"metadata": {"name": "api"}, "spec": {"template": {"spec": pod(TAG)["spec"]}}});
    let of = |operation: &str, object: &serde_json::Value| {
        let mut review = review("payments-prod", "apps", "Deployment", object.clone());
        review["request"]["operation"] = json!(operation);
        review
    };
    let pinned = json!([{
        "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": format!("{TAG}@{}", tagged()),
    }]);
    for operation in ["CREATE", "UPDATE"] {
        assert_eq!(patch_of(&server, &of(operation, &object)).await.unwrap(), pinned, "{operation}");
    }
    let mut owned = object.clone();
    owned["metadata"]["ownerReferences"] = json!([{"controller": true, "kind": "Deployment", "name": "api"}]);
    assert!(patch_of(&server, &review("payments-prod", "apps", "ReplicaSet", owned)).await.is_none());
    let mut by_controller = of("UPDATE", &object);
    by_controller["request"]["userInfo"]["username"] = json!("system:serviceaccount:kube-system:deployment-controller");
    assert!(patch_of(&server, &by_controller).await.is_none());
    // Its Pods are pinned whoever makes them: nothing compares them with the template.
    let mut own = pod(TAG);
    own["metadata"]["ownerReferences"] = json!([{"controller": true, "kind": "ReplicaSet", "name": "api-1"}]);
    assert!(patch_of(&server, &review("payments-prod", "", "Pod", own)).await.is_some());
}

#[tokio::test]
async fn mutation_is_off_unless_asked_for() {
    let server = start_with(Temper::Warm, |options| options.policy = Some(policy())).await;
    let response = server.client.post(server.url("/mutate")).body("{}").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 404);
}
