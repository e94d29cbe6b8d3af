//! An image by the tag `latest`.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "latest-tag",
    title: "image with :latest",
    story: "A Deployment that asks for whatever was pushed last.",
    control: "disallow-latest",
    also: &["require-digest"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("latest-tag")?.tag("latest").publish(stage).await?;
    Ok(Fixture::deployment(&image.tagged()))
}
