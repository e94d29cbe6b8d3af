//! Findings about what runs, and what the audit asks of decisions.

use assay_model::Digest;
use assay_store::{ChangeState, DecisionRecord, FindingKind, FindingRecord, PolicyChange};

use crate::fixture::{at, decision};
use crate::place::{Place, on_both};

on_both!(
    a_finding_is_open_until_it_is_closed_in_its_cluster,
    what_was_admitted_is_known_by_every_digest_it_is_called_by,
    a_change_of_policy_is_kept_with_who_answers_for_it,
);

fn finding(id: &str, cluster: &str) -> FindingRecord {
    FindingRecord {
        id: id.into(),
        cluster: cluster.into(),
        kind: FindingKind::ControlNotMet,
        namespace: "payments".into(),
        workload: "Deployment/api".into(),
        container: "api".into(),
        control: "require-digest".parse().ok(),
        environment: "prod".parse().ok(),
        owner: Some("team-payments".into()),
        denies: true,
        message: "no digest".into(),
        fix: None,
        digest: Some(Digest::of(b"image")),
        pods: 3,
        opened: at(10),
        closed: None,
    }
}

fn a_finding_is_open_until_it_is_closed_in_its_cluster(place: &Place) {
    let store = place.open();
    store.record_findings(&[finding("a", "one"), finding("b", "one"), finding("a", "two")]).unwrap();
    let closed = FindingRecord { closed: Some(at(20)), ..finding("a", "one") };
    store.record_findings(&[closed]).unwrap();
    let open = store.open_findings("one").unwrap();
    assert_eq!(open.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(open["b"], finding("b", "one"));
    assert_eq!(store.open_findings("two").unwrap().len(), 1);
    // It is back.
    store.record_findings(&[finding("a", "one")]).unwrap();
    assert_eq!(store.open_findings("one").unwrap().len(), 2);
}

fn what_was_admitted_is_known_by_every_digest_it_is_called_by(place: &Place) {
    let store = place.open();
    let called = |mut record: DecisionRecord| {
        record.request.images[0].covering = vec![Digest::of(b"index")];
        record
    };
    store.put_decisions(&[called(decision(1, true, b"image")), called(decision(2, false, b"refused"))]).unwrap();
    let namespace = decision(1, true, b"image").request.namespace;
    let admitted = store.admitted_digests(&namespace).unwrap();
    let names: Vec<Digest> = admitted.keys().copied().collect();
    let mut wanted = vec![Digest::of(b"image"), Digest::of(b"index")];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert_eq!(admitted[&Digest::of(b"index")].0, decision(1, true, b"image").id);
    assert!(store.admitted_digests("elsewhere").unwrap().is_empty());
    assert_eq!(store.decisions_of(Digest::of(b"index")).unwrap().len(), 2);
}

fn a_change_of_policy_is_kept_with_who_answers_for_it(place: &Place) {
    let store = place.open();
    let mut change = PolicyChange {
        at: at(1),
        by: "ada".into(),
        environment: "prod".parse().unwrap(),
        control: "require-digest".parse().unwrap(),
        action: "enforce".into(),
        would_block: 3,
        reason: Some("the old registry is switched off tonight".into()),
        outcome: ChangeState::Intended,
    };
    let first = store.put_policy_change(&change).unwrap();
    let second = store.put_policy_change(&PolicyChange { at: at(2), ..change.clone() }).unwrap();
    assert_ne!(first, second);
    change.outcome = ChangeState::Failed("the cluster is away".into());
    store.settle_policy_change(first, &change).unwrap();
    assert_eq!(
        store.policy_changes().unwrap(),
        [change.clone(), PolicyChange { at: at(2), outcome: ChangeState::Intended, ..change }]
    );
}
