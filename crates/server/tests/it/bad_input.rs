//! What is no request is an error with a code, never a panic, never an allow.

use serde_json::json;

use crate::fixture::{PINNED, Temper, pod, review, start};

#[tokio::test]
async fn malformed_bodies_fail_with_their_code() {
    let server = start(Temper::Warm).await;
    let good = review("payments-prod", "", "Pod", pod(PINNED)).to_string();
    let doubled = good.replacen("\"name\":\"api\"", "\"name\":\"api\",\"name\":\"evil\"", 1);
    let mut not_utf8 = good.clone().into_bytes();
    let at = good.find("registry").unwrap();
    not_utf8[at] = 0xff;
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (Vec::new(), 400, "review-invalid-json"),
        (b"not json".to_vec(), 400, "review-invalid-json"),
        (good.as_bytes()[..good.len() / 2].to_vec(), 400, "review-invalid-json"),
        (doubled.into_bytes(), 400, "review-invalid-json"),
        (not_utf8, 400, "review-not-utf8"),
        (b"{}".to_vec(), 400, "review-wrong-kind"),
        (good.replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1").into_bytes(), 400, "review-wrong-kind"),
        (
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string().into_bytes(),
            400,
            "review-without-request",
        ),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(), 400, "review-invalid-json"),
        (vec![b' '; (8 << 20) + 1], 413, "review-too-large"),
        (vec![b' '; 20 << 20], 413, "review-too-large"),
    ];
    for (body, status, code) in cases {
        let length = body.len();
        let (found, answer) = server.post("/validate", body).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{length} bytes: {answer}");
        assert!(answer.get("response").is_none());
    }
    let (status, _) = server.post("/validate", good).await;
    assert_eq!(status, 200, "the server still answers");
}

#[tokio::test]
async fn a_bad_request_with_a_uid_is_refused_by_it() {
    let server = start(Temper::Warm).await;
    for (field, value) in [
        ("operation", json!("PATCH")),
        ("object", json!(null)),
        ("object", json!([])),
        ("kind", json!("Pod")),
        ("dryRun", json!("yes")),
        ("namespace", json!(7)),
    ] {
        let mut bad = review("payments-prod", "", "Pod", pod(PINNED));
        bad["request"][field] = value;
        let response = server.validate(&bad).await;
        assert_eq!(response["allowed"], false, "{field}");
        assert_eq!(response["uid"], bad["request"]["uid"]);
        assert!(response["status"]["message"].as_str().unwrap().starts_with("review-field: "), "{response}");
    }
}

#[tokio::test]
async fn odd_pods_are_refused() {
    let server = start(Temper::Warm).await;
    for spec in [
        json!({"containers": [null]}),
        json!({"containers": [{"name": "api"}]}),
        json!({"containers": [{"name": "api", "image": 7}]}),
        json!({"containers": [{"name": "api", "image": "UPPER/case"}]}),
        json!({"containers": "nginx"}),
    ] {
        let response = server.validate(&review("payments-prod", "", "Pod", json!({"spec": spec}))).await;
        assert_eq!(response["allowed"], false, "{spec}");
    }
}
