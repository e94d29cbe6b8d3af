//! A container that is root on its node.

use super::fixture::production;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission};
use serde_json::json;

pub(super) const ATTACK: Attack = Attack {
    name: "privileged-builder",
    title: "privileged image builder",
    story: "A signed image runs privileged with the node's container runtime socket, to build images.",
    control: "no-privileged",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("privileged-builder")?.publish(stage).await?;
    let submission = Submission::deployment(&production(), "builder", &image.pinned());
    let submission = submission.change(|spec| {
        // A privileged container cannot give up escalation: Kubernetes refuses the two together.
        spec["containers"][0]["securityContext"] = json!({"runAsNonRoot": true, "privileged": true});
        spec["volumes"] = json!([{"name": "socket", "hostPath": {"path": "/var/run/docker.sock"}}]);
    });
    Ok(submission.into())
}
