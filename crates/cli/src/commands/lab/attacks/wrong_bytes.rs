//! A registry that lies about a layer.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::Stage;
use assay_model::Digest;
use assay_sandbox::Fault;

pub(super) const ATTACK: Attack = Attack {
    name: "wrong-bytes",
    title: "registry answers with wrong bytes",
    story: "The registry sends other bytes for a layer than its digest says.",
    control: "no-secrets-in-layers",
    also: &["critical-cve", "high-cve", "known-exploited", "no-malicious-packages", "dependency-source", "fresh-scan"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let recipe = Recipe::new("wrong-bytes")?;
    // The last layer is this image's own: the others are known from images that were read before.
    let layer = recipe.image().layers().last().map_or(recipe.image().digest(), |bytes| Digest::of(bytes));
    let image = recipe.publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()).while_registry(Fault::LiesAbout(layer)))
}
