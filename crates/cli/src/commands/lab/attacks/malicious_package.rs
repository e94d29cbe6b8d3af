//! A package with a malware record.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::services::npm_package;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "malicious-package",
    title: "malicious package",
    story: "A dependency that is known to steal credentials came in with an update.",
    control: "no-malicious-packages",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let layers = builder("malicious-package").layer([npm_package("assay-lab-telemetry", "1.0.0")]);
    let image = Recipe::built("malicious-package", &layers)?.publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
