//! `assay explain NAMESPACE/POD` with a cluster: why the images of a Pod are not pulled.
//!
//! Two witnesses are heard: the kubelet, by the Pod's status and Events, and the registry itself, asked from here with the
//! credentials that the Pod has. What they say is one of a few causes, each with its own next step.

mod cause;
mod probe;

use std::collections::BTreeSet;

use assay_gather::Access;
use assay_kube::{ApiError, Client as Cluster, EVENTS, NODES, PODS, Selection};
use assay_model::{Platform, Reference};
use assay_server::{PullSecrets, Puller};
use serde::Serialize;
use serde_json::Value;

use super::cluster::ClusterTarget;
use crate::failure::CliError;
use crate::session::Session;
use crate::{Result, Status};

pub(crate) use self::cause::PullCause;
use self::probe::Probed;

/// The lists of containers, with those of their statuses.
const LISTS: [(&str, &str); 3] = [
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
];

/// Why the images of a Pod are, or are not, pulled.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullOutcome {
    /// Namespace.
    pub(crate) namespace: String,
    /// Name of the Pod, or of the workload that cannot make one.
    pub(crate) name: String,
    /// The node that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Platform of that node, where it may be looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// What is wrong with the Secrets that the Pod names.
    pub(crate) secrets: Vec<String>,
    /// Its containers; none where no Pod was let in.
    pub(crate) containers: Vec<PullDiagnosis>,
}

/// A container's image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullDiagnosis {
    /// The container; the workload where no Pod was let in.
    pub(crate) container: String,
    /// Its image as written.
    pub(crate) image: String,
    /// Why it is not pulled; none where nothing is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<PullCause>,
    /// What the kubelet or the API server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<String>,
    /// What came of asking the registry from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl PullOutcome {
    /// A cause that was found is a no; one that was not leaves it open.
    pub(crate) fn status(&self) -> Status {
        let causes: Vec<PullCause> = self.containers.iter().filter_map(|own| own.cause).collect();
        match () {
            () if causes.contains(&PullCause::Unknown) => Status::Undecided,
            () if causes.is_empty() => Status::Pass,
            () => Status::Denied,
        }
    }
}

/// Explains why the images of a Pod are not pulled. `name` may be that of a workload whose Pods are refused.
pub(crate) fn explain(
    namespace: &str,
    name: &str,
    target: &ClusterTarget,
    session: &Session<'_>,
) -> Result<PullOutcome> {
    let cluster = target.client()?;
    let registry = probe::client(session)?;
    session.run(async {
        let selection = Selection { namespace: Some(namespace.to_owned()), name: None };
        let events: Vec<Value> = match cluster.list(EVENTS, &selection).await {
            Ok(events) => events.items.into_iter().map(|event| event.0).collect(),
            // The Pod itself says most of it.
            Err(ApiError::Status { code: 403, .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let pod = match cluster.get(PODS, Some(namespace), name).await {
            Ok(pod) => pod.0,
            Err(error) if error.is_not_found() => return refused(namespace, name, &events),
            Err(error) => return Err(error.into()),
        };
        let node = pod["spec"]["nodeName"].as_str().map(str::to_owned);
        let platform = platform(&cluster, node.as_deref()).await;
        let secrets = PullSecrets::new(cluster.clone(), Access::new(registry.clone()), [namespace.to_owned()]);
        let credentials = secrets.read(&Puller::of_pod(&pod)).await;
        let mut containers = Vec::new();
        for (list, statuses) in LISTS {
            for container in items(&pod["spec"][list]) {
                let status = items(&pod["status"][statuses]).find(|own| own["name"] == container["name"]);
                let heard = heard(&pod, container, status, &events);
                let image = text(&container["image"]);
                let probed = match &heard {
                    // What runs was pulled, and what was never asked for needs no registry.
                    Heard::Well | Heard::Said(PullCause::InvalidName | PullCause::NeverPulled, _) => None,
                    _ => match image.parse::<Reference>() {
                        Ok(reference) => {
                            Some(probe::ask(&registry, &credentials.accesses, &reference, platform.as_ref()).await)
                        }
                        Err(_) => None,
                    },
                };
                containers.push(diagnosis(&text(&container["name"]), &image, heard, probed, namespace));
            }
        }
        Ok(PullOutcome {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            node,
            platform: platform.map(|platform| platform.to_string()),
            secrets: credentials.problems,
            containers,
        })
    })
}

/// What was heard of a container in the cluster.
enum Heard {
    /// It runs, or ran.
    Well,
    /// Nothing yet.
    Nothing,
    /// What somebody said, and what that means.
    Said(PullCause, String),
}

/// What the Pod's status and its Events say of a container's image. A back-off says less than the failure before it.
fn heard(pod: &Value, container: &Value, status: Option<&Value>, events: &[Value]) -> Heard {
    let (mut reason, mut message) = (String::new(), String::new());
    if let Some(status) = status {
        let waiting = &status["state"]["waiting"];
        (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
        let ended = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
        let broken =
            ended.into_iter().map(|ended| text(&ended["message"])).find(|own| own.contains("exec format error"));
        if let Some(message) = broken {
            return Heard::Said(PullCause::Architecture, message);
        }
        if waiting.is_null() || (reason == "CrashLoopBackOff" && !text(&status["imageID"]).is_empty()) {
            return if status["state"].as_object().is_some_and(|state| !state.is_empty()) {
                Heard::Well
            } else {
                Heard::Nothing
            };
        }
    }
    let image = text(&container["image"]);
    let of_image = |event: &&Value| {
        event["involvedObject"]["uid"] == pod["metadata"]["uid"]
            && event["reason"] == "Failed"
            && text(&event["message"]).contains(&image)
    };
    let newest = events.iter().filter(of_image).max_by_key(|event| stamp(event)).map(|event| text(&event["message"]));
    let mut said: Vec<String> = [message].into_iter().chain(newest).filter(|own| !own.is_empty()).collect();
    // The one that means something, else the first.
    said.sort_by_key(|own| cause::of(&reason, own) == PullCause::Unknown);
    match said.into_iter().next() {
        Some(message) => Heard::Said(cause::of(&reason, &message), message),
        None if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") => Heard::Nothing,
        None => Heard::Said(cause::of(&reason, ""), reason),
    }
}

/// Both witnesses together. What the registry says from here counts where the kubelet's words leave it open.
fn diagnosis(container: &str, image: &str, heard: Heard, probed: Option<Probed>, namespace: &str) -> PullDiagnosis {
    let (by_cluster, said) = match heard {
        Heard::Said(cause, said) => (Some(cause), Some(said)),
        Heard::Well | Heard::Nothing => (None, None),
    };
    let by_registry = probed.as_ref().and_then(|probed| probed.cause);
    let cause = match (by_cluster, by_registry) {
        (Some(cause), Some(found)) if cause.is_vague() => Some(found),
        (Some(cause), _) => Some(cause),
        (None, found) => found,
    };
    let is_mended = by_cluster.is_some() && probed.as_ref().is_some_and(|probed| probed.cause.is_none());
    let fix = cause.map(|cause| {
        let mut fix = cause.fix(image, namespace, probed.as_ref());
        if is_mended && cause.is_of_the_registry() {
            fix.push_str(
                ". From here it can be pulled: it may be mended, then the kubelet finds out within five minutes, or the node \
                 reaches the registry in another way",
            );
        }
        fix
    });
    PullDiagnosis {
        container: container.to_owned(),
        image: image.to_owned(),
        cause,
        said,
        probe: probed.map(|probed| probed.what),
        fix,
    }
}

/// There is no such Pod: somebody may have refused it. Its workload says so in Events.
fn refused(namespace: &str, name: &str, events: &[Value]) -> Result<PullOutcome> {
    let is_its_workload = |event: &&Value| {
        let owner = text(&event["involvedObject"]["name"]);
        let is_named = !owner.is_empty() && (owner == name || belongs(name, &owner) || belongs(&owner, name));
        is_named && matches!(event["reason"].as_str(), Some("FailedCreate"))
    };
    let newest =
        events.iter().filter(is_its_workload).max_by_key(|event| stamp(event)).ok_or_else(|| CliError::NotFound {
            what: format!("Pod {namespace}/{name}, nor an Event that says why there is none,"),
            suggestion: None,
            next: format!("kubectl get pods,events -n {namespace}"),
        })?;
    let said = text(&newest["message"]);
    let cause = cause::of("FailedCreate", &said);
    let owner = format!("{}/{}", text(&newest["involvedObject"]["kind"]), text(&newest["involvedObject"]["name"]));
    let fix = Some(cause.fix("", namespace, None));
    let diagnosis = PullDiagnosis {
        container: owner,
        image: String::new(),
        cause: Some(cause),
        said: Some(said),
        probe: None,
        fix,
    };
    Ok(PullOutcome {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        node: None,
        platform: None,
        secrets: Vec::new(),
        containers: vec![diagnosis],
    })
}

/// Whether `name` is one that a controller makes of `owner`: that, a dash and more.
fn belongs(name: &str, owner: &str) -> bool {
    name.strip_prefix(owner).is_some_and(|rest| rest.starts_with('-'))
}

/// The platform of a node; unknown where there is no node yet, or it may not be looked up.
async fn platform(cluster: &Cluster, node: Option<&str>) -> Option<Platform> {
    let node = cluster.get(NODES, None, node?).await.ok()?.0;
    let info = &node["status"]["nodeInfo"];
    let (system, architecture) = (info["operatingSystem"].as_str()?, info["architecture"].as_str()?);
    format!("{system}/{architecture}").parse().ok()
}

/// When an Event was seen last.
fn stamp(event: &Value) -> String {
    ["lastTimestamp", "eventTime"].iter().map(|field| text(&event[*field])).max().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The tags that look most like one that is not there.
pub(super) fn alike(tag: &str, tags: &[String]) -> Vec<String> {
    let near: BTreeSet<&str> = assay_kinds::suggestion(tag, tags.iter().map(String::as_str)).into_iter().collect();
    let newest = tags.iter().rev().map(String::as_str).filter(|own| !own.starts_with("sha256-"));
    near.iter().copied().chain(newest.filter(|own| !near.contains(own))).take(3).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: &Value, events: &[Value]) -> (Option<PullCause>, String) {
        let container = json!({"name": "api", "image": "r.example.com/a:1"});
        match heard(&json!({"metadata": {"uid": "u"}}), &container, Some(status), events) {
            Heard::Said(cause, text) => (Some(cause), text),
            Heard::Well => (None, "well".into()),
            Heard::Nothing => (None, "nothing".into()),
        }
    }

    #[test]
    fn a_back_off_is_explained_by_the_failure_before_it() {
        let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"r.example.com/a:1\""}}});
        let event = |at: &str, message: &str| json!({"involvedObject": {"uid": "u"}, "reason": "Failed", "lastTimestamp": at, "message": message});
        let events = [
            event("2026-11-21T09:00:00Z", "Failed to pull image \"r.example.com/a:1\": 401 Unauthorized"),
            event(
                "2026-11-21T09:05:00Z",
                "Failed to pull image \"r.example.com/a:1\": dial tcp: lookup r.example.com: no such host",
            ),
            event("2026-11-21T09:06:00Z", "Failed to pull image \"r.example.com/b:1\": manifest unknown"),
        ];
        assert_eq!(said(&waiting, &events).0, Some(PullCause::Dns), "the newest of this image");
        assert_eq!(said(&waiting, &[]).0, Some(PullCause::Unknown));
    }

    #[test]
    fn what_runs_is_well_and_the_wrong_architecture_shows_when_it_starts() {
        assert_eq!(said(&json!({"state": {"running": {}}, "imageID": "r@sha256:1"}), &[]).1, "well");
        assert_eq!(said(&json!({"state": {}}), &[]).1, "nothing");
        let broken = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "imageID": "r@sha256:1",
            "lastState": {"terminated": {"message": "exec /bin/api: exec format error"}}});
        assert_eq!(said(&broken, &[]).0, Some(PullCause::Architecture));
        let crashing = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "imageID": "r@sha256:1"});
        assert_eq!(said(&crashing, &[]).1, "well");
    }

    #[test]
    fn a_pod_that_was_refused_is_found_by_its_workload() {
        let event = json!({
            "involvedObject": {"kind": "ReplicaSet", "name": "api-5b7"}, "reason": "FailedCreate",
            "message": "Error creating: admission webhook \"closed.assay.dev\" denied the request: container api: no digest",
        });
        for name in ["api-5b7-x2x", "api-5b7", "api"] {
            let outcome = refused("shop", name, std::slice::from_ref(&event)).unwrap();
            assert_eq!(outcome.containers[0].cause, Some(PullCause::Policy), "{name}");
            assert_eq!(outcome.status(), Status::Denied);
        }
        assert!(refused("shop", "ap", &[event]).is_err());
    }

    #[test]
    fn tags_that_look_alike_come_first() {
        let tags = ["1.0", "2.1", "latest", "sha256-ab.sig"].map(str::to_owned);
        assert_eq!(alike("2.l", &tags)[0], "2.1");
        assert!(!alike("2.l", &tags).contains(&"sha256-ab.sig".to_owned()));
    }
}
