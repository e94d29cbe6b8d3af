//! A secret in a layer, deleted in the next.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "secret-in-deleted-file",
    title: "secret deleted in a later layer",
    story: "A private key was copied into one layer and deleted in the next: whoever pulls can read it.",
    control: "no-secrets-in-layers",
    also: &[],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    // Made now and used for nothing.
    let key = rcgen::KeyPair::generate().map_err(LabError::fixture("key"))?.serialize_pem();
    let layers = builder("secret-in-deleted-file").layer([("root/.ssh/id_ecdsa", key, 0o600)]);
    let layers = layers.layer([("opt/secret-in-deleted-file/built", "yes\n", 0o644)]).whiteout("root/.ssh/id_ecdsa");
    let image = Recipe::built("secret-in-deleted-file", &layers)?.publish(stage).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
