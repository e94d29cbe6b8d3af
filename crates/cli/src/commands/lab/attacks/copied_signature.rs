//! A signature that is about another digest.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, release_workflow};
use assay_sign::Statement;

pub(super) const ATTACK: Attack = Attack {
    name: "copied-signature",
    title: "signature of another digest",
    story: "A valid signature of a good image is attached to another one.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let good = Recipe::new("copied-signature-from")?.publish(stage).await?;
    let evil = Recipe::new("copied-signature-to")?.unsigned().publish(stage).await?;
    let signature = Statement::image_signature(&good.digest());
    let signature = stage.sign(&release_workflow("payments"), &signature).await?;
    stage.attach(&evil.repository, &evil.descriptor, &signature).await?;
    Ok(Fixture::deployment(&evil.pinned()))
}
