//! A rollback to what was found vulnerable meanwhile.

use super::fixture::{Attempt, to_production};
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::services::{SESSION, npm_package};
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "vulnerable-rollback",
    title: "rollback to a vulnerable digest",
    story: "The version before was clean when it shipped. A critical finding in it was published since.",
    control: "rollback-risk",
    also: &["critical-cve"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let layers = builder("vulnerable-rollback").layer([npm_package(SESSION, "2.1.0")]);
    let before = Recipe::built("vulnerable-rollback", &layers)?.publish(stage).await?;
    let layers = builder("vulnerable-rollback").layer([npm_package(SESSION, "2.1.1")]);
    Recipe::built("vulnerable-rollback", &layers)?.tag("1.1").publish(stage).await?;
    Ok(Attempt::RollBack(Box::new(to_production("vulnerable-rollback", &before))).into())
}
