//! A registry that limits the rate.

use super::{Attack, FROM_THE_REGISTRY, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;
use assay_sandbox::Fault;

pub(super) const ATTACK: Attack = Attack {
    name: "rate-limited-registry",
    title: "registry limits the rate",
    story: "The registry's rate limit is used up, to see whether the gate then lets everything through.",
    control: "require-signature",
    also: &FROM_THE_REGISTRY,
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("rate-limited-registry")?.publish(stage).await?;
    let limited = Fault::Status { endpoint: None, status: 429, count: u32::MAX, retry_after: Some(60) };
    Ok(Fixture::deployment(&image.pinned()).while_registry(limited))
}
