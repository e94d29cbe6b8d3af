use assay_case::{
    Case, ControlOutcome, Document, Namespace, Outcome, Request, Statement, Target, User, Verdict, Workload, World,
};
use assay_model::Digest;
use assay_store::{RequestProjection, decision_id};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const SINCE: &str = "2026-11-07T00:00:00Z";
const UNTIL: &str = "2026-11-21T00:00:00Z";

fn tally() -> Tally {
    Tally::new(at(SINCE), at(UNTIL), None, None)
}

/// A decision about a Pod of a Deployment, with what controls said of it.
fn decision(time: &str, namespace: &str, action: Action, outcomes: &[(&str, Outcome)]) -> DecisionRecord {
    let object = br#"{"metadata": {"labels": {"team": "payments", "pod-template-hash": "77"},
        "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": "api-77"}]}}"#;
    let request = Request {
        operation: Operation::Create,
        workload: Workload { kind: "Pod".into(), name: "api-77-x".into(), owner: Some("ReplicaSet/api-77".into()) },
        namespace: Namespace { name: namespace.into(), labels: None },
        environment: None,
        service_account: None,
        user: User::default(),
        images: Vec::new(),
        document: Document::from_json(object).unwrap(),
        pod_spec: Some(&["spec"]),
        pod_metadata: Some(&["metadata"]),
    };
    let case = Case { request, facts: BTreeMap::new(), world: World::unknown().into() };
    let outcome = |(control, outcome): &(&str, Outcome)| {
        let statement = Statement {
            control: control.parse().unwrap(),
            action,
            outcome: *outcome,
            message: "said".into(),
            fix: Some("assay pin -f FILE".into()),
            severity: None,
            vulnerabilities: Vec::new(),
            packages: Vec::new(),
            excepted_by: None,
        };
        ControlOutcome::new(statement, Target::default())
    };
    let verdict = Verdict {
        allowed: true,
        operation: Operation::Create,
        workload: String::new(),
        environment: "prod".parse().unwrap(),
        policy: Digest::of(b"policy"),
        decided_at: at(time),
        outcomes: outcomes.iter().map(outcome).collect(),
        exceptions: Vec::new(),
        unbound: Vec::new(),
        notes: Vec::new(),
    };
    DecisionRecord {
        id: decision_id("uid", at(time), 1),
        at: at(time),
        uid: String::new(),
        dry_run: false,
        request: RequestProjection::of(&case),
        verdict,
        microseconds: 1,
    }
}

fn finding(control: &str, pods: u64) -> FindingRecord {
    FindingRecord {
        id: "1".into(),
        cluster: "default".into(),
        kind: FindingKind::ControlNotMet,
        namespace: "search".into(),
        workload: "Deployment/search".into(),
        container: "api".into(),
        control: control.parse().ok(),
        environment: "prod".parse().ok(),
        owner: Some("team-search".into()),
        denies: false,
        message: "no digest".into(),
        fix: None,
        digest: None,
        pods,
        opened: at(SINCE),
        closed: None,
    }
}

#[test]
fn what_enforcing_would_have_denied_is_counted_by_decision_owner_and_workload() {
    let mut tally = tally();
    let two = [("require-digest", Outcome::Fail), ("require-digest", Outcome::Fail), ("pull-policy", Outcome::Pass)];
    tally.decision(&decision("2026-11-08T00:00:00Z", "shop", Action::Warn, &two));
    tally.decision(&decision("2026-11-10T00:00:00Z", "shop", Action::Warn, &two));
    tally.decision(&decision("2026-11-12T00:00:00Z", "pay", Action::Warn, &[("require-digest", Outcome::Pass)]));
    let mut dry = decision("2026-11-12T00:00:00Z", "pay", Action::Warn, &two);
    dry.dry_run = true;
    tally.decision(&dry);
    tally.decision(&decision("2026-11-01T00:00:00Z", "pay", Action::Warn, &two));
    assert_eq!(tally.decisions(), 3);
    let rows = tally.rows(14);
    let row = rows.iter().find(|row| row.control.as_str() == "require-digest").unwrap();
    assert_eq!((row.judged, row.would_block, row.action), (3, 2, Action::Warn));
    assert_eq!(row.owners, [Count { what: "payments".into(), count: 2 }]);
    assert_eq!(row.fixes[0].what, "assay pin -f FILE");
    assert_eq!(row.namespaces.len(), 1, "where nothing stands against it is left out");
    assert_eq!(row.namespaces[0].workloads, ["Deployment/api"], "Pod, ReplicaSet and Deployment are one");
    assert_eq!(row.clean_since, Some(at("2026-11-10T00:00:00Z")));
    assert_eq!(row.flips, Flips::On { at: "2026-11-24".parse().unwrap() });
}

#[test]
fn a_control_flips_when_all_of_the_time_was_clean_and_nothing_runs_against_it() {
    let pass = [("require-digest", Outcome::Pass)];
    let flips = |tally: Tally| tally.rows(14).into_iter().next().unwrap().flips;
    let mut clean = tally();
    clean.decision(&decision("2026-11-07T03:00:00Z", "shop", Action::Warn, &pass));
    assert_eq!(flips(clean), Flips::Now);
    let mut short = tally();
    short.decision(&decision("2026-11-20T03:00:00Z", "shop", Action::Warn, &pass));
    assert_eq!(flips(short), Flips::On { at: "2026-12-04".parse().unwrap() });
    let mut runs = tally();
    runs.decision(&decision("2026-11-07T03:00:00Z", "shop", Action::Warn, &pass));
    runs.running(&finding("require-digest", 4));
    let row = runs.rows(14).remove(0);
    assert_eq!((row.flips, row.running, row.clean_since), (Flips::Blocked, 4, None));
    assert_eq!(row.owners[0].what, "team-search");
    let mut enforced = tally();
    enforced.decision(&decision("2026-11-20T03:00:00Z", "shop", Action::Enforce, &[("require-digest", Outcome::Fail)]));
    assert_eq!(flips(enforced), Flips::Enforced);
}

#[test]
fn a_check_that_could_not_be_made_would_have_been_denied_too() {
    let mut tally = tally();
    tally.decision(&decision("2026-11-20T03:00:00Z", "shop", Action::Warn, &[("require-sbom", Outcome::Error)]));
    assert_eq!(tally.rows(14)[0].would_block, 1);
}

#[test]
fn only_what_is_asked_for_is_counted() {
    let fail = [("require-digest", Outcome::Fail)];
    let mut one = Tally::new(at(SINCE), at(UNTIL), None, Some("shop".into()));
    one.decision(&decision("2026-11-20T03:00:00Z", "shop", Action::Warn, &fail));
    one.decision(&decision("2026-11-20T03:00:00Z", "pay", Action::Warn, &fail));
    one.running(&finding("require-digest", 4));
    assert_eq!((one.decisions(), one.rows(14)[0].running), (1, 0));
    let mut other = Tally::new(at(SINCE), at(UNTIL), "dev".parse().ok(), None);
    other.decision(&decision("2026-11-20T03:00:00Z", "shop", Action::Warn, &fail));
    assert!(other.rows(14).is_empty());
}
