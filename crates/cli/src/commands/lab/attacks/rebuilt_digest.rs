//! A rebuild instead of the digest that was tested.

use super::fixture::{Attempt, to_production};
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "rebuilt-digest",
    title: "rebuilt digest offered for promotion",
    story: "The same source built again for production: another digest, which nobody tested in staging.",
    control: "release-known",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let tested = Recipe::new("rebuilt-digest")?.publish(stage).await?;
    let rebuilt = builder("rebuilt-digest").created("2026-01-01T00:00:00Z");
    let rebuilt = Recipe::built("rebuilt-digest-again", &rebuilt)?.not_promoted_from("staging").publish(stage).await?;
    debug_assert_ne!(tested.digest(), rebuilt.digest(), "a rebuild is another digest");
    Ok(Attempt::Promote(Box::new(to_production("rebuilt-digest-again", &rebuilt))).into())
}
