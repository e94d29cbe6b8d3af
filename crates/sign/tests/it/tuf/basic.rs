//! The workflow as such: what is asked for, what is kept, what is refused.

use assay_sandbox::tuf::{Key, KeyType};
use assay_sign::TufError;
use serde_json::{Value, json};

use super::{Client, Scenario, refused, repository};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = super::scenarios![
        a_refresh_asks_for_each_role_once,
        a_refresh_keeps_the_bytes_of_each_role,
        a_download_refreshes_first,
        an_invalid_first_root_stops_everything,
        an_unsigned_first_root_stops_everything,
        a_timestamp_of_the_same_version_changes_nothing,
        pinned_hashes_that_fit_are_accepted,
        targets_with_another_hash_are_refused,
        a_snapshot_with_another_hash_is_refused,
        metadata_is_kept_byte_for_byte,
        unknown_fields_are_signed_and_kept,
        misleading_hash_algorithms_of_keys_do_not_matter,
        a_missing_snapshot_is_an_error,
        missing_targets_are_an_error,
        a_missing_timestamp_is_an_error,
        metadata_of_another_type_is_refused,
        the_time_that_is_handed_in_counts,
    ];
    for (role, trusted) in [
        ("root", [Some(1), None, None, None]),
        ("timestamp", [Some(2), None, None, None]),
        ("snapshot", [Some(2), Some(2), None, None]),
        ("targets", [Some(2), Some(2), Some(2), None]),
    ] {
        all.push((format!("unsigned_{role}"), Box::pin(unsigned_metadata(role, trusted))));
    }
    for (role, trusted) in [
        ("root", [Some(1), None, None, None]),
        ("snapshot", [Some(2), Some(2), None, None]),
        ("targets", [Some(2), Some(2), Some(2), None]),
    ] {
        all.push((format!("version_of_{role}_differs_from_its_address"), Box::pin(misplaced(role, trusted))));
    }
    all
}

async fn a_refresh_asks_for_each_role_once() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    assert_eq!(client.server.take_requests(), ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]);
}

async fn a_refresh_keeps_the_bytes_of_each_role() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    for role in ["root", "timestamp", "snapshot", "targets"] {
        client.assert_newest(role);
    }
}

async fn a_download_refreshes_first() {
    let client = Client::new(repository()).await;
    refused!(client.target("no such target").await, TufError::NoTarget { .. });
    assert_eq!(client.server.take_requests().len(), 4);
    client.assert_newest("targets");
}

async fn an_invalid_first_root_stops_everything() {
    let repository = repository();
    let mut root: Value = serde_json::from_slice(&repository.first_root()).unwrap();
    root["signed"].as_object_mut().unwrap().remove("version");
    let client = Client::with_root(repository, root.to_string().into_bytes()).await;
    refused!(client.refresh().await, TufError::Malformed { .. });
    assert!(client.server.take_requests().is_empty());
}

async fn an_unsigned_first_root_stops_everything() {
    let repository = repository();
    let mut root: Value = serde_json::from_slice(&repository.first_root()).unwrap();
    root["signatures"][0]["sig"] = json!("00".repeat(64));
    let client = Client::with_root(repository, root.to_string().into_bytes()).await;
    refused!(client.refresh().await, TufError::Threshold { role, found: 0, threshold: 1 } if role == "root");
    assert!(client.server.take_requests().is_empty());
}

async fn unsigned_metadata(role: &'static str, trusted: [Option<u64>; 4]) {
    let mut repository = repository();
    repository.role(role).signers.clear();
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.refresh().await, TufError::Threshold { found: 0, .. });
    assert_eq!(client.versions(), trusted);
}

async fn misplaced(role: &'static str, trusted: [Option<u64>; 4]) {
    let mut repository = repository();
    repository.says_next_version = Some(role.to_owned());
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.refresh().await, TufError::RootVersion { trusted: 1, offered: 3 } | TufError::Mismatch { .. });
    assert_eq!(client.versions(), trusted);
}

async fn a_timestamp_of_the_same_version_changes_nothing() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    let before = client.trusted("timestamp");
    client.with(|repository| {
        repository.signed_mut("timestamp")["meta"]["snapshot.json"]["version"] = json!(100);
        repository.forget("timestamp");
        repository.publish(&["timestamp"]);
        assert_eq!(repository.version("timestamp"), 1);
    });
    client.server.take_requests();
    client.refresh().await.unwrap();
    assert_eq!(client.server.take_requests(), ["2.root.json", "timestamp.json"]);
    assert_eq!(client.trusted("timestamp"), before);
}

/// A repository whose pins have hashes.
async fn hashed() -> Client {
    let mut repository = repository();
    repository.pins_hashes = true;
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client
}

async fn pinned_hashes_that_fit_are_accepted() {
    let client = hashed().await;
    assert_eq!(client.versions(), [Some(1), Some(2), Some(2), Some(2)]);
}

async fn targets_with_another_hash_are_refused() {
    let client = hashed().await;
    client.with(|repository| {
        repository.publish(&["targets"]);
        repository.signed_mut("snapshot")["meta"]["targets.json"]["hashes"]["sha256"] = json!("0".repeat(64));
        repository.publish(&["snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Mismatch { .. });
    assert_eq!(client.versions(), [Some(1), Some(3), Some(3), Some(2)]);
}

async fn a_snapshot_with_another_hash_is_refused() {
    let client = hashed().await;
    client.with(|repository| {
        repository.publish(&["snapshot"]);
        repository.signed_mut("timestamp")["meta"]["snapshot.json"]["hashes"]["sha256"] = json!("0".repeat(64));
        repository.publish(&["timestamp"]);
    });
    refused!(client.refresh().await, TufError::Mismatch { .. });
    assert_eq!(client.versions(), [Some(1), Some(3), Some(2), Some(2)]);
}

async fn metadata_is_kept_byte_for_byte() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        let mut bytes = repository.latest("timestamp").unwrap().to_vec();
        bytes.push(b' ');
        repository.replace("timestamp", bytes);
    });
    client.refresh().await.unwrap();
    client.assert_newest("timestamp");
}

async fn unknown_fields_are_signed_and_kept() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        let key = Key::generate(KeyType::Ed25519).with_field("extra-field", json!({"a": 1, "b": 2}));
        let root = repository.signed_mut("root");
        root["custom-field"] = json!("value");
        root["roles"]["root"]["another-field"] = json!("value");
        repository.add_key("root", key);
        repository.publish(&["root"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.version("root"), Some(2));
}

async fn misleading_hash_algorithms_of_keys_do_not_matter() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        repository.clear_keys("snapshot");
        let key = Key::generate(KeyType::Ed25519).with_field("keyid_hash_algorithms", json!("md5"));
        repository.add_key("snapshot", key);
        repository.publish(&["root", "snapshot", "timestamp"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.versions(), [Some(2), Some(2), Some(2), Some(1)]);
}

async fn a_missing_snapshot_is_an_error() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        repository.signed_mut("timestamp")["meta"]["snapshot.json"]["version"] = json!(2);
        repository.publish(&["timestamp"]);
    });
    client.server.take_requests();
    refused!(client.refresh().await, TufError::Incomplete { .. });
    assert_eq!(client.server.take_requests().last().unwrap(), "2.snapshot.json");
    assert_eq!(client.versions(), [Some(1), Some(2), Some(1), Some(1)]);
}

async fn missing_targets_are_an_error() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        repository.signed_mut("snapshot")["meta"]["targets.json"]["version"] = json!(2);
        repository.publish(&["snapshot", "timestamp"]);
    });
    client.server.take_requests();
    refused!(client.refresh().await, TufError::Incomplete { .. });
    assert_eq!(client.server.take_requests().last().unwrap(), "2.targets.json");
    assert_eq!(client.versions(), [Some(1), Some(2), Some(2), Some(1)]);
}

async fn a_missing_timestamp_is_an_error() {
    let mut repository = repository();
    repository.forget("timestamp");
    let client = Client::new(repository).await;
    refused!(client.refresh().await, TufError::Incomplete { .. });
    assert_eq!(client.versions(), [Some(1), None, None, None]);
}

async fn metadata_of_another_type_is_refused() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        // Signed with the timestamp's key, and a snapshot in all but its place.
        let snapshot = repository.signed_mut("snapshot").clone();
        *repository.signed_mut("timestamp") = snapshot;
        repository.publish(&["timestamp"]);
    });
    refused!(client.refresh().await, TufError::Malformed { .. });
    assert_eq!(client.version("timestamp"), Some(1));
}

async fn the_time_that_is_handed_in_counts() {
    let client = Client::new(repository()).await;
    client.refresh_after(29).await.unwrap();
    refused!(client.refresh_after(31).await, TufError::Expired { .. });
    client.refresh().await.unwrap();
}
