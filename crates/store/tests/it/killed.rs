//! A process that is killed has stored, or left for the next one, every decision that it gave.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use assay_store::DecisionLog;

use crate::fixture::decision;
use crate::place::{Place, on_both, open};

on_both!(every_decision_that_was_given_before_a_kill_is_stored_after_it);

/// Set in the process that is killed: its directory, and its store.
const DIRECTORY: &str = "ASSAY_TEST_KILLED_DIRECTORY";
const STORE: &str = "ASSAY_TEST_KILLED_STORE";
/// How often; `ASSAY_KILLS` says otherwise (1,000 in the nightly run).
const KILLS: u64 = 20;

fn every_decision_that_was_given_before_a_kill_is_stored_after_it(place: &Place) {
    let kills = std::env::var("ASSAY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut given = BTreeSet::new();
    let mut random = 0x853c_49e6_748f_ea9b_u64;
    for _ in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::decides_until_it_is_killed", "--nocapture", "--ignored"])
            .env(DIRECTORY, place.path())
            .env(STORE, place.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Killed in the middle of the work, at another place each time; what it said until then was said to somebody.
        let ids = |line: &String| line.len() == 16;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        given.extend(lines.by_ref().filter(ids).take((random >> 33) as usize % 120));
        child.kill().unwrap();
        given.extend(lines.filter(ids));
        child.wait().unwrap();
    }
    assert!(given.len() > 10 * usize::try_from(kills).unwrap(), "only {} were given", given.len());
    let store = Arc::new(place.open());
    drop(DecisionLog::open(Arc::clone(&store), &place.path().join("log")).unwrap());
    for id in &given {
        assert!(store.decision(id).unwrap().is_some(), "{id} of {} was given and is lost", given.len());
    }
}

/// Gives decisions and names them; large ones, so that segments are closed and stored all the time.
#[test]
#[ignore = "the process that is killed"]
fn decides_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let store = Arc::new(open(&std::env::var(STORE).unwrap(), directory).unwrap());
    let log = DecisionLog::open(Arc::clone(&store), &directory.join("log")).unwrap();
    let before = store.decisions(1).unwrap().first().map_or(0, |record| record.at.as_second() - 1_790_000_000);
    for number in before.unsigned_abs() + 1.. {
        let mut record = decision(number, true, b"v1");
        record.verdict.notes = vec!["x".repeat(100_000)];
        log.append(&record).unwrap();
        // One write: a line is said whole or not at all.
        std::io::stdout().write_all(format!("{}\n", record.id).as_bytes()).unwrap();
    }
}
