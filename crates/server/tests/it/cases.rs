//! The corpus of decisions, asked the way the API server and a folder of manifests ask: the recorded Verdict has to be
//! the answer of all three.

use assay_case::{Case, Namespace, Node, Operation, Request, User};
use assay_gate::decide;
use assay_kube::{
    Admission, Manifests, Origin, Review, StoredObject, is_built_in_controller, reduced_pod, request_of, template_of,
};
use serde_json::{Map, Value, json};

use crate::case::{Fixture, folder, merge, render, yaml};
use crate::fixture::review;

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Cases that come as an AdmissionReview, as a manifest, and as what is kept of a Pod that runs, counted when this was written. Never to be lowered.
const FLOOR_WEBHOOK: usize = 234;
const FLOOR_CHECK: usize = 230;
const FLOOR_AUDIT: usize = 230;

/// A case of the corpus with the Verdict that was recorded.
struct Recorded {
    name: String,
    fixture: Fixture,
    verdict: String,
}

fn corpus() -> Vec<Recorded> {
    let base = Fixture::base();
    let paths = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut cases: Vec<_> = paths
        .map(|path| {
            let mut value = base.value.clone();
            merge(&mut value, &yaml(&std::fs::read_to_string(path.join("case.yaml")).unwrap()));
            Recorded {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                fixture: Fixture::new(value),
                verdict: std::fs::read_to_string(path.join("verdict.txt")).unwrap(),
            }
        })
        .collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

impl Recorded {
    /// A promotion and a rollback of a release are asked of the ledger's owner, not of the API server.
    fn operation(&self) -> Option<Operation> {
        let operation = serde_json::from_value(self.fixture.value["operation"].clone()).unwrap();
        matches!(operation, Operation::Create | Operation::Update | Operation::Reschedule).then_some(operation)
    }

    /// The Pod as the cluster would hold it: a case keeps beside its object what the object says in a cluster.
    fn object(&self) -> Value {
        let value = &self.fixture.value;
        let mut object: Value = serde_json::from_slice(&self.fixture.object).unwrap();
        let workload = &value["workload"];
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("name".into(), workload["name"].clone());
        metadata.insert("namespace".into(), value["namespace"]["name"].clone());
        if let Some((kind, name)) = workload["owner"].as_str().and_then(|owner| owner.split_once('/')) {
            metadata.insert("ownerReferences".into(), json!([{"kind": kind, "name": name, "controller": true}]));
        }
        if let (Some(account), Some(spec)) = (value["serviceAccount"].as_str(), object["spec"].as_object_mut()) {
            spec.entry("serviceAccountName").or_insert(json!(account));
        }
        object
    }

    fn namespace(&self) -> Namespace {
        let namespace = &self.fixture.value["namespace"];
        let labels = namespace.get("labels").map(|labels| serde_json::from_value(labels.clone()).unwrap());
        Namespace { name: namespace["name"].as_str().unwrap().to_owned(), labels }
    }

    /// What differs from the record when this request takes the place of the case's own.
    fn difference(&self, request: Request<'_>) -> Option<String> {
        let own = self.fixture.case();
        let case = Case { request, facts: own.facts, world: own.world };
        let text = render(&decide(&self.fixture.policy(), &case, self.fixture.now()));
        (text != self.verdict).then(|| format!("{}: another verdict than recorded:\n{text}", self.name))
    }

    fn through_review(&self, operation: Operation) -> Option<String> {
        let namespace = self.namespace();
        let mut review = review(&namespace.name, "", "Pod", self.object());
        if operation == Operation::Reschedule {
            review["request"]["userInfo"]["username"] =
                json!("system:serviceaccount:kube-system:replicaset-controller");
        }
        if operation == Operation::Update {
            review["request"]["operation"] = json!("UPDATE");
            review["request"]["oldObject"] = Value::Object(Map::new());
        }
        let body = review.to_string();
        let admission = Review::parse(body.as_bytes()).unwrap().admission(namespace.labels);
        let Admission::Judge(mut request) = admission else { panic!("{}: not judged", self.name) };
        if operation == Operation::Reschedule {
            // What the server does when the ledger knows the digest: see `Admitted::reschedules`.
            assert!(is_built_in_controller(&request.user), "{}", self.name);
            request.operation = operation;
        }
        assert_eq!(request.operation, operation, "{}", self.name);
        self.difference(*request)
    }

    fn through_manifest(&self) -> Option<String> {
        let text = self.object().to_string();
        let manifests = Manifests::parse(text.as_bytes(), &[]).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let [manifest] = manifests.workloads.as_slice() else { panic!("{}: one workload", self.name) };
        let mut request = manifest.request(self.namespace()).unwrap();
        let environment = self.fixture.value.get("environment");
        request.environment = environment.map(|name| name.as_str().unwrap().parse().unwrap());
        self.difference(request)
    }
}

impl Recorded {
    fn through_audit(&self) -> Option<String> {
        let kept = template_of(&reduced_pod(StoredObject(self.object())));
        let object: Node<'_> = serde_json::from_str(&kept).unwrap();
        // What the audit asks is whether it might run now.
        let (operation, namespace) = (Operation::Create, self.namespace());
        let origin = Origin { operation, namespace, user: User::default(), name: String::new() };
        let mut request = request_of("", "Pod", object, origin).unwrap();
        request.workload = serde_json::from_value(self.fixture.value["workload"].clone()).unwrap();
        let environment = self.fixture.value.get("environment");
        request.environment = environment.map(|name| name.as_str().unwrap().parse().unwrap());
        self.difference(request)
    }
}

/// The background audit keeps only a part of each Pod: no control may see a difference.
#[test]
fn what_is_kept_of_a_pod_is_judged_as_all_of_it() {
    let (mut passed, mut problems) = (0, Vec::new());
    for recorded in corpus().iter().filter(|own| own.operation() == Some(Operation::Create)) {
        match recorded.through_audit() {
            Some(problem) => problems.push(problem),
            None => passed += 1,
        }
    }
    said!("cases (audit): {passed} passed");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(passed >= FLOOR_AUDIT, "{passed} passed, the floor is {FLOOR_AUDIT}");
}

#[test]
fn every_case_that_comes_as_an_admission_review_gives_the_recorded_verdict() {
    let corpus = corpus();
    let (mut passed, mut elsewhere, mut problems) = (0, 0, Vec::new());
    for recorded in &corpus {
        match recorded.operation() {
            // An AdmissionReview names no Environment: its namespace does.
            Some(operation) if recorded.fixture.value.get("environment").is_none() => {
                match recorded.through_review(operation) {
                    Some(problem) => problems.push(problem),
                    None => passed += 1,
                }
            }
            _ => elsewhere += 1,
        }
    }
    said!("cases (webhook): {passed} of {} passed, {elsewhere} come another way", corpus.len() - elsewhere);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(passed >= FLOOR_WEBHOOK, "{passed} passed, the floor is {FLOOR_WEBHOOK}");
}

#[test]
fn every_case_that_comes_as_a_manifest_gives_the_recorded_verdict() {
    let corpus = corpus();
    let (mut passed, mut elsewhere, mut problems) = (0, 0, Vec::new());
    for recorded in &corpus {
        if recorded.operation() == Some(Operation::Create) {
            match recorded.through_manifest() {
                Some(problem) => problems.push(problem),
                None => passed += 1,
            }
        } else {
            elsewhere += 1;
        }
    }
    said!("cases (check): {passed} of {} passed, {elsewhere} come another way", corpus.len() - elsewhere);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(passed >= FLOOR_CHECK, "{passed} passed, the floor is {FLOOR_CHECK}");
}
