//! What is refused when a Policy is compiled, and what its hash depends on.

use std::sync::Arc;

use assay_gate::{ApprovalState, Policy, PolicyInput};
use assay_model::Explain;

use crate::fixture::Fixture;

fn refused(prod: &str) -> String {
    let fixture = Fixture::base().with_yaml(&format!("policy: {{environments: {{prod: {prod}}}}}"));
    let error = Policy::compile(fixture.input()).unwrap_err();
    assert!(!error.code().is_empty());
    error.to_string()
}

#[test]
fn what_would_not_be_done_as_written_is_refused_by_name() {
    for (prod, says) in [
        (
            "{controls: {require-digst: {action: warn}}}",
            "there is no control `require-digst`, did you mean `require-digest`?",
        ),
        ("{controls: {fresh-scan: {maxage: 3h}}}", "there is no parameter `maxage`, did you mean `maxAge`?"),
        ("{controls: {fresh-scan: {maxAge: soon}}}", "controls.fresh-scan: `soon` is not a length of time"),
        ("{controls: {high-cve: {whenInternetFacing: never}}}", "whenInternetFacing"),
        ("{controls: {critical-cve: {whenUnknown: pass}}}", "whenUnknown"),
        ("{controls: {require-provenance: {builders: ['https://*']}}}", "write {glob: \"https://*\"}"),
        ("{trustRoot: [compny]}", "there is no trust root `compny`, did you mean `company`?"),
        ("{registries: ['*']}", "`*` is not a registry or repository prefix"),
        ("{signers: [{name: a, for: [sbom]}]}", "a signer needs `keyless`, `key` or `certificate`"),
        ("{signers: [{name: a, for: [], key: release-key}]}", "`for` names no kind of evidence"),
        ("{signers: [{name: a, for: [sbom], key: release-kay}]}", "did you mean `release-key`?"),
        ("{signers: [{name: a, for: [sbom], key: release-key, keyless: {issuer: a, subject: b}}]}", "not several"),
        ("{signers: [{name: a, for: [sbom], certificate: {subject: CN=*}}]}", "write {glob: \"CN=*\"}"),
        ("{signers: [{name: a, for: [sbom], certificate: {subject: CN=a, authority: ''}}]}", "identifies nobody"),
        ("{constraints: {sbom: {}, provenance: {sources: ['https://*']}}}", "constraints.provenance.sources"),
    ] {
        let error = refused(prod);
        assert!(error.contains(says), "{prod}: {error}");
        assert!(error.contains("Environment prod"), "{error}");
    }
}

#[test]
fn nothing_is_decided_without_an_environment_or_by_two_of_one_name() {
    let error = Policy::compile(PolicyInput::default()).unwrap_err();
    assert_eq!(error.code(), "policy-empty");
    let mut input = Fixture::base().input();
    input.environments.push(input.environments[0].clone());
    assert_eq!(Policy::compile(input).unwrap_err().code(), "policy-duplicate");
    let mut input = Fixture::base().input();
    input.default_environment = Some("nowhere".parse().unwrap());
    assert_eq!(Policy::compile(input).unwrap_err().code(), "policy-default-unknown");
}

#[test]
fn the_hash_changes_with_whatever_decides() {
    let base = Fixture::base();
    let digest = base.policy().digest();
    assert_eq!(digest, base.policy().digest());
    for change in [
        "policy: {environments: {prod: {registries: [registry.example.com/]}}}",
        "policy: {environments: {prod: {controls: {require-digest: {action: warn}}}}}",
        "policy: {exceptions: {a: {owner: x, controls: [], subjects: [], scope: {namespaces: []}}}}",
    ] {
        assert_ne!(base.with_yaml(change).policy().digest(), digest, "{change}");
    }
    let with =
        base.with_yaml("policy: {exceptions: {a: {owner: x, controls: [], subjects: [], scope: {namespaces: []}}}}");
    let mut input = with.input();
    Arc::make_mut(&mut input.exceptions[0]).approval =
        ApprovalState::Authenticated { by: "lead".into(), groups: Vec::new() };
    assert_ne!(Policy::compile(input).unwrap().digest(), with.policy().digest());
    let mut input = base.input();
    input.trust_roots[0].material = assay_model::Digest::of(b"rotated");
    assert_ne!(Policy::compile(input).unwrap().digest(), digest);
}

#[test]
fn the_policy_says_what_it_does() {
    let policy = Fixture::base().policy();
    assert_eq!(policy.default_environment().as_str(), "prod");
    assert_eq!(policy.action("prod", "allowed-registries"), Some(assay_case::Action::EnforceAlways));
    assert_eq!(policy.action("prod", "none"), None);
    assert!(policy.environments().any(|name| name.as_str() == "prod"));
}

/// Objects that were made and not loaded from a file are looked at as well.
#[test]
fn what_cannot_be_meant_is_refused_without_a_file_too() {
    let mut input = Fixture::base().input();
    let quorum = assay_kinds::Quorum { of: vec!["nobody".to_owned()], at_least: None };
    input.environments[0].spec.require.insert(assay_kinds::SignerPurpose::Signature, quorum);
    let error = Policy::compile(input).unwrap_err().to_string();
    assert_eq!(error, "Environment prod: spec.require.signature.of[0]: there is no signer `nobody`");
    let mut input = Fixture::base().input();
    let unanchored = assay_kinds::PatternSpec::Regexp("company".to_owned());
    input.environments[0].spec.signers[0].keyless.as_mut().unwrap().subject = unanchored;
    assert!(Policy::compile(input).unwrap_err().to_string().contains("is not anchored"));
}
