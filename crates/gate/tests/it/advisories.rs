//! Weaknesses that other policy engines had, each with the test that it would have failed here.

use assay_case::{Outcome, Verdict};
use assay_gate::decide;

use crate::fixture::Fixture;

const CRITICAL: &str = "
facts:
  registry.example.com/release/payments/api@sha256:index:
    - digest: amd64
      index: index
      evidence:
        - {kind: signature, by: release.yml@refs/heads/main, on: index}
        - {kind: sbom, by: release.yml@refs/heads/main, on: index}
        - {kind: provenance, by: generator.yml@refs/tags/v2.1.0, on: index}
      findings:
        - {id: CVE-2026-1234, severity: critical, package: 'pkg:npm/a@1', exploited: '2026-11-01'}
";

fn verdict(change: &str) -> Verdict {
    decide_on(&Fixture::base().with_yaml(change))
}

fn decide_on(fixture: &Fixture) -> Verdict {
    decide(&fixture.policy(), &fixture.case(), fixture.now())
}

fn exception(name: &str, controls: &str, scope: &str) -> String {
    format!(
        "policy: {{exceptions: {{{name}: {{owner: team, reason: why, controls: [{controls}], \
         subjects: [{{vulnerability: CVE-2026-1234}}], scope: {scope}, expiresAt: '2026-12-01T00:00:00Z', \
         compensatingControl: other, approval: {{by: lead@example.com, at: '2026-11-20T00:00:00Z'}}, \
         authenticated: {{by: lead@example.com, groups: [platform-security]}}}}}}}}"
    )
}

#[test]
fn cve_2024_48921_an_exception_from_another_namespace_does_nothing() {
    let base = Fixture::base().with_yaml(CRITICAL);
    let own = exception("a", "critical-cve, known-exploited", "{namespaces: [payments-prod]}");
    assert!(decide_on(&base.with_yaml(&own)).allowed, "the same Exception in scope lifts the denial");
    let foreign = exception("a", "critical-cve, known-exploited", "{namespaces: [developer-sandbox]}");
    assert!(!decide_on(&base.with_yaml(&foreign)).allowed);
}

#[test]
fn ghsa_gg4x_fgg2_h9w9_two_exceptions_do_not_combine() {
    // One has the right control, the other the right namespace: together they would fit, each alone does not.
    let base = Fixture::base().with_yaml(CRITICAL);
    let both = base
        .with_yaml(&exception("a", "critical-cve, known-exploited", "{namespaces: [elsewhere]}"))
        .with_yaml(&exception("b", "high-cve", "{namespaces: [payments-prod]}"));
    let verdict = decide_on(&both);
    assert!(!verdict.allowed);
    assert!(verdict.outcomes.iter().all(|outcome| outcome.excepted_by.is_none()));
}

#[test]
fn cve_2025_46342_a_namespace_that_cannot_be_looked_up_does_not_skip_controls() {
    let denied = verdict("{namespace: {labels: null}, object: {spec: {hostNetwork: true}}}");
    assert!(!denied.allowed);
    assert!(denied.notes.iter().any(|note| note.contains("not known")), "{:?}", denied.notes);
}

#[test]
fn cve_2023_34091_a_deletion_timestamp_is_no_way_around() {
    let denied = verdict("object: {metadata: {deletionTimestamp: '2026-11-21T00:00:00Z'}, spec: {hostPID: true}}");
    assert!(denied.of("no-privileged").any(|outcome| outcome.outcome == Outcome::Fail));
    assert!(!denied.allowed);
}

#[test]
fn cve_2023_33191_no_shape_of_a_container_list_hides_a_container() {
    let bad = "{name: bad, image: 'registry.example.com/release/payments/api@sha256:index', securityContext: {privileged: true}}";
    let good = "{name: api, image: 'registry.example.com/release/payments/api@sha256:index', securityContext: {allowPrivilegeEscalation: false}}";
    for lists in [
        format!("containers: [{bad}]"),
        format!("containers: [{good}, {bad}]"),
        format!("containers: [{good}], initContainers: [{bad}]"),
        format!("containers: [{good}], ephemeralContainers: [{bad}]"),
        format!("containers: [{good}], initContainers: [{good}, {bad}], ephemeralContainers: []"),
        format!("containers: [], initContainers: [{bad}]"),
    ] {
        let verdict = verdict(&format!("object: {{spec: {{{lists}}}}}"));
        assert!(verdict.of("no-privileged").any(|outcome| outcome.outcome == Outcome::Fail), "{lists}");
        assert!(!verdict.allowed, "{lists}");
    }
    for lists in ["containers: null", "containers: []", "containers: {}", "containers: 'x'", "containers: [5]"] {
        // A null in a case removes the field.
        let verdict = verdict(&format!("object: {{spec: {{{lists}}}}}"));
        for control in ["no-privileged", "run-as-non-root"] {
            assert!(verdict.of(control).any(|outcome| outcome.outcome == Outcome::Error), "{lists} {control}");
        }
        assert!(!verdict.allowed, "{lists}");
    }
}

#[test]
fn cve_2025_29778_every_property_of_a_keyless_signer_must_match() {
    // The subject alone was checked there, and the issuer passed over.
    let image = "registry.example.com/release/payments/api@sha256:index";
    let by = |issuer: &str, claims: &str| {
        verdict(&format!(
            "facts: {{'{image}': [{{digest: amd64, index: index, evidence: [{{kind: signature, on: index, \
             by: release.yml@refs/heads/main, issuer: '{issuer}', claims: {claims}}}]}}]}}"
        ))
    };
    let fails = |verdict: &Verdict| verdict.of("trusted-signer").any(|outcome| outcome.outcome == Outcome::Fail);
    assert!(!fails(&by("https://issuer.example.com", "{runnerEnvironment: github-hosted}")));
    assert!(fails(&by("https://issuer.example.com.evil.test", "{runnerEnvironment: github-hosted}")));
    assert!(fails(&by("https://issuer.example.com", "{runnerEnvironment: self-hosted}")));
    assert!(fails(&by("https://issuer.example.com", "{}")));
}

#[test]
fn cve_2022_35929_an_attestation_is_no_signature_and_one_kind_no_other() {
    let image = "registry.example.com/release/payments/api@sha256:index";
    let only = |kind: &str| {
        verdict(&format!(
            "facts: {{'{image}': [{{digest: amd64, index: index, evidence: [{{kind: {kind}, on: index, \
             by: release.yml@refs/heads/main}}]}}]}}"
        ))
    };
    for (kind, needs) in [
        ("sbom", "require-signature"),
        ("signature", "require-sbom"),
        ("scan", "require-sbom"),
        ("sbom", "require-provenance"),
    ] {
        let verdict = only(kind);
        assert!(verdict.of(needs).any(|outcome| outcome.outcome == Outcome::Fail), "{kind} is no {needs}");
    }
}
