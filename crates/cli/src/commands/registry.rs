//! `assay tree` and `assay copy`: what hangs on a digest, and moving all of it.

use std::collections::BTreeSet;

use assay_model::Digest;
use assay_oci::{CopyReport, ImageSource, Manifest, Source};
use serde::Serialize;

use crate::Result;
use crate::failure::Failure;
use crate::session::Session;

/// How deep referrers of referrers are shown.
const DEPTH_MAX: usize = 4;
/// Referrers of one digest that are shown.
const REFERRERS_MAX: usize = 200;

/// An image and what refers to it.
#[derive(Debug, Serialize)]
pub(crate) struct TreeOutcome {
    /// As typed.
    pub(crate) image: String,
    /// What it is, with its platforms and referrers.
    pub(crate) root: TreeNode,
    /// Entries that were left out.
    pub(crate) left_out: usize,
}

/// A manifest and what hangs on it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TreeNode {
    /// Its digest.
    pub(crate) digest: Digest,
    /// `index`, `image`, or the artifact type.
    pub(crate) kind: String,
    /// The platform, where an index names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// Predicate type or other word about what it is, as its annotations claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<String>,
    /// When it was made, as its annotations claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    /// Bytes of its layers.
    pub(crate) bytes: u64,
    /// Images of an index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) images: Vec<TreeNode>,
    /// What refers to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) referrers: Vec<TreeNode>,
}

/// What was copied.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyOutcome {
    /// From where.
    pub(crate) from: String,
    /// To where.
    pub(crate) to: String,
    /// The digest, the same at both ends.
    pub(crate) digest: Digest,
    /// Manifests written.
    pub(crate) manifests: usize,
    /// Referrers among them.
    pub(crate) referrers: usize,
    /// Blobs sent.
    pub(crate) blobs_copied: usize,
    /// Blobs that were there, or that the registry took from a neighbour.
    pub(crate) blobs_present: usize,
    /// Bytes sent.
    pub(crate) bytes: u64,
}

/// Reads an image and everything that refers to it.
pub(crate) fn tree(image: &ImageSource, session: &Session<'_>) -> Result<TreeOutcome> {
    let registry = matches!(image, ImageSource::Registry(_));
    let client = if registry { session.online("reading a registry")? } else { session.client()? };
    session.run(async {
        let source = Source::open(&client, image).await.map_err(|error| Failure::from(error).about(image))?;
        let root = source.root().await.map_err(|error| Failure::from(error).about(image))?;
        let mut walk = Walk { source, seen: BTreeSet::new(), left_out: 0 };
        let root = walk.node(root.digest, None, DEPTH_MAX).await?;
        Ok(TreeOutcome { image: image.to_string(), root, left_out: walk.left_out })
    })
}

struct Walk {
    source: Source,
    seen: BTreeSet<Digest>,
    left_out: usize,
}

impl Walk {
    async fn node(&mut self, digest: Digest, platform: Option<String>, depth: usize) -> Result<TreeNode> {
        let raw = self.source.manifest(digest).await?;
        let annotation = |name: &str| raw.manifest.annotations().get(name).cloned();
        let mut node = TreeNode {
            digest,
            kind: String::new(),
            platform,
            claims: annotation("dev.sigstore.bundle.predicateType"),
            created: annotation("org.opencontainers.image.created"),
            bytes: 0,
            images: Vec::new(),
            referrers: Vec::new(),
        };
        match &raw.manifest {
            Manifest::Image(manifest) => {
                node.bytes = manifest.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
                let refers = manifest.subject.is_some();
                node.kind = if refers { manifest.effective_artifact_type().to_owned() } else { "image".to_owned() };
            }
            Manifest::Index(index) => {
                "index".clone_into(&mut node.kind);
                for entry in index.manifests.iter().take(REFERRERS_MAX) {
                    if depth > 0 && self.seen.insert(entry.digest) {
                        let platform = entry.platform.as_ref().map(ToString::to_string);
                        node.images.push(Box::pin(self.node(entry.digest, platform, depth - 1)).await?);
                    }
                }
                self.left_out += index.manifests.len().saturating_sub(REFERRERS_MAX);
            }
        }
        if depth > 0 {
            let referrers = self.source.referrers(digest, None, REFERRERS_MAX).await?;
            self.left_out += referrers.left_out;
            for referrer in referrers.manifests {
                if self.seen.insert(referrer.digest) {
                    node.referrers.push(Box::pin(self.node(referrer.digest, None, depth - 1)).await?);
                }
            }
        }
        Ok(node)
    }
}

/// Copies an image with all its platforms and referrers.
pub(crate) fn copy(from: &ImageSource, to: &ImageSource, session: &Session<'_>) -> Result<CopyOutcome> {
    let local = |source: &ImageSource| !matches!(source, ImageSource::Registry(_));
    let client = if local(from) && local(to) { session.client()? } else { session.online("copying")? };
    session.printer.progress(&format!("copying {from}"));
    let report: CopyReport = session.run(async { Ok(assay_oci::copy(&client, from, to).await?) })?;
    Ok(CopyOutcome {
        from: from.to_string(),
        to: to.to_string(),
        digest: report.root.digest,
        manifests: report.manifests,
        referrers: report.referrers,
        blobs_copied: report.blobs_copied,
        blobs_present: report.blobs_present + report.blobs_mounted,
        bytes: report.bytes,
    })
}
