//! A process that is killed has stored, or left for the next one, every decision that it gave.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use assay_store::{DecisionLog, Store};

use crate::fixture::decision;

/// Set in the process that is killed: its directory.
const DIRECTORY: &str = "ASSAY_TEST_KILLED_DIRECTORY";
const KILLS: usize = 25;

#[test]
fn every_decision_that_was_given_before_a_kill_is_stored_after_it() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        decide_until_killed(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut given = BTreeSet::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::every_decision_that_was_given_before_a_kill_is_stored_after_it", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Killed in the middle of the work, at another place each time; what it said until then was said to somebody.
        let ids = |line: &String| line.len() == 16;
        given.extend(lines.by_ref().filter(ids).take(1 + kill * 7));
        child.kill().unwrap();
        given.extend(lines.filter(ids));
        child.wait().unwrap();
        assert!(!given.is_empty());
    }
    let store = open(directory.path()).0;
    for id in &given {
        assert!(store.decision(id).unwrap().is_some(), "{id} of {} was given and is lost", given.len());
    }
}

fn open(directory: &Path) -> (Arc<Store>, DecisionLog) {
    let store = Arc::new(Store::open(&directory.join("store.db")).unwrap());
    let log = DecisionLog::open(Arc::clone(&store), &directory.join("log")).unwrap();
    (store, log)
}

/// Gives decisions and names them; large ones, so that segments are closed and stored all the time.
fn decide_until_killed(directory: &Path) -> ! {
    let (store, log) = open(directory);
    let before = store.decisions(1).unwrap().first().map_or(0, |record| record.at.as_second() - 1_790_000_000);
    for number in before.unsigned_abs() + 1.. {
        let mut record = decision(number, true, b"v1");
        record.verdict.notes = vec!["x".repeat(100_000)];
        log.append(&record).unwrap();
        // One write: a line is said whole or not at all.
        std::io::stdout().write_all(format!("{}\n", record.id).as_bytes()).unwrap();
    }
    unreachable!("the numbers do not end");
}
