//! An image by a tag.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "tag-only",
    title: "image by tag only",
    story: "A Deployment that names a version, but no digest: the tag can point elsewhere tomorrow.",
    control: "require-digest",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("tag-only")?.publish(stage).await?;
    Ok(Fixture::deployment(&image.tagged()))
}
