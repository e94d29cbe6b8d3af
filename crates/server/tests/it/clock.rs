//! A clock that jumps, ahead and back: requests are answered, and nothing that was decided is lost.

use std::sync::{Arc, Mutex};

use assay_model::Timestamp;

use crate::fixture::{NOW, PINNED, TAG, Temper, pod, policy, review, start_with};

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_loses_no_decision() {
    let now: Timestamp = NOW.parse().unwrap();
    let clock = Arc::new(Mutex::new(now));
    let server = start_with(Temper::Warm, |options| {
        options.policy = Some(policy());
        let clock = Arc::clone(&clock);
        options.clock = Arc::new(move || *clock.lock().unwrap());
    })
    .await;
    let mut ids = std::collections::BTreeSet::new();
    let days = |count: i64| now.checked_add(jiff::SignedDuration::from_hours(24 * count)).unwrap();
    for at in [now, days(900), days(-900), now, now] {
        *clock.lock().unwrap() = at;
        for (image, allowed) in [(PINNED, true), (TAG, false)] {
            // The API server asks the same thing again under the same uid.
            let response = server.validate(&review("payments-prod", "", "Pod", pod(image))).await;
            assert_eq!(response["allowed"], allowed, "{at}: {response}");
            assert!(ids.insert(response["auditAnnotations"]["decision"].as_str().unwrap().to_owned()), "one id each");
        }
    }
    assert!(server.running.flush_decisions().await);
    for id in &ids {
        assert!(server.store.decision(id).unwrap().is_some(), "{id}");
    }
    assert_eq!(server.store.decisions(100).unwrap().len(), ids.len());
    // What the certificate says is checked by who calls; this one still does.
    assert_eq!(server.get("/readyz").await.0, 200);
}
