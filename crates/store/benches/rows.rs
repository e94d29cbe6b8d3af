//! Rows a second into and out of each database, by the store's own questions.
//!
//!     cargo bench -p assay-store --bench rows
//!
//! Decisions are put down as the decision log does it: five hundred in a transaction, packed into one row, with the rows by which
//! they are found. Pods are those of a cluster, all anew. PostgreSQL runs beside it on loopback over TCP, and syncs nothing to
//! the disk; SQLite does as it does in production.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

#[path = "../tests/it/fixture.rs"]
#[allow(dead_code, reason = "not all of them are needed here")]
mod fixture;
#[path = "../tests/it/peer.rs"]
#[allow(clippy::panic, reason = "of the tests")]
mod peer;

use std::time::{Duration, Instant};

use assay_case::ContainerRole;
use assay_model::Digest;
use assay_store::{DecisionRecord, ImageRecord, RunningPod, Store, StoreLocation};

const ROUNDS: u64 = 5;
const DECISIONS: u64 = 500;
/// Images of a decision, each of which is a row by which it is found, and another one of what was admitted.
const IMAGES: u64 = 10;
const PODS: usize = 5_000;

fn main() {
    // `cargo test --benches` runs it without `--bench`: nothing is to be measured then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{:<12} {:>16} {:>14} {:>14} {:>16}", "", "decisions/s in", "rows/s in", "Pods/s in", "Pods/s out");
    let folder = tempfile::tempdir().unwrap();
    measure("SQLite", &Store::open(&folder.path().join("store.db")).unwrap());
    if let Some(server) = peer::Server::get()
        && let StoreLocation::Postgres(location) = server.url(&server.database()).parse().unwrap()
    {
        measure("PostgreSQL", &Store::postgres(&location, &folder.path().join("store.key")).unwrap());
    }
}

fn measure(name: &str, store: &Store) {
    let decided = median(|round| {
        let records: Vec<DecisionRecord> = (0..DECISIONS).map(|number| decision(round * DECISIONS + number)).collect();
        let begin = Instant::now();
        store.put_decisions(&records).unwrap();
        begin.elapsed()
    });
    let synced = median(|round| {
        let pods: Vec<RunningPod> = (0..PODS).map(|number| pod(number, round)).collect();
        let begin = Instant::now();
        store.sync_inventory("bench", fixture::at(round.cast_signed()), &pods).unwrap();
        begin.elapsed()
    });
    let read = median(|_| {
        let begin = Instant::now();
        assert_eq!(store.inventory().unwrap().len(), PODS);
        begin.elapsed()
    });
    let (decisions, pods) = (DECISIONS as f64 / decided, PODS as f64 / synced);
    // Of a decision: itself, and of each image where it is found and what was admitted.
    let rows = decisions * (1 + 2 * IMAGES) as f64;
    println!("{name:<12} {decisions:>16.0} {rows:>14.0} {pods:>14.0} {:>16.0}", PODS as f64 / read);
}

/// Seconds.
fn median(mut work: impl FnMut(u64) -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS).map(&mut work).collect();
    times.sort_unstable();
    times.get(times.len() / 2).unwrap().as_secs_f64()
}

/// A decision about ten images that no other decision is about.
fn decision(number: u64) -> DecisionRecord {
    let mut record = fixture::decision(number, true, b"");
    record.request.images = (0..IMAGES)
        .map(|image| ImageRecord {
            role: ContainerRole::Container,
            name: format!("c{image}"),
            field: format!("spec.containers[{image}].image"),
            written: "registry.example.com/payments/api:prod".into(),
            digests: vec![Digest::of(format!("{number} {image}").as_bytes())],
            covering: Vec::new(),
        })
        .collect();
    record
}

/// A Pod that is another one in each round.
fn pod(number: usize, round: u64) -> RunningPod {
    let name = format!("api-{round}-{number}");
    fixture::pod(&name, &format!("api-{}", number / 10), format!("{}", number / 10).as_bytes(), fixture::at(0))
}
