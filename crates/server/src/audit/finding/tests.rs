use assay_kube::{StoredObject, reduced_pod};
use serde_json::json;

use super::*;
use crate::audit::Population;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn group(population: &mut Population, name: &str, image: &str, running: Option<Digest>) -> (GroupKey, Group) {
    let image_id = running.map(|digest| format!("registry.example.com/api@{digest}")).unwrap_or_default();
    let pod = reduced_pod(StoredObject(json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "api", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "api", "imageID": image_id}]},
    })));
    let key = population.apply(&pod)[0];
    (key, population.group(key).unwrap().clone())
}

fn finding(findings: &Findings, name: &str, pods: u64, denies: bool) -> Draft {
    let mut draft = findings.object(FindingKind::ControlNotMet, "Deployment/api", name, "not met".into(), at(0));
    draft.record.pods = pods;
    draft.record.denies = denies;
    draft
}

#[test]
fn what_is_new_is_told_once_and_what_is_gone_is_closed() {
    let mut findings = Findings::new("default", BTreeMap::new());
    let mut population = Population::default();
    let (one, _) = group(&mut population, "a", "registry.example.com/api:1", None);
    let (two, _) = group(&mut population, "b", "registry.example.com/api:2", None);
    findings.set(Source::Group(one), vec![finding(&findings, "x", 3, false)]);
    findings.set(Source::Group(two), vec![finding(&findings, "x", 2, false)]);
    let changes = findings.settle(at(10), true);
    assert_eq!((changes.opened.len(), changes.opened[0].record.pods), (1, 5), "two templates of one workload");
    assert_eq!(findings.settle(at(11), true), Changes::default(), "nothing is new");
    // More Pods are no news, and nothing to write.
    findings.set(Source::Group(two), vec![finding(&findings, "x", 4, false)]);
    assert_eq!(findings.settle(at(12), true), Changes::default());
    assert_eq!(findings.open().next().unwrap().pods, 7);
    // It would be denied by now: told again, and known since before.
    findings.set(Source::Group(two), vec![finding(&findings, "x", 4, true)]);
    let changes = findings.settle(at(13), true);
    assert_eq!((changes.opened.len(), changes.opened[0].record.opened), (1, at(10)));
    findings.set(Source::Group(one), Vec::new());
    findings.set(Source::Group(two), Vec::new());
    let changes = findings.settle(at(14), true);
    assert_eq!((changes.closed.len(), changes.closed[0].closed), (1, Some(at(14))));
    assert_eq!(findings.open().count(), 0);
}

/// Another replica takes over: what it finds as well is nothing new.
#[test]
fn what_another_one_found_is_not_told_again() {
    let mut first = Findings::new("default", BTreeMap::new());
    first.set(Source::Exceptions, vec![finding(&first, "x", 0, false), finding(&first, "y", 0, false)]);
    first.settle(at(1), true);
    let open = first.open().map(|own| (own.id.clone(), own.clone())).collect();
    let mut second = Findings::new("default", open);
    second.set(Source::Exceptions, vec![finding(&second, "x", 0, false)]);
    let changes = second.settle(at(2), false);
    assert!(changes.opened.is_empty() && changes.closed.is_empty(), "not everything has been judged yet");
    assert_eq!(second.open().count(), 2);
    let changes = second.settle(at(2), true);
    assert!(changes.opened.is_empty());
    assert_eq!((changes.closed.len(), changes.written.len()), (1, 1));
    assert_eq!(second.open().next().unwrap().opened, at(1));
}

#[test]
fn what_nobody_decided_about_is_found_where_that_can_be_told() {
    let findings = Findings::new("default", BTreeMap::new());
    let mut population = Population::default();
    let (known, other) = (Digest::of(b"known"), Digest::of(b"other"));
    let recorded: Recorded = [(known, ("7f3a".to_owned(), at(0)))].into();
    let mut found = |name: &str, image: &str, running| {
        let (_, group) = group(&mut population, name, image, running);
        findings
            .of_group(&group, None, Some(&recorded), true, at(1))
            .into_iter()
            .map(|draft| draft.record.message)
            .next()
    };
    assert_eq!(found("a", "registry.example.com/api:1", Some(known)), None);
    assert_eq!(
        found("b", &format!("registry.example.com/api@{known}"), Some(other)),
        None,
        "an index and its platform"
    );
    assert_eq!(found("c", "registry.example.com/api:1", None), None, "nobody says what runs");
    let message = found("d", "registry.example.com/api:1", Some(other)).unwrap();
    assert!(message.contains("no decision about registry.example.com/api:1 is on record in shop"), "{message}");
    // What may still be on its way to the store is waited for.
    let (_, group) = group(&mut population, "e", "registry.example.com/api:1", Some(other));
    assert!(findings.of_group(&group, None, None, true, at(1)).is_empty());
}

#[test]
fn a_static_pod_is_found_whatever_it_runs() {
    let findings = Findings::new("default", BTreeMap::new());
    let mut population = Population::default();
    let pod = reduced_pod(StoredObject(json!({
        "metadata": {"name": "etcd-node", "namespace": "kube-system", "annotations": {"kubernetes.io/config.mirror": "x"}},
        "spec": {"containers": [{"name": "etcd", "image": "registry.example.com/etcd:3"}]},
        "status": {"phase": "Running"},
    })));
    let key = population.apply(&pod)[0];
    let found = findings.of_group(population.group(key).unwrap(), None, None, false, at(1));
    assert_eq!((found.len(), found[0].tells), (1, false), "where nothing is enforced, nobody is woken");
    assert!(found[0].record.message.contains("static Pod"), "{:?}", found[0]);
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut findings = Findings::new("default", BTreeMap::new());
    let drafts = (0..OPEN_MAX + 5).map(|number| finding(&findings, &number.to_string(), 1, false)).collect();
    findings.set(Source::Exceptions, drafts);
    let changes = findings.settle(at(1), true);
    assert_eq!((changes.opened.len(), changes.left_out), (OPEN_MAX, 5));
}

/// The store was away: what it did not take is given to it again, as it is by then, and once.
#[test]
fn what_could_not_be_kept_is_kept_later_as_it_is_by_then() {
    let mut findings = Findings::new("default", BTreeMap::new());
    let drafts = ["x", "y", "z"].map(|name| finding(&findings, name, 1, false));
    findings.set(Source::Exceptions, drafts.to_vec());
    let written = findings.settle(at(10), true).written;
    assert_eq!(written.len(), 3);
    findings.put_back(written.clone());
    assert!(findings.settle(at(11), true).written.is_empty(), "nothing has changed");
    // One of them is worse by now, and one is gone; both have been kept since.
    let worse = finding(&findings, "y", 1, true);
    findings.set(Source::Exceptions, vec![drafts[0].clone(), worse]);
    let since = findings.settle(at(12), true).written;
    assert_eq!(since.len(), 2);
    assert_eq!(
        findings.take_unwritten(),
        written[..].iter().filter(|own| own.id == drafts[0].record.id).cloned().collect::<Vec<_>>()
    );
    assert!(findings.take_unwritten().is_empty());
    // Neither have: both are, as they are now.
    findings.put_back(since.clone());
    let mut kept = findings.take_unwritten();
    kept.sort_by_key(|own| own.closed);
    assert_eq!((kept.len(), kept[0].denies, kept[1].closed), (2, true, Some(at(12))));
}
