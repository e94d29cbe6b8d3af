//! An index of which one platform is not what was signed.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::{Recipe, builder};
use crate::commands::lab::stage::{Stage, release_workflow};
use assay_model::Platform;
use assay_sign::Statement;

pub(super) const ATTACK: Attack = Attack {
    name: "swapped-platform",
    title: "platform swapped in a signed index",
    story: "One platform of a signed index is replaced; the index's signature is copied along.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let other = || {
        builder("swapped-platform-arm64").platform(Platform { architecture: "arm64".into(), ..Platform::linux_amd64() })
    };
    let good = Recipe::new("swapped-platform")?;
    let images = [good.image().clone(), other().build()];
    let good = good.index(&images).publish(stage).await?;
    let evil =
        Recipe::built("swapped-platform-evil", &builder("swapped-platform").layer([("opt/payload", "evil\n", 0o755)]))?;
    let images = [evil.image().clone(), other().build()];
    let evil = evil.index(&images).unsigned().publish(stage).await?;
    let signature = Statement::image_signature(&good.digest());
    let signature = stage.sign(&release_workflow("payments"), &signature).await?;
    stage.attach(&evil.repository, &evil.descriptor, &signature).await?;
    Ok(Fixture::deployment(&evil.pinned()))
}
