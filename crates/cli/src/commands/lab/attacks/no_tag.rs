//! An image by no tag, which means `latest`.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "no-tag",
    title: "image without a tag",
    story: "A Deployment that names no version at all: the runtime takes latest.",
    control: "disallow-latest",
    also: &["require-digest"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("no-tag")?.tag("latest").publish(stage).await?;
    Ok(Fixture::deployment(&image.repository.to_string()))
}
