//! Who made it: a signature and three attestations for each image.

use assay_sandbox::sigstore::Identity;
use assay_sign::Statement;

use super::Shipment;
use crate::Result;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::stage::{
    Build, Published, Stage, generator, release_workflow, sbom_statement, scan_statement,
};
use crate::failure::Failure;

/// Signs and attests every image.
pub(super) async fn vouch(stage: &Stage, narrator: &Narrator<'_>, shipments: &mut [Shipment]) -> Result<()> {
    narrator.step(
        "Sign and attest, without keys to keep",
        "The workflow proves who it is with a token and gets a certificate for ten minutes. Signature, certificate, \
         timestamp and log entry are checked together from now on.",
    );
    narrator.fact("authority", &format!("{}: certificates, logs, timestamps", stage.sigstore.url()));
    for shipment in shipments {
        let (team, image) = (shipment.service.team, shipment.image.clone());
        let (digest, now) = (image.digest(), stage.clock.now());
        let workflow = release_workflow(team);
        narrator.fact(shipment.service.path, short(&workflow));
        attach(stage, &image, &workflow, &Statement::image_signature(&digest)).await?;
        if let Some(facts) = &shipment.facts {
            let contents = facts.contents.get().map_err(Failure::from_cause)?;
            let findings = facts.findings.get().map_err(Failure::from_cause)?;
            let sbom = sbom_statement(&image.repository, &digest, contents, now)?;
            shipment.evidence.sbom = Some(attach(stage, &image, &workflow, &sbom).await?);
            attach(stage, &image, &workflow, &scan_statement(&digest, findings)?).await?;
        }
        let provenance = Build::of(team).statement(&digest, now)?;
        shipment.evidence.provenance = Some(attach(stage, &image, &generator(team), &provenance).await?);
        shipment.evidence.signature = Some("sigstore".to_owned());
        narrator.fact("", "signs the digest, its SBOM and its scan");
    }
    narrator.fact("provenance", "is signed by a generator, apart from the build it describes");
    Ok(())
}

/// Signs a statement about an image and attaches it. Gives the place, as releases name it.
async fn attach(stage: &Stage, image: &Published, identity: &Identity, statement: &Statement) -> Result<String> {
    let bundle = stage.sign(identity, statement).await?;
    let referrer = stage.attach(&image.repository, &image.descriptor, &bundle).await?;
    Ok(format!("oci://{}@{referrer}", image.repository))
}

/// An identity without what all of them have in common.
fn short(identity: &Identity) -> &str {
    identity.subject.strip_prefix("https://github.com/").unwrap_or(&identity.subject)
}
