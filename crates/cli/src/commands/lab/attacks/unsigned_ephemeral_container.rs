//! An ephemeral container of an unsigned image.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission, container};
use serde_json::json;

pub(super) const ATTACK: Attack = Attack {
    name: "unsigned-ephemeral-container",
    title: "unsigned ephemeral container",
    story: "kubectl debug puts a container of an unsigned image into a Pod that was admitted.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let good = Recipe::new("ephemeral-container-app")?.publish(stage).await?;
    let evil = Recipe::new("ephemeral-container")?.unsigned().publish(stage).await?;
    let running = Submission::pod(&production(), "api-7c9f", &good.pinned());
    let mut submission = running.clone().change(|spec| {
        spec["ephemeralContainers"] = json!([container("debugger", &evil.pinned())]);
    });
    submission.sub_resource = "ephemeralcontainers";
    submission.old_object = Some(running.object);
    Ok(submission.into())
}
