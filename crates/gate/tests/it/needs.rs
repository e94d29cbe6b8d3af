//! What a Policy says that it needs is all that it looks at: without the rest every decision is the same.

use std::sync::Arc;

use assay_case::{Case, EvidenceSet, FactNeeds, Facts, Known};
use assay_gate::decide;
use assay_trust::EvidenceKind;
use proptest::prelude::*;

use serde_json::json;

use crate::fixture::{Fixture, folder, merge, yaml};
use crate::theorems::situations;

/// The case with nothing but the facts that are needed.
fn reduced<'c>(case: &Case<'c>, needs: FactNeeds) -> Case<'c> {
    let (code, why) = ("not-gathered", "it was not asked for");
    let of_image = |facts: &Arc<Facts>| {
        let mut facts = Facts::clone(facts);
        if !needs.contents {
            facts.contents = Known::unknown(code, why);
            facts.findings = Known::unknown(code, why);
        }
        if !needs.evidence {
            facts.evidence = Known::unknown(code, why);
        } else if !needs.attestation_tags {
            facts.evidence = facts.evidence.map(|set| EvidenceSet {
                verified: set.verified.iter().filter(|own| own.kind() == EvidenceKind::Signature).cloned().collect(),
                rejected: set
                    .rejected
                    .iter()
                    .filter(|own| own.kind == Some(EvidenceKind::Signature))
                    .cloned()
                    .collect(),
                truncated: set.truncated,
            });
        }
        Arc::new(facts)
    };
    let mut case = case.clone();
    for known in case.facts.values_mut() {
        if let Known::Known { value, .. } = known {
            *value = value.iter().map(of_image).collect();
        }
    }
    case
}

/// The Policy decides alike without what it does not need.
fn decides_alike(fixture: &Fixture) -> Result<(), TestCaseError> {
    let (policy, case, now) = (fixture.policy(), fixture.case(), fixture.now());
    let needs = policy.needs(&case.request);
    let said = |case: &Case<'_>| -> Vec<_> {
        let verdict = decide(&policy, case, now);
        let outcomes = verdict.outcomes.iter();
        outcomes.map(|own| (own.control.clone(), own.outcome, own.action, own.target.field.clone())).collect()
    };
    let reduced = reduced(&case, needs);
    prop_assert_eq!(said(&reduced), said(&case), "{:?}", needs);
    Ok(())
}

#[test]
fn every_case_is_decided_alike_by_the_facts_that_are_needed() {
    let base = Fixture::base();
    for path in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let mut value = base.value.clone();
        merge(&mut value, &yaml(&std::fs::read_to_string(path.join("case.yaml")).unwrap()));
        let fixture = Fixture::new(value);
        let some = |controls: &[&str]| only(fixture.clone(), controls, false);
        let signed = some(&["require-signature", "trusted-signer", "require-digest"]);
        let clean = some(&["critical-cve", "no-secrets-in-layers", "release-known"]);
        for fixture in [&fixture, &signed, &clean] {
            decides_alike(fixture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

/// Only these controls judge; and where asked, signers are named for nothing but signatures.
fn only(mut fixture: Fixture, controls: &[&str], only_signatures: bool) -> Fixture {
    let environment = &mut fixture.value["policy"]["environments"]["prod"];
    for entry in assay_gate::catalogue() {
        let action = if controls.contains(&entry.id.as_str()) { "enforce" } else { "off" };
        merge(environment, &json!({"controls": {entry.id.as_str(): {"action": action}}}));
    }
    if only_signatures {
        for signer in environment["signers"].as_array_mut().unwrap() {
            signer["for"] = json!(["signature"]);
        }
        // What names a signer for something else.
        let fields = environment.as_object_mut().unwrap();
        fields.retain(|field, _| !["builders", "constraints", "require", "vsa"].contains(&field.as_str()));
    }
    fixture
}

#[test]
fn what_is_needed_is_what_the_controls_look_at() {
    let needs = |controls: &[&str], only_signatures| {
        let fixture = only(Fixture::base(), controls, only_signatures);
        fixture.policy().needs(&fixture.case().request)
    };
    let nothing = FactNeeds::default();
    let subject = FactNeeds { subject: true, ..nothing };
    let evidence = FactNeeds { evidence: true, ..subject };
    assert_eq!(needs(&["allowed-registries", "no-privileged", "require-digest"], false), nothing);
    assert_eq!(needs(&["release-known"], false), subject);
    assert_eq!(needs(&["no-secrets-in-layers", "fresh-scan"], false), FactNeeds { contents: true, ..subject });
    assert_eq!(needs(&["require-signature", "trusted-signer"], true), evidence);
    // Whose attestations count is said: they are looked at.
    assert_eq!(needs(&["require-signature"], false), FactNeeds { attestation_tags: true, ..evidence });
    assert_eq!(needs(&["critical-cve"], true), FactNeeds { contents: true, ..subject });
    assert_eq!(needs(&["critical-cve"], false), FactNeeds::ALL);
    assert_eq!(needs(&["require-sbom"], true), FactNeeds { attestation_tags: true, ..evidence });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_decision_by_some_controls_is_the_same_without_what_they_do_not_need(
        situation in situations(),
        controls in proptest::sample::subsequence(
            assay_gate::catalogue().iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), 0..6),
        only_signatures in any::<bool>(),
    ) {
        decides_alike(&only(situation.fixture(), &controls, only_signatures))?;
    }
}
