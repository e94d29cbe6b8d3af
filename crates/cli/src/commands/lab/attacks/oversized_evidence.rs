//! Evidence of a size that nobody should read.

use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::stage::{Stage, release_workflow};
use assay_model::Digest;
use assay_oci::{Artifact, ArtifactLayer, RawManifest, media_type};
use assay_sign::{BUNDLE_MEDIA_TYPE, Statement};
use bytes::Bytes;

pub(super) const ATTACK: Attack = Attack {
    name: "oversized-evidence",
    title: "oversized evidence",
    story: "The signature is announced with 64 MiB, to make the gate run out of memory or give up and allow.",
    control: "require-signature",
    also: &["trusted-signer"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let image = Recipe::new("oversized-evidence")?.unsigned().publish(stage).await?;
    let signature = Statement::image_signature(&image.digest());
    let signature = stage.sign(&release_workflow("payments"), &signature).await?;
    let bundle =
        stage.client.push_blob(&image.repository, BUNDLE_MEDIA_TYPE, Bytes::copy_from_slice(signature.bytes()));
    let bundle = bundle.await?;
    let layer = ArtifactLayer {
        media_type: BUNDLE_MEDIA_TYPE.to_owned(),
        bytes: Bytes::copy_from_slice(signature.bytes()),
        annotations: std::collections::BTreeMap::new(),
    };
    let artifact = Artifact {
        artifact_type: BUNDLE_MEDIA_TYPE.to_owned(),
        layers: vec![layer],
        annotations: std::collections::BTreeMap::new(),
    };
    stage.client.push_blob(&image.repository, media_type::EMPTY, Bytes::from_static(b"{}")).await?;
    // The signature itself is good: only its announced size is not.
    let manifest = String::from_utf8_lossy(&artifact.manifest(&image.descriptor)).into_owned();
    let size = format!("\"size\":{}", bundle.size);
    let manifest = Bytes::from(manifest.replacen(&size, &format!("\"size\":{}", 64 << 20), 1));
    let raw = RawManifest::parse(manifest.clone(), Digest::of(&manifest), None, "oversized evidence");
    stage.client.push_referrer(&image.repository, &raw.map_err(LabError::fixture("manifest"))?).await?;
    Ok(Fixture::deployment(&image.pinned()))
}
