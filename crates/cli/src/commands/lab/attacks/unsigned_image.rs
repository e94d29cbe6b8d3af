//! An image that nobody signed.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "unsigned-image",
    title: "unsigned image",
    story: "Somebody pushes an image past the release workflow: nothing signs it.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("unsigned-image")?.unsigned().publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
