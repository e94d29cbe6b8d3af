//! A signature by another workflow of the right repository.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;
use assay_sandbox::sigstore::Identity;

pub(super) const ATTACK: Attack = Attack {
    name: "wrong-workflow",
    title: "signed by another workflow",
    story: "The right repository, but a workflow without the release's checks signs.",
    control: "trusted-signer",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let nightly = Identity::github("company/payments", "nightly.yml", "refs/heads/main");
    let image = Recipe::new("wrong-workflow")?.signed_by(nightly).publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
