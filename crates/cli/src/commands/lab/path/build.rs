//! Images from files, pushed once.

use std::collections::BTreeMap;

use assay_kinds::ReleaseEvidence;
use assay_sandbox::ImageBuilder;

use super::Shipment;
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::services::services;
use crate::commands::lab::stage::Stage;

/// Builds the services and pushes them to where development pulls from.
pub(super) async fn build(stage: &Stage, narrator: &Narrator<'_>, program: Option<&[u8]>) -> Result<Vec<Shipment>> {
    narrator.step(
        "Build and push",
        "Two services, made from real files. The registry is private and its tags are immutable: what was \
         pushed under a version stays what it was.",
    );
    narrator.fact("registry", &format!("{}, on this machine only", stage.host()));
    let mut shipments = Vec::new();
    for service in services(program)? {
        let image = stage.push(&format!("dev/{}", service.path), service.version, &service.image).await?;
        let bytes: usize = service.image.blobs().iter().map(bytes::Bytes::len).sum();
        let shipment =
            Shipment { service, image, facts: None, evidence: ReleaseEvidence::default(), places: BTreeMap::new() };
        narrator.fact("built", &format!("{}: {}", shipment.title(), shipment.service.made_of));
        narrator.fact(
            "pushed",
            &format!(
                "{}, {} kB in {} blobs",
                shipment.image.tagged(),
                bytes / 1000,
                shipment.service.image.blobs().len()
            ),
        );
        shipments.push(shipment);
    }
    if let Some(first) = shipments.first() {
        let other = ImageBuilder::new().layer([("etc/hostname", "other\n", 0o644)]).build();
        let pushed = stage.push(&format!("dev/{}", first.service.path), first.service.version, &other).await;
        let Err(refused) = pushed else {
            let reason = "the registry let a tag be moved".to_owned();
            return Err(LabError::Path { step: "build and push", reason }.into());
        };
        narrator.fact("again", &format!("other content under the same tag: refused ({})", refused.code));
    }
    Ok(shipments)
}
