//! Events: what kubectl shows under a Pod or an Exception (Kubernetes API reference, Event v1 core).

use std::sync::Arc;
use std::time::Duration;

use assay_kube::{ApiError, Client, EVENTS, EXCEPTIONS, MUTATING_WEBHOOKS, PODS, Resource, VALIDATING_WEBHOOKS};
use assay_model::{Explain as _, Timestamp};
use assay_store::FindingKind;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Clock;
use crate::audit::Draft;
use crate::cluster::controller::Shared;
use crate::metrics::AuditMetrics;

/// Events that may wait; beyond that they are counted, not sent: the findings themselves are in the store.
const QUEUE: usize = 512;
/// Between two Events: etcd keeps each for an hour.
const PAUSE: Duration = Duration::from_millis(50);
/// Where Events about objects that lie in no namespace go.
const CLUSTER_NAMESPACE: &str = "default";
/// Longest note that the API server takes.
const NOTE_MAX: usize = 1_024;
/// Of the object's name, which may be as long as an Event's own.
const NAME_MAX: usize = 230;

/// Sends Events, one after the other.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Teller {
    queue: mpsc::Sender<Telling>,
    metrics: AuditMetrics,
}

/// An Event to be sent.
#[derive(Clone, Debug)]
struct Telling {
    resource: Resource,
    namespace: String,
    name: String,
    reason: &'static str,
    note: String,
    id: String,
}

impl Teller {
    pub(super) fn start(shared: &Arc<Shared>, tasks: &mut JoinSet<()>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Telling>(QUEUE);
        let (client, clock) = (shared.options.client.clone(), Arc::clone(&shared.admissions.clock));
        let metrics = shared.admissions.metrics.audit.clone();
        let failed = metrics.events_dropped.clone();
        tasks.spawn(async move {
            while let Some(telling) = waiting.recv().await {
                if let Err(error) = send(&client, &telling, &clock).await {
                    tracing::warn!(%error, code = error.code(), name = telling.name, "an Event could not be written");
                    failed.inc();
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { queue, metrics }
    }

    /// Tells of a finding.
    pub(super) fn tell(&self, draft: &Draft) {
        let record = &draft.record;
        let (resource, reason) = match record.kind {
            FindingKind::ControlNotMet => (PODS, "ControlNotMet"),
            FindingKind::NoDecision => (PODS, "NoDecision"),
            FindingKind::ExceptionEnds => (EXCEPTIONS, "ExceptionEnds"),
            FindingKind::Tampering => (webhooks(&record.workload), "Tampering"),
        };
        let mut note = match (&record.control, record.container.as_str()) {
            (Some(control), "") => format!("{control}: {}", record.message),
            (Some(control), container) => format!("container {container}: {} ({control})", record.message),
            (None, _) => record.message.clone(),
        };
        if let Some(fix) = &record.fix {
            note.push_str(". Fix: ");
            note.push_str(fix);
        }
        let note = note.chars().take(NOTE_MAX / 4).collect();
        let (namespace, name, id) = (record.namespace.clone(), draft.about.clone(), record.id.clone());
        if self.queue.try_send(Telling { resource, namespace, name, reason, note, id }).is_err() {
            self.metrics.events_dropped.inc();
        }
    }
}

fn webhooks(object: &str) -> Resource {
    if object.starts_with("Mutating") { MUTATING_WEBHOOKS } else { VALIDATING_WEBHOOKS }
}

/// Sends one. kubectl finds it by the object's uid, so that the object is asked for it; one that is gone needs no Event.
async fn send(client: &Client, telling: &Telling, clock: &Clock) -> Result<(), ApiError> {
    let namespace = Some(telling.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let object = match client.get(telling.resource, namespace, &telling.name).await {
        Err(error) if error.is_not_found() => return Ok(()),
        object => object?,
    };
    let event = event(telling, object.uid(), clock());
    let into = namespace.unwrap_or(CLUSTER_NAMESPACE);
    match client.create(EVENTS, Some(into), &event).await {
        // It has been told within the last hour.
        Err(error) if error.is_conflict() => Ok(()),
        // A namespace that is going takes none.
        Err(error) if error.is_not_found() || error.status() == Some(403) && !telling.namespace.is_empty() => Ok(()),
        sent => sent.map(drop),
    }
}

fn event(telling: &Telling, uid: &str, now: Timestamp) -> Value {
    let Telling { resource, namespace, name, reason, note, id } = telling;
    let (kind, api_version) = match resource.plural {
        "exceptions" => ("Exception", "assay.dev/v1"),
        "validatingwebhookconfigurations" => ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
        "mutatingwebhookconfigurations" => ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
        _ => ("Pod", "v1"),
    };
    let mut about = json!({"kind": kind, "apiVersion": api_version, "name": name, "uid": uid});
    let into = if namespace.is_empty() { CLUSTER_NAMESPACE } else { namespace };
    if !namespace.is_empty() {
        about["namespace"] = json!(namespace);
    }
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let name: String = name.chars().take(NAME_MAX).collect();
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{name}.{id}"), "namespace": into},
        "involvedObject": about, "type": "Warning", "reason": reason, "message": note,
        "source": {"component": "assay"}, "firstTimestamp": at, "lastTimestamp": at, "count": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(resource: Resource, namespace: &str, name: &str) -> Telling {
        Telling {
            resource,
            namespace: namespace.into(),
            name: name.into(),
            reason: "ControlNotMet",
            note: "no digest".into(),
            id: "00112233".into(),
        }
    }

    #[test]
    fn an_event_names_its_object_and_lies_where_the_object_does() {
        let pod = event(&telling(PODS, "shop", "api-1"), "u-1", Timestamp::UNIX_EPOCH);
        assert_eq!(
            (&pod["metadata"]["namespace"], &pod["metadata"]["name"]),
            (&json!("shop"), &json!("api-1.00112233"))
        );
        assert_eq!((&pod["involvedObject"]["uid"], &pod["involvedObject"]["kind"]), (&json!("u-1"), &json!("Pod")));
        assert_eq!(pod["lastTimestamp"], "1970-01-01T00:00:00Z");
        let exception = event(&telling(EXCEPTIONS, "", "zlib"), "u-2", Timestamp::UNIX_EPOCH);
        assert_eq!(exception["metadata"]["namespace"], "default");
        assert!(exception["involvedObject"]["namespace"].is_null());
        let long = event(&telling(PODS, "shop", &"a".repeat(253)), "u", Timestamp::UNIX_EPOCH);
        assert!(long["metadata"]["name"].as_str().unwrap().len() <= 253);
    }
}
