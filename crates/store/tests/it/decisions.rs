//! Decisions are kept, redacted, and survive a killed process.

use std::sync::Arc;

use assay_case::Document;
use assay_model::Digest;
use assay_store::{DecisionLog, RedactedObject, Store};

use crate::fixture::{at, decision};

#[test]
fn a_decision_is_found_by_the_beginning_of_its_id() {
    let store = Store::in_memory().unwrap();
    let records: Vec<_> = (0..40).map(|number| decision(number, true, b"v1")).collect();
    store.put_decisions(&records).unwrap();
    store.put_decisions(&records).unwrap();
    assert_eq!(store.decisions(100).unwrap().len(), 40, "replaying adds nothing");
    assert_eq!(store.decision(&records[7].id[..12]).unwrap().as_ref(), Some(&records[7]));
    assert_eq!(store.decision(&records[7].id).unwrap().unwrap().microseconds, 120);
    assert_eq!(store.decision("%").unwrap(), None);
    assert_eq!(store.decision("").unwrap(), None);
    let first = &records[0].id[..1];
    let matching = records.iter().filter(|record| record.id.starts_with(first)).count();
    assert!(matching > 1, "the fixture has two with the same first digit");
    assert!(store.decision(first).is_err(), "ambiguous");
    assert_eq!(store.decisions(1).unwrap()[0].at, at(39), "newest first");
}

#[test]
fn admissions_are_what_was_allowed_for_good() {
    let store = Store::in_memory().unwrap();
    let mut dry = decision(3, true, b"dry");
    dry.dry_run = true;
    store.put_decisions(&[decision(1, true, b"good"), decision(2, false, b"bad"), dry]).unwrap();
    let admissions = store.admissions_since(at(0)).unwrap();
    assert_eq!(admissions.iter().map(|a| a.digest).collect::<Vec<_>>(), [Digest::of(b"good")]);
    assert_eq!(admissions[0].workload, "Pod/api");
    assert!(store.admissions_since(at(2)).unwrap().is_empty());
    assert_eq!(store.decisions_of(Digest::of(b"bad")).unwrap().len(), 1);
}

#[test]
fn secrets_of_the_object_are_not_kept() {
    let text = br#"{"metadata": {"name": "api", "managedFields": [1], "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "s3cret", "assay.dev/owner": "team-payments"}},
        "spec": {"containers": [{"name": "api", "env": [{"name": "PASSWORD", "value": "s3cret"},
        {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]}],
        "initContainers": [{"env": [{"name": "A", "value": "s3cret"}]}]}, "status": {"phase": "s3cret"}}"#;
    let kept = RedactedObject::of(Document::from_json(text).unwrap().root());
    let kept: serde_json::Value = serde_json::from_str(kept.text()).unwrap();
    assert!(!kept.to_string().contains("s3cret"), "{kept}");
    assert_eq!(kept["metadata"]["annotations"]["assay.dev/owner"], "team-payments");
    assert_eq!(kept["spec"]["containers"][0]["env"][0], serde_json::json!({"name": "PASSWORD", "value": "***"}));
    assert_eq!(kept["spec"]["containers"][0]["env"][1]["valueFrom"]["secretKeyRef"]["key"], "y");
}

#[test]
fn the_log_brings_records_into_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let log = DecisionLog::open(Arc::clone(&store), directory.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..25 {
                    log.append(&decision(thread * 100 + number, true, b"v1")).unwrap();
                }
            });
        }
    });
    assert!(log.flush());
    assert_eq!(log.waiting(), 0);
    assert_eq!(store.decisions(1000).unwrap().len(), 100);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "segments are gone");
}

#[test]
fn what_a_killed_process_left_is_taken_in() {
    let directory = tempfile::tempdir().unwrap();
    let line = |number| serde_json::to_string(&decision(number, true, b"v1")).unwrap() + "\n";
    let torn = line(3);
    let segment = line(1) + &line(2) + &torn[..torn.len() / 2];
    std::fs::write(directory.path().join("00000001.decisions"), segment).unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let log = DecisionLog::open(Arc::clone(&store), directory.path()).unwrap();
    assert_eq!(store.decisions(10).unwrap().len(), 2);
    log.append(&decision(4, true, b"v1")).unwrap();
    drop(log);
    assert_eq!(store.decisions(10).unwrap().len(), 3, "dropping the log stores what waits");
}

#[test]
fn a_damaged_segment_is_kept_aside() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("00000001.decisions"), "x\ny\n").unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let _log = DecisionLog::open(store, directory.path()).unwrap();
    assert!(directory.path().join("00000001.damaged").exists());
}

#[test]
fn a_database_that_fails_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Arc::new(Store::open(&path).unwrap());
    let log = DecisionLog::open(Arc::clone(&store), &directory.path().join("log")).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE decision RENAME TO hidden").unwrap();
    log.append(&decision(1, true, b"v1")).unwrap();
    assert!(!log.flush(), "the store does not take it");
    assert_eq!(log.waiting(), 1);
    other.execute_batch("ALTER TABLE hidden RENAME TO decision").unwrap();
    assert!(log.flush());
    assert_eq!(store.decisions(10).unwrap().len(), 1);
}

#[test]
fn a_log_that_cannot_be_written_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let log_path = directory.path().join("log");
    let log = DecisionLog::open(Arc::new(Store::in_memory().unwrap()), &log_path).unwrap();
    std::fs::remove_dir_all(&log_path).unwrap();
    std::fs::write(&log_path, "in the way").unwrap();
    assert!(log.append(&decision(1, true, b"v1")).is_err());
}
