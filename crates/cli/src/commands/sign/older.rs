//! `--legacy-sig`: the tags `.sig` and `.att`, for verifiers that know no referrers.

use assay_model::{Digest, Reference, Repository};
use assay_oci::{Attachment, Client, media_type};
use assay_sign::{LegacyImage, LegacyLayer, SignedBundle, simple_signing_payload};

use super::Stated;
use super::signer::ReadySigner;
use crate::Result;

/// Adds one signature to the tag, and says which tag.
pub(super) async fn add(
    client: &Client,
    repository: &Repository,
    subject: Digest,
    stated: &Stated,
    bundle: &SignedBundle,
    signer: &ReadySigner,
) -> Result<String> {
    let (kind, layer) = if matches!(stated, Stated::Signature) {
        let payload = simple_signing_payload(&repository.to_string(), &subject);
        (Attachment::Signatures, LegacyLayer::signature(&payload, &signer.sign_message(&payload).await?)?)
    } else {
        (Attachment::Attestations, LegacyLayer::attestation(bundle)?)
    };
    let tag = kind.tag(subject);
    let reference: Reference = format!("{repository}:{tag}").parse()?;
    let image = match client.root(&reference).await {
        Ok(existing) => LegacyImage::from_manifest(&existing.bytes)?,
        Err(error) if error.is_not_found() => LegacyImage::new(),
        Err(error) => return Err(error.into()),
    };
    let image = image.with(&layer);
    client.push_blob(repository, layer.media_type(), layer.bytes().to_vec().into()).await?;
    client.push_blob(repository, media_type::OCI_CONFIG, image.config().into()).await?;
    client.push_manifest(repository, Some(&tag), media_type::OCI_MANIFEST, image.manifest().into()).await?;
    Ok(tag)
}
