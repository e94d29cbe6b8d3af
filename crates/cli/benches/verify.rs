//! `assay verify` beside `cosign verify`: the same image in the same registry on loopback, signed with the same key, by turns.
//! Whole processes, from start to exit.
//!
//!     tests/peers/install.sh cosign registry
//!     cargo bench -p assay-cli --bench verify
#![allow(missing_docs, dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/interop/home.rs"]
mod home;
#[path = "../tests/interop/peer.rs"]
mod peer;
#[path = "../tests/interop/registry.rs"]
mod registry;
#[path = "../tests/interop/service.rs"]
mod service;

use std::io::Write as _;
use std::time::{Duration, Instant};

use home::Home;
use registry::Place;

const ROUNDS: usize = 5;
/// Processes of each program in a round.
const RUNS: u32 = 20;
/// Of `/proc/PID/stat` (man 5 proc): USER_HZ is 100 everywhere.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of children that have ended (proc(5), fields 16 and 17 of `stat`).
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    TICK * (fields[13].parse::<u32>().unwrap() + fields[14].parse::<u32>().unwrap())
}

/// Wall and processor time of one process, in milliseconds, on average.
fn measured(run: impl Fn()) -> [f64; 2] {
    let (started, before) = (Instant::now(), spent());
    for _ in 0..RUNS {
        run();
    }
    [started.elapsed(), spent().saturating_sub(before)].map(|time| time.as_secs_f64() * 1e3 / f64::from(RUNS))
}

fn main() {
    if !peer::installed(&["cosign", "registry"]) {
        return;
    }
    let place = Place::distribution();
    let home = Home::new(place.logs());
    home.peer("cosign", &["generate-key-pair"]).ok();
    home.peer("cosign", &["signing-config", "create", "--out", "none.json"]).ok();
    home.peer("cosign", &["trusted-root", "create", "--out", "empty.json"]).ok();
    let image = place.push(&home, "bench", "verified");
    let sign = ["sign", "--key", "cosign.key", "--signing-config", "none.json", "--trusted-root", "empty.json", &image];
    home.peer("cosign", &sign).ok();
    let ours = || drop(home.assay(&["verify", "--key", "cosign.pub", &image]).ok());
    let theirs =
        ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--trusted-root", "empty.json", &image];
    let theirs = || drop(home.peer("cosign", &theirs).ok());

    let mut out = std::io::stdout();
    writeln!(out, "| round | assay wall ms | CPU ms | cosign wall ms | CPU ms | wall ratio | CPU ratio |").unwrap();
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|").unwrap();
    for round in 1..=ROUNDS {
        let ([wall, cpu], [their_wall, their_cpu]) = (measured(ours), measured(theirs));
        writeln!(
            out,
            "| {round} | {wall:.1} | {cpu:.1} | {their_wall:.1} | {their_cpu:.1} | {:.2} | {:.2} |",
            wall / their_wall,
            cpu / their_cpu
        )
        .unwrap();
    }
}
