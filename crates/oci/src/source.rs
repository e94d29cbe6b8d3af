//! One way to read images, wherever they are.

use std::sync::Arc;

use assay_model::{Digest, Platform, Repository};
use bytes::Bytes;

use crate::attachment::Attachment;
use crate::blob::Blob;
use crate::client::{Client, Resolved};
use crate::local::{Local, engine};
use crate::location::{ImageSource, Selector};
use crate::manifest::{Descriptor, RawManifest};
use crate::{OciError, Referrers};

/// An opened image source. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Source {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Registry { client: Client, reference: Box<assay_model::Reference> },
    Local { local: Arc<Local>, selector: Selector },
}

impl Source {
    /// Opens a source: for a layout or an archive its index is read, for a registry nothing happens yet.
    pub async fn open(client: &Client, source: &ImageSource) -> Result<Self, OciError> {
        let selector = match source {
            ImageSource::Registry(reference) => {
                let kind = Kind::Registry { client: client.clone(), reference: Box::new(reference.clone()) };
                return Ok(Self { kind });
            }
            ImageSource::Layout { selector, .. }
            | ImageSource::OciArchive { selector, .. }
            | ImageSource::DockerArchive { selector, .. } => selector.clone(),
            ImageSource::Containerd { digest, .. } => Selector::Digest(*digest),
            ImageSource::Engine { engine, name } => {
                let file = engine::save(*engine, name).await?;
                let name = name.clone();
                let local = blocking(move || Local::saved(file, &name)).await?;
                return Ok(Self { kind: Kind::Local { local: Arc::new(local), selector: Selector::Only } });
            }
        };
        let source = source.clone();
        let local = blocking(move || Local::open(&source)).await?;
        Ok(Self { kind: Kind::Local { local: Arc::new(local), selector } })
    }

    /// Resolves to one image; see [`Client::resolve`]. The subject of an image on disk says `localhost/<file name>`.
    pub async fn resolve(&self, platform: Option<&Platform>) -> Result<Resolved, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => client.resolve(reference, platform).await,
            Kind::Local { local, selector } => {
                let (local, selector, platform) = (Arc::clone(local), selector.clone(), platform.cloned());
                blocking(move || local.resolve(&selector, platform.as_ref())).await
            }
        }
    }

    /// What the source names itself, index or image.
    pub async fn root(&self) -> Result<RawManifest, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => client.root(reference).await,
            Kind::Local { local, selector } => {
                let (local, selector) = (Arc::clone(local), selector.clone());
                blocking(move || local.root(&selector)).await
            }
        }
    }

    /// A manifest by digest, checked.
    pub async fn manifest(&self, digest: Digest) -> Result<RawManifest, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => client.manifest(reference.repository(), digest).await,
            Kind::Local { local, .. } => {
                let local = Arc::clone(local);
                blocking(move || local.manifest(digest)).await
            }
        }
    }

    /// A blob, checked while it streams.
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<Blob, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => client.blob(reference.repository(), descriptor).await,
            Kind::Local { local, .. } => local.blob(descriptor),
        }
    }

    /// A part of a blob, whose digest the caller knows and checks; none where the source serves no parts.
    pub async fn blob_part(&self, descriptor: &Descriptor, start: u64, length: u64) -> Result<Option<Bytes>, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => {
                client.blob_part(reference.repository(), descriptor, start, length).await
            }
            // On disk nothing is won by reading less of it.
            Kind::Local { .. } => Ok(None),
        }
    }

    /// The referrers of `digest`, at most `limit`; see [`Client::referrer_manifests`].
    pub async fn referrers(
        &self,
        digest: Digest,
        artifact_type: Option<&str>,
        limit: usize,
    ) -> Result<Referrers, OciError> {
        match &self.kind {
            Kind::Registry { client, reference } => {
                client.referrer_manifests(reference.repository(), digest, artifact_type, limit).await
            }
            Kind::Local { local, .. } => {
                let local = Arc::clone(local);
                let mut manifests = blocking(move || local.referrers(digest)).await?;
                let wanted = |raw: &RawManifest| {
                    artifact_type.is_none_or(|kind| raw.descriptor().artifact_type.as_deref() == Some(kind))
                };
                manifests.retain(wanted);
                let left_out = manifests.len().saturating_sub(limit);
                manifests.truncate(limit);
                Ok(Referrers { manifests, foreign: Vec::new(), left_out })
            }
        }
    }

    /// What cosign kept under a tag beside `digest`; none where there is no such tag.
    pub async fn attachment(&self, digest: Digest, kind: Attachment) -> Result<Option<RawManifest>, OciError> {
        let found = match &self.kind {
            Kind::Registry { client, reference } => client.tagged(reference.repository(), &kind.tag(digest)).await,
            Kind::Local { local, .. } => {
                let local = Arc::clone(local);
                return blocking(move || local.attachment(digest, kind)).await;
            }
        };
        match found {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    }

    /// The client and repository, where this is a registry.
    pub(crate) fn registry(&self) -> Option<(&Client, &Repository)> {
        match &self.kind {
            Kind::Registry { client, reference } => Some((client, reference.repository())),
            Kind::Local { .. } => None,
        }
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OciError> + Send + 'static,
) -> Result<T, OciError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| OciError::Setup { reason: error.to_string() })?
}
