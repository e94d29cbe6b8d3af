//! Each decision is recorded before it is given, and survives what happens to store and process.

use std::sync::Arc;

use assay_store::Store;
use serde_json::json;

use crate::fixture::{PINNED, TAG, Temper, pod, review, start};

#[tokio::test]
async fn a_record_explains_the_decision_and_keeps_no_secret() {
    let server = start(Temper::Warm).await;
    let response = server.validate(&review("payments-prod", "", "Pod", pod(TAG))).await;
    let id = response["auditAnnotations"]["decision"].as_str().unwrap();
    assert!(server.running.flush_decisions().await);
    let record = server.store.decision(&id[..8]).unwrap().unwrap();
    assert!(!record.verdict.allowed);
    assert_eq!(record.request.user.name, "ada@example.com");
    assert_eq!(record.request.images[0].written, TAG);
    assert_eq!(record.request.images[0].digests, [crate::fixture::tagged()]);
    assert!(record.verdict.of("require-digest").any(|outcome| outcome.denies()));
    assert!(!serde_json::to_string(&record).unwrap().contains("s3cret"));
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_behind() {
    let server = start(Temper::Warm).await;
    for (image, allowed) in [(PINNED, true), (TAG, false)] {
        let mut dry = review("payments-prod", "", "Pod", pod(image));
        dry["request"]["dryRun"] = json!(true);
        let response = server.validate(&dry).await;
        assert_eq!(response["allowed"], allowed);
        assert!(response["auditAnnotations"].get("decision").is_none());
        // No record, and so nothing to explain.
        assert!(!response.to_string().contains("assay explain"), "{response}");
    }
    assert!(server.running.flush_decisions().await);
    assert!(server.store.decisions(10).unwrap().is_empty());
    assert!(server.store.inventory().unwrap().is_empty());
}

#[tokio::test]
async fn a_killed_store_costs_no_decision() {
    let server = start(Temper::Warm).await;
    let path = server.directory.path().join("store.db");
    let other = rusqlite_of(&path);
    other.execute_batch("ALTER TABLE decision RENAME TO hidden").unwrap();
    let response = server.validate(&review("payments-prod", "", "Pod", pod(PINNED))).await;
    assert_eq!(response["allowed"], true, "the segment has it");
    assert!(!server.running.flush_decisions().await);
    let (_, metrics) = server.get("/metrics").await;
    assert!(metrics.contains("assay_decisions_waiting 1"), "{metrics}");
    other.execute_batch("ALTER TABLE hidden RENAME TO decision").unwrap();
    assert!(server.running.flush_decisions().await);
    assert_eq!(server.store.decisions(10).unwrap().len(), 1);
}

#[tokio::test]
async fn an_allow_that_cannot_be_recorded_is_not_given() {
    let server = start(Temper::Warm).await;
    let directory = server.directory.path().join("decisions");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "in the way").unwrap();
    let (status, answer) = server.post("/validate", review("payments-prod", "", "Pod", pod(PINNED)).to_string()).await;
    assert_eq!((status, answer["code"].as_str()), (503, Some("decision-not-recorded")));
    let response = server.validate(&review("payments-prod", "", "Pod", pod(TAG))).await;
    assert_eq!(response["allowed"], false, "a refusal stands");
    let (_, metrics) = server.get("/metrics").await;
    assert!(metrics.contains("assay_decisions_unrecorded_total 2"), "{metrics}");
}

#[tokio::test]
async fn shutdown_stores_what_was_decided() {
    let server = start(Temper::Warm).await;
    server.validate(&review("payments-prod", "", "Pod", pod(PINNED))).await;
    let path = server.directory.path().join("store.db");
    drop(server.client);
    server.running.shutdown().await;
    drop(server.store);
    assert_eq!(Arc::new(Store::open(&path).unwrap()).decisions(10).unwrap().len(), 1);
}

fn rusqlite_of(path: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}
