//! Health, readiness, metrics, start and stop.

use assay_model::Explain as _;
use assay_server::{Server, ServerOptions};

use crate::fixture::{PINNED, Temper, pod, policy, review, start, start_with};

#[tokio::test]
async fn ready_only_with_a_policy_and_refusing_until_then() {
    let server = start_with(Temper::Warm, |_| {}).await;
    assert_eq!(server.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(server.get("/readyz").await.0, 503);
    let good = review("payments-prod", "", "Pod", pod(PINNED));
    let response = server.validate(&good).await;
    assert_eq!((response["allowed"].as_bool(), response["status"]["code"].as_u64()), (Some(false), Some(503)));
    server.running.set_policy(policy());
    assert_eq!(server.get("/readyz").await.0, 200);
    assert_eq!(server.validate(&good).await["allowed"], true);
}

#[tokio::test]
async fn metrics_count_with_bounded_labels() {
    let server = start(Temper::Warm).await;
    server.validate(&review("payments-prod", "", "Pod", pod(PINNED))).await;
    server.validate(&review("payments-prod", "", "Pod", pod("evil/miner"))).await;
    server.post("/validate", "x").await;
    let (status, metrics) = server.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"assay_admission_requests_total{operation="create",decision="allowed",mode="live"} 1"#,
        r#"assay_admission_requests_total{operation="create",decision="denied",mode="live"} 1"#,
        r#"assay_admission_requests_total{operation="unknown",decision="error",mode="live"} 1"#,
        "assay_admission_duration_seconds_count 3",
        "assay_policy_loaded 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("miner") && !metrics.contains("payments"), "no names in labels");
}

#[tokio::test]
async fn other_paths_and_methods_are_not_served() {
    let server = start(Temper::Warm).await;
    assert_eq!(server.get("/validate").await.0, 405);
    assert_eq!(server.get("/noop").await.0, 404);
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let server = start(Temper::Warm).await;
    let facts = std::sync::Arc::clone(&server.table) as _;
    let mut options = ServerOptions::new(facts, server.store.clone(), server.directory.path().join("other"));
    options.address = server.running.address();
    assert_eq!(Server::start(options).await.unwrap_err().code(), "server-listen");
}
