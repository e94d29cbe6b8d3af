//! Versions only go up, until the keys are changed.

use assay_sign::TufError;
use serde_json::json;

use super::{Client, Scenario, refused, repository};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = super::scenarios![
        an_older_timestamp_is_refused,
        a_targets_role_does_not_vanish,
        targets_recover_from_a_fast_forward,
        a_snapshot_recovers_from_a_fast_forward,
        a_timestamp_recovers_from_a_fast_forward,
    ];
    for hashes in [false, true] {
        let name = if hashes { "with_hashes" } else { "with_versions" };
        all.push((format!("an_older_snapshot_is_refused_{name}"), Box::pin(older_snapshot(hashes))));
        all.push((format!("older_targets_are_refused_{name}"), Box::pin(older_targets(hashes))));
    }
    all
}

/// Begins a role again at version 1.
fn restart(repository: &mut assay_sandbox::tuf::Repository, role: &str) {
    repository.forget(role);
    repository.signed_mut(role)["version"] = json!(1);
}

async fn an_older_timestamp_is_refused() {
    let mut repository = repository();
    repository.publish(&["timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        restart(repository, "timestamp");
        repository.publish(&["timestamp"]);
    });
    refused!(client.refresh().await, TufError::Rollback { trusted: 2, offered: 1, .. });
    assert_eq!(client.version("timestamp"), Some(2));
}

async fn older_snapshot(hashes: bool) {
    let mut repository = repository();
    repository.pins_hashes = hashes;
    repository.publish(&["snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        restart(repository, "snapshot");
        repository.publish(&["snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Rollback { trusted: 2, offered: 1, .. });
    assert_eq!(client.versions(), [Some(1), Some(2), Some(2), Some(1)]);
}

async fn older_targets(hashes: bool) {
    let mut repository = repository();
    repository.pins_hashes = hashes;
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        restart(repository, "targets");
        repository.publish(&["targets", "snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Rollback { trusted: 2, offered: 1, .. });
    assert_eq!(client.versions(), [Some(1), Some(3), Some(2), Some(2)]);
}

async fn a_targets_role_does_not_vanish() {
    let mut repository = repository();
    repository.delegate("targets", "delegated", &["path/*"], false);
    repository.publish(&["delegated", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        let pins = repository.signed_mut("snapshot")["meta"].as_object_mut().unwrap();
        pins.remove("delegated.json").unwrap();
        repository.publish(&["snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Mismatch { .. });
    assert_eq!(client.version("snapshot"), Some(2));
}

async fn targets_recover_from_a_fast_forward() {
    let mut repository = repository();
    repository.delegate("targets", "delegated", &["path/*"], false);
    repository.publish(&["delegated"]);
    for _ in 0..99 {
        repository.publish(&["targets"]);
    }
    repository.publish(&["snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    assert_eq!(client.version("targets"), Some(100));
    client.with(|repository| {
        repository.rotate_keys("snapshot");
        restart(repository, "targets");
        repository.signed_mut("snapshot")["meta"].as_object_mut().unwrap().remove("delegated.json");
        repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.version("targets"), Some(1));
}

async fn a_snapshot_recovers_from_a_fast_forward() {
    let mut repository = repository();
    for _ in 0..99 {
        repository.publish(&["snapshot"]);
    }
    repository.publish(&["timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    assert_eq!(client.version("snapshot"), Some(100));
    client.with(|repository| {
        repository.rotate_keys("snapshot");
        repository.rotate_keys("timestamp");
        restart(repository, "snapshot");
        repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.version("snapshot"), Some(1));
}

async fn a_timestamp_recovers_from_a_fast_forward() {
    let mut repository = repository();
    for _ in 0..99 {
        repository.publish(&["timestamp"]);
    }
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    assert_eq!(client.version("timestamp"), Some(100));
    client.with(|repository| {
        repository.rotate_keys("timestamp");
        restart(repository, "timestamp");
        repository.publish(&["root", "timestamp"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.version("timestamp"), Some(1));
}
