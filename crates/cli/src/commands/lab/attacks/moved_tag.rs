//! A tag that moves between verification and pull.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::stage::Stage;
use assay_sandbox::Fault;

pub(super) const ATTACK: Attack = Attack {
    name: "moved-tag",
    title: "tag moved after verification",
    story: "The tag points to the good image while it is verified, and to another one when the node pulls.",
    control: "require-digest",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("moved-tag")?.publish(stage).await?;
    let evil = builder("moved-tag").layer([("opt/moved-tag/payload", "not what was verified\n", 0o755)]).build();
    let evil = stage.push("prod/payments/moved-tag", "evil", &evil).await?;
    // What was verified first is good in everything: only the missing digest lets the second read differ.
    let moves = Fault::TagMovesAfterFirstRead {
        repository: image.repository.path().to_owned(),
        tag: image.tag.clone(),
        then: evil.digest(),
    };
    Ok(Fixture::deployment(&image.tagged()).while_registry(moves))
}
