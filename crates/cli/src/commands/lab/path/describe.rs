//! What is in the images: digest, packages, findings.

use assay_model::Reference;

use super::Shipment;
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::stage::Stage;
use crate::failure::Failure;

/// From tags to digests, once.
pub(super) async fn resolve(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<()> {
    narrator.step(
        "Resolve the digest",
        "A tag is a label that can be moved; a digest is the content itself. The tag is read once, here. \
         From now on only the digest counts.",
    );
    for shipment in shipments {
        let reference: Reference = shipment.image.tagged().parse()?;
        let digest = stage.client.head(&reference).await?;
        if digest != shipment.image.digest() {
            let reason = format!("{reference} resolves to {digest}, not to what was pushed");
            return Err(LabError::Path { step: "resolve the digest", reason }.into());
        }
        narrator.fact(shipment.service.name, &format!("{} is", shipment.image.tag));
        narrator.fact("", &digest.to_string());
    }
    Ok(())
}

/// Inspects, and matches against the vulnerability data.
pub(super) async fn describe(stage: &Stage, narrator: &Narrator<'_>, shipments: &mut [Shipment]) -> Result<()> {
    narrator.step(
        "Look inside: SBOM and scan",
        "Every layer is read once. The list of packages answers the next vulnerability in minutes; the scan says \
         what is known today.",
    );
    let pack = stage.facts.pack();
    narrator.fact("data", &format!("{} records made up for the lab, fresh as of {}", pack.records, pack.data_until));
    for shipment in shipments {
        let known = stage.facts.of(&shipment.image.reference()?, None).await;
        let facts = known.get().map_err(Failure::from_cause)?.first().cloned();
        let facts = facts.ok_or_else(|| Failure::from(missing("facts")))?;
        let contents = facts.contents.get().map_err(Failure::from_cause)?;
        let counts = facts.findings.get().map_err(Failure::from_cause)?.counts();
        narrator.fact(
            shipment.service.name,
            &format!(
                "{} packages, {} secrets; {} critical, {} high, {} medium, {} low findings",
                contents.packages.len(),
                contents.secrets.len(),
                counts.critical,
                counts.high,
                counts.medium,
                counts.low
            ),
        );
        shipment.facts = Some(facts);
    }
    Ok(())
}

fn missing(what: &str) -> LabError {
    LabError::Path { step: "look inside", reason: format!("the image has no {what}") }
}
