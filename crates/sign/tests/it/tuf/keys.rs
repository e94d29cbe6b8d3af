//! Keys and thresholds.

use assay_sandbox::tuf::{Key, KeyType};
use assay_sign::TufError;
use serde_json::json;

use super::{Client, Scenario, refused, repository};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = super::scenarios![
        too_few_signatures_are_refused,
        too_few_keys_are_refused,
        a_key_that_is_listed_often_counts_once,
        a_signature_that_is_listed_twice_is_refused,
        a_wrong_signature_beside_enough_right_ones_does_no_harm,
    ];
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        all.push((format!("keys_of_type_{kind:?}"), Box::pin(key_type(kind))));
    }
    all
}

fn key() -> Key {
    Key::generate(KeyType::Ed25519)
}

async fn too_few_signatures_are_refused() {
    let mut repository = repository();
    repository.set_threshold("snapshot", 3);
    repository.add_key("snapshot", key());
    repository.add_key("snapshot", key());
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        repository.role("snapshot").signers.pop();
        repository.publish(&["targets", "snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Threshold { found: 2, threshold: 3, .. });
    assert_eq!(client.version("snapshot"), Some(2));
}

async fn too_few_keys_are_refused() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        for _ in 0..4 {
            repository.add_key("snapshot", key());
        }
        repository.set_threshold("snapshot", 6);
        repository.publish(&["root", "snapshot", "timestamp"]);
    });
    refused!(client.refresh().await, TufError::Threshold { found: 5, threshold: 6, .. });
    assert_eq!(client.versions(), [Some(2), Some(2), None, None]);
}

async fn a_key_that_is_listed_often_counts_once() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        let key = key();
        for _ in 0..9 {
            repository.name_key("snapshot", &key);
        }
        repository.role("snapshot").signers.push(key);
        repository.set_threshold("snapshot", 6);
        repository.publish(&["root", "snapshot", "timestamp"]);
        repository.tamper("snapshot", |document| {
            let signatures = document["signatures"].as_array_mut().unwrap();
            let last = signatures.last().unwrap().clone();
            signatures.extend(std::iter::repeat_n(last, 8));
        });
    });
    refused!(client.refresh().await, TufError::RepeatedKey { .. } | TufError::Threshold { .. });
    assert_eq!(client.version("snapshot"), None);
}

async fn a_signature_that_is_listed_twice_is_refused() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        repository.tamper("snapshot", |document| {
            let signatures = document["signatures"].as_array_mut().unwrap();
            signatures.push(signatures[0].clone());
        });
    });
    refused!(client.refresh().await, TufError::RepeatedKey { role, .. } if role == "snapshot");
    assert_eq!(client.version("snapshot"), None);
}

async fn key_type(kind: KeyType) {
    let client = Client::new(repository()).await;
    let key = Key::generate(kind);
    client.with(|repository| {
        repository.add_key("root", key.clone());
        repository.set_threshold("root", 2);
        repository.publish(&["root"]);
    });
    client.refresh().await.unwrap();
    assert_eq!(client.version("root"), Some(2));
    client.with(|repository| {
        repository.publish(&["root"]);
        repository.tamper("root", |document| {
            for signature in document["signatures"].as_array_mut().unwrap() {
                if signature["keyid"] == key.id() {
                    signature["sig"] = json!(key.sign(b"another root"));
                }
            }
        });
    });
    refused!(client.refresh().await, TufError::Threshold { found: 1, threshold: 2, .. });
    assert_eq!(client.version("root"), Some(2));
}

async fn a_wrong_signature_beside_enough_right_ones_does_no_harm() {
    let client = Client::new(repository()).await;
    let plausible = client.with(|repository| repository.role("timestamp").signers[0].sign(b"another"));
    client.with(|repository| repository.add_key("timestamp", key()));
    for (roles, signature) in [(&["root", "timestamp"][..], plausible), (&["timestamp"][..], String::new())] {
        client.publish(roles);
        client.with(|repository| {
            repository.tamper("timestamp", |document| document["signatures"][0]["sig"] = json!(signature));
        });
        client.refresh().await.unwrap();
        client.assert_newest("timestamp");
    }
}
