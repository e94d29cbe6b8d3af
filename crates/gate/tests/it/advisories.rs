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

/// The evidence of an image, and the signers of prod.
fn with(signers: &str, evidence: &str) -> Verdict {
    let image = "registry.example.com/release/payments/api@sha256:index";
    verdict(&format!(
        "{{policy: {{environments: {{prod: {{{signers}}}}}}}, \
         facts: {{'{image}': [{{digest: amd64, index: index, evidence: [{evidence}]}}]}}}}"
    ))
}

fn fails(verdict: &Verdict, control: &str) -> bool {
    verdict.of(control).any(|outcome| outcome.outcome == Outcome::Fail)
}

#[test]
fn cve_2025_29778_every_property_of_a_certificate_signer_must_match() {
    let notary = "signers: [{name: notary, for: [signature], certificate: {subject: 'CN=release,O=Company', \
                  issuer: 'CN=Company CA', authority: company-ca}}]";
    let by = |subject: &str, issuer: &str, authority: &str| {
        let evidence =
            format!("{{kind: signature, by: '{subject}', issuer: '{issuer}', authority: {authority}, on: index}}");
        fails(&with(notary, &evidence), "trusted-signer")
    };
    assert!(!by("CN=release,O=Company", "CN=Company CA", "company-ca"));
    assert!(by("CN=release,O=Company,C=US", "CN=Company CA", "company-ca"));
    assert!(by("CN=release,O=Company", "CN=Evil CA", "company-ca"));
    assert!(by("CN=release,O=Company", "CN=Company CA", "other-ca"));
}

#[test]
fn cve_2022_35929_a_signer_of_one_kind_vouches_for_no_other() {
    let kinds = [
        ("signature", "trusted-signer"),
        ("sbom", "require-sbom"),
        ("provenance", "require-provenance"),
        ("scan", "evidence-constraints"),
        ("test", "evidence-constraints"),
    ];
    for (named, _) in kinds {
        for (kind, control) in kinds {
            // The constraints make scan and test wanted; the other signer is there so that they may be asked for.
            let signers = format!(
                "signers: [{{name: a, for: [{named}], key: release-key}}, \
                 {{name: b, for: [signature, sbom, provenance, scan, test], key: security-key}}], \
                 constraints: {{{kind}: {{}}}}"
            );
            let verdict = with(&signers, &format!("{{kind: {kind}, by: release-key, on: index}}"));
            assert_eq!(fails(&verdict, control), named != kind, "named for {named}, signed {kind}");
        }
    }
}

#[test]
fn cve_2026_49834_one_identity_is_one_signer_however_often_it_signed() {
    let signers = "signers: [{name: first, for: [signature], key: release-key}, \
                   {name: second, for: [signature], key: spare-key}, {name: third, for: [signature], key: security-key}], \
                   require: {signature: {atLeast: 2, of: [first, second, third]}}";
    let one = "{kind: signature, by: release-key, on: index}";
    // The same signature again: from the other digest, from another log at another time, from another bundle.
    for again in ["", ", at: '2026-11-20T00:00:00Z'", ", until: '2027-01-01T00:00:00Z'"] {
        let twice = format!("{one}, {{kind: signature, by: release-key{again}}}");
        assert!(fails(&with(signers, &twice), "trusted-signer"), "{again}");
    }
    let both = format!("{one}, {{kind: signature, by: security-key, on: index}}");
    assert!(!fails(&with(signers, &both), "trusted-signer"));
}
