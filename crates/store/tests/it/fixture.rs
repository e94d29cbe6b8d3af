//! Values that several tests need.

use std::collections::BTreeMap;

use assay_case::{Case, Document, Namespace, Operation, Promotion, Request, User, Verdict, Workload, World};
use assay_model::{
    Contents, Digest, EvidenceTier, FindingCounts, Findings, FixState, ImageConfig, MatchReason, PackInfo, Package,
    PackageType, Purl, Severity, Timestamp, Vulnerability, VulnerabilityFinding,
};
use assay_store::{DecisionRecord, ImageRecord, RequestProjection, RunningContainer, RunningPod, decision_id};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn package(name: &str, version: &str) -> Package {
    Package {
        kind: PackageType::Deb,
        name: name.into(),
        version: version.into(),
        source: None,
        architecture: None,
        licence: None,
        supplier: None,
        purl: Purl::new("deb", Some("debian"), name, Some(version)),
        tier: EvidenceTier::Installed,
        path: "var/lib/dpkg/status".into(),
        digest: None,
        layer: Some(0),
        depends_on: Vec::new(),
    }
}

pub(crate) fn contents(packages: &[(&str, &str)]) -> Contents {
    Contents {
        analyser: 1,
        os: None,
        packages: packages.iter().map(|(name, version)| package(name, version)).collect(),
        secrets: Vec::new(),
        layers: Vec::new(),
        config: ImageConfig::default(),
        files: 1,
        ..Contents::default()
    }
}

pub(crate) fn findings(id: &str) -> Findings {
    let vulnerability = Vulnerability {
        id: id.parse().unwrap(),
        aliases: vec!["DEBIAN-1".parse().unwrap()],
        summary: String::new(),
        severity: Severity::Critical,
        score_tenths: None,
        vector: None,
        known_exploited: None,
        exploit_prediction: None,
        disputed: false,
        ratings: Vec::new(),
        published: None,
    };
    let reason = MatchReason {
        record: id.parse().unwrap(),
        ecosystem: "Debian:12".into(),
        name: "zlib".into(),
        version: "1.2.13".into(),
        range: "< 1.3.1".into(),
    };
    Findings {
        vulnerabilities: vec![VulnerabilityFinding {
            vulnerability,
            package: package("zlib", "1.2.13"),
            fix: FixState::NotFixed,
            reason,
        }],
        matched_at: at(5),
        pack: PackInfo { digest: Digest::of(b"pack"), data_until: at(0), records: 1, ecosystems: Vec::new() },
        uncovered: 0,
    }
}

pub(crate) fn pod(name: &str, workload: &str, image: &[u8], started: Timestamp) -> RunningPod {
    RunningPod {
        namespace: "payments-prod".into(),
        name: name.into(),
        workload_kind: "Deployment".into(),
        workload_name: workload.into(),
        owner: Some("team-payments".into()),
        environment: Some("prod".parse().unwrap()),
        started,
        containers: vec![RunningContainer {
            name: "api".into(),
            role: assay_case::ContainerRole::Container,
            requested: "registry.example.com/payments/api:prod".into(),
            repository: Some("registry.example.com/payments/api".parse().unwrap()),
            digest: Some(Digest::of(image)),
        }],
    }
}

pub(crate) fn verdict(allowed: bool) -> Verdict {
    Verdict {
        allowed,
        operation: Operation::Create,
        workload: "payments-prod/Pod/api".into(),
        environment: "prod".parse().unwrap(),
        policy: Digest::of(b"policy"),
        decided_at: at(0),
        outcomes: Vec::new(),
        exceptions: Vec::new(),
        unbound: Vec::new(),
        notes: Vec::new(),
    }
}

pub(crate) fn decision(number: u64, allowed: bool, image: &[u8]) -> DecisionRecord {
    let request = Request {
        operation: Operation::Create,
        workload: Workload { kind: "Pod".into(), name: "api".into(), owner: None },
        namespace: Namespace { name: "payments-prod".into(), labels: None },
        environment: None,
        service_account: None,
        user: User::default(),
        images: Vec::new(),
        document: Document::from_json(br#"{"spec": {"containers": [{"env": [{"name": "A", "value": "s3cret"}]}]}}"#)
            .unwrap(),
        pod_spec: Some(&["spec"]),
        pod_metadata: Some(&["metadata"]),
    };
    let case = Case { request, facts: BTreeMap::new(), world: World::unknown().into() };
    let mut request = RequestProjection::of(&case);
    request.images = vec![ImageRecord {
        role: assay_case::ContainerRole::Container,
        name: "api".into(),
        field: "spec.containers[0].image".into(),
        written: "registry.example.com/payments/api:prod".into(),
        digests: vec![Digest::of(image)],
        covering: Vec::new(),
    }];
    let at = at(number.cast_signed());
    DecisionRecord {
        id: decision_id("uid", at, number),
        at,
        uid: "uid".into(),
        dry_run: false,
        request,
        verdict: verdict(allowed),
        microseconds: 120,
    }
}

pub(crate) fn promotion(digest: &[u8], environment: &str) -> Promotion {
    Promotion {
        number: 0,
        release: "payments-api-1.18".into(),
        service: "payments-api".into(),
        digest: Digest::of(digest),
        repository: "registry.example.com/release/payments/api".parse().unwrap(),
        environment: environment.parse().unwrap(),
        at: at(0),
        by: "ada".into(),
        retired: None,
        counts: FindingCounts::default(),
        approval: None,
    }
}
