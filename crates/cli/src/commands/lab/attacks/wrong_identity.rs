//! A valid signature by the wrong identity.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;
use assay_sandbox::sigstore::Identity;

pub(super) const ATTACK: Attack = Attack {
    name: "wrong-identity",
    title: "signed by somebody else",
    story: "A valid signature, in the log and all, but by a person instead of the release workflow.",
    control: "trusted-signer",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let person = Identity::person("https://accounts.example.com", "security-bot@example.com");
    let image = Recipe::new("wrong-identity")?.signed_by(person).publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
