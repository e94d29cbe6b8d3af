//! A volume of an unsigned image.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission};
use serde_json::json;

pub(super) const ATTACK: Attack = Attack {
    name: "unsigned-image-volume",
    title: "unsigned image volume",
    story: "The application is signed; the image that it mounts as a volume is not.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let good = Recipe::new("image-volume-app")?.publish(stage).await?;
    let evil = Recipe::new("image-volume")?.unsigned().publish(stage).await?;
    let volume = json!({"name": "plugins", "image": {"reference": evil.pinned(), "pullPolicy": "IfNotPresent"}});
    let submission = Submission::deployment(&production(), "api", &good.pinned());
    Ok(submission.change(|spec| spec["volumes"] = json!([volume])).into())
}
