//! What is in the images: digest, packages, findings.

use assay_model::{FindingCounts, Reference};

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
        narrator.fact(shipment.service.path, &format!("{} is", shipment.image.tag));
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
        let (packages, secrets) = (contents.packages.len(), contents.secrets.len());
        let found = findings_in_words(&counts);
        let secrets = if secrets == 0 { "no secret".to_owned() } else { format!("{secrets} secrets") };
        narrator.fact(shipment.service.path, &format!("{packages} packages, {found}, {secrets}"));
        shipment.facts = Some(facts);
    }
    Ok(())
}

/// `no finding`, or how many of each severity that occurs.
pub(super) fn findings_in_words(counts: &FindingCounts) -> String {
    let each = [
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
        (counts.unknown, "unrated"),
    ];
    let occurring = each.iter().filter(|(number, _)| *number > 0);
    let words = occurring.map(|(number, severity)| format!("{number} {severity}")).collect::<Vec<_>>().join(" and ");
    match each.iter().map(|(number, _)| number).sum::<u32>() {
        0 => "no finding".to_owned(),
        1 => format!("{words} finding"),
        _ => format!("{words} findings"),
    }
}

fn missing(what: &str) -> LabError {
    LabError::Path { step: "look inside", reason: format!("the image has no {what}") }
}
