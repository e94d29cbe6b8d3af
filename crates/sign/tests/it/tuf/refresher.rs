//! Refreshing in the background: the root in use is never worse than the last good one.

use std::time::Duration;

use assay_model::Timestamp;
use assay_sandbox::sigstore::Authority;
use assay_sign::{RootRefresher, RootState, TufClient};
use serde_json::json;

use super::{Client, DAY, now, repository};

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];

async fn client() -> Client {
    let mut repository = repository();
    repository.add_target("targets", "trusted_root.json", &Authority::new(now()).trusted_root_json());
    repository.publish(&ALL);
    Client::new(repository).await
}

fn refresher(client: &TufClient) -> RootRefresher {
    RootRefresher::new(client.clone(), Duration::from_hours(6))
}

#[tokio::test]
async fn a_failing_mirror_leaves_the_root_and_is_counted() {
    let client = client().await;
    let refresher = refresher(&client.tuf);
    let good = refresher.refresh(&RootState::default(), now()).await;
    assert_eq!((good.refreshed_at, &good.failure), (Some(now()), &None));
    assert_eq!(good.seconds_left(now()), Some(30 * DAY));
    client.server.set_status(Some(503));
    let later = Timestamp::from_second(now().as_second() + 40 * DAY).unwrap();
    let mut state = good.clone();
    for count in 1..=3 {
        state = refresher.refresh(&state, later).await;
        let failure = state.failure.as_ref().unwrap();
        assert_eq!((failure.code, failure.count), ("tuf-refused", count));
    }
    assert_eq!(state.roots, good.roots);
    assert_eq!(state.refreshed_at, good.refreshed_at);
    assert_eq!(state.seconds_left(later), Some(-10 * DAY), "a figure, and no reason to stop");
    client.server.set_status(None);
    assert_eq!(refresher.refresh(&state, now()).await.failure, None);
}

#[tokio::test]
async fn a_rollback_or_freeze_does_not_replace_a_newer_root() {
    let client = client().await;
    let refresher = refresher(&client.tuf);
    let good = refresher.refresh(&RootState::default(), now()).await;
    client.with(|repository| {
        repository.forget("timestamp");
        repository.signed_mut("timestamp")["version"] = json!(1);
        repository.publish(&["timestamp"]);
    });
    let state = refresher.refresh(&good, now()).await;
    assert_eq!(state.failure.as_ref().map(|failure| failure.code), Some("tuf-rollback"));
    assert_eq!(state.roots, good.roots);
}

#[tokio::test]
async fn an_unchanged_root_stays_the_same_object() {
    let client = client().await;
    let refresher = refresher(&client.tuf);
    let first = refresher.refresh(&RootState::default(), now()).await;
    let second = refresher.refresh(&first, now()).await;
    // Whoever compares pointers sees that nothing has to be parsed again.
    assert!(std::sync::Arc::ptr_eq(first.roots.as_ref().unwrap(), second.roots.as_ref().unwrap()));
    client.publish(&ALL);
    let third = refresher.refresh(&second, now()).await;
    assert_ne!(third.roots, second.roots);
}

#[tokio::test]
async fn a_restart_without_a_mirror_begins_with_the_last_good_root() {
    let client = client().await;
    let roots = client.tuf.refresh(now()).await.unwrap();
    client.server.set_status(Some(500));
    let mut running = refresher(&client.tuf).spawn(now);
    let mut state = running.changed().await;
    while state.failure.is_none() {
        state = running.changed().await;
    }
    assert_eq!(state.roots.as_deref(), Some(&roots));
    assert_eq!(state.refreshed_at, None);
    assert_eq!(running.state().roots, state.roots);
}

#[tokio::test]
async fn a_running_refresher_gets_the_root_at_once() {
    let client = client().await;
    let mut running = refresher(&client.tuf).spawn(now);
    let mut state = running.changed().await;
    while state.refreshed_at.is_none() {
        state = running.changed().await;
    }
    assert_eq!(state.roots.unwrap().versions.targets, 2);
    drop(running);
}

#[tokio::test]
async fn what_was_kept_and_then_changed_is_said_and_not_used() {
    let client = client().await;
    client.tuf.refresh(now()).await.unwrap();
    std::fs::write(client.folder.path().join("last-good.json"), "{}").unwrap();
    let state = refresher(&client.tuf).initial().await;
    assert_eq!(state.roots, None);
    assert_eq!(state.failure.unwrap().code, "tuf-metadata-malformed");
}
