use serde_json::{Value, json};

use super::*;

fn document() -> Value {
    json!({"version": "1.0", "trustPolicies": [{
        "name": "ours",
        "registryScopes": ["registry.example.com/a"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:ours", "tsa:clock"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=example.com"]
    }]})
}

fn oci(value: &Value) -> Result<OciTrustPolicy, PolicyError> {
    OciTrustPolicy::parse(value.to_string().as_bytes())
}

/// The document with a member of its only statement replaced, or taken out by null.
fn with(member: &str, value: Value) -> Result<OciTrustPolicy, PolicyError> {
    let mut document = document();
    let statement = document["trustPolicies"][0].as_object_mut().unwrap();
    match value {
        Value::Null => drop(statement.remove(member).unwrap()),
        value => drop(statement.insert(member.to_owned(), value)),
    }
    oci(&document)
}

fn with_verification(value: Value) -> Result<OciTrustPolicy, PolicyError> {
    with("signatureVerification", value)
}

#[test]
fn levels_give_each_check_its_action() {
    use Action::{Enforce, Log};
    let actions = |level: &str| {
        let policy = with_verification(json!({"level": level})).unwrap();
        let statement = policy.statement("registry.example.com/a").unwrap();
        Validation::ALL.map(|validation| statement.action(validation))
    };
    assert_eq!(actions("strict"), [Enforce; 5]);
    assert_eq!(actions("permissive"), [Enforce, Enforce, Log, Log, Log]);
    assert_eq!(actions("audit"), [Enforce, Log, Log, Log, Log]);
    let skip = json!({"version": "1.0", "trustPolicies": [
        {"name": "none", "registryScopes": ["*"], "signatureVerification": {"level": "skip"}}
    ]});
    let skip = oci(&skip).unwrap();
    assert_eq!(Validation::ALL.map(|one| skip.statement("a.example/b").unwrap().action(one)), [Action::Skip; 5]);
}

#[test]
fn overrides_replace_single_actions() {
    let overrides =
        json!({"authenticity": "enforce", "expiry": "enforce", "authenticTimestamp": "log", "revocation": "skip"});
    let policy = with_verification(json!({"level": "audit", "override": overrides})).unwrap();
    let statement = policy.statement("registry.example.com/a").unwrap();
    let actions = Validation::ALL.map(|validation| statement.action(validation));
    assert_eq!(actions, [Action::Enforce, Action::Enforce, Action::Enforce, Action::Log, Action::Skip]);
}

#[test]
fn what_cannot_be_overridden_is_refused() {
    let overriding = |level: &str, overrides: Value| with_verification(json!({"level": level, "override": overrides}));
    let refused = overriding("strict", json!({"integrity": "log"}));
    assert!(matches!(refused, Err(PolicyError::OverrideOfIntegrity { .. })));
    for check in ["authenticity", "expiry", "authenticTimestamp"] {
        let refused = overriding("strict", json!({check: "skip"}));
        assert!(matches!(refused, Err(PolicyError::Override { .. })), "{check}");
    }
    assert!(matches!(overriding("strict", json!({"revocation": "ignore"})), Err(PolicyError::Override { .. })));
    assert!(matches!(overriding("strict", json!({"everything": "log"})), Err(PolicyError::Malformed { .. })));
    let mut skip = document();
    let statement = json!({"name": "none", "registryScopes": ["a.example/b"],
        "signatureVerification": {"level": "skip", "override": {"expiry": "log"}}});
    skip["trustPolicies"][0] = statement;
    assert!(matches!(oci(&skip), Err(PolicyError::OverrideOfSkip { .. })));
}

#[test]
fn every_member_counts() {
    assert!(matches!(with("name", Value::Null), Err(PolicyError::NoName)));
    assert!(matches!(with("registryScopes", Value::Null), Err(PolicyError::NoScope { .. })));
    assert!(matches!(with("signatureVerification", Value::Null), Err(PolicyError::Level { .. })));
    assert!(matches!(with("trustStores", Value::Null), Err(PolicyError::NoTrust { .. })));
    assert!(matches!(with("trustedIdentities", Value::Null), Err(PolicyError::NoTrust { .. })));
    assert!(matches!(with("trustedIdentity", json!([])), Err(PolicyError::Malformed { .. })));
    assert!(matches!(with_verification(json!({"level": "loose"})), Err(PolicyError::Level { .. })));
    assert!(matches!(
        with_verification(json!({"level": "strict", "overrides": {}})),
        Err(PolicyError::Malformed { .. })
    ));
    let late = json!({"level": "strict", "verifyTimestamp": "never"});
    assert!(matches!(with_verification(late), Err(PolicyError::VerifyTimestamp { .. })));
    assert!(matches!(with_verification(json!({"level": "skip"})), Err(PolicyError::SkipWithTrust { .. })));
    for (version, statements) in [("1.1", document()["trustPolicies"].clone()), ("", json!([])), ("2", json!([]))] {
        let refused = oci(&json!({"version": version, "trustPolicies": statements}));
        assert!(matches!(refused, Err(PolicyError::Version { .. })), "{version}");
    }
    assert_eq!(oci(&json!({"version": "1.0", "trustPolicies": []})), Err(PolicyError::Empty));
    assert!(matches!(OciTrustPolicy::parse(b"{"), Err(PolicyError::Malformed { .. })));
    assert!(matches!(OciTrustPolicy::parse(&vec![b' '; document::POLICY_MAX + 1]), Err(PolicyError::TooLarge { .. })));
}

#[test]
fn names_and_scopes_are_unique() {
    let mut twice = document();
    let first = twice["trustPolicies"][0].clone();
    twice["trustPolicies"].as_array_mut().unwrap().push(first);
    assert!(matches!(oci(&twice), Err(PolicyError::RepeatedName { .. })));
    twice["trustPolicies"][1]["name"] = json!("other");
    assert_eq!(oci(&twice), Err(PolicyError::RepeatedScope { scope: "registry.example.com/a".to_owned() }));
    twice["trustPolicies"][1]["registryScopes"] = json!(["*"]);
    let policy = oci(&twice).unwrap();
    assert_eq!(policy.statement("registry.example.com/a").unwrap().name(), "ours");
    assert_eq!(policy.statement("registry.example.com/b").unwrap().name(), "other");
    twice["trustPolicies"][0]["registryScopes"] = json!(["*"]);
    assert!(matches!(oci(&twice), Err(PolicyError::RepeatedScope { .. })));
}

#[test]
fn scopes_are_full_names_or_everything() {
    assert!(matches!(with("registryScopes", json!(["*", "a.example/b"])), Err(PolicyError::WildcardScope { .. })));
    let same = json!(["a.example/b", "a.example/b"]);
    assert!(matches!(with("registryScopes", same), Err(PolicyError::RepeatedScope { .. })));
    for wrong in ["", "registry", "a.example/*", "a.example\\b", "https://a.example/b", "a.example/b:tag"] {
        assert!(matches!(with("registryScopes", json!([wrong])), Err(PolicyError::Scope { .. })), "{wrong}");
    }
}

#[test]
fn stores_are_of_three_kinds() {
    for wrong in ["", "*", "ours", "ca:", "ca:*", "ca:a/b", "ca:..", "CA:ours", "other:ours"] {
        assert!(matches!(with("trustStores", json!([wrong])), Err(PolicyError::TrustStore { .. })), "{wrong}");
    }
    let policy = with("trustStores", json!(["ca:a", "signingAuthority:a", "tsa:a.b-c_d", "ca:a"])).unwrap();
    let statement = policy.statement("registry.example.com/a").unwrap();
    let stores: Vec<String> = statement.stores().iter().map(ToString::to_string).collect();
    assert_eq!(stores, ["ca:a", "signingAuthority:a", "tsa:a.b-c_d"]);
}

#[test]
fn identities_are_subjects_that_do_not_overlap() {
    let identities = |list: Value| with("trustedIdentities", list);
    assert!(matches!(
        identities(json!(["*", "x509.subject: C=US, ST=WA, O=a"])),
        Err(PolicyError::WildcardIdentity { .. })
    ));
    for wrong in ["", "x509.subject", "x509.subject:", "x509.subject: O=a", "x509.subject: C=US, ST=WA, O=#00"] {
        assert!(matches!(identities(json!([wrong])), Err(PolicyError::Identity { .. })), "{wrong}");
    }
    let narrow = "x509.subject: C=US, ST=WA, O=a, OU=x";
    for wide in ["x509.subject: C=US, ST=WA, O=a", narrow, "x509.subject: O=a, OU=x, S=WA, C=US, CN=y"] {
        let refused = identities(json!([narrow, wide]));
        assert!(matches!(refused, Err(PolicyError::OverlappingIdentities { .. })), "{wide}");
    }
    identities(json!([narrow, "x509.subject: C=US, ST=WA, O=a, OU=y"])).unwrap();
    // A plugin's identity matches nobody here.
    let policy = identities(json!(["plugin.example: anything"])).unwrap();
    let statement = policy.statement("registry.example.com/a").unwrap();
    assert!(!statement.identities().accept(&DistinguishedName::parse("C=US,ST=WA,O=a").unwrap()));
}

#[test]
fn policies_for_files_go_by_name() {
    let blob = |value: Value| BlobTrustPolicy::parse(value.to_string().as_bytes());
    let strict = |name: &str, global: bool| {
        json!({"name": name, "globalPolicy": global, "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:a"], "trustedIdentities": ["*"]})
    };
    let policy = blob(json!({"version": "1.0", "trustPolicies": [strict("a", false), strict("b", true)]})).unwrap();
    assert_eq!(policy.statement("a").unwrap().name(), "a");
    assert_eq!(policy.global().unwrap().name(), "b");
    assert!(policy.statement("c").is_none());
    assert_eq!(policy.statements().map(PolicyStatement::name).collect::<Vec<_>>(), ["a", "b"]);
    let twice = blob(json!({"version": "1.0", "trustPolicies": [strict("a", true), strict("b", true)]}));
    assert_eq!(twice, Err(PolicyError::GlobalTwice));
    let skip = json!({"name": "s", "globalPolicy": true, "signatureVerification": {"level": "skip"}});
    assert!(matches!(blob(json!({"version": "1.0", "trustPolicies": [skip]})), Err(PolicyError::GlobalSkip { .. })));
    let mut scoped = strict("a", false);
    scoped["registryScopes"] = json!(["*"]);
    assert!(matches!(blob(json!({"version": "1.0", "trustPolicies": [scoped]})), Err(PolicyError::Malformed { .. })));
}

#[test]
fn the_statements_of_a_policy_for_images_are_listed() {
    let policy = oci(&document()).unwrap();
    assert_eq!(policy.statements().map(PolicyStatement::name).collect::<Vec<_>>(), ["ours"]);
}
