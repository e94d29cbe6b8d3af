//! The ledger shows every change made after the fact.

use assay_model::Digest;
use assay_store::{LedgerEvent, Release, StoreError};

use crate::fixture::{at, promotion};
use crate::place::{Place, on_both};

on_both!(
    entries_are_numbered_and_chained,
    a_retirement_is_seen_by_the_promotions_before_it,
    tampering_is_found,
    releases_come_back_by_name,
);

fn promoted(digest: &[u8], environment: &str) -> LedgerEvent {
    LedgerEvent::Promotion {
        promotion: Box::new(promotion(digest, environment)),
        rollback: false,
        findings: Some(Digest::of(b"findings")),
        pack: Some(Digest::of(b"pack")),
        exceptions: vec!["payments-zlib".into()],
        decision: Some("7f3a".into()),
    }
}

fn entries_are_numbered_and_chained(place: &Place) {
    let store = place.open();
    assert_eq!(store.verify_ledger().unwrap().entries, 0);
    for environment in ["dev", "staging", "prod"] {
        store.append_ledger(promoted(b"v1", environment)).unwrap();
    }
    let status = store.verify_ledger().unwrap();
    assert_eq!(status.entries, 3);
    let promotions = store.promotions().unwrap();
    assert_eq!(promotions.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.ledger().unwrap().last().unwrap().hash, status.head.unwrap());
    assert_eq!(store.ledger_head().unwrap(), Some((3, status.head.unwrap().to_string())));
}

fn a_retirement_is_seen_by_the_promotions_before_it(place: &Place) {
    let store = place.open();
    store.append_ledger(promoted(b"v1", "prod")).unwrap();
    store.append_ledger(promoted(b"v1", "staging")).unwrap();
    let retired = LedgerEvent::Retirement {
        digest: Digest::of(b"v1"),
        environment: "prod".parse().unwrap(),
        reason: "CVE-2026-1234".into(),
        by: "ada".into(),
        at: at(9),
    };
    store.append_ledger(retired).unwrap();
    let retired: Vec<_> = store.promotions().unwrap().into_iter().map(|p| p.retired).collect();
    assert_eq!(retired, [Some("CVE-2026-1234".to_owned()), None]);
}

fn tampering_is_found(place: &Place) {
    for (statement, number) in [
        ("UPDATE ledger SET body = replace(body, 'ada', 'eve') WHERE number = 2", 2),
        ("DELETE FROM ledger WHERE number = 1", 1),
        ("DELETE FROM ledger WHERE number = 2", 2),
        ("DELETE FROM ledger WHERE number = 3", 3),
        ("UPDATE ledger SET hash = (SELECT hash FROM ledger WHERE number = 1) WHERE number = 3", 3),
        ("UPDATE ledger SET number = 9 WHERE number = 3", 3),
    ] {
        let store = place.open();
        place.ask("DELETE FROM ledger; DELETE FROM ledger_head");
        for environment in ["dev", "staging", "prod"] {
            store.append_ledger(promoted(b"v1", environment)).unwrap();
        }
        place.ask(statement);
        match store.verify_ledger() {
            Err(StoreError::Ledger { number: found, .. }) => assert_eq!(found, number, "{statement}"),
            other => panic!("{statement}: {other:?}"),
        }
        assert!(store.promotions().is_err(), "a broken ledger proves nothing");
    }
}

fn releases_come_back_by_name(place: &Place) {
    let store = place.open();
    let release = Release {
        name: "payments-api-1.18".into(),
        service: "payments-api".into(),
        digest: Digest::of(b"v1"),
        object: serde_json::json!({"kind": "ReleaseArtifact"}),
    };
    store.put_release(&release).unwrap();
    assert_eq!(store.release("payments-api-1.18").unwrap(), Some(release));
    assert_eq!(store.release("other").unwrap(), None);
}
