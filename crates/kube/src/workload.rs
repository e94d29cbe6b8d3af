//! From an object to the [`Request`] it makes: where its Pod specification is, and which images that runs.

use assay_case::{ContainerRole, Document, ImageUse, Namespace, Node, Operation, Request, User, Workload};
use assay_model::Reference;

/// Field paths from an object to what its Pods will be.
struct PodPaths {
    spec: &'static [&'static str],
    metadata: &'static [&'static str],
}

const POD: PodPaths = PodPaths { spec: &["spec"], metadata: &["metadata"] };
const TEMPLATE: PodPaths =
    PodPaths { spec: &["spec", "template", "spec"], metadata: &["spec", "template", "metadata"] };
const POD_TEMPLATE: PodPaths = PodPaths { spec: &["template", "spec"], metadata: &["template", "metadata"] };
const CRON_JOB: PodPaths = PodPaths {
    spec: &["spec", "jobTemplate", "spec", "template", "spec"],
    metadata: &["spec", "jobTemplate", "spec", "template", "metadata"],
};

/// The built-in kinds that hold a Pod template (Kubernetes API reference, "Workload Resources"), with the groups that
/// serve or once served them.
fn pod_paths(group: &str, kind: &str) -> Option<&'static PodPaths> {
    match (group, kind) {
        ("", "Pod") => Some(&POD),
        ("", "PodTemplate") => Some(&POD_TEMPLATE),
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch" | "extensions", "Job") => Some(&TEMPLATE),
        ("batch", "CronJob") => Some(&CRON_JOB),
        _ => None,
    }
}

/// Whether objects of this group and kind hold a Pod template.
pub fn is_workload(group: &str, kind: &str) -> bool {
    pod_paths(group, kind).is_some()
}

/// The Pod specification in an object, `Null` where there is none.
pub(crate) fn pod_spec<'n, 'a>(group: &str, kind: &str, object: &'n Node<'a>) -> &'n Node<'a> {
    pod_paths(group, kind).map_or(&Node::Null, |paths| object.at(paths.spec))
}

/// The metadata of the Pods that an object makes, `Null` where there is none.
pub(crate) fn pod_metadata<'n, 'a>(group: &str, kind: &str, object: &'n Node<'a>) -> &'n Node<'a> {
    pod_paths(group, kind).map_or(&Node::Null, |paths| object.at(paths.metadata))
}

/// Whether this user is a controller of the control plane itself, as the API server authenticated it
/// (Kubernetes, "Using RBAC Authorization", controller roles).
pub fn is_built_in_controller(user: &User) -> bool {
    const CONTROLLERS: [&str; 8] = [
        "cronjob-controller",
        "daemon-set-controller",
        "deployment-controller",
        "job-controller",
        "node-controller",
        "replicaset-controller",
        "replication-controller",
        "statefulset-controller",
    ];
    user.name == "system:kube-controller-manager"
        || user.name.strip_prefix("system:serviceaccount:kube-system:").is_some_and(|name| CONTROLLERS.contains(&name))
}

/// What is known of a request beside the object.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What is being done.
    pub operation: Operation,
    /// Where.
    pub namespace: Namespace,
    /// Who asks; empty for files.
    pub user: User,
    /// The name by which it was asked, for objects that carry none themselves.
    pub name: String,
}

/// The request that creating or changing this object is; `None` for kinds without a Pod template.
pub fn request_of<'a>(group: &str, kind: &str, object: Node<'a>, origin: Origin) -> Option<Request<'a>> {
    let paths = pod_paths(group, kind)?;
    let pod = object.at(paths.spec);
    let images = images(pod, &paths.spec.join("."));
    let service_account =
        ["serviceAccountName", "serviceAccount"].iter().find_map(|field| non_empty(pod.get(field))).map(str::to_owned);
    let metadata = object.get("metadata");
    let workload = Workload {
        kind: kind.to_owned(),
        name: match (non_empty(metadata.get("name")), non_empty(metadata.get("generateName"))) {
            (Some(name), _) => name.to_owned(),
            (None, _) if !origin.name.is_empty() => origin.name,
            (None, Some(prefix)) => format!("{prefix}*"),
            (None, None) => String::new(),
        },
        owner: controller(metadata),
    };
    Some(Request {
        operation: origin.operation,
        workload,
        namespace: origin.namespace,
        environment: None,
        service_account,
        user: origin.user,
        images,
        document: Document::new(object),
        pod_spec: Some(paths.spec),
        pod_metadata: Some(paths.metadata),
    })
}

/// Whether two versions of an object would run the same Pods: equal Pod specification and Pod labels.
pub(crate) fn runs_the_same(group: &str, kind: &str, new: &Node<'_>, old: &Node<'_>) -> bool {
    pod_paths(group, kind).is_some_and(|paths| {
        let labels = |object: &Node<'_>| object.at(paths.metadata).get("labels").clone().into_owned();
        !new.at(paths.spec).is_null()
            && new.at(paths.spec) == old.at(paths.spec)
            && labels(new) == labels(old)
            && new.at(&["metadata", "labels"]) == old.at(&["metadata", "labels"])
    })
}

fn non_empty<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    node.as_str().filter(|text| !text.is_empty())
}

/// The owner reference that says `controller: true`, as `Kind/name`.
fn controller(metadata: &Node<'_>) -> Option<String> {
    let owner =
        metadata.get("ownerReferences").items().iter().find(|owner| owner.get("controller").as_bool() == Some(true))?;
    Some(format!("{}/{}", owner.get("kind").as_str()?, owner.get("name").as_str()?))
}

fn images(pod: &Node<'_>, path: &str) -> Vec<ImageUse> {
    let mut images = Vec::new();
    for (list, role) in [
        ("initContainers", ContainerRole::InitContainer),
        ("containers", ContainerRole::Container),
        ("ephemeralContainers", ContainerRole::EphemeralContainer),
    ] {
        let field = format!("{path}.{list}");
        match pod.get(list) {
            Node::Null => {}
            Node::List(containers) => images.extend(containers.iter().enumerate().map(|(index, container)| {
                image(role, container, "image", "imagePullPolicy", format!("{field}[{index}].image"))
            })),
            // No list: nothing that Kubernetes would run, and nothing that may pass for "no image".
            other => images.push(image(role, other, "image", "imagePullPolicy", field)),
        }
    }
    for (index, volume) in pod.get("volumes").items().iter().enumerate() {
        let source = volume.get("image");
        if !source.is_null() {
            let field = format!("{path}.volumes[{index}].image.reference");
            let mut found = image(ContainerRole::ImageVolume, source, "reference", "pullPolicy", field);
            volume.get("name").as_str().unwrap_or_default().clone_into(&mut found.name);
            images.push(found);
        }
    }
    images
}

fn image(role: ContainerRole, holder: &Node<'_>, key: &str, policy: &str, field: String) -> ImageUse {
    let written = holder.get(key).as_str().unwrap_or_default().to_owned();
    ImageUse {
        role,
        name: holder.get("name").as_str().unwrap_or_default().to_owned(),
        field,
        reference: written.parse::<Reference>(),
        written,
        pull_policy: non_empty(holder.get(policy)).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
