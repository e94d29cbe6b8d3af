//! What has expired is refused where it would decide, and nowhere else.

use assay_sign::TufError;
use serde_json::json;

use super::{Client, DAY, Scenario, refused, repository};

pub(super) fn scenarios() -> Vec<Scenario> {
    super::scenarios![
        an_expired_root_is_kept_and_stops_the_rest,
        an_expired_timestamp_is_refused,
        an_expired_snapshot_is_refused,
        expired_targets_are_refused,
        a_local_root_may_have_expired,
        a_local_timestamp_may_have_expired,
    ]
}

/// Publishes all roles, one of them expired.
async fn expired(role: &str, published: &[&str]) -> Client {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    client.with(|repository| {
        let yesterday = repository.after(-DAY);
        repository.signed_mut(role)["expires"] = json!(yesterday);
        repository.publish(published);
    });
    refused!(client.refresh().await, TufError::Expired { role: expired, .. } if expired == role);
    client
}

async fn an_expired_root_is_kept_and_stops_the_rest() {
    let client = expired("root", &["root", "targets", "snapshot", "timestamp"]).await;
    assert_eq!(client.versions(), [Some(2), Some(1), Some(1), Some(1)]);
}

async fn an_expired_timestamp_is_refused() {
    let client = expired("timestamp", &["timestamp"]).await;
    assert_eq!(client.versions(), [Some(1), Some(1), Some(1), Some(1)]);
}

async fn an_expired_snapshot_is_refused() {
    let client = expired("snapshot", &["snapshot", "timestamp"]).await;
    assert_eq!(client.versions(), [Some(1), Some(2), Some(1), Some(1)]);
}

async fn expired_targets_are_refused() {
    let client = expired("targets", &["targets", "snapshot", "timestamp"]).await;
    assert_eq!(client.versions(), [Some(1), Some(2), Some(2), Some(1)]);
}

async fn a_local_root_may_have_expired() {
    let client = Client::new(repository()).await;
    let expire = |days: i64| {
        client.with(|repository| {
            let at = repository.after(days * DAY);
            repository.signed_mut("root")["expires"] = json!(at);
            repository.publish(&["root"]);
        });
    };
    expire(7);
    client.refresh().await.unwrap();
    expire(21);
    client.refresh_after(18).await.unwrap();
    assert_eq!(client.version("root"), Some(3));
}

async fn a_local_timestamp_may_have_expired() {
    let client = Client::new(repository()).await;
    let expire = |days: i64, roles: &[&str]| {
        client.with(|repository| {
            let at = repository.after(days * DAY);
            repository.signed_mut("timestamp")["expires"] = json!(at);
            repository.publish(roles);
        });
    };
    expire(7, &["timestamp"]);
    client.refresh().await.unwrap();
    expire(21, &["targets", "snapshot", "timestamp"]);
    client.refresh_after(18).await.unwrap();
    assert_eq!(client.versions(), [Some(1), Some(3), Some(2), Some(2)]);
}
