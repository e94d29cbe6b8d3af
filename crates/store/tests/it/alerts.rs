//! One open alert for each thing; what becomes of it leaves in order, also after failures.

use std::time::Duration;

use assay_model::Severity;
use assay_store::{Alert, AlertEvent, AlertKey, Delivery, Store};

use crate::fixture::at;
use crate::place::{Place, on_both};

on_both!(
    an_alert_is_open_once,
    what_is_no_longer_found_is_over,
    deliveries_are_taken_once_and_in_order,
    a_delivery_that_fails_is_due_again_later,
    two_replicas_raise_one_alert,
    what_is_long_over_goes_and_nothing_that_waits,
    a_clock_that_ran_ahead_silences_nothing,
);

const LEASE: Duration = Duration::from_mins(1);

fn key(subject: &str) -> AlertKey {
    AlertKey { owner: "team-payments".into(), subject: subject.into(), environment: "prod".into() }
}

fn alert(subject: &str, severity: Severity) -> Alert {
    Alert { key: key(subject), source: "test".to_owned(), severity, summary: format!("{subject} is {severity}") }
}

fn events(deliveries: &[Delivery]) -> Vec<(String, String)> {
    let read = |delivery: &Delivery| {
        let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(body["schema"], "assay.dev/alert/v1");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&body["event"]), text(&body["alert"]["subject"]))
    };
    deliveries.iter().map(read).collect()
}

/// Takes and delivers everything that is due.
fn drain(store: &Store, second: i64) -> Vec<(String, String)> {
    let mut all = Vec::new();
    loop {
        let taken = store.take_deliveries(at(second), LEASE, 10).unwrap();
        if taken.is_empty() {
            return all;
        }
        for delivery in &taken {
            store.delivered(delivery.id).unwrap();
        }
        all.extend(events(&taken));
    }
}

fn an_alert_is_open_once(place: &Place) {
    let store = place.open();
    assert_eq!(store.oldest_undelivered().unwrap(), None);
    assert_eq!(store.raise_alert(&alert("api", Severity::High), at(1)).unwrap(), Some(AlertEvent::Opened));
    assert_eq!(store.oldest_undelivered().unwrap(), Some(at(1)));
    assert_eq!(store.raise_alert(&alert("api", Severity::High), at(2)).unwrap(), None);
    assert_eq!(store.raise_alert(&alert("api", Severity::Critical), at(3)).unwrap(), Some(AlertEvent::Worse));
    assert_eq!(store.raise_alert(&alert("api", Severity::Low), at(4)).unwrap(), None, "it stays as bad as it was");
    let open = store.open_alerts().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].severity, open[0].opened, open[0].seen), (Severity::Critical, at(1), at(4)));
    assert!(store.resolve_alert(&key("api"), at(5)).unwrap());
    assert!(!store.resolve_alert(&key("api"), at(6)).unwrap());
    assert!(store.open_alerts().unwrap().is_empty());
    assert_eq!(store.raise_alert(&alert("api", Severity::Low), at(7)).unwrap(), Some(AlertEvent::Opened), "anew");
    let told: Vec<_> = drain(&store, 10).into_iter().map(|(event, _)| event).collect();
    assert_eq!(told, ["opened", "opened", "worse", "resolved"], "the second alert does not wait for the first");
}

fn what_is_no_longer_found_is_over(place: &Place) {
    let store = place.open();
    for subject in ["api", "web", "db"] {
        store.raise_alert(&alert(subject, Severity::High), at(1)).unwrap();
    }
    let other = Alert { source: "other".to_owned(), ..alert("ledger", Severity::High) };
    store.raise_alert(&other, at(1)).unwrap();
    let over = store.resolve_other_alerts("test", &[key("web")], at(2)).unwrap();
    assert_eq!(over, [key("api"), key("db")]);
    let open: Vec<_> = store.open_alerts().unwrap().into_iter().map(|alert| alert.key.subject).collect();
    assert_eq!(open, ["web", "ledger"], "another source's are left alone");
}

fn deliveries_are_taken_once_and_in_order(place: &Place) {
    let store = place.open();
    store.raise_alert(&alert("api", Severity::Low), at(1)).unwrap();
    store.resolve_alert(&key("api"), at(2)).unwrap();
    store.raise_alert(&alert("web", Severity::Low), at(3)).unwrap();
    let first = store.take_deliveries(at(4), LEASE, 10).unwrap();
    let event = |event: &str, subject: &str| (event.to_owned(), subject.to_owned());
    assert_eq!(events(&first), [event("opened", "api"), event("opened", "web")], "no end before its beginning");
    assert!(store.take_deliveries(at(5), LEASE, 10).unwrap().is_empty(), "somebody has them");
    let again = store.take_deliveries(at(4 + 60), LEASE, 10).unwrap();
    assert_eq!(events(&again), events(&first), "whoever had them is gone");
    assert_eq!(again[0].id, first[0].id);
    store.delivered(again[0].id).unwrap();
    assert_eq!(events(&store.take_deliveries(at(65), LEASE, 1).unwrap()), [event("resolved", "api")]);
    assert_eq!(store.undelivered().unwrap().0, 2);
}

fn a_delivery_that_fails_is_due_again_later(place: &Place) {
    let store = place.open();
    store.raise_alert(&alert("api", Severity::Low), at(0)).unwrap();
    let mut now = 0;
    for pause in [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
        let delivery = store.take_deliveries(at(now), LEASE, 10).unwrap().remove(0);
        store.delivery_failed(&delivery, "status 500", at(now)).unwrap();
        assert!(store.take_deliveries(at(now + pause - 1), LEASE, 10).unwrap().is_empty(), "{pause}");
        now += pause;
    }
    assert_eq!(store.undelivered().unwrap(), (1, Some("status 500".to_owned())));
    assert_eq!(drain(&store, now).len(), 1);
    assert_eq!(store.undelivered().unwrap(), (0, None));
}

fn two_replicas_raise_one_alert(place: &Place) {
    let replicas = [place.open(), place.open()];
    std::thread::scope(|scope| {
        for store in &replicas {
            scope.spawn(|| {
                for number in 0..20 {
                    store.raise_alert(&alert(&format!("api-{number}"), Severity::High), at(1)).unwrap();
                }
            });
        }
    });
    assert_eq!(replicas[0].open_alerts().unwrap().len(), 20);
    assert_eq!(drain(&replicas[1], 2).len(), 20);
}

fn what_is_long_over_goes_and_nothing_that_waits(place: &Place) {
    let store = place.open();
    for (subject, second) in [("old", 1), ("young", 50), ("open", 1)] {
        store.raise_alert(&alert(subject, Severity::High), at(second)).unwrap();
    }
    store.resolve_alert(&key("old"), at(10)).unwrap();
    store.resolve_alert(&key("young"), at(60)).unwrap();
    assert_eq!(store.expire_alerts(at(20)).unwrap(), 0, "it has not been delivered");
    drain(&store, 100);
    assert_eq!(store.expire_alerts(at(20)).unwrap(), 1);
    assert_eq!(store.expire_alerts(at(20)).unwrap(), 0);
    assert_eq!(store.expire_alerts(at(200)).unwrap(), 1, "what is open stays, however old");
    assert_eq!(store.open_alerts().unwrap()[0].key.subject, "open");
}

fn a_clock_that_ran_ahead_silences_nothing(place: &Place) {
    let store = place.open();
    store.raise_alert(&alert("api", Severity::High), at(1_000_000)).unwrap();
    assert_eq!(drain(&store, 10).len(), 1, "the clock is right again, and the alert leaves");
}
