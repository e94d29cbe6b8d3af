//! The background audit of 20,000 Pods: how long taking them in lasts, and judging all of them again.
//!
//!     cargo bench -p assay-server --bench audit
//!
//! A thousand workloads in two hundred namespaces, twenty Pods each, three images a Pod, every control of prod, facts at
//! hand. One thread does it all, so that its time is CPU time on a quiet machine.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use assay_case::{EvidenceSet, Facts, Known, Resolution, World};
use assay_gate::{Policy, PolicyInput, starter_environments};
use assay_kube::{SERVICES, StoredObject, reduced_pod, reduced_route};
use assay_model::{Contents, Digest, Findings as Matched, PackInfo, Subject, Timestamp};
use assay_server::audit::{Findings, Judge, Population, Recorded, Routes, Source};
use assay_server::{GatheredFacts, Namespaces};
use serde_json::json;

/// That of the `assay` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKLOADS: usize = 1_000;
const NAMESPACES: usize = 200;
const REPLICAS: usize = 20;
const IMAGES: usize = 300;
const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` runs it without `--bench`: nothing is to be measured then.
    if std::env::args().any(|argument| argument == "--bench") {
        measure();
    }
}

fn image(number: usize) -> String {
    let digest = Digest::of(format!("image {}", number % IMAGES).as_bytes());
    format!("registry.example.com/release/app@{digest}")
}

fn pod(workload: usize, replica: usize) -> StoredObject {
    let containers: Vec<_> = (0..3)
        .map(|number| {
            json!({
                "name": format!("c{number}"), "image": image(workload * 3 + number), "imagePullPolicy": "IfNotPresent",
                "env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
                "securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            })
        })
        .collect();
    let statuses: Vec<_> = (0..3)
        .map(|number| json!({"name": format!("c{number}"), "imageID": image(workload * 3 + number), "restartCount": replica}))
        .collect();
    let name = format!("app-{workload}-77-{replica}");
    StoredObject(json!({
        "metadata": {
            "name": name, "namespace": format!("team-{}", workload % NAMESPACES), "uid": name,
            "labels": {"app": format!("app-{workload}"), "pod-template-hash": "77"},
            "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": format!("app-{workload}-77")}],
        },
        "spec": {"serviceAccountName": "app", "nodeName": format!("node-{}", replica % 40), "containers": containers},
        "status": {"phase": "Running", "startTime": "2026-11-20T08:00:00Z", "containerStatuses": statuses},
    }))
}

fn facts(now: Timestamp) -> GatheredFacts {
    let pack =
        PackInfo { digest: Digest::of(b"pack"), data_until: now, records: 1, ecosystems: vec!["Debian:12".into()] };
    let findings = Arc::new(Matched { vulnerabilities: Vec::new(), matched_at: now, pack, uncovered: 0 });
    let of = |number: usize| {
        let written = image(number);
        let digest = written.rsplit_once('@').unwrap().1.parse().unwrap();
        let repository = "registry.example.com/release/app".parse().unwrap();
        let facts = Facts {
            subject: Subject { repository, digest, index: None, platform: None },
            resolution: Resolution::ByDigest,
            contents: Known::new(Arc::new(Contents::default()), now),
            findings: Known::new(Arc::clone(&findings), now),
            evidence: Known::new(EvidenceSet::default(), now),
        };
        (written, Known::new(vec![Arc::new(facts)], now))
    };
    (0..IMAGES).map(of).collect()
}

fn measure() {
    let now = Timestamp::now();
    let environments = starter_environments().unwrap();
    let policy = Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap();
    let labels = BTreeMap::from([("assay.dev/environment".to_owned(), "prod".to_owned())]);
    let namespaces: Namespaces = (0..NAMESPACES).map(|number| (format!("team-{number}"), labels.clone())).collect();
    let pods: Vec<StoredObject> =
        (0..WORKLOADS * REPLICAS).map(|number| pod(number / REPLICAS, number % REPLICAS)).collect();
    let services: Vec<StoredObject> = (0..WORKLOADS)
        .map(|number| {
            let spec = json!({"type": "ClusterIP", "selector": {"app": format!("app-{number}")}});
            let metadata =
                json!({"name": format!("app-{number}"), "namespace": format!("team-{}", number % NAMESPACES)});
            reduced_route(StoredObject(json!({"metadata": metadata, "spec": spec})))
        })
        .collect();
    let (facts, world, recorded) = (facts(now), World::unknown(), Recorded::new());

    let started = Instant::now();
    let mut population = Population::default();
    for pod in pods {
        population.apply(&reduced_pod(pod));
    }
    let groups = population.groups().count();
    println!("{} Pods in {groups} groups taken in: {} ms", population.len(), started.elapsed().as_millis());

    let mut routes = Routes::default();
    routes.list(SERVICES, &services);
    let started = Instant::now();
    let exposure = routes.exposure(&population);
    println!("exposure by {} Services: {} ms", services.len(), started.elapsed().as_millis());
    assert_eq!(exposure.len(), WORKLOADS);

    let mut findings = Findings::new("default", BTreeMap::new());
    for round in 0..ROUNDS {
        let started = Instant::now();
        let judge = Judge {
            policy: &policy,
            namespaces: &namespaces,
            world: &world,
            exposure: &exposure,
            now: Timestamp::now(),
        };
        for (key, group) in population.groups() {
            let known: GatheredFacts = group
                .images()
                .into_iter()
                .map(|image| (image.written.clone(), facts[&image.written].clone()))
                .collect();
            let verdict = judge.verdict(group, &known, &recorded);
            let drafts = findings.of_group(group, verdict.as_ref(), Some(&recorded), true, judge.now);
            findings.set(Source::Group(key), drafts);
        }
        let changes = findings.settle(judge.now, true);
        let took = started.elapsed();
        println!("round {round}: all judged in {} ms, {} findings new", took.as_millis(), changes.opened.len());
    }
}
