//! Findings by data that is too old.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "stale-scan",
    title: "stale vulnerability data",
    story: "The vulnerability data was not refreshed for 9 days: clean means nothing.",
    control: "fresh-scan",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("stale-scan")?.publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()).with_stale_advisories())
}
