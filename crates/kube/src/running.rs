//! What runs: Pods as the API server has them, reduced to what is asked of them.
//!
//! [`PodView`] is a Pod by what an inventory wants to know. [`reduced_pod`] is what of a Pod is kept in memory at all, and
//! [`template_of`] what it has in common with the other Pods of its template: the Gate judges that once for all of them.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::ContainerRole;
use assay_model::{Digest, Reference, Repository, Timestamp};
use serde_json::{Map, Value, json};

use crate::StoredObject;

/// Labels and annotations that name who is responsible, first one wins.
const OWNER_KEYS: [&str; 4] = ["assay.dev/owner", "owner", "team", "app.kubernetes.io/part-of"];
/// By this annotation the kubelet marks its picture of a static Pod (Kubernetes, "Well-Known Labels, Annotations and
/// Taints").
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The kind of workload whose Pods come and go.
const CRON_JOB: &str = "CronJob";
/// The lists of containers, with those of their statuses.
const LISTS: [(&str, &str, ContainerRole); 3] = [
    ("containers", "containerStatuses", ContainerRole::Container),
    ("initContainers", "initContainerStatuses", ContainerRole::InitContainer),
    ("ephemeralContainers", "ephemeralContainerStatuses", ContainerRole::EphemeralContainer),
];

/// A container, and what runs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerView {
    /// Its name; `volume:NAME` for an image volume.
    pub name: String,
    /// How the image is used.
    pub role: ContainerRole,
    /// The image of the specification, as written.
    pub requested: String,
    /// Where it was pulled from.
    pub repository: Option<Repository>,
    /// What runs, as the runtime reports it; none before it was pulled, and where only the digest of the image's
    /// configuration is reported.
    pub digest: Option<Digest>,
}

/// How far a Pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// It runs, or is about to.
    Running,
    /// It has ended.
    Finished,
    /// The kubelet does not say.
    Unknown,
}

/// A Pod, by what an inventory wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Kind of the workload at the top of its owners, `Pod` where it has none.
    pub workload_kind: String,
    /// Name of that workload.
    pub workload_name: String,
    /// Who is responsible for it.
    pub owner: Option<String>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// How far it is.
    pub phase: PodPhase,
    /// Whether a kubelet runs it from a file of its node: no admission was ever asked.
    pub is_static: bool,
    /// Its containers and image volumes.
    pub containers: Vec<ContainerView>,
}

/// The controller of each Job that has one, `(kind, name)`, by the Job's namespace and name.
pub type JobControllers = BTreeMap<(String, String), (String, String)>;

/// The controllers of the Jobs among these objects.
pub fn job_controllers<'o>(objects: impl IntoIterator<Item = &'o Value>) -> JobControllers {
    let jobs = objects.into_iter().filter(|object| object["kind"] == "Job").filter_map(|object| {
        let metadata = &object["metadata"];
        Some(((text(&metadata["namespace"]), text(&metadata["name"])), controller(metadata)?))
    });
    jobs.collect()
}

impl PodView {
    /// Reads a Pod. The workload of a Job that is not among `jobs` is guessed by its name.
    pub fn of(pod: &Value, jobs: &JobControllers) -> Self {
        let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
        let started: Option<Timestamp> = status["startTime"].as_str().and_then(|time| time.parse().ok());
        let (workload_kind, workload_name) = workload(metadata, jobs, started);
        let mut containers = Vec::new();
        for (specified, running, role) in LISTS {
            for container in items(&spec[specified]) {
                let name = text(&container["name"]);
                let requested = text(&container["image"]);
                let image_id = items(&status[running]).find(|own| own["name"] == name.as_str());
                let (repository, digest) =
                    image_id.map_or((None, None), |own| running_image(own["imageID"].as_str().unwrap_or_default()));
                let repository =
                    repository.or_else(|| requested.parse::<Reference>().ok().map(|image| image.repository().clone()));
                containers.push(ContainerView { name, role, requested, repository, digest });
            }
        }
        containers.extend(items(&spec["volumes"]).filter_map(|own| image_volume(own, status)));
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            workload_kind,
            workload_name,
            owner: owner_in(metadata),
            started,
            phase: match status["phase"].as_str() {
                Some("Running" | "Pending") => PodPhase::Running,
                Some("Succeeded" | "Failed") => PodPhase::Finished,
                _ => PodPhase::Unknown,
            },
            is_static: metadata["annotations"][MIRROR].is_string(),
            containers,
        }
    }
}

/// The Pods that count as running: what a `CronJob` ran last it runs again, so that between two runs its image is as much
/// in use as any.
pub fn in_use(pods: impl IntoIterator<Item = PodView>) -> Vec<PodView> {
    let mut running: Vec<PodView> = Vec::new();
    let mut finished: BTreeMap<(String, String), PodView> = BTreeMap::new();
    for pod in pods {
        match pod.phase {
            PodPhase::Running => running.push(pod),
            PodPhase::Finished if pod.workload_kind == CRON_JOB => {
                let key = (pod.namespace.clone(), pod.workload_name.clone());
                if finished.get(&key).is_none_or(|known| known.started < pod.started) {
                    finished.insert(key, pod);
                }
            }
            PodPhase::Finished | PodPhase::Unknown => {}
        }
    }
    let of_cron_jobs: BTreeSet<(String, String)> = running
        .iter()
        .filter(|pod| pod.workload_kind == CRON_JOB)
        .map(|pod| (pod.namespace.clone(), pod.workload_name.clone()))
        .collect();
    running.extend(finished.into_iter().filter(|(key, _)| !of_cron_jobs.contains(key)).map(|(_, pod)| pod));
    running
}

/// An image that is mounted. Its name cannot be that of a container, which may be called like the volume. Its digest is
/// the one that was asked for, else the one that the kubelet reports since Kubernetes 1.35
/// (`containerStatuses[].volumeMounts[].volumeStatus.image`).
fn image_volume(volume: &Value, status: &Value) -> Option<ContainerView> {
    let requested = volume["image"]["reference"].as_str()?.to_owned();
    let name = text(&volume["name"]);
    let reference = requested.parse::<Reference>().ok();
    let mut mounts =
        LISTS.iter().flat_map(|(_, list, _)| items(&status[*list])).flat_map(|own| items(&own["volumeMounts"]));
    let reported = mounts.find_map(|mount| {
        let image = mount["volumeStatus"]["image"]["imageRef"].as_str();
        image.filter(|_| mount["name"] == name.as_str()).map(running_image)
    });
    let (repository, digest) = reported.unwrap_or_default();
    Some(ContainerView {
        name: format!("volume:{name}"),
        role: ContainerRole::ImageVolume,
        repository: repository.or_else(|| reference.as_ref().map(|image| image.repository().clone())),
        digest: digest.or_else(|| reference.as_ref().and_then(Reference::digest)),
        requested,
    })
}

/// The `CronJob` that a Job's name tells of: it ends with the minute, since 1970, for which it was due (Kubernetes,
/// `getJobName` of the `CronJob` controller). A Pod starts soon after that minute; any other number is part of a name.
fn cron_job_of(job: &str, started: Option<Timestamp>) -> Option<&str> {
    const LATE_MAX: i64 = 24 * 60;
    let (name, minute) = job.rsplit_once('-')?;
    let due: i64 = minute.parse().ok()?;
    let late = started?.as_second().div_euclid(60).checked_sub(due)?;
    (!name.is_empty() && (0..=LATE_MAX).contains(&late)).then_some(name)
}

/// The owner reference that says `controller: true`.
fn controller(metadata: &Value) -> Option<(String, String)> {
    let owner = items(&metadata["ownerReferences"]).find(|owner| owner["controller"] == true)?;
    Some((text(&owner["kind"]), text(&owner["name"])))
}

/// The workload above a Pod. A `ReplicaSet` of a Deployment carries the Deployment's name and the hash of the template; a
/// Job of a `CronJob` is found in the list, or known by its name.
fn workload(metadata: &Value, jobs: &JobControllers, started: Option<Timestamp>) -> (String, String) {
    let Some((kind, name)) = controller(metadata) else {
        return ("Pod".to_owned(), text(&metadata["name"]));
    };
    if kind == "Job" {
        let known = jobs.get(&(text(&metadata["namespace"]), name.clone())).cloned();
        let guessed = || Some((CRON_JOB.to_owned(), cron_job_of(&name, started)?.to_owned()));
        return known.or_else(guessed).unwrap_or((kind, name));
    }
    let hash = metadata["labels"]["pod-template-hash"].as_str().map(|hash| format!("-{hash}"));
    match hash.and_then(|hash| name.strip_suffix(hash.as_str()).map(str::to_owned)) {
        Some(deployment) if kind == "ReplicaSet" => ("Deployment".to_owned(), deployment),
        _ => (kind, name),
    }
}

/// Who is responsible for an object, by its labels and annotations, else by those of the Pods that it makes.
pub fn owner_of(object: &Value) -> Option<String> {
    let metadata = [
        &object["metadata"],
        &object["spec"]["template"]["metadata"],
        &object["template"]["metadata"],
        &object["spec"]["jobTemplate"]["spec"]["template"]["metadata"],
    ];
    metadata.into_iter().find_map(owner_in)
}

fn owner_in(metadata: &Value) -> Option<String> {
    let said = |key: &&str| {
        ["labels", "annotations"].iter().find_map(|holder| metadata[*holder][*key].as_str()).map(str::to_owned)
    };
    OWNER_KEYS.iter().find_map(said)
}

/// Kind and name of the workload at the top of an object's owners, as far as the object itself tells: a Pod of a
/// Deployment, its `ReplicaSet` and the Deployment are one.
pub fn workload_of(kind: &str, name: &str, object: &Value) -> (String, String) {
    let metadata = &object["metadata"];
    match kind {
        "Pod" if controller(metadata).is_some() => workload(metadata, &JobControllers::new(), None),
        "ReplicaSet" | "Job" => controller(metadata).unwrap_or_else(|| (kind.to_owned(), name.to_owned())),
        _ => (kind.to_owned(), name.to_owned()),
    }
}

/// What a runtime reports: `docker-pullable://repository@digest` or `repository@digest`. A bare digest is that of the
/// image's configuration, another thing than its manifest, so that it names nothing here.
fn running_image(image_id: &str) -> (Option<Repository>, Option<Digest>) {
    let image_id = image_id.split_once("://").map_or(image_id, |(_, rest)| rest);
    match image_id.parse::<Reference>() {
        Ok(image) if image.digest().is_some() => (Some(image.repository().clone()), image.digest()),
        _ => (None, None),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What is kept of a Pod specification: everything but where and when it runs, which no control asks for.
const SPEC_LEFT_OUT: [&str; 20] = [
    "activeDeadlineSeconds",
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostname",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "schedulerName",
    "schedulingGates",
    "subdomain",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];
/// Of a container: what it does inside, which is most of its bytes and often secret.
const CONTAINER_LEFT_OUT: [&str; 17] = [
    "args",
    "command",
    "env",
    "envFrom",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "resizePolicy",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
];
/// The volume with the token of the `ServiceAccount`: each Pod's has another name.
const TOKEN_VOLUME: &str = "kube-api-access-";
/// Labels that differ from Pod to Pod of one template.
const OWN_LABELS: [&str; 7] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
    "statefulset.kubernetes.io/pod-name",
];

/// A Pod without what nobody asks for: about a kilobyte of it stays. What stays is judged as the whole would be.
pub fn reduced_pod(StoredObject(mut pod): StoredObject) -> StoredObject {
    let mut take = |field: &str| pod.get_mut(field).map(Value::take).unwrap_or_default();
    let [metadata, mut spec, status] = ["metadata", "spec", "status"].map(&mut take);
    let mut kept = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "labels"] {
        kept.extend(metadata.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let is_asked = |name: &str| name == MIRROR || name.starts_with("assay.dev/") || OWNER_KEYS.contains(&name);
    let annotations: Map<String, Value> =
        annotations.filter(|(name, _)| is_asked(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    if !annotations.is_empty() {
        kept.insert("annotations".to_owned(), Value::Object(annotations));
    }
    if let Some((kind, name)) = controller(&metadata) {
        kept.insert("ownerReferences".to_owned(), json!([{"controller": true, "kind": kind, "name": name}]));
    }
    reduce_spec(&mut spec);
    let mut said = json!({"phase": status["phase"], "startTime": status["startTime"]});
    for (_, list, _) in LISTS {
        let of = |own: &Value| {
            let mounts: Vec<&Value> =
                items(&own["volumeMounts"]).filter(|own| !own["volumeStatus"].is_null()).collect();
            let mut kept = json!({"name": own["name"], "imageID": own["imageID"]});
            if !mounts.is_empty() {
                kept["volumeMounts"] = json!(mounts);
            }
            kept
        };
        let statuses: Vec<Value> = items(&status[list]).map(of).collect();
        if !statuses.is_empty() {
            said[list] = Value::Array(statuses);
        }
    }
    StoredObject(json!({"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec, "status": said}))
}

fn reduce_spec(spec: &mut Value) {
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|name, _| !SPEC_LEFT_OUT.contains(&name.as_str()));
    }
    for (list, _, _) in LISTS {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(fields) = container.as_object_mut() {
                fields.retain(|name, _| !CONTAINER_LEFT_OUT.contains(&name.as_str()));
                // Requests are the scheduler's.
                if let Some(resources) = fields.get_mut("resources").and_then(Value::as_object_mut) {
                    resources.retain(|name, _| name == "limits");
                }
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if volume["name"].as_str().is_some_and(|name| name.starts_with(TOKEN_VOLUME)) && !volume["projected"].is_null()
        {
            volume["name"] = json!(TOKEN_VOLUME.trim_end_matches('-'));
        }
    }
}

/// What a reduced Pod has in common with the other Pods of its template that run the same images: the object that is
/// judged for all of them, as JSON.
pub fn template_of(pod: &StoredObject) -> String {
    let metadata = &pod.0["metadata"];
    let labels = metadata["labels"].as_object().into_iter().flatten();
    let labels: Map<String, Value> = labels
        .filter(|(name, _)| !OWN_LABELS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut status = Map::new();
    for (_, list, _) in LISTS {
        status.extend(pod.0["status"].get(list).map(|value| (list.to_owned(), value.clone())));
    }
    let mut common = json!({"labels": labels});
    if !metadata["annotations"].is_null() {
        common["annotations"] = metadata["annotations"].clone();
        // The kubelet's own hash, which differs from node to node.
        if let Some(annotations) = common["annotations"].as_object_mut() {
            annotations.remove(MIRROR);
        }
    }
    let spec = &pod.0["spec"];
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": common, "spec": spec, "status": status}).to_string()
}

/// A Service, an Ingress or a route without what exposure does not depend on. A Service that selects the Pods of a
/// `StatefulSet` one by one selects all of them: [`template_of`] does not tell them apart, and nothing is exposed less.
pub fn reduced_route(StoredObject(object): StoredObject) -> StoredObject {
    let mut metadata = Map::new();
    for field in ["name", "namespace", "resourceVersion"] {
        metadata.extend(object["metadata"].get(field).map(|value| (field.to_owned(), value.clone())));
    }
    let mut spec = object["spec"].clone();
    if let Some(selector) = spec.get_mut("selector").and_then(Value::as_object_mut) {
        selector.retain(|name, _| !OWN_LABELS.contains(&name.as_str()));
    }
    StoredObject(json!({"metadata": metadata, "spec": spec}))
}

#[cfg(test)]
mod tests;
