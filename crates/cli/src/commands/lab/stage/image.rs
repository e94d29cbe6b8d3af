//! Images as they lie in a registry of the lab.

use assay_inspect::{Limits, inspect_layer, merge};
use assay_model::{Contents, Digest, Reference, Repository};
use assay_oci::{Client, Descriptor, media_type};
use assay_sandbox::BuiltImage;

use super::Stage;
use crate::Result;
use crate::commands::lab::error::LabError;

/// An image that was pushed.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Where it lies.
    pub(crate) repository: Repository,
    /// Its tag.
    pub(crate) tag: String,
    /// What a signature's manifest says about it.
    pub(crate) descriptor: Descriptor,
}

impl Published {
    /// What is verified, promoted and run.
    pub(crate) fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// `repository@digest`: how a Pod names it.
    pub(crate) fn pinned(&self) -> String {
        format!("{}@{}", self.repository, self.digest())
    }

    /// `repository:tag`: how a Pod should not name it.
    pub(crate) fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// The reference by digest.
    pub(crate) fn reference(&self) -> Result<Reference> {
        Ok(self.pinned().parse()?)
    }
}

impl Stage {
    /// Pushes an image (or an index with its images) under a tag, as any client would.
    pub(crate) async fn push(&self, repository: &str, tag: &str, image: &BuiltImage) -> Result<Published> {
        self.push_to(&self.host(), repository, tag, image).await
    }

    /// The same to the registry that plays Docker Hub.
    pub(crate) async fn push_public(&self, repository: &str, tag: &str, image: &BuiltImage) -> Result<Published> {
        self.push_to(&self.public_registry.host(), repository, tag, image).await
    }

    async fn push_to(&self, host: &str, repository: &str, tag: &str, image: &BuiltImage) -> Result<Published> {
        let repository: Repository = format!("{host}/{repository}").parse()?;
        push_blobs(&self.client, &repository, image).await?;
        for (media_type, bytes) in image.manifests() {
            let tag = (assay_model::Digest::of(bytes) == image.digest()).then_some(tag);
            self.client.push_manifest(&repository, tag, media_type, bytes.clone()).await?;
        }
        let descriptor = Descriptor::of(image.media_type(), image.manifest());
        Ok(Published { repository, tag: tag.to_owned(), descriptor })
    }
}

async fn push_blobs(client: &Client, repository: &Repository, image: &BuiltImage) -> Result<()> {
    for blob in image.blobs() {
        if !client.has_blob(repository, Digest::of(blob)).await? {
            client.push_blob(repository, media_type::OCI_LAYER_GZIP, blob.clone()).await?;
        }
    }
    Ok(())
}

/// What is in an image that was just built, before any registry has it.
pub(crate) fn contents(image: &BuiltImage) -> Result<Contents> {
    let mut layers = Vec::new();
    for layer in image.layers() {
        let result = inspect_layer(&layer[..], &Digest::of(layer), media_type::OCI_LAYER_GZIP, &Limits::default());
        layers.push(result.map_err(LabError::fixture("image"))?);
    }
    Ok(merge(&layers, None))
}
