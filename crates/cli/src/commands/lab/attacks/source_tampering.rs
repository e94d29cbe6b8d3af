//! Provenance of another source repository.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Build, Stage};

pub(super) const ATTACK: Attack = Attack {
    name: "source-tampering",
    title: "built from another repository",
    story: "Signed by the right workflow, but the provenance names a fork as the source.",
    control: "require-provenance",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let fork = Build { source: "mallory/payments".to_owned(), ..Build::of("payments") };
    let image = Recipe::new("source-tampering")?.built_from(fork).publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
