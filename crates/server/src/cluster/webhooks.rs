//! The webhook configurations: what they have to be, and keeping them so (Kubernetes API reference,
//! admissionregistration.k8s.io/v1).
//!
//! Every field is spelled out, those too that the API server would fill in: what is compared with what it holds has to be
//! the whole. A field that somebody adds by hand, such as an `objectSelector`, could take every Pod out of the webhook.

use assay_kube::{ApiError, Client, MUTATING_WEBHOOKS, Resource, VALIDATING_WEBHOOKS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Mutation;

/// The name of both objects.
pub(super) const NAME: &str = "assay";
/// Seconds for an answer. Slow paths keep their own, shorter deadline.
const TIMEOUT_SECONDS: u32 = 5;
/// The namespace that each namespace carries as a label.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Whom the API server calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// A Service.
    Service {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Its port.
        port: u16,
    },
    /// A host that it reaches by itself.
    Host {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Called {
    /// `NAME.NAMESPACE.svc` is a Service, anything else a host.
    pub fn parse(name: &str, port: u16) -> Self {
        let service = name.strip_suffix(".cluster.local").unwrap_or(name).strip_suffix(".svc");
        match service.and_then(|service| service.split_once('.')) {
            Some((name, namespace)) => Self::Service { name: name.to_owned(), namespace: namespace.to_owned(), port },
            None => Self::Host { host: name.to_owned(), port },
        }
    }

    /// The names that its certificate needs.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Service { name, namespace, .. } => vec![
                format!("{name}.{namespace}.svc"),
                format!("{name}.{namespace}.svc.cluster.local"),
                format!("{name}.{namespace}"),
            ],
            Self::Host { host, .. } => vec![host.clone()],
        }
    }

    fn client(&self, path: &str, bundle: &str) -> Value {
        let bundle = STANDARD.encode(bundle);
        match self {
            Self::Service { name, namespace, port } => {
                let service = json!({"name": name, "namespace": namespace, "path": path, "port": port});
                json!({"service": service, "caBundle": bundle})
            }
            Self::Host { host, port } => json!({"url": format!("https://{host}:{port}{path}"), "caBundle": bundle}),
        }
    }
}

/// Everything that the configurations depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whom the API server calls.
    pub(super) called: Called,
    /// Authorities, PEM.
    pub(super) bundle: String,
    /// Assay's own namespace, which is never judged: it could not start again otherwise.
    pub(super) own_namespace: String,
    /// The namespaces in which nothing that is enforced fails closed, sorted.
    pub(super) open: Vec<String>,
    /// Whose tags are pinned.
    pub(super) mutate: Mutation,
}

impl Wanted {
    /// The configurations.
    pub(super) fn objects(&self) -> [(Resource, Value); 2] {
        [(VALIDATING_WEBHOOKS, self.validating()), (MUTATING_WEBHOOKS, self.mutating())]
    }

    fn validating(&self) -> Value {
        let closed: Vec<&String> = std::iter::once(&self.own_namespace).chain(&self.open).collect();
        let open: Vec<&String> = self.open.iter().filter(|name| **name != self.own_namespace).collect();
        let workloads = || {
            json!([
                rule(
                    "",
                    "v1",
                    &["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"],
                    &["CREATE", "UPDATE"]
                ),
                rule("apps", "*", &["deployments", "replicasets", "statefulsets", "daemonsets"], &["CREATE", "UPDATE"]),
                rule("batch", "*", &["jobs", "cronjobs"], &["CREATE", "UPDATE"]),
            ])
        };
        let kinds = ["environments", "exceptions", "releaseartifacts", "trustroots"];
        let mut webhooks = vec![
            self.webhook("closed.assay.dev", "/validate", "Fail", workloads(), selector("NotIn", &closed)),
            self.webhook(
                "kinds.assay.dev",
                "/kinds/validate",
                // Bad objects are found again when they are read: without Assay they may be written, and repaired.
                "Ignore",
                json!([rule("assay.dev", "*", &kinds, &["CREATE", "UPDATE"])]),
                json!({}),
            ),
        ];
        let mut namespaces = self.webhook(
            "namespaces.assay.dev",
            "/kinds/validate",
            "Fail",
            json!([rule("", "v1", &["namespaces"], &["UPDATE"])]),
            selector("NotIn", &[&self.own_namespace]),
        );
        // Labels choose the Environment; nothing else of a namespace is anybody's concern here.
        namespaces["matchConditions"] = json!([{
            "name": "labels-change",
            "expression": "(has(object.metadata.labels) ? object.metadata.labels : {}) != \
                           (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})",
        }]);
        webhooks.push(namespaces);
        if !open.is_empty() {
            let selector = selector("In", &open);
            webhooks.insert(1, self.webhook("open.assay.dev", "/validate", "Ignore", workloads(), selector));
        }
        object("ValidatingWebhookConfiguration", webhooks)
    }

    fn mutating(&self) -> Value {
        let own = selector("NotIn", &[&self.own_namespace]);
        let exceptions = json!([rule("assay.dev", "*", &["exceptions"], &["CREATE", "UPDATE"])]);
        // Who wrote an Exception is known at that moment only: unrecorded, it would do nothing.
        let mut webhooks = vec![self.webhook("exceptions.assay.dev", "/kinds/record", "Fail", exceptions, json!({}))];
        if self.mutate != Mutation::Nothing {
            let mut rules = vec![rule("", "v1", &["pods"], &["CREATE"])];
            if self.mutate == Mutation::Templates {
                // What controllers make of a template is left to them: a ReplicaSet is none of its Deployment otherwise.
                rules.push(rule("", "v1", &["podtemplates", "replicationcontrollers"], &["CREATE", "UPDATE"]));
                let apps = ["deployments", "replicasets", "statefulsets", "daemonsets"];
                rules.push(rule("apps", "*", &apps, &["CREATE", "UPDATE"]));
                rules.push(rule("batch", "*", &["cronjobs"], &["CREATE", "UPDATE"]));
                // A Job's template cannot change.
                rules.push(rule("batch", "*", &["jobs"], &["CREATE"]));
            }
            // What is not pinned is judged as it is.
            webhooks.push(self.webhook("pin.assay.dev", "/mutate", "Ignore", json!(rules), own));
        }
        for webhook in &mut webhooks {
            webhook["reinvocationPolicy"] = json!("Never");
        }
        object("MutatingWebhookConfiguration", webhooks)
    }

    fn webhook(&self, name: &str, path: &str, failure: &str, rules: Value, namespaces: Value) -> Value {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "clientConfig": self.called.client(path, &self.bundle),
            "failurePolicy": failure,
            "matchPolicy": "Equivalent",
            "matchConditions": [{
                // The kubelet shows the static Pods that it runs already: to refuse the picture stops nothing.
                "name": "not-a-mirror-pod",
                "expression": "!('system:nodes' in request.userInfo.groups && request.resource.resource == 'pods' && \
                               has(object.metadata.annotations) && 'kubernetes.io/config.mirror' in object.metadata.annotations)",
            }],
            "namespaceSelector": namespaces,
            "objectSelector": {},
            "rules": rules,
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": TIMEOUT_SECONDS,
        })
    }
}

fn object(kind: &str, webhooks: Vec<Value>) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/part-of": "assay"}},
        "webhooks": webhooks,
    })
}

fn rule(group: &str, version: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!({
        "apiGroups": [group], "apiVersions": [version], "operations": operations, "resources": resources, "scope": "*",
    })
}

fn selector(operator: &str, names: &[&String]) -> Value {
    json!({"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": operator, "values": names}]})
}

/// What had to be done to have a configuration as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// Nothing: it was so.
    None,
    /// It was not there.
    Created,
    /// It was different.
    Replaced,
    /// It is different, and another one's to change.
    Left,
}

/// Makes a configuration what it should be. One that is there is changed only by who `leads`.
pub(super) async fn repair(
    client: &Client,
    resource: Resource,
    wanted: &Value,
    leads: bool,
) -> Result<Repair, ApiError> {
    match client.get(resource, None, NAME).await {
        Err(error) if error.is_not_found() => {
            client.create(resource, None, wanted).await?;
            Ok(Repair::Created)
        }
        Err(error) => Err(error),
        Ok(held) if held.0["webhooks"] == wanted["webhooks"] => Ok(Repair::None),
        Ok(_) if !leads => Ok(Repair::Left),
        Ok(held) => {
            let mut object = wanted.clone();
            object["metadata"]["resourceVersion"] = json!(held.resource_version());
            client.replace(resource, None, NAME, &object).await?;
            Ok(Repair::Replaced)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(open: &[&str]) -> Wanted {
        Wanted {
            called: Called::parse("assay.assay-system.svc", 443),
            bundle: "PEM".into(),
            own_namespace: "assay-system".into(),
            open: open.iter().map(|name| (*name).to_owned()).collect(),
            mutate: Mutation::Templates,
        }
    }

    /// Each namespace but our own is asked about by exactly one of the two.
    #[test]
    fn open_and_closed_part_the_namespaces() {
        let object = wanted(&["dev", "kube-system"]).validating();
        let webhooks = object["webhooks"].as_array().unwrap();
        let of = |name: &str| webhooks.iter().find(|own| own["name"] == name).unwrap();
        let values = |name: &str| of(name)["namespaceSelector"]["matchExpressions"][0].clone();
        assert_eq!(values("closed.assay.dev")["operator"], "NotIn");
        assert_eq!(values("closed.assay.dev")["values"], json!(["assay-system", "dev", "kube-system"]));
        assert_eq!(values("open.assay.dev")["values"], json!(["dev", "kube-system"]));
        assert_eq!(
            (&of("closed.assay.dev")["failurePolicy"], &of("open.assay.dev")["failurePolicy"]),
            (&json!("Fail"), &json!("Ignore"))
        );
        assert_eq!(of("closed.assay.dev")["rules"], of("open.assay.dev")["rules"]);
        let alone = wanted(&[]).validating();
        assert_eq!(alone["webhooks"].as_array().unwrap().len(), 3, "an empty In would be refused");
    }

    /// What the webhook would judge and is never asked about is a way around it; a scale is not asked about.
    #[test]
    fn every_kind_that_runs_something_is_asked_about() {
        let rules = wanted(&[]).validating()["webhooks"][0]["rules"].to_string();
        for (group, kind, resource) in [
            ("", "Pod", "pods"),
            ("", "PodTemplate", "podtemplates"),
            ("", "ReplicationController", "replicationcontrollers"),
            ("apps", "Deployment", "deployments"),
            ("apps", "ReplicaSet", "replicasets"),
            ("apps", "StatefulSet", "statefulsets"),
            ("apps", "DaemonSet", "daemonsets"),
            ("batch", "Job", "jobs"),
            ("batch", "CronJob", "cronjobs"),
        ] {
            assert!(assay_kube::is_workload(group, kind) && rules.contains(&format!("\"{resource}\"")), "{resource}");
        }
        assert!(rules.contains("pods/ephemeralcontainers") && !rules.contains("scale") && !rules.contains("leases"));
    }

    #[test]
    fn a_service_name_becomes_a_service_and_anything_else_a_host() {
        let service = Called::parse("assay.security.svc", 443);
        assert_eq!(service.client("/validate", "PEM")["service"]["namespace"], "security");
        assert!(service.names().contains(&"assay.security.svc".to_owned()));
        let host = Called::parse("127.0.0.1", 8443);
        assert_eq!(host.client("/validate", "PEM")["url"], "https://127.0.0.1:8443/validate");
        assert_eq!(host.names(), ["127.0.0.1"]);
    }
}
