//! Kubernetes manifests, as written or as Helm and kustomize render them.
//!
//! What the Gate judges (privileged, host namespaces and paths, added capabilities, escalation, root, digests, pull policy,
//! pull secrets) is not repeated here: `assay lint` asks the Gate. What is judged is what the file says, not what a cluster adds to it.

mod access;
mod container;
mod control_plane;
mod network;
mod pod;

use std::ops::Range;

use assay_yaml::{Dialect, Marked};

use crate::error::LintError;
use crate::report::Report;
use crate::rule::{Check, Mark, Marks, Rule};

/// Largest manifest that is read, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: usize = 32 << 20;

/// One object of a file.
pub(crate) struct Object<'m, 't> {
    root: &'m Marked<'t>,
    group: &'m str,
    kind: &'m str,
}

/// The Pod specification of an object, and what is around it.
pub(crate) struct Pod<'m, 't> {
    object: &'m Object<'m, 't>,
    spec: &'m Marked<'t>,
    /// `metadata` of the Pod.
    metadata: Option<&'m Marked<'t>>,
}

/// A container of a Pod.
pub(crate) struct Container<'m, 't> {
    node: &'m Marked<'t>,
    /// `container`, `init container`, ...
    role: &'static str,
}

pub(crate) type ObjectCheck = Check<fn(&Object<'_, '_>, &mut Marks<'_>)>;
pub(crate) type PodCheck = Check<fn(&Pod<'_, '_>, &mut Marks<'_>)>;

pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    let pods = pod::CHECKS.iter().chain(container::CHECKS).map(|check| &check.rule);
    let objects = access::CHECKS.iter().chain(network::CHECKS).map(|check| &check.rule);
    pods.chain(objects).chain(control_plane::rules())
}

pub(crate) fn lint(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Report, LintError> {
    let documents = assay_yaml::parse(text, Dialect::Kubernetes)?;
    let mut found = Vec::new();
    for document in &documents {
        each(&document.root, &mut found, 0);
    }
    Ok(Report::new(text, found, &[], known))
}

/// An object, or the objects of a List.
fn each(root: &Marked<'_>, found: &mut Vec<Mark>, depth: usize) {
    let word = |key| root.get(key).and_then(Marked::text).unwrap_or_default();
    let (version, kind) = (word("apiVersion"), word("kind"));
    if kind.ends_with("List") && depth == 0 && root.get("items").is_some() {
        for item in root.get("items").map_or(&[][..], Marked::items) {
            each(item, found, depth + 1);
        }
        return;
    }
    if kind.is_empty() || version.is_empty() {
        return;
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let object = Object { root, group, kind };
    for check in access::CHECKS.iter().chain(network::CHECKS) {
        (check.run)(&object, &mut Marks::of(&check.rule, found));
    }
    control_plane::judge_configuration(&object, found);
    if let Some(pod) = object.pod() {
        for check in pod::CHECKS.iter().chain(container::CHECKS) {
            (check.run)(&pod, &mut Marks::of(&check.rule, found));
        }
        control_plane::judge_pod(&pod, found);
    }
}

impl<'m, 't> Object<'m, 't> {
    /// The Pod that it is or makes, of built-in kinds and of two that are everywhere: Argo's Rollout and Knative's Service.
    fn pod(&'m self) -> Option<Pod<'m, 't>> {
        let path: &[&str] = match (self.group, self.kind) {
            ("", "Pod") => &[],
            ("", "PodTemplate") => &["template"],
            ("", "ReplicationController")
            | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch" | "extensions", "Job")
            | ("argoproj.io", "Rollout")
            | ("serving.knative.dev", "Service" | "Configuration") => &["spec", "template"],
            ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
            _ => return None,
        };
        let template = self.root.at(path)?;
        Some(Pod { object: self, spec: template.get("spec")?, metadata: template.get("metadata") })
    }

    fn name(&self) -> &str {
        self.root.at(&["metadata", "name"]).and_then(Marked::text).unwrap_or("without a name")
    }

    /// The namespace as written.
    fn namespace(&self) -> Option<&Marked<'t>> {
        self.root.at(&["metadata", "namespace"])
    }

    /// The first word of the object, to mark what is missing in all of it.
    fn head(&self) -> Range<usize> {
        let place = self.root.get("kind").map_or(self.root.place, |kind| kind.place);
        place.start..place.end
    }
}

impl<'m, 't> Pod<'m, 't> {
    fn containers(&self) -> Vec<Container<'m, 't>> {
        let mut found = Vec::new();
        for (key, role) in [
            ("containers", "container"),
            ("initContainers", "init container"),
            ("ephemeralContainers", "ephemeral container"),
        ] {
            let nodes = self.spec.get(key).map_or(&[][..], Marked::items);
            found.extend(nodes.iter().filter(|node| !node.fields().is_empty()).map(|node| Container { node, role }));
        }
        found
    }

    /// A field of the Pod's or the container's securityContext, the container's own first.
    fn effective<'c>(&'c self, container: &'c Container<'m, 't>, path: &[&str]) -> Option<&'c Marked<'t>> {
        let own =
            container.node.get("securityContext").and_then(|context| context.at(path)).filter(|value| !value.is_null());
        own.or_else(|| {
            self.spec.get("securityContext").and_then(|context| context.at(path)).filter(|value| !value.is_null())
        })
    }

    /// Windows has none of what Linux isolates with.
    fn is_windows(&self) -> bool {
        self.spec.at(&["os", "name"]).and_then(Marked::text) == Some("windows")
    }

    /// Where the specification begins: what is missing in all of it is marked there.
    fn head(&self) -> Range<usize> {
        self.spec.place.start..self.spec.place.start
    }
}

impl Container<'_, '_> {
    fn name(&self) -> &str {
        self.node.get("name").and_then(Marked::text).unwrap_or("without a name")
    }

    /// `container api`.
    fn title(&self) -> String {
        format!("{} {}", self.role, self.name())
    }

    /// Its name, to mark what is missing in all of it.
    fn head(&self) -> Range<usize> {
        let place = self.node.get("name").map_or(self.node.place, |name| name.place);
        place.start..place.end
    }

    /// Whether probes and limits are asked of it: one that runs to its end has no probes.
    fn is_main(&self) -> bool {
        self.role == "container"
    }
}

/// The bytes of a value.
fn bytes(value: &Marked<'_>) -> Range<usize> {
    value.place.start..value.place.end
}
