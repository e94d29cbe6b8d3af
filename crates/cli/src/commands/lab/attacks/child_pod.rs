//! A Pod that names a permitted parent as its own.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission};
use serde_json::json;

pub(super) const ATTACK: Attack = Attack {
    name: "child-pod",
    title: "Pod below a permitted parent",
    story: "A Pod of an unsigned image claims to belong to a ReplicaSet that was admitted.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let evil = Recipe::new("child-pod")?.unsigned().publish(stage).await?;
    let mut submission = Submission::pod(&production(), "api-7c9f-x2x4z", &evil.pinned());
    submission.object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-7c9f", "uid": "7c9f", "controller": true,
    }]);
    Ok(submission.into())
}
