//! Deployments by digest through the webhook, and what runs afterwards.

use assay_case::ContainerRole;
use assay_store::{RunningContainer, RunningPod};

use super::{Deploy, Shipment};
use crate::Result;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::stage::{ENVIRONMENTS, Stage, Submission, namespace};

/// Replicas of each Deployment.
const REPLICAS: u32 = 2;
/// Name of the lab's cluster.
const CLUSTER: &str = "lab";

/// Deploys every service to every environment.
pub(super) async fn deploy(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<Vec<Deploy>> {
    narrator.step(
        "Deploy by digest",
        "What the API server does with kubectl apply: an AdmissionReview over HTTPS. The webhook looks at the \
         image itself, not at what the manifest says about it.",
    );
    narrator.fact("webhook", &format!("https://localhost:{}/validate", stage.webhook.address().port()));
    let mut deploys = Vec::new();
    for environment in ENVIRONMENTS {
        for shipment in shipments {
            let Some(image) = shipment.places.get(environment) else { continue };
            let namespace = namespace(shipment.service.team, environment);
            let submission = Submission::deployment(&namespace, shipment.service.name, &image.pinned());
            let ruling = stage.admit(&submission).await?;
            let allowed = ruling.verdict.allowed;
            let passed = ruling.verdict.outcomes.iter().filter(|outcome| outcome.outcome.is_met()).count();
            let workload = format!("{namespace}/Deployment/{}", shipment.service.name);
            let id: String = ruling.decision.chars().take(8).collect();
            narrator.fact(
                environment,
                &if allowed {
                    format!("{namespace}/{} admitted, {passed} checks hold, decision {id}", shipment.service.name)
                } else {
                    format!("{workload} REFUSED: {}", ruling.message)
                },
            );
            deploys.push(Deploy {
                workload,
                environment: ruling.verdict.environment.to_string(),
                image: image.pinned(),
                admitted: allowed,
                decision: ruling.decision,
                message: ruling.message,
            });
        }
    }
    Ok(deploys)
}

/// Takes stock of the Pods that a kubelet would have started.
pub(super) fn record(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<()> {
    narrator.step(
        "Take stock of what runs",
        "The inventory maps every Pod to a digest, a signer, an SBOM and an owner. Without it, the next question has \
         no answer.",
    );
    let pods = running_pods(stage, shipments)?;
    stage.store.sync_inventory(CLUSTER, stage.clock.now(), &pods)?;
    let mut digests: Vec<_> = shipments.iter().map(|shipment| shipment.image.digest()).collect();
    digests.dedup();
    narrator.fact(
        "running",
        &format!("{} Pods of {} images in {} environments", pods.len(), digests.len(), ENVIRONMENTS.len()),
    );
    Ok(())
}

/// The Pods of every Deployment.
fn running_pods(stage: &Stage, shipments: &[Shipment]) -> Result<Vec<RunningPod>> {
    let mut pods = Vec::new();
    for shipment in shipments {
        let service = &shipment.service;
        for (environment, image) in &shipment.places {
            for replica in 0..REPLICAS {
                pods.push(RunningPod {
                    namespace: namespace(service.team, environment),
                    name: format!("{}-7c9f-{replica}", service.name),
                    workload_kind: "Deployment".into(),
                    workload_name: service.name.into(),
                    owner: Some(format!("team-{}", service.team)),
                    environment: Some(environment.parse()?),
                    started: stage.clock.now(),
                    containers: vec![RunningContainer {
                        name: service.name.into(),
                        role: ContainerRole::Container,
                        requested: image.pinned(),
                        repository: Some(image.repository.clone()),
                        digest: Some(image.digest()),
                    }],
                });
            }
        }
    }
    Ok(pods)
}
