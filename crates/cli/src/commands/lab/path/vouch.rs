//! Who made it: a signature and three attestations for each image.

use assay_sandbox::sigstore::Identity;
use assay_sign::Statement;

use super::Shipment;
use crate::Result;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::stage::{Build, Stage, generator, release_workflow, sbom_statement, scan_statement};
use crate::failure::Failure;

/// Signs and attests every image.
pub(super) async fn vouch(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<()> {
    narrator.step(
        "Sign and attest, without keys to keep",
        "The workflow proves who it is with a token and gets a certificate for ten minutes. Signature, certificate, \
         timestamp and log entry are checked together from now on.",
    );
    narrator
        .fact("authority", &format!("{} (issuer, certificates, logs, timestamps of this lab)", stage.sigstore.url()));
    for shipment in shipments {
        let (team, image) = (shipment.service.team, &shipment.image);
        let (digest, now) = (image.digest(), stage.clock.now());
        let workflow = release_workflow(team);
        narrator.fact(shipment.service.name, &format!("signed by {}", short(&workflow)));
        let mut statements = vec![("signature", workflow.clone(), Statement::image_signature(&digest))];
        if let Some(facts) = &shipment.facts {
            let contents = facts.contents.get().map_err(Failure::from_cause)?;
            let findings = facts.findings.get().map_err(Failure::from_cause)?;
            statements.push(("SBOM", workflow.clone(), sbom_statement(&image.repository, &digest, contents, now)?));
            statements.push(("scan", workflow, scan_statement(&digest, findings)?));
        }
        statements.push(("provenance", generator(team), Build::of(team).statement(&digest, now)?));
        let mut attached = Vec::new();
        for (name, identity, statement) in statements {
            let bundle = stage.sign(&identity, &statement).await?;
            let referrer = stage.attach(&image.repository, &image.descriptor, &bundle).await?;
            attached.push(format!("{name} {}", referrer.short()));
        }
        narrator.fact("attached", &attached.join(", "));
    }
    narrator.fact("provenance", "is signed by the generator, not by the build that it describes");
    Ok(())
}

/// An identity without what all of them have in common.
fn short(identity: &Identity) -> &str {
    identity.subject.strip_prefix("https://github.com/").unwrap_or(&identity.subject)
}
