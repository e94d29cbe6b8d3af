//! What the API server can refuse by itself: ValidatingAdmissionPolicies (Kubernetes, "Validating Admission Policy") for
//! the controls that need no evidence, one merged policy and binding an Environment.
//!
//! They hold while no webhook answers. They know neither evidence nor Exceptions, so that they refuse only what an
//! Environment enforces without an ordinary Exception lifting it, and never more than the webhook would.

use assay_kinds::{LabelOperator, NamespaceSelector};
use serde_json::{Value, json};

use crate::{Resource, VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS};

/// The controls that CEL can decide.
pub const BACKSTOP_CONTROLS: [&str; 4] = ["allowed-registries", "disallow-latest", "require-digest", "no-privileged"];

/// An Environment, by what its backstop depends on.
#[derive(Clone, Debug)]
pub struct BackstopEnvironment {
    /// Its name.
    pub name: String,
    /// The namespaces it judges.
    pub namespaces: Option<NamespaceSelector>,
    /// Whether it judges the namespaces that no Environment selects.
    pub is_default: bool,
    /// Registry and repository prefixes.
    pub registries: Vec<String>,
    /// Those of [`BACKSTOP_CONTROLS`] that it enforces.
    pub enforced: Vec<String>,
}

/// The objects, policies and bindings, of all Environments that enforce any of the controls. Nothing in `own_namespace` is
/// judged.
pub fn backstop(environments: &[BackstopEnvironment], own_namespace: &str) -> Vec<(Resource, Value)> {
    let enforcing = environments.iter().filter(|own| !own.enforced.is_empty());
    enforcing
        .flat_map(|own| {
            [
                (VALIDATING_POLICIES, policy(own, environments)),
                (VALIDATING_POLICY_BINDINGS, binding(own, own_namespace)),
            ]
        })
        .collect()
}

fn name(environment: &BackstopEnvironment) -> String {
    format!("assay-backstop-{}", environment.name)
}

fn labels() -> Value {
    json!({"app.kubernetes.io/part-of": "assay"})
}

fn binding(environment: &BackstopEnvironment, own_namespace: &str) -> Value {
    let own = json!([{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [own_namespace]}]);
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name(environment), "labels": labels()},
        "spec": {
            "policyName": name(environment), "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchExpressions": own}},
        },
    })
}

fn policy(environment: &BackstopEnvironment, all: &[BackstopEnvironment]) -> Value {
    let rule = |group: &str, version: &str, resources: &[&str]| {
        json!({
            "apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": resources,
        })
    };
    let variable = |name: &str, expression: String| json!({"name": name, "expression": expression});
    let variables = [
        variable("labels", "namespaceObject.metadata.?labels.orValue({})".to_owned()),
        variable("selected", selected(environment, all)),
        variable("pod", pod("object")),
        // What runs already and does not change is not judged again: a finalizer has to go, a replica to be added.
        variable("judged", format!("variables.selected && !(request.operation == 'UPDATE' && variables.pod == {})", pod("oldObject"))),
        variable("containers", list("containers") + " + " + &list("initContainers") + " + " + &list("ephemeralContainers")),
        variable("volumes", list("volumes")),
        variable("written", "variables.containers.map(own, own.?image.orValue('')) + variables.volumes.filter(own, has(own.image)).map(own, own.image.?reference.orValue(''))".to_owned()),
        // A name without a registry is Docker Hub's.
        variable("images", "variables.written.map(own, !own.contains('/') ? 'docker.io/library/' + own : own.split('/')[0].matches('^localhost$|[.:]') ? own : 'docker.io/' + own)".to_owned()),
    ];
    let validations: Vec<Value> = BACKSTOP_CONTROLS
        .iter()
        .filter(|control| environment.enforced.iter().any(|own| own == *control))
        .flat_map(|control| validations(control, environment))
        .collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name(environment), "labels": labels()},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                rule("", "v1", &["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"]),
                rule("apps", "*", &["deployments", "replicasets", "statefulsets", "daemonsets"]),
                rule("batch", "*", &["jobs", "cronjobs"]),
            ]},
            "matchConditions": [{
                // The kubelet shows the static Pods that it runs already: to refuse the picture stops nothing.
                "name": "not-a-mirror-pod",
                "expression": "!('system:nodes' in request.userInfo.groups && request.resource.resource == 'pods' && \
                               has(object.metadata.annotations) && 'kubernetes.io/config.mirror' in object.metadata.annotations)",
            }],
            "variables": variables,
            "validations": validations,
        },
    })
}

/// The Pod specification in an object, whatever kind it has.
fn pod(object: &str) -> String {
    format!(
        "({object}.kind == 'Pod' ? dyn({object}).?spec.orValue({{}}) : {object}.kind == 'PodTemplate' ? \
         dyn({object}).?template.?spec.orValue({{}}) : {object}.kind == 'CronJob' ? \
         dyn({object}).?spec.?jobTemplate.?spec.?template.?spec.orValue({{}}) : \
         dyn({object}).?spec.?template.?spec.orValue({{}}))"
    )
}

fn list(field: &str) -> String {
    format!("variables.pod.?{field}.orValue([])")
}

/// Whether an Environment judges the namespace at hand.
fn selected(environment: &BackstopEnvironment, all: &[BackstopEnvironment]) -> String {
    let own = selects(environment.namespaces.as_ref());
    if !environment.is_default {
        return own;
    }
    let others = all.iter().filter(|other| other.name != environment.name);
    let none: Vec<String> = others.map(|other| format!("!({})", selects(other.namespaces.as_ref()))).collect();
    if none.is_empty() { "true".to_owned() } else { format!("{own} || ({})", none.join(" && ")) }
}

fn selects(selector: Option<&NamespaceSelector>) -> String {
    let Some(selector) = selector else { return "false".to_owned() };
    let mut either: Vec<String> = Vec::new();
    for pattern in &selector.names {
        let pattern: Vec<String> = pattern.split('*').map(escaped_pattern).collect();
        either.push(format!("namespaceObject.metadata.name.matches({})", quoted(&format!("^{}$", pattern.join(".*")))));
    }
    let mut each: Vec<String> = selector
        .match_labels
        .iter()
        .map(|(key, value)| format!("variables.labels[?{}] == optional.of({})", quoted(key), quoted(value)))
        .collect();
    for requirement in &selector.match_expressions {
        let key = quoted(&requirement.key);
        let values: Vec<String> = requirement.values.iter().map(|value| quoted(value)).collect();
        let is_in = format!("({key} in variables.labels && variables.labels[{key}] in [{}])", values.join(", "));
        each.push(match requirement.operator {
            LabelOperator::In => is_in,
            LabelOperator::NotIn => format!("!{is_in}"),
            LabelOperator::Exists => format!("{key} in variables.labels"),
            LabelOperator::DoesNotExist => format!("!({key} in variables.labels)"),
        });
    }
    if !each.is_empty() {
        either.push(format!("({})", each.join(" && ")));
    }
    if either.is_empty() { "false".to_owned() } else { format!("({})", either.join(" || ")) }
}

/// A string literal of CEL (Common Expression Language, "Syntax", STRING_LIT).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {}
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Text that stands for itself in a regular expression of RE2.
fn escaped_pattern(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_ascii_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect()
}

fn validations(control: &str, environment: &BackstopEnvironment) -> Vec<Value> {
    let name = &environment.name;
    let images = |good: &str, why: &str| {
        let bad = format!("variables.images.filter(own, !({good}))");
        json!({
            "expression": format!("!variables.judged || {bad}.size() == 0"),
            "messageExpression": format!("{} + {bad}.join(', ')", quoted(&format!("rejected in {name}: {why} ({control}, backstop): "))),
            "reason": "Forbidden",
        })
    };
    let pod = |good: &str, why: &str| {
        json!({
            "expression": format!("!variables.judged || {good}"),
            "message": format!("rejected in {name}: {why} ({control}, backstop)"),
            "reason": "Forbidden",
        })
    };
    match control {
        "allowed-registries" => {
            let prefixes: Vec<String> = environment.registries.iter().map(|prefix| below(prefix)).collect();
            let good = if prefixes.is_empty() { "false".to_owned() } else { prefixes.join(" || ") };
            vec![images(&good, "from a registry that is not allowed")]
        }
        "disallow-latest" => {
            let good = "own.contains('@') || (own.matches(':[^/:]+$') && !own.endsWith(':latest'))";
            vec![images(good, "latest, written or implied")]
        }
        "require-digest" => {
            let good = "own.matches('@sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$')";
            vec![images(good, "no digest")]
        }
        _ => vec![
            pod(
                "variables.containers.all(own, !own.?securityContext.?privileged.orValue(false))",
                "a privileged container is root on the node",
            ),
            pod(
                "!['hostNetwork', 'hostPID', 'hostIPC'].exists(own, own in variables.pod && variables.pod[own] == true)",
                "shares a namespace with the node",
            ),
            pod("!variables.volumes.exists(own, has(own.hostPath))", "mounts a path of the node"),
        ],
    }
}

/// Whether an image is one of a prefix or lies below it. A prefix ends where a path segment does.
fn below(prefix: &str) -> String {
    let plain = prefix.trim_end_matches('/');
    let inside = format!("own.startsWith({})", quoted(&format!("{plain}/")));
    if plain.contains('/') {
        let itself = [":", "@"].map(|end| format!("own.startsWith({})", quoted(&format!("{plain}{end}"))));
        format!("{inside} || {} || own == {}", itself.join(" || "), quoted(plain))
    } else {
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, enforced: &[&str]) -> BackstopEnvironment {
        let labels = [("environment".to_owned(), name.to_owned())].into();
        BackstopEnvironment {
            name: name.into(),
            namespaces: Some(NamespaceSelector { match_labels: labels, ..NamespaceSelector::default() }),
            is_default: name == "prod",
            registries: vec!["registry.example.com/release/".into(), "ghcr.io".into()],
            enforced: enforced.iter().map(|own| (*own).to_owned()).collect(),
        }
    }

    #[test]
    fn each_environment_that_enforces_has_one_policy_and_one_binding() {
        let all = [
            environment("prod", &BACKSTOP_CONTROLS),
            environment("dev", &["require-digest"]),
            environment("system", &[]),
        ];
        let objects = backstop(&all, "assay-system");
        let names: Vec<&str> = objects.iter().map(|(_, own)| own["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["assay-backstop-prod", "assay-backstop-prod", "assay-backstop-dev", "assay-backstop-dev"]);
        let prod = &objects[0].1["spec"];
        assert_eq!(prod["validations"].as_array().unwrap().len(), 6);
        assert_eq!(objects[2].1["spec"]["validations"].as_array().unwrap().len(), 1);
        assert_eq!(objects[1].1["spec"]["policyName"], "assay-backstop-prod");
        // What nobody selects is the default's; whoever selects nothing judges nothing by selection.
        let selected =
            |index: usize| objects[index].1["spec"]["variables"][1]["expression"].as_str().unwrap().to_owned();
        assert!(selected(0).contains("'dev'") && selected(0).contains("'system'"), "{}", selected(0));
        assert!(!selected(2).contains("'prod'"), "{}", selected(2));
        assert_eq!(selects(None), "false");
    }

    #[test]
    fn a_prefix_ends_at_a_path_boundary() {
        assert_eq!(below("ghcr.io"), "own.startsWith('ghcr.io/')");
        let release = below("registry.example.com/release/");
        assert!(
            release.contains("'registry.example.com/release/'") && release.contains("'registry.example.com/release@'")
        );
    }

    #[test]
    fn nothing_that_is_written_leaves_its_literal() {
        assert_eq!(quoted("a'b\\c\n"), "'a\\'b\\\\c'");
        assert_eq!(escaped_pattern("kube-sys"), "kube\\-sys");
        let selector = NamespaceSelector {
            names: vec!["kube-*".into(), "x') || true || ('".into()],
            ..NamespaceSelector::default()
        };
        let text = selects(Some(&selector));
        assert!(text.contains("'^kube\\\\-.*$'"), "{text}");
        assert!(!text.contains("') || true"), "{text}");
    }
}
