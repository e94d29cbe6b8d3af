//! Decisions go by age and by size, and leave in order.

use assay_model::{Digest, Timestamp};
use assay_store::{DecisionRecord, Retention, StoreError};

use crate::fixture::{at, decision};
use crate::place::{Place, on_both};

on_both!(
    decisions_go_by_age,
    decisions_go_by_size_the_oldest_first,
    decisions_leave_in_order_whatever_batch_they_came_in,
);

fn of(numbers: std::ops::Range<u64>) -> Vec<DecisionRecord> {
    numbers
        .map(|number| {
            let mut record = decision(number, true, format!("image {}", number / 10).as_bytes());
            record.request.workload.kind = "ReplicaSet".into();
            record.verdict.exceptions = vec![assay_case::ExceptionNote {
                name: "payments-zlib".into(),
                control: "critical-cve".parse().unwrap(),
                ignored: None,
            }];
            record
        })
        .collect()
}

fn decisions_go_by_age(place: &Place) {
    let store = place.open();
    for begin in [0, 10, 20] {
        store.put_decisions(&of(begin..begin + 10)).unwrap();
    }
    let kept = Retention { before: Some(at(15)), bytes: None };
    let expired = store.expire_decisions(kept).unwrap();
    assert_eq!(expired.decisions, 10, "a batch goes when its newest decision may");
    assert!(expired.bytes > 100);
    assert_eq!(store.decisions(100).unwrap().last().unwrap().at, at(10));
    assert!(store.decisions_of(Digest::of(b"image 0")).unwrap().is_empty());
    assert_eq!(store.decision(&of(3..4)[0].id).unwrap(), None);
    assert_eq!(store.exceptions_used().unwrap()["payments-zlib"].0, 20);
    assert_eq!(store.admissions_since(at(0)).unwrap().len(), 3, "what was admitted last stays known");
    assert_eq!(store.expire_decisions(kept).unwrap().decisions, 0);
    assert_eq!(store.expire_decisions(Retention::default()).unwrap().decisions, 0, "for ever where nothing is said");
    for table in ["decision", "exception_use"] {
        assert_eq!(place.ask(&format!("SELECT count(*) FROM {table}")), ["20"]);
    }
    assert_eq!(place.ask("SELECT count(*) FROM decision_digest"), ["2"]);
}

fn decisions_go_by_size_the_oldest_first(place: &Place) {
    let store = place.open();
    for begin in 0..60 {
        store.put_decisions(&of(begin..begin + 1)).unwrap();
    }
    let most = store.decision_bytes().unwrap() / 2;
    let expired = store.expire_decisions(Retention { before: None, bytes: Some(most) }).unwrap();
    assert!(store.decision_bytes().unwrap() <= most);
    let left = store.decisions(100).unwrap();
    assert_eq!(left.len() as u64 + expired.decisions, 60);
    assert!((25..=31).contains(&left.len()), "{} are left", left.len());
    assert_eq!(left[0].at, at(59), "the newest stay");
    assert_eq!(left.last().unwrap().at, at(60 - left.len() as i64));
}

fn decisions_leave_in_order_whatever_batch_they_came_in(place: &Place) {
    let store = place.open();
    for numbers in [vec![1, 2, 9], vec![3, 8], vec![4, 5], vec![20]] {
        let records: Vec<_> = numbers.into_iter().map(|number| decision(number, true, b"v1")).collect();
        store.put_decisions(&records).unwrap();
    }
    let leave = |since, until| {
        let mut left = Vec::new();
        let taken = store.each_decision(since, until, |record| {
            left.push(record.at);
            Ok::<(), StoreError>(())
        });
        taken.unwrap();
        left
    };
    assert_eq!(leave(Timestamp::MIN, Timestamp::MAX), [1, 2, 3, 4, 5, 8, 9, 20].map(at));
    assert_eq!(leave(at(3), at(9)), [3, 4, 5, 8].map(at), "from, until before");
    assert_eq!(leave(at(21), Timestamp::MAX), []);
}
