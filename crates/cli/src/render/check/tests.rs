use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::{Action, ContainerRole, Operation, Statement, Target, Verdict};
use assay_model::Digest;

use super::*;
use crate::commands::check::Mark;

fn outcome(control: &str, action: Action, outcome: Outcome, message: &str) -> ControlOutcome {
    let target = Target {
        role: Some(ContainerRole::Container),
        name: "api".into(),
        image: "registry.example.com/payments/api:prod".into(),
        field: "spec.template.spec.containers[0].image".into(),
        ..Target::default()
    };
    let statement = Statement {
        control: control.parse().unwrap(),
        action,
        outcome,
        message: message.to_owned().into(),
        fix: None,
        severity: None,
        vulnerabilities: Vec::new(),
        packages: Vec::new(),
        excepted_by: None,
    };
    ControlOutcome::new(statement, target)
}

fn checked(outcomes: Vec<ControlOutcome>) -> CheckOutcome {
    let verdict = Verdict {
        allowed: outcomes.iter().all(|outcome| !outcome.denies()),
        operation: Operation::Create,
        workload: "payments-prod/Deployment/payments-api".into(),
        environment: "prod".parse().unwrap(),
        policy: Digest::of(b"policy"),
        decided_at: "2026-11-21T08:00:00Z".parse().unwrap(),
        outcomes,
        exceptions: Vec::new(),
        unbound: Vec::new(),
        notes: Vec::new(),
    };
    let mark =
        Mark { line: 21, column: 16, length: 38, text: "        image: registry.example.com/payments/api:prod".into() };
    let object = CheckedObject {
        file: "deploy/payments-api.yaml".into(),
        template: None,
        line: 1,
        verdict,
        marks: BTreeMap::from([("spec.template.spec.containers[0].image".to_owned(), mark)]),
    };
    CheckOutcome::new(vec![object], 1, BTreeMap::from([("Service".to_owned(), 2)]))
}

fn denied() -> CheckOutcome {
    let mut digest =
        outcome("require-digest", Action::Enforce, Outcome::Fail, "no digest: the tag can move after this check");
    Arc::make_mut(&mut digest.statement).fix = Some("assay pin -f deploy/payments-api.yaml".into());
    let mut signer = outcome(
        "trusted-signer",
        Action::Enforce,
        Outcome::Fail,
        "signed, but by security-bot@example.com; prod wants release.yml@refs/heads/main of company/payments",
    );
    Arc::make_mut(&mut signer.target).field = String::new();
    let mut cve = outcome(
        "critical-cve",
        Action::EnforceWithException,
        Outcome::Fail,
        "CVE-2026-1234 critical in zlib 1.2.13 (from base debian:12), fixed in 1.3.1",
    );
    Arc::make_mut(&mut cve.statement).vulnerabilities = vec!["CVE-2026-1234".into()];
    let provenance = outcome("require-provenance", Action::Warn, Outcome::Fail, "no provenance");
    let sbom = outcome("require-sbom", Action::Enforce, Outcome::Error, "the registry did not answer within 5 s");
    checked(vec![digest, signer, cve, sbom, provenance])
}

#[test]
fn a_denial_marks_the_line_and_names_control_and_fix() {
    insta::assert_snapshot!(denied().text(Page { detail: false, ..Page::file() }));
}

#[test]
fn warnings_are_counted_and_shown_when_asked() {
    insta::assert_snapshot!(denied().text(Page::file()));
}

#[test]
fn no_line_is_wider_than_the_page() {
    for line in denied().text(Page::file()).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn colour_adds_no_words() {
    let coloured = denied().text(Page { colour: true, ..Page::file() });
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('m').unwrap() + 1..];
    }
    plain.push_str(rest);
    assert_eq!(plain, denied().text(Page::file()));
}

#[test]
fn what_was_decided_outweighs_what_was_not() {
    assert_eq!(denied().status(), Status::Denied);
    let error = outcome("require-sbom", Action::Enforce, Outcome::Error, "no answer");
    assert_eq!(checked(vec![error.clone()]).status(), Status::Undecided);
    let warned = Statement { action: Action::Warn, ..Statement::clone(&error) };
    let warned = ControlOutcome::new(warned, error.target);
    assert_eq!(checked(vec![warned]).status(), Status::Pass);
}

#[test]
fn every_denial_and_warning_is_a_sarif_result_with_a_stable_fingerprint() {
    let log: serde_json::Value = serde_json::from_str(&sarif::write(&denied())).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 21);
    let again: serde_json::Value = serde_json::from_str(&sarif::write(&denied())).unwrap();
    assert_eq!(log, again);
    let rules: Vec<_> = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().iter().collect();
    assert_eq!(rules.len(), 5);
}

#[test]
fn junit_counts_denials_as_failures_and_the_unknown_as_errors() {
    let xml = junit::write(&denied());
    assert!(xml.contains("failures=\"3\" errors=\"1\" skipped=\"0\""), "{xml}");
    assert!(xml.contains("<failure message=\"no digest: the tag can move after this check\">assay pin"));
}

#[test]
fn workflow_commands_cannot_be_forged_by_a_message() {
    let hostile = outcome("require-digest", Action::Enforce, Outcome::Fail, "a\n::error file=x::forged");
    let text = github(&checked(vec![hostile]));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("::error file=deploy/payments-api.yaml,line=21,col=16,title=require-digest::"));
}

#[test]
fn markdown_cannot_mention_or_link() {
    let hostile = outcome("require-digest", Action::Enforce, Outcome::Fail, "@admin [x](http://e) | <b>");
    let text = markdown::write(&checked(vec![hostile]));
    assert!(!text.contains("@admin") && !text.contains("[x]") && !text.contains("<b>"), "{text}");
}
