//! Bounded time, bounded work, prompt refusal.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::fixture::{PINNED, Temper, pod, policy, review, start, start_with};

#[tokio::test]
async fn facts_that_do_not_come_in_time_refuse_and_say_so() {
    let server = start(Temper::Silent).await;
    let body = review("payments-prod", "", "Pod", pod(PINNED)).to_string();
    // 200 ms of the time-out are kept back: nothing is left to wait for.
    let (status, answer) = server.post("/validate?timeout=200ms", body).await;
    assert_eq!(status, 200);
    let id = answer["response"]["auditAnnotations"]["decision"].as_str().unwrap().to_owned();
    assert_eq!(server.table.gathering.load(Ordering::SeqCst), 1);
    assert!(server.running.flush_decisions().await);
    let record = server.store.decision(&id).unwrap().unwrap();
    assert!(record.request.images.iter().all(|image| image.digests.is_empty()), "nothing was known");
}

#[tokio::test]
async fn beyond_the_limit_requests_are_refused_at_once() {
    let gate = Arc::new(Notify::new());
    let server = start_with(Temper::Gated(Arc::clone(&gate)), |options| {
        options.policy = Some(policy());
        options.in_flight = 1;
    })
    .await;
    let good = review("payments-prod", "", "Pod", pod(PINNED));
    let first = {
        let (client, url, body) = (server.client.clone(), server.url("/validate?timeout=30s"), good.to_string());
        tokio::spawn(async move { client.post(url).body(body).send().await.unwrap().bytes().await.unwrap() })
    };
    server.table.begun.notified().await;
    let refused = server.validate(&good).await;
    assert_eq!(refused["allowed"], false);
    assert_eq!(refused["status"]["code"], 429);
    assert!(refused["status"]["message"].as_str().unwrap().contains("admission-busy"));
    gate.notify_one();
    let first: serde_json::Value = serde_json::from_slice(&first.await.unwrap()).unwrap();
    assert_eq!(first["response"]["allowed"], true, "the one under way is not disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_each_get_their_own_answer() {
    let server = Arc::new(start(Temper::Warm).await);
    let mut tasks = Vec::new();
    for number in 0..400 {
        let server = Arc::clone(&server);
        tasks.push(tokio::spawn(async move {
            let image = if number % 2 == 0 { PINNED.to_owned() } else { format!("registry.example.com/a:{number}") };
            let mut review = review("payments-prod", "", "Pod", pod(&image));
            review["request"]["uid"] = format!("u-{number}").into();
            let response = server.validate(&review).await;
            assert_eq!(response["uid"], format!("u-{number}"));
            assert_eq!(response["allowed"], number % 2 == 0, "{response}");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(server.running.flush_decisions().await);
    assert_eq!(server.store.decisions(1000).unwrap().len(), 400, "one record each");
}
