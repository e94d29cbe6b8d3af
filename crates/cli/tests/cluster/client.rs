//! The client against the real API server.

use std::time::Duration;

use assay_kube::{Change, ENVIRONMENTS, NAMESPACES, Selection, Watcher};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::crds::install;
use crate::plane::{ControlPlane, plane};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn environment(name: &str) -> Value {
    json!({"apiVersion": "assay.dev/v1", "kind": "Environment", "metadata": {"name": name}, "spec": {"tier": "dev"}})
}

/// The next change, within a minute. Failures are passed over where they are expected.
async fn next(watcher: &mut Watcher, failures: bool) -> Change {
    loop {
        let change = timeout(Duration::from_mins(1), watcher.next()).await.unwrap();
        match change {
            Change::Failed(_) if failures => {}
            Change::Failed(error) => panic!("{error}"),
            change => return change,
        }
    }
}

#[test]
fn what_is_written_is_listed_watched_and_seen_to_go() {
    let Some(plane) = plane() else { return };
    install(&plane);
    block_on(written_and_watched(&plane));
}

async fn written_and_watched(plane: &ControlPlane) {
    let client = plane.client();
    let mut watcher = Watcher::new(client.clone(), ENVIRONMENTS, Selection::default());
    assert_eq!(next(&mut watcher, true).await, Change::Listed(Vec::new()));
    let made = client.create(ENVIRONMENTS, None, &environment("one")).await.unwrap();
    assert!(client.create(ENVIRONMENTS, None, &environment("one")).await.unwrap_err().is_conflict());
    assert!(matches!(next(&mut watcher, false).await, Change::Applied(object) if object.name() == "one"));
    let mut newer = made.clone();
    newer.0["spec"]["tier"] = json!("prod");
    client.replace(ENVIRONMENTS, None, "one", &newer.0).await.unwrap();
    let stale = client.replace(ENVIRONMENTS, None, "one", &newer.0).await.unwrap_err();
    assert!(stale.is_conflict(), "{stale}");
    let status = json!({"observedGeneration": 2});
    let after = client.merge_status(ENVIRONMENTS, None, "one", &status).await.unwrap();
    assert_eq!((after.generation(), &after.0["status"]["observedGeneration"]), (2, &json!(2)));
    plane.kubectl(&["delete", "environment", "one"]);
    loop {
        if let Change::Deleted(object) = next(&mut watcher, false).await {
            assert_eq!(object.name(), "one");
            break;
        }
    }
    assert!(client.get(ENVIRONMENTS, None, "one").await.unwrap_err().is_not_found());
}

#[test]
fn a_watch_outlives_the_api_server() {
    let Some(mut plane) = plane() else { return };
    block_on(watched_meanwhile(&mut plane));
}

async fn watched_meanwhile(plane: &mut ControlPlane) {
    let client = plane.client();
    let mut watcher = Watcher::new(client.clone(), NAMESPACES, Selection::default());
    assert!(matches!(next(&mut watcher, false).await, Change::Listed(items) if items.len() >= 4));
    tokio::task::block_in_place(|| plane.without_api_server(|| {}));
    let name = format!("after-{}", std::process::id());
    client.create(NAMESPACES, None, &json!({"metadata": {"name": name}})).await.unwrap();
    loop {
        let found = match next(&mut watcher, true).await {
            Change::Applied(object) => object.name() == name,
            Change::Listed(items) => items.iter().any(|object| object.name() == name),
            _ => false,
        };
        if found {
            return;
        }
    }
}
