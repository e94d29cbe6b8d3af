//! What runs, judged again: by a policy, an Exception, a Service that changes, and by who leads.

use std::collections::BTreeMap;
use std::time::Duration;

use assay_model::{EnvironmentName, Timestamp};
use assay_store::{FindingKind, FindingRecord, Store};
use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::policy::{apply_as, approved, at, exception, let_people_write};
use crate::process::eventually;
use crate::serving::{Serving, TAGGED, environment, pod, prepare, until};

/// The Events about an object: reason and message.
fn events(plane: &ControlPlane, namespace: &str, name: &str) -> Vec<(String, String)> {
    let text = plane.kubectl(&["get", "events", "-n", namespace, "-o", "json"]);
    let list: Value = serde_json::from_str(&text).unwrap();
    let about = list["items"].as_array().unwrap().iter().filter(|own| own["involvedObject"]["name"] == name);
    about
        .map(|own| {
            assert!(own["involvedObject"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()), "{own}");
            ["reason", "message"].map(|field| own[field].as_str().unwrap().to_owned())
        })
        .map(|[reason, message]| (reason, message))
        .collect()
}

fn told(plane: &ControlPlane, namespace: &str, name: &str, reason: &str, words: &str) -> String {
    eventually(&format!("{reason} is told of {name}"), || {
        let events = events(plane, namespace, name);
        let found = events.iter().find(|(own, message)| own == reason && message.contains(words));
        found.map(|(_, message)| message.clone()).ok_or(format!("{events:?}"))
    })
}

/// The open findings, as the store has them, by workload.
fn open(serving: &Serving) -> BTreeMap<String, Vec<FindingRecord>> {
    let store = Store::open(&serving.home.path().join("store/assay.db")).unwrap();
    let mut open = BTreeMap::<String, Vec<FindingRecord>>::new();
    for finding in store.open_findings("default").unwrap().into_values() {
        open.entry(finding.workload.clone()).or_default().push(finding);
    }
    open
}

fn found<T>(serving: &Serving, what: &str, workload: &str, look: impl Fn(&[FindingRecord]) -> Option<T>) -> T {
    eventually(what, || {
        let open = open(serving);
        look(open.get(workload).map_or(&[][..], Vec::as_slice)).ok_or(format!("{open:?}"))
    })
}

fn not_met(findings: &[FindingRecord], control: &str) -> Option<FindingRecord> {
    let is_it = |own: &&FindingRecord| own.control.as_ref().is_some_and(|own| own.as_str() == control);
    findings.iter().find(is_it).cloned()
}

#[test]
fn what_runs_is_judged_again_when_the_policy_changes() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "audit")]).to_string());
    let mut serving = Serving::start(&plane);
    serving.said("leading: this replica audits what runs");
    eventually("it is admitted", || {
        let said = plane.try_kubectl_with(&["create", "-f", "-"], &pod("shop-prod", "api", TAGGED));
        if said.ok { Ok(()) } else { Err(said.text) }
    });
    let finding = found(&serving, "what is only recorded is found", "Pod/api", |own| not_met(own, "require-digest"));
    assert!(!finding.denies && finding.pods == 1 && finding.environment.unwrap().as_str() == "prod");
    assert!(events(&plane, "shop-prod", "api").is_empty(), "and nobody is told");
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let message = told(&plane, "shop-prod", "api", "ControlNotMet", "require-digest");
    assert!(message.contains("container api: no digest") && message.contains("assay pin"), "{message}");
    let denies = |own: &[FindingRecord]| not_met(own, "require-digest").filter(|own| own.denies);
    assert_eq!(found(&serving, "it would be denied", "Pod/api", denies).opened, finding.opened);
    plane.apply(&environment("prod", &[]).to_string());
    found(&serving, "it is closed", "Pod/api", |own| own.is_empty().then_some(()));
    // The inventory says what runs, and where.
    let store = Store::open(&serving.home.path().join("store/assay.db")).unwrap();
    eventually("the inventory is kept", || {
        let rows = store.inventory().unwrap();
        let row = rows.iter().find(|row| row.pod == "api").ok_or(format!("{rows:?}"))?;
        assert_eq!((row.namespace.as_str(), row.requested.as_str()), ("shop-prod", TAGGED));
        let environment = row.environment.as_ref().map(EnvironmentName::as_str);
        if environment == Some("prod") { Ok(()) } else { Err(format!("{row:?}")) }
    });
    plane.kubectl(&["delete", "pod", "api", "-n", "shop-prod", "--force", "--grace-period=0"]);
    eventually("what is gone is not in it", || {
        let rows = store.inventory().unwrap();
        if rows.iter().any(|row| row.pod == "api") { Err(format!("{rows:?}")) } else { Ok(()) }
    });
}

#[test]
fn an_exception_that_ends_is_found_on_what_still_runs_within_a_second() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let_people_write(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce-with-exception")]).to_string());
    let serving = Serving::start(&plane);
    let expires = at(25);
    let asked = exception("digests", "require-digest", &expires, false);
    assert!(apply_as(&plane, "ada", "developers", &asked).ok);
    assert!(apply_as(&plane, "grace", "leads", &approved(asked, "grace")).ok);
    until(&plane, "shop-prod", TAGGED, "it is excepted", |said| said.ok);
    plane.apply(&pod("shop-prod", "api", TAGGED));
    // It ends soon, which is said at once, on the Exception itself.
    told(&plane, "default", "digests", "ExceptionEnds", "exception digests of team-shop ends at");
    let denies = |own: &[FindingRecord]| not_met(own, "require-digest").filter(|own| own.denies);
    let finding = found(&serving, "it is found on the Pod", "Pod/api", denies);
    let late = finding.opened.duration_since(expires.parse::<Timestamp>().unwrap());
    assert!(!late.is_negative() && late.unsigned_abs() <= Duration::from_secs(1), "{late}");
    told(&plane, "shop-prod", "api", "ControlNotMet", "require-digest");
    told(&plane, "default", "digests", "ExceptionEnds", "exception digests of team-shop ended at");
    // Somebody is told who does not look at Events; it is over with the Pod.
    alerted(&serving, "what has ended is an alert", |open| {
        open.contains(&"Exception/digests".to_owned()) && open.contains(&"require-digest".to_owned())
    });
    plane.kubectl(&["delete", "pod", "api", "-n", "shop-prod", "--force", "--grace-period=0"]);
    alerted(&serving, "and over with the last Pod", <[String]>::is_empty);
}

/// Waits until the subjects of the open alerts are as wanted.
pub(crate) fn alerted(serving: &Serving, what: &str, wanted: impl Fn(&[String]) -> bool) {
    let store = Store::open(&serving.home.path().join("store/assay.db")).unwrap();
    eventually(what, || {
        let open: Vec<String> = store.open_alerts().unwrap().into_iter().map(|own| own.key.subject).collect();
        if wanted(&open) { Ok(()) } else { Err(format!("{open:?}")) }
    });
}

#[test]
fn what_nobody_decided_about_is_found() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("disallow-latest", "enforce")]).to_string());
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let image = format!("127.0.0.1:1/shop/other@{digest}");
    // Before Assay is there: one as anybody makes it, and one that a kubelet shows.
    plane.apply(&pod("shop-prod", "early", &image));
    let mut mirror: Value = serde_json::from_str(&pod("shop-prod", "mirror", &image)).unwrap();
    mirror["metadata"]["annotations"] =
        json!({"kubernetes.io/config.mirror": "0123", "kubernetes.io/config.source": "file"});
    mirror["spec"]["nodeName"] = json!("node-1");
    plane.apply(&mirror.to_string());
    plane.apply(&pod("assay-system", "own", &image));
    let serving = Serving::start(&plane);
    let undecided = |own: &[FindingRecord]| own.iter().find(|own| own.kind == FindingKind::NoDecision).cloned();
    let finding = found(&serving, "the early Pod is found", "Pod/early", undecided);
    assert!(finding.message.contains("no decision about 127.0.0.1:1/shop/other@"), "{}", finding.message);
    told(&plane, "shop-prod", "early", "NoDecision", "is on record in shop-prod");
    let finding = found(&serving, "the static Pod is found", "Pod/mirror", undecided);
    assert!(finding.message.contains("a static Pod"), "{}", finding.message);
    // What was decided about is not: by its record alone, since nothing else can be known of an image of nowhere.
    plane.apply(&pod("shop-prod", "late", &format!("127.0.0.1:1/shop/api@{digest}")));
    std::thread::sleep(Duration::from_secs(8));
    let open = open(&serving);
    assert!(!open.contains_key("Pod/late") && !open.contains_key("Pod/own"), "{open:?}");
}

#[test]
fn what_leads_to_a_workload_has_it_judged_again() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let mut prod = environment("prod", &[]);
    prod["spec"]["controls"]["require-digest"] = json!({"action": "audit", "whenInternetFacing": "enforce"});
    // Nothing leads to it yet, which may be anything: it is judged as exposed when it is made, and made before.
    plane.apply(
        &pod("shop-prod", "api", TAGGED)
            .replace("\"name\":\"api\",\"namespace\"", "\"labels\":{\"app\":\"api\"},\"name\":\"api\",\"namespace\""),
    );
    plane.apply(&prod.to_string());
    let service = |kind: &str| {
        let spec = json!({"type": kind, "selector": {"app": "api"}, "ports": [{"port": 80}]});
        let metadata = json!({"name": "api", "namespace": "shop-prod"});
        plane.apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}).to_string());
    };
    service("ClusterIP");
    let serving = Serving::start(&plane);
    let stands =
        |wanted: bool| move |own: &[FindingRecord]| not_met(own, "require-digest").filter(|own| own.denies == wanted);
    found(&serving, "within the cluster it is recorded", "Pod/api", stands(false));
    // What is new is judged by the same: every replica sees what leads to it.
    let mut another: Value = serde_json::from_str(&pod("shop-prod", "another", TAGGED)).unwrap();
    another["metadata"]["labels"] = json!({"app": "api"});
    let tried = |what: &str, admitted: bool| {
        eventually(what, || {
            let said = plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &another.to_string());
            let is_so = said.ok == admitted && (admitted || said.text.contains("(require-digest)"));
            if is_so { Ok(()) } else { Err(said.text) }
        });
    };
    tried("what only the cluster reaches is admitted", true);
    service("NodePort");
    tried("what can be reached from outside is refused", false);
    found(&serving, "from outside it would be denied", "Pod/api", stands(true));
    service("ClusterIP");
    found(&serving, "and back", "Pod/api", stands(false));
    plane.kubectl(&["delete", "service", "api", "-n", "shop-prod"]);
    found(&serving, "nothing leads to it that is known", "Pod/api", stands(true));
}

#[test]
fn one_replica_audits_and_the_next_one_takes_over() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "audit")]).to_string());
    plane.apply(&pod("shop-prod", "api", TAGGED));
    let mut first = Serving::start(&plane);
    first.said("leading: this replica audits what runs");
    found(&first, "the first one finds it", "Pod/api", |own| not_met(own, "require-digest"));
    let mut second = Serving::start(&plane);
    assert!(!second.log().contains("leading:"));
    drop(first);
    second.said("leading: this replica audits what runs");
    found(&second, "the second one finds it", "Pod/api", |own| not_met(own, "require-digest"));
    // The webhook leads to itself by now.
    until(&plane, "shop-prod", TAGGED, "the webhook is the second one's", |said| said.ok);
}

#[test]
fn an_edit_of_the_webhooks_is_on_record() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let mut serving = Serving::start(&plane);
    serving.said("leading:");
    plane.kubectl(&["delete", "validatingwebhookconfiguration", "assay"]);
    serving.said("registered: validatingwebhookconfigurations assay");
    let path = serving.home.path().join("store/assay.db");
    eventually("it is on record", || {
        let store = Store::open(&path).unwrap();
        let closed = store.findings_since("default", Timestamp::UNIX_EPOCH).unwrap();
        let found =
            closed.iter().find(|own| own.kind == FindingKind::Tampering && own.message.contains("was deleted by"));
        found.map(drop).ok_or(format!("{closed:?}"))
    });
    // A definition is not ours to repair, but somebody has to know.
    let patch = r#"{"spec":{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}"#;
    plane.kubectl(&["patch", "crd", "exceptions.assay.dev", "--type=merge", "-p", patch]);
    let about = "CustomResourceDefinition/exceptions.assay.dev";
    let message = found(&serving, "the definition is found", about, |own| own.first().map(|own| own.message.clone()));
    assert!(message.contains("the definition of exceptions is not the one of this version"), "{message}");
    crate::crds::install(&plane);
    found(&serving, "and is put right", about, |own| own.is_empty().then_some(()));
}
