//! Provenance that is about an older digest.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Build, Stage, generator};

pub(super) const ATTACK: Attack = Attack {
    name: "replayed-provenance",
    title: "replayed old provenance",
    story: "The provenance of an earlier build is attached to an image that was built elsewhere.",
    control: "require-provenance",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let old = Recipe::new("replayed-provenance-old")?.publish(stage).await?;
    let new = Recipe::new("replayed-provenance")?.without_provenance().publish(stage).await?;
    let statement = Build::of("payments").statement(&old.digest(), stage.clock.now())?;
    let provenance = stage.sign(&generator("payments"), &statement).await?;
    stage.attach(&new.repository, &new.descriptor, &provenance).await?;
    Ok(Fixture::deployment(&new.pinned()))
}
