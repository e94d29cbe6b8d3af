//! A Pod of the API server as the inventory keeps it.

use assay_kube::{ContainerView, PodView};
use assay_model::{EnvironmentName, Timestamp};
use assay_store::{RunningContainer, RunningPod};

/// What the inventory keeps of a Pod. One that does not say when it started began `now`.
pub fn running_pod(pod: PodView, environment: Option<EnvironmentName>, now: Timestamp) -> RunningPod {
    let container = |ContainerView { name, role, requested, repository, digest }| RunningContainer {
        name,
        role,
        requested,
        repository,
        digest,
    };
    RunningPod {
        namespace: pod.namespace,
        name: pod.name,
        workload_kind: pod.workload_kind,
        workload_name: pod.workload_name,
        owner: pod.owner,
        environment,
        started: pod.started.unwrap_or(now),
        containers: pod.containers.into_iter().map(container).collect(),
    }
}
