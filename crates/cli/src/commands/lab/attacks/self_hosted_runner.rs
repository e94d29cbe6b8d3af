//! A signature from a runner that is not isolated.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, release_workflow};
use assay_sandbox::sigstore::Identity;

pub(super) const ATTACK: Attack = Attack {
    name: "self-hosted-runner",
    title: "build on a self-hosted runner",
    story: "The right workflow, but on a runner that somebody may own.",
    control: "trusted-signer",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let own = Identity { runner: "self-hosted".to_owned(), ..release_workflow("payments") };
    let image = Recipe::new("self-hosted-runner")?.signed_by(own).publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
