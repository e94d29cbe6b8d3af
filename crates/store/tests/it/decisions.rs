//! Decisions are kept, redacted, and survive a killed process.

use std::io::Write as _;
use std::sync::Arc;

use assay_case::Document;
use assay_model::Digest;
use assay_store::{DecisionLog, RedactedObject, Store};

use crate::fixture::{at, decision};
use crate::place::{Place, on_both};

on_both!(
    a_decision_is_found_by_the_beginning_of_its_id,
    admissions_are_what_was_allowed_for_good,
    the_newest_decisions_are_found_whatever_batch_they_came_in,
    the_log_brings_records_into_the_store,
    a_segment_that_was_stored_before_the_crash_is_stored_once,
    a_full_segment_does_not_wait_for_its_time,
    a_damaged_segment_is_kept_aside,
    a_database_that_fails_loses_nothing,
    a_log_that_cannot_be_written_says_so,
);

fn a_decision_is_found_by_the_beginning_of_its_id(place: &Place) {
    let store = place.open();
    let records: Vec<_> = (0..40).map(|number| decision(number, true, b"v1")).collect();
    store.put_decisions(&records[..20]).unwrap();
    store.put_decisions(&[&records[..], &records[..]].concat()).unwrap();
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

fn admissions_are_what_was_allowed_for_good(place: &Place) {
    let store = place.open();
    let of = |number, allowed, image: &[u8], kind: &str| {
        let mut record = decision(number, allowed, image);
        record.request.workload.kind = kind.into();
        record
    };
    let mut dry = of(3, true, b"dry", "ReplicaSet");
    dry.dry_run = true;
    let good = of(1, true, b"good", "ReplicaSet");
    store.put_decisions(&[good, of(2, false, b"bad", "ReplicaSet"), dry, of(6, true, b"a Pod", "Pod")]).unwrap();
    let admissions = store.admissions_since(at(0)).unwrap();
    assert_eq!(admissions.iter().map(|a| a.digest).collect::<Vec<_>>(), [Digest::of(b"good")]);
    assert_eq!(admissions[0].workload, "ReplicaSet/api");
    assert!(store.admissions_since(at(2)).unwrap().is_empty());
    assert_eq!(store.decisions_of(Digest::of(b"bad")).unwrap().len(), 1);

    let again = of(5, true, b"good", "ReplicaSet");
    store.put_decisions(&[again.clone(), of(4, true, b"good", "ReplicaSet")]).unwrap();
    let admissions = store.admissions_since(at(0)).unwrap();
    assert_eq!(admissions.iter().map(|a| (a.at, &a.decision)).collect::<Vec<_>>(), [(at(5), &again.id)], "the last");
}

fn the_newest_decisions_are_found_whatever_batch_they_came_in(place: &Place) {
    let store = place.open();
    let of = |numbers: &[u64]| numbers.iter().map(|number| decision(*number, true, b"v1")).collect::<Vec<_>>();
    store.put_decisions(&of(&[1, 2, 9])).unwrap();
    store.put_decisions(&of(&[3, 8])).unwrap();
    store.put_decisions(&of(&[4, 5])).unwrap();
    let newest = |limit| store.decisions(limit).unwrap().iter().map(|record| record.at).collect::<Vec<_>>();
    assert_eq!(newest(3), [at(9), at(8), at(5)]);
    assert_eq!(newest(1), [at(9)]);
    assert_eq!(newest(0), []);
    assert_eq!(store.decisions_of(Digest::of(b"v1")).unwrap(), store.decisions(100).unwrap());
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

fn the_log_brings_records_into_the_store(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(place.open());
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

/// A segment as an earlier version leaves it that is killed after these lines.
fn segment(lines: &[&str]) -> Vec<u8> {
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for line in lines {
        packer.write_all(line.as_bytes()).unwrap();
        packer.flush().unwrap();
    }
    packer.get_ref().clone()
}

fn line(number: u64) -> String {
    serde_json::to_string(&decision(number, true, b"v1")).unwrap() + "\n"
}

#[test]
fn what_a_killed_process_left_is_taken_in() {
    let whole = segment(&[&line(1), &line(2)]);
    let all = segment(&[&line(1), &line(2), &line(3)]);
    for length in (0..all.len()).step_by(17).chain([whole.len(), all.len()]) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("00000001.decisions"), &all[..length]).unwrap();
        let store = Arc::new(Store::in_memory().unwrap());
        drop(DecisionLog::open(Arc::clone(&store), directory.path()).unwrap());
        let found = store.decisions(10).unwrap().len();
        assert!(found <= 3 && (length < whole.len() || found >= 2) && (length < all.len() || found == 3), "{length}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is damaged at {length}");
    }
    let directory = tempfile::tempdir().unwrap();
    let torn = line(3);
    std::fs::write(
        directory.path().join("00000001.decisions"),
        segment(&[&line(1), &line(2), &torn[..torn.len() / 2]]),
    )
    .unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let log = DecisionLog::open(Arc::clone(&store), directory.path()).unwrap();
    assert_eq!(store.decisions(10).unwrap().len(), 2);
    log.append(&decision(4, true, b"v1")).unwrap();
    drop(log);
    assert_eq!(store.decisions(10).unwrap().len(), 3, "dropping the log stores what waits");
}

fn a_segment_that_was_stored_before_the_crash_is_stored_once(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(place.open());
    let records: Vec<_> = (0..3).map(|number| decision(number, true, b"v1")).collect();
    store.put_decisions(&records[..2]).unwrap();
    let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    std::fs::write(directory.path().join("00000001.decisions"), segment(&lines)).unwrap();
    drop(DecisionLog::open(Arc::clone(&store), directory.path()).unwrap());
    assert_eq!(store.decisions(10).unwrap().len(), 3);
    assert_eq!(store.decisions_of(Digest::of(b"v1")).unwrap().len(), 3);
}

fn a_full_segment_does_not_wait_for_its_time(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(place.open());
    let log = DecisionLog::open(Arc::clone(&store), &directory.path().join("log")).unwrap();
    let mut large = decision(0, true, b"v1");
    large.verdict.notes = vec!["x".repeat(300_000)];
    for number in 0..40 {
        let small = decision(number, true, b"v1");
        log.append(&assay_store::DecisionRecord { verdict: large.verdict.clone(), ..small }).unwrap();
    }
    assert!(log.flush());
    assert_eq!(store.decisions(100).unwrap().len(), 40);
    let found = place.ask("SELECT count(*), max(size) FROM decision_batch").remove(0);
    let (rows, largest) = found.split_once('|').unwrap();
    let (rows, largest): (i64, i64) = (rows.parse().unwrap(), largest.parse().unwrap());
    assert!(rows >= 10 && largest < 2 << 20, "{rows} rows, the largest has {largest} bytes");
}

fn a_damaged_segment_is_kept_aside(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("00000001.decisions"), "x\ny\n").unwrap();
    std::fs::write(directory.path().join("00000002.decisions"), segment(&[&line(1), "{}\n", &line(2)])).unwrap();
    let store = Arc::new(place.open());
    let _log = DecisionLog::open(Arc::clone(&store), directory.path()).unwrap();
    assert!(directory.path().join("00000001.damaged").exists());
    assert!(directory.path().join("00000002.damaged").exists());
    assert_eq!(store.decisions(10).unwrap().len(), 2, "what can be read is taken in");
}

fn a_database_that_fails_loses_nothing(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(place.open());
    let log = DecisionLog::open(Arc::clone(&store), &directory.path().join("log")).unwrap();
    place.ask("ALTER TABLE decision RENAME TO hidden");
    // More segments than are kept in memory.
    for number in 1..=8 {
        log.append(&decision(number, true, b"v1")).unwrap();
        assert!(!log.flush(), "the store does not take it");
        assert_eq!(log.waiting(), number);
    }
    place.ask("ALTER TABLE hidden RENAME TO decision");
    assert!(log.flush());
    assert_eq!(log.waiting(), 0);
    assert_eq!(store.decisions(10).unwrap().len(), 8);
}

fn a_log_that_cannot_be_written_says_so(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let log_path = directory.path().join("log");
    let log = DecisionLog::open(Arc::new(place.open()), &log_path).unwrap();
    std::fs::remove_dir_all(&log_path).unwrap();
    std::fs::write(&log_path, "in the way").unwrap();
    assert!(log.append(&decision(1, true, b"v1")).is_err());
}
