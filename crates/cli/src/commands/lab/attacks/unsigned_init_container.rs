//! An init container of an unsigned image.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission, container};
use serde_json::json;

pub(super) const ATTACK: Attack = Attack {
    name: "unsigned-init-container",
    title: "unsigned init container",
    story: "The application is signed; the init container that runs before it is not.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let good = Recipe::new("init-container-app")?.publish(stage).await?;
    let evil = Recipe::new("init-container")?.unsigned().publish(stage).await?;
    let submission = Submission::deployment(&production(), "api", &good.pinned());
    Ok(submission.change(|spec| spec["initContainers"] = json!([container("setup", &evil.pinned())])).into())
}
