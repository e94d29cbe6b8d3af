//! The same digest through the environments.

use assay_kinds::{ReleaseArtifact, ReleaseArtifactSpec, ReleaseImage, ReleaseRisk, ReleaseSource};
use assay_store::{LedgerEvent, Release};

use super::Shipment;
use super::describe::findings_in_words;
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::stage::{Build, Candidate, ENVIRONMENTS, Stage};

/// Creates the releases and promotes them from environment to environment.
pub(super) async fn promote(stage: &Stage, narrator: &Narrator<'_>, shipments: &mut [Shipment]) -> Result<()> {
    narrator.step(
        "Release and promote",
        "Not a rebuild for each environment: the same digest, with everything that vouches for it. Each step is \
         judged by the policy of where it goes, and entered in a ledger in which every entry seals the one before.",
    );
    for shipment in &mut *shipments {
        create(stage, shipment)?;
        narrator.fact("release", &shipment.release());
        for environment in ENVIRONMENTS {
            stage.clock.advance(600);
            step(stage, narrator, shipment, environment).await?;
        }
    }
    known_then(stage, narrator, shipments)
}

/// Keeps the one contract that a team writes for a release.
fn create(stage: &Stage, shipment: &Shipment) -> Result<()> {
    let service = &shipment.service;
    let build = Build::of(service.team);
    let image = &shipment.image;
    let object = ReleaseArtifact::new(
        shipment.release(),
        ReleaseArtifactSpec {
            service: service_name(shipment),
            source: ReleaseSource { repository: format!("github.com/{}", build.source), commit: build.commit },
            image: ReleaseImage { repository: image.repository.clone(), digest: image.digest() },
            evidence: shipment.evidence.clone(),
            risk: ReleaseRisk::default(),
        },
    );
    stage.store.put_release(&Release {
        name: shipment.release(),
        service: service_name(shipment),
        digest: image.digest(),
        object: serde_json::to_value(&object).map_err(LabError::fixture("release"))?,
    })?;
    Ok(())
}

async fn step(
    stage: &Stage,
    narrator: &Narrator<'_>,
    shipment: &mut Shipment,
    environment: &'static str,
) -> Result<()> {
    // It comes from the environment before.
    let before = ENVIRONMENTS.iter().take_while(|name| **name != environment).last();
    let from = before.and_then(|name| shipment.places.get(name)).unwrap_or(&shipment.image).clone();
    let candidate = Candidate {
        release: shipment.release(),
        service: service_name(shipment),
        image: from,
        path: shipment.service.path.to_owned(),
        environment,
        by: format!("release-manager@{}.example.com", shipment.service.team),
    };
    let moved = stage.promote(&candidate).await?;
    let Some(image) = moved.image else {
        let reason = assay_server::denial(&moved.verdict, Some(&moved.decision));
        return Err(LabError::Path { step: "release and promote", reason }.into());
    };
    let copied = moved.copied.map_or_else(
        || "the build has pushed it there".to_owned(),
        |report| {
            format!(
                "copied with {} referrers, {} blobs mounted, {} sent",
                report.referrers, report.blobs_mounted, report.blobs_copied
            )
        },
    );
    let entry = moved.entry.unwrap_or_default();
    narrator.fact(environment, &format!("ledger entry {entry}: {copied}"));
    shipment.places.insert(environment, image);
    Ok(())
}

/// What the ledger kept of the moment of a promotion: the answer to "what did you know when you shipped it?".
fn known_then(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<()> {
    let status = stage.store.verify_ledger()?;
    narrator.fact("ledger", &format!("{} entries, every one seals the one before", status.entries));
    for shipment in shipments {
        let digest = shipment.image.digest();
        for entry in stage.store.ledger()?.into_iter().rev() {
            let LedgerEvent::Promotion { promotion, findings, pack, exceptions, .. } = entry.event else { continue };
            if promotion.digest != digest {
                continue;
            }
            let short = |digest: Option<assay_model::Digest>| {
                digest.map_or("none".to_owned(), |digest| digest.hex().chars().take(12).collect::<String>())
            };
            let found = findings_in_words(&promotion.counts);
            narrator.fact(
                shipment.service.path,
                &format!(
                    "entry {} keeps what was known then: {found}, {} exceptions; findings {}, data {}",
                    entry.number,
                    exceptions.len(),
                    short(findings),
                    short(pack)
                ),
            );
            break;
        }
    }
    Ok(())
}

/// `payments-api`.
fn service_name(shipment: &Shipment) -> String {
    format!("{}-{}", shipment.service.team, shipment.service.name)
}
