//! An image from Docker Hub.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "public-registry",
    title: "public Docker Hub image",
    story: "The same image, signatures and all, but pulled from Docker Hub instead of the company's registry.",
    control: "allowed-registries",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("public-registry")?.publish_on_docker_hub(stage).await?;
    Ok(Fixture::deployment(&image))
}
