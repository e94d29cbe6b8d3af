//! A namespace that no Environment selects: the strictest one judges.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, Submission, UNLABELLED};

pub(super) const ATTACK: Attack = Attack {
    name: "unlabelled-namespace",
    title: "unlabelled namespace",
    story: "The same unsigned image in a namespace that nobody has put into an environment.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let evil = Recipe::new("unlabelled-namespace")?.unsigned().publish(stage).await?;
    Ok(Submission::deployment(UNLABELLED, "api", &evil.pinned()).into())
}
