//! A registry that is down.

use super::{Attack, FROM_THE_REGISTRY, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;
use assay_sandbox::Fault;

pub(super) const ATTACK: Attack = Attack {
    name: "registry-down",
    title: "registry down",
    story: "The registry answers nothing but errors, to see whether the gate then lets everything through.",
    control: "require-signature",
    also: &FROM_THE_REGISTRY,
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("registry-down")?.publish(stage).await?;
    let down = Fault::Status { endpoint: None, status: 503, count: u32::MAX, retry_after: None };
    Ok(Fixture::deployment(&image.pinned()).while_registry(down))
}
