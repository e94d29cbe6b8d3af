//! What the labels of a namespace decide.

use assay_case::Namespace;
use assay_gate::{Policy, PolicyInput, starter_environments};
use assay_kinds::{Kind, load_yaml};

#[test]
fn relabelling_is_loosening_only_where_something_enforced_would_not_be() {
    let namespace = |environment: Option<&str>| Namespace {
        name: "shop".into(),
        labels: Some(environment.map(|own| ("assay.dev/environment".to_owned(), own.to_owned())).into_iter().collect()),
    };
    let environments = starter_environments().unwrap();
    let policy = Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap();
    let loosens = |from: Option<&str>, to: Option<&str>| policy.loosening(&namespace(from), &namespace(to));
    for (from, to) in [(Some("prod"), Some("dev")), (Some("prod"), Some("staging")), (None, Some("dev"))] {
        let own = loosens(from, to).unwrap();
        assert_eq!((own.from.as_str(), own.to.as_str()), ("prod", to.unwrap()));
    }
    for (from, to) in
        [(Some("dev"), Some("prod")), (Some("prod"), None), (None, Some("prod")), (Some("dev"), Some("dev"))]
    {
        assert_eq!(loosens(from, to), None, "{from:?} {to:?}");
    }
}

#[test]
fn a_namespace_fails_closed_where_something_that_denies_counts_errors_as_failures() {
    let environment = |extra: &str| {
        let text = format!(
            "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: shop}}\nspec:\n  tier: system\n  \
             namespaces: {{names: [shop]}}\n{extra}"
        );
        match load_yaml(&text, "test").unwrap().objects.remove(0).value {
            Kind::Environment(own) => *own,
            _ => panic!("{extra}"),
        }
    };
    let closed = |extra: &str, name: &str| {
        let environments = starter_environments().unwrap().into_iter().chain([environment(extra)]).collect();
        let policy = Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap();
        policy.fails_closed(&Namespace { name: name.into(), labels: Some(std::collections::BTreeMap::new()) })
    };
    let enforced = "  controls: {require-signature: {action: enforce}}\n";
    assert!(!closed("", "shop"), "everything is recorded only");
    assert!(closed(enforced, "shop"));
    assert!(!closed(
        &format!("{enforced}  failurePolicy: {{identity: warn, risk: warn, configuration: warn}}\n"),
        "shop"
    ));
    assert!(closed("", "elsewhere"), "what nobody selects is judged by the strictest");
}
