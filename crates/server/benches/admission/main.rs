//! Warm admission beside a webhook that does nothing, on the same server stack, in one run.
//!
//!     cargo bench -p assay-server --bench admission
//!
//! Two child processes serve HTTPS on loopback: Assay with all controls of prod and a Pod of ten verified images, and a
//! webhook that answers "allowed" to whatever comes. Rounds alternate. Each offers 200 requests a second over eight
//! connections, and reports the latency as seen by the client and the CPU time that the kernel charged to the child.
//!
//!     cargo bench -p assay-server --bench admission -- soak [SECONDS]
//!
//! sends Assay requests for two minutes, each for another Pod, as fast as they are answered, prints what stays in memory,
//! and fails where that grows.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

mod fixture;

/// That of the `assay` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const RATE: u32 = 200;
const SECONDS: u32 = 5;
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;
/// How long a soak takes, and how often it looks.
const SOAK: Duration = Duration::from_mins(2);
const SOAK_LOOKS: u32 = 24;
/// The share by which memory may differ from what it was after a quarter of the time: what an allocator keeps varies.
const SOAK_GROWTH: f64 = 1.10;

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match std::env::args().nth(1).as_deref() {
        Some("serve-assay") => runtime.block_on(fixture::serve_assay()),
        Some("serve-nothing") => runtime.block_on(fixture::serve_nothing()),
        Some("soak") => runtime.block_on(soak(std::env::args().nth(2))),
        // `cargo test --benches` runs it without `--bench`: nothing is to be measured then.
        _ if std::env::args().any(|argument| argument == "--bench") => runtime.block_on(measure()),
        _ => {}
    }
}

struct Served {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Served {
    fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        lines.read_line(&mut url).unwrap();
        let mut length = String::new();
        lines.read_line(&mut length).unwrap();
        let mut certificate = vec![0; length.trim().parse().unwrap()];
        lines.read_exact(&mut certificate).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&certificate).unwrap())
            .http1_only()
            .no_proxy()
            .pool_max_idle_per_host(CONNECTIONS)
            .build()
            .unwrap();
        Self { child, url: url.trim().to_owned(), client }
    }

    /// CPU time of the child so far, user and system (proc(5), /proc/PID/schedstat: nanoseconds on a CPU, all threads).
    fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Figures {
    cpu: f64,
    p50: f64,
    p99: f64,
}

/// Offers `RATE` requests a second. The latency of a request counts from when it was due, so that a stall is not hidden
/// by the requests that it held up.
async fn round(served: &Served, body: &Arc<str>) -> Figures {
    let before = served.cpu();
    let begin = Instant::now() + Duration::from_millis(50);
    let requests = RATE * SECONDS;
    let mut connections = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (client, url, body) = (served.client.clone(), served.url.clone(), Arc::clone(body));
        connections.spawn(async move {
            let mut latencies = Vec::new();
            for number in (connection..requests as usize).step_by(CONNECTIONS) {
                let due = begin + Duration::from_secs(1) * u32::try_from(number).unwrap() / RATE;
                tokio::time::sleep_until(due).await;
                post(client.clone(), &url, body.to_string()).await;
                latencies.push(due.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = connections.join_all().await.into_iter().flatten().collect();
    let cpu = served.cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(requests);
    latencies.sort();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    Figures { cpu, p50: at(0.50), p99: at(0.99) }
}

async fn post(client: reqwest::Client, url: &str, body: String) {
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("\"allowed\":true"), "{text}");
}

async fn soak(seconds: Option<String>) {
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).map_or(SOAK, Duration::from_secs);
    let assay = Served::start("serve-assay");
    let body = fixture::review();
    let sent = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + seconds;
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, url, body, sent) = (assay.client.clone(), assay.url.clone(), Arc::clone(&body), Arc::clone(&sent));
        connections.spawn(async move {
            while Instant::now() < end {
                let name = format!("\"name\":\"api-{}\"", sent.fetch_add(1, Ordering::Relaxed));
                post(client.clone(), &url, body.replace("\"name\":\"api\"", &name)).await;
            }
        });
    }
    let mut resident = Vec::new();
    for look in 1..=SOAK_LOOKS {
        tokio::time::sleep_until(end - seconds + seconds * look / SOAK_LOOKS).await;
        resident.push(assay.resident_kib());
        println!("{:8} requests: resident {} MB", sent.load(Ordering::Relaxed), assay.resident_kib() / 1024);
    }
    connections.join_all().await;
    let quarter = resident.len() / 4;
    let largest = |part: &[u64]| part.iter().copied().max().unwrap() as f64;
    let (then, now) = (largest(&resident[quarter..2 * quarter]), largest(&resident[3 * quarter..]));
    println!("second quarter {:.1} MB, last {:.1} MB", then / 1024.0, now / 1024.0);
    assert!(now <= then * SOAK_GROWTH, "memory grows");
}

async fn measure() {
    let (assay, nothing) = (Served::start("serve-assay"), Served::start("serve-nothing"));
    let body = fixture::review();
    round(&assay, &body).await;
    round(&nothing, &body).await;
    println!("{RATE} requests/s, {} a round, body {} bytes, 10 images", RATE * SECONDS, body.len());
    println!("round        CPU us   p50 ms   p99 ms");
    let (mut ratios, mut cpus) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let ours = round(&assay, &body).await;
        let none = round(&nothing, &body).await;
        println!("{number} assay     {:6.0}   {:6.2}   {:6.2}", ours.cpu, ours.p50, ours.p99);
        println!("{number} nothing   {:6.0}   {:6.2}   {:6.2}", none.cpu, none.p50, none.p99);
        ratios.push(ours.p99 / none.p99);
        cpus.push(ours.cpu);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("median CPU a request {:.0} us", median(&mut cpus));
    println!("median of p99 assay / p99 nothing {:.2}", median(&mut ratios));
    println!("resident assay {} MB", assay.resident_kib() / 1024);
}
