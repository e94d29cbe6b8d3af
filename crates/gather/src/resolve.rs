//! Reference -> images: the tag is read once; everything after goes by digest.

use std::sync::Arc;

use assay_case::Cause;
use assay_model::{Digest, Platform, Repository, Subject};
use assay_oci::{Descriptor, Manifest, OciError, Resolved, Source};

/// An image of a registry: what was chosen, and the manifest that its digest was computed from.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) subject: Subject,
    /// Media type of the manifest.
    pub(crate) media_type: String,
    /// Bytes of the manifest.
    pub(crate) size: u64,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// Key of what a digest resolves to, as read through one scope.
pub(crate) type ImageKey = (Arc<str>, Repository, Digest, Vec<Platform>);

/// Images of a reference, one a platform.
pub(crate) type Images = Result<Arc<Vec<Arc<Image>>>, Cause>;

/// The images of a source, one a platform. A platform that the index lacks is passed over where another one is there: no node of that
/// kind can run it.
pub(crate) async fn images(source: Source, platforms: Vec<Platform>) -> Images {
    let mut images: Vec<Arc<Image>> = Vec::new();
    let mut missing = None;
    let wanted: Vec<Option<&Platform>> =
        if platforms.is_empty() { vec![None] } else { platforms.iter().map(Some).collect() };
    for platform in wanted {
        match source.resolve(platform).await {
            Ok(resolved) => {
                let through_index = resolved.index.is_some();
                let image = image(resolved).map_err(|error| Cause::from_error(&error))?;
                if !images.iter().any(|other| other.subject.digest == image.subject.digest) {
                    images.push(Arc::new(image));
                }
                if !through_index {
                    break;
                }
            }
            Err(error @ OciError::NoPlatform { .. }) => missing = Some(Cause::from_error(&error)),
            Err(error) => return Err(Cause::from_error(&error)),
        }
    }
    match (images.is_empty(), missing) {
        (true, Some(cause)) => Err(cause),
        _ => Ok(Arc::new(images)),
    }
}

fn image(resolved: Resolved) -> Result<Image, OciError> {
    let (media_type, size) = (resolved.manifest.media_type, resolved.manifest.bytes.len() as u64);
    let Manifest::Image(manifest) = resolved.manifest.manifest else {
        let reason = "it is an index where an image was expected".to_owned();
        return Err(OciError::InvalidManifest { what: resolved.subject.to_string(), reason });
    };
    Ok(Image { subject: resolved.subject, media_type, size, config: manifest.config, layers: manifest.layers })
}
