//! Many objects: how long until all of it is in force, and how much memory that takes.

use std::time::{Duration, Instant};

use assay_kube::{Client, ENVIRONMENTS, EXCEPTIONS, NAMESPACES, Resource};
use serde_json::{Value, json};

use crate::peer::said;
use crate::plane::plane;
use crate::process::eventually;
use crate::serving::{Serving, TAGGED, environment, prepare, until};

const NAMED: usize = 5_000;
const JUDGED: usize = 200;
const EXCEPTED: usize = 10_000;
/// Objects that are made at once.
const AT_ONCE: usize = 16;

/// Makes objects that may be there already.
async fn make(client: &Client, resource: Resource, objects: impl Iterator<Item = Value>) {
    let mut running = tokio::task::JoinSet::new();
    for object in objects {
        let client = client.clone();
        running.spawn(async move {
            match client.create(resource, None, &object).await {
                Err(error) if !error.is_conflict() => panic!("{error}"),
                _ => {}
            }
        });
        while running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(made) = running.join_next().await {
        made.unwrap();
    }
}

fn exception(number: usize) -> Value {
    json!({
        "apiVersion": "assay.dev/v1", "kind": "Exception", "metadata": {"name": format!("exception-{number}")},
        "spec": {
            "owner": "team", "reason": "many of them", "controls": ["critical-cve"],
            "subjects": [{"vulnerability": format!("CVE-2026-{number}")}],
            "scope": {"namespaces": [format!("many-{}", number % NAMED)]}, "expiresAt": "2100-01-01T00:00:00Z",
            "compensatingControl": "none",
        },
    })
}

#[test]
#[ignore = "takes minutes; .ci/nightly runs it"]
fn ten_thousand_exceptions_and_five_thousand_namespaces() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let client = plane.client();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let namespace = |number: usize| {
            let labels = json!({"environment": format!("many-{}", number % JUDGED)});
            json!({"metadata": {"name": format!("many-{number}"), "labels": labels}})
        };
        make(&client, NAMESPACES, (0..NAMED).map(namespace)).await;
        let environments = (0..JUDGED).map(|number| {
            let mut own = environment("dev", &[("require-digest", "enforce")]);
            own["metadata"]["name"] = json!(format!("many-{number}"));
            own["spec"]["namespaces"] = json!({"matchLabels": {"environment": format!("many-{number}")}});
            own
        });
        make(&client, ENVIRONMENTS, environments).await;
        make(&client, EXCEPTIONS, (0..EXCEPTED).map(exception)).await;
    });
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let started = Instant::now();
    let serving = Serving::start(&plane);
    said!("ready after {} ms, {} MB", started.elapsed().as_millis(), serving.megabytes());
    until(&plane, "shop-prod", TAGGED, "a tag is refused", |said| !said.ok && said.text.contains("require-digest"));
    // While ten thousand statuses are being written.
    let started = Instant::now();
    plane.apply(&environment("prod", &[]).to_string());
    until(&plane, "shop-prod", TAGGED, "a change is in force", |said| said.ok);
    let took = started.elapsed();
    said!("a change is in force after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let last = format!("exception/exception-{}", EXCEPTED - 1);
    eventually("statuses are written", || {
        crate::serving::condition(&plane, &last, "Active").map(drop).ok_or_else(String::new)
    });
    let (megabytes, peak) = (serving.megabytes(), serving.peak_megabytes());
    said!("{megabytes} MB, peak {peak} MB");
}
