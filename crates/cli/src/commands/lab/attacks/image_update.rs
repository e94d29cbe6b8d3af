//! An UPDATE that brings in an unsigned image.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission};

pub(super) const ATTACK: Attack = Attack {
    name: "image-update",
    title: "image changed in place",
    story: "A Deployment that was admitted is edited: the same name, an unsigned image.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let good = Recipe::new("image-update-before")?.publish(stage).await?;
    let evil = Recipe::new("image-update-after")?.unsigned().publish(stage).await?;
    let before = Submission::deployment(&production(), "api", &good.pinned());
    let mut after = Submission::deployment(&production(), "api", &evil.pinned());
    after.old_object = Some(before.object);
    Ok(after.into())
}
