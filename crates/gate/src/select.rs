//! Which Environments judge a request.

use std::collections::BTreeMap;

use assay_case::{Namespace, Request};
use assay_kinds::{LabelOperator, NamespaceSelector};
use assay_model::EnvironmentName;

use crate::policy::{CompiledEnvironment, Policy};

/// The Environments that judge a request, strictest first, and why they do.
pub(crate) struct Selection<'p> {
    pub(crate) environments: Vec<&'p CompiledEnvironment>,
    pub(crate) note: Option<String>,
}

/// Selects by the name that the caller gave, else by the namespace. None selected, or not known which: the strictest.
pub(crate) fn select<'p>(policy: &'p Policy, request: &Request<'_>) -> Selection<'p> {
    let strictest = policy.strictest();
    if let Some(name) = &request.environment {
        return match policy.environments.iter().find(|environment| environment.name == *name) {
            Some(environment) => Selection { environments: vec![environment], note: None },
            None => Selection {
                environments: vec![strictest],
                note: Some(format!("there is no environment {name}: judged by the strictest, {}", strictest.name)),
            },
        };
    }
    let namespace = &request.namespace;
    let (mut selected, unknown) = selected_by(policy, namespace);
    if unknown {
        if !selected.iter().any(|environment| environment.name == strictest.name) {
            selected.push(strictest);
        }
        let name = &namespace.name;
        let note = format!("the labels of namespace {name} are not known: judged by the strictest, {}", strictest.name);
        return Selection { environments: order(selected), note: Some(note) };
    }
    let note = match selected.as_slice() {
        [_] => None,
        [] => {
            let name = &namespace.name;
            let note = format!("no environment selects namespace {name}: judged by the strictest, {}", strictest.name);
            return Selection { environments: vec![strictest], note: Some(note) };
        }
        several => {
            let mut names: Vec<&str> = several.iter().map(|environment| environment.name.as_str()).collect();
            names.sort_unstable();
            let (name, names) = (&namespace.name, names.join(", "));
            Some(format!("namespace {name} is selected by {names}: the stricter of them counts for each control"))
        }
    };
    Selection { environments: order(selected), note }
}

/// The Environments that judge what lies in a namespace.
pub(crate) fn judging<'p>(policy: &'p Policy, namespace: &Namespace) -> Vec<&'p CompiledEnvironment> {
    let (mut selected, unknown) = selected_by(policy, namespace);
    if unknown || selected.is_empty() {
        selected.push(policy.strictest());
    }
    selected
}

/// The one Environment that selects a namespace, if that can be told.
pub(crate) fn environment_of<'p>(policy: &'p Policy, namespace: &Namespace) -> Option<&'p EnvironmentName> {
    match selected_by(policy, namespace) {
        (selected, false) if selected.len() == 1 => selected.first().map(|environment| &environment.name),
        _ => None,
    }
}

/// The Environments that select a namespace, and whether others might if its labels were known.
fn selected_by<'p>(policy: &'p Policy, namespace: &Namespace) -> (Vec<&'p CompiledEnvironment>, bool) {
    let (mut selected, mut unknown) = (Vec::new(), false);
    for environment in &policy.environments {
        let selector = environment.namespaces.as_ref();
        match selector.map_or(Some(false), |selector| selects(selector, &namespace.name, namespace.labels.as_ref())) {
            Some(true) => selected.push(environment),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (selected, unknown)
}

fn order(mut environments: Vec<&CompiledEnvironment>) -> Vec<&CompiledEnvironment> {
    environments.sort_by_key(|environment| std::cmp::Reverse(environment.strictness()));
    environments
}

/// Whether a selector selects a namespace; `None` where that depends on labels that are not known.
fn selects(selector: &NamespaceSelector, name: &str, labels: Option<&BTreeMap<String, String>>) -> Option<bool> {
    if selector.names.iter().any(|pattern| name_matches(pattern, name)) {
        return Some(true);
    }
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        return Some(false);
    }
    let labels = labels?;
    let by_labels = selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().all(|requirement| {
        let value = labels.get(&requirement.key);
        match requirement.operator {
            LabelOperator::In => value.is_some_and(|value| requirement.values.contains(value)),
            LabelOperator::NotIn => value.is_none_or(|value| !requirement.values.contains(value)),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    });
    Some(by_labels && by_expressions)
}

/// `*` stands for any characters.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_stars() {
        for (pattern, name, matches) in [
            ("kube-*", "kube-system", true),
            ("kube-*", "kube", false),
            ("*", "anything", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("team-*-prod", "team-prod", false),
            ("prod", "prod-2", false),
        ] {
            assert_eq!(name_matches(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn labels_decide_only_where_they_are_known() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let selector = NamespaceSelector {
            names: vec!["named".into()],
            match_labels: labels(&[("environment", "prod")]),
            ..NamespaceSelector::default()
        };
        assert_eq!(selects(&selector, "named", None), Some(true));
        assert_eq!(selects(&selector, "other", None), None);
        assert_eq!(selects(&selector, "other", Some(&labels(&[("environment", "prod")]))), Some(true));
        assert_eq!(selects(&selector, "other", Some(&BTreeMap::new())), Some(false));
        assert_eq!(selects(&NamespaceSelector::default(), "any", None), Some(false), "asking nothing selects nothing");
    }
}
