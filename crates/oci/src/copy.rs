//! Copies an image by digest with everything that refers to it: what arrives is byte for byte what was signed.

use std::collections::BTreeSet;
use std::pin::Pin;

use assay_model::{Digest, Repository};

use crate::OciError;
use crate::attachment::Attachment;
use crate::client::Client;
use crate::local::LayoutWriter;
use crate::location::{ImageSource, Selector};
use crate::manifest::{Descriptor, Manifest, RawManifest};
use crate::source::{Source, blocking};

/// Most manifests of one copy, referrers included.
const MANIFESTS_MAX: usize = 2_000;
/// How deep indexes and referrers of referrers may nest.
const DEPTH_MAX: usize = 6;
/// Layers that must not be redistributed (image-spec, layer.md, "Non-Distributable Layers"; Docker's foreign layers).
const NOT_DISTRIBUTABLE: [&str; 2] = ["nondistributable", "foreign"];

/// What a copy moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// The image: the same digest at both ends.
    pub root: Descriptor,
    /// Manifests and indexes written, referrers included.
    pub manifests: usize,
    /// Referrers among them, and cosign's tags.
    pub referrers: usize,
    /// Blobs sent.
    pub blobs_copied: usize,
    /// Blobs that the registry took from a neighbouring repository.
    pub blobs_mounted: usize,
    /// Blobs that were there.
    pub blobs_present: usize,
    /// Bytes of the blobs sent.
    pub bytes: u64,
    /// Entries of referrers lists that refer to something else and were left.
    pub foreign: usize,
}

enum Target {
    Registry { client: Client, repository: Repository },
    Layout(Box<LayoutWriter>),
}

/// Copies `from` (all platforms of an index) to `to`, a registry or an OCI layout, with its referrers and theirs. The tag is
/// written last, when everything is there; the result is read again and compared. A target without a tag is written by
/// digest only.
pub async fn copy(client: &Client, from: &ImageSource, to: &ImageSource) -> Result<CopyReport, OciError> {
    let source = Source::open(client, from).await?;
    let root = source.root().await?;
    let (target, tag) = open_target(client, to, root.digest).await?;
    let report = CopyReport {
        root: Descriptor::new(&root.media_type, root.digest, root.bytes.len() as u64),
        manifests: 0,
        referrers: 0,
        blobs_copied: 0,
        blobs_mounted: 0,
        blobs_present: 0,
        bytes: 0,
        foreign: 0,
    };
    let mut copier = Copier { source, target, report, manifests: BTreeSet::new(), blobs: BTreeSet::new() };
    copier.tree(root.clone(), 0).await?;
    copier.finish(&root, tag.as_deref()).await?;
    Ok(copier.report)
}

async fn open_target(client: &Client, to: &ImageSource, root: Digest) -> Result<(Target, Option<String>), OciError> {
    let bad = |reason: &str| OciError::BadLocation { written: to.to_string(), reason: reason.to_owned() };
    let (digest, tag, target) = match to {
        ImageSource::Registry(reference) => {
            let repository = reference.repository().clone();
            let target = Target::Registry { client: client.clone(), repository };
            (reference.digest(), reference.tag().map(str::to_owned), target)
        }
        ImageSource::Layout { path, selector } => {
            let path = path.clone();
            let writer = blocking(move || LayoutWriter::create(&path)).await?;
            let (digest, tag) = match selector {
                Selector::Only => (None, None),
                Selector::Tag(tag) => (None, Some(tag.clone())),
                Selector::Digest(digest) => (Some(*digest), None),
            };
            (digest, tag, Target::Layout(Box::new(writer)))
        }
        _ => return Err(bad("an archive is only read; copy to oci:DIR")),
    };
    if digest.is_some_and(|digest| digest != root) {
        return Err(bad("the target names another digest than the source has"));
    }
    Ok((target, tag))
}

struct Copier {
    source: Source,
    target: Target,
    report: CopyReport,
    manifests: BTreeSet<Digest>,
    blobs: BTreeSet<Digest>,
}

impl Copier {
    /// A manifest, what it names, then what refers to it.
    fn tree(
        &mut self,
        raw: RawManifest,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<(), OciError>> + Send + '_>> {
        Box::pin(async move {
            if !self.manifests.insert(raw.digest) {
                return Ok(());
            }
            let bound = |what: &str, limit| OciError::TooMany { what: format!("copy: {what}"), limit };
            if self.manifests.len() > MANIFESTS_MAX {
                return Err(bound("manifests", MANIFESTS_MAX));
            }
            if depth > DEPTH_MAX {
                return Err(bound("nested manifests", DEPTH_MAX));
            }
            match &raw.manifest {
                Manifest::Index(index) => {
                    for entry in &index.manifests {
                        let child = self.source.manifest(entry.digest).await?;
                        self.tree(child, depth + 1).await?;
                    }
                }
                Manifest::Image(manifest) => {
                    for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                        self.blob(blob).await?;
                    }
                }
            }
            self.write(&raw).await?;
            let referrers = self.source.referrers(raw.digest, None, MANIFESTS_MAX).await?;
            if referrers.left_out > 0 {
                return Err(bound("referrers", MANIFESTS_MAX));
            }
            self.report.foreign += referrers.foreign.len();
            for referrer in referrers.manifests {
                self.report.referrers += usize::from(!self.manifests.contains(&referrer.digest));
                self.tree(referrer, depth + 1).await?;
            }
            // What cosign made refers to images, not to what refers to them.
            if depth > 1 || raw.manifest.subject().is_some() {
                return Ok(());
            }
            self.attachments(raw.digest).await
        })
    }

    async fn write(&mut self, raw: &RawManifest) -> Result<(), OciError> {
        self.report.manifests += 1;
        match &mut self.target {
            Target::Registry { client, repository } => client.push_referrer(repository, raw).await,
            Target::Layout(writer) => {
                writer.put_manifest(raw).await?;
                if raw.manifest.subject().is_some() {
                    writer.list(raw, None);
                }
                Ok(())
            }
        }
    }

    async fn blob(&mut self, descriptor: &Descriptor) -> Result<(), OciError> {
        if !self.blobs.insert(descriptor.digest) {
            return Ok(());
        }
        if NOT_DISTRIBUTABLE.iter().any(|word| descriptor.media_type.contains(word)) {
            return Ok(());
        }
        match &self.target {
            Target::Registry { client, repository } => {
                if client.has_blob(repository, descriptor.digest).await? {
                    self.report.blobs_present += 1;
                    return Ok(());
                }
                if let Some((_, from)) = self.source.registry()
                    && client.mount_blob(repository, from, descriptor.digest).await?
                {
                    self.report.blobs_mounted += 1;
                    return Ok(());
                }
                let blob = self.source.blob(descriptor).await?;
                client.push_stream(repository, descriptor, blob).await?;
            }
            Target::Layout(writer) => {
                if writer.has(descriptor.digest, descriptor.size) {
                    self.report.blobs_present += 1;
                    return Ok(());
                }
                writer.put(descriptor.digest, self.source.blob(descriptor).await?).await?;
            }
        }
        self.report.blobs_copied += 1;
        self.report.bytes += descriptor.size;
        Ok(())
    }

    /// `sha256-<hex>.sig` and its kin, under the same tags.
    async fn attachments(&mut self, digest: Digest) -> Result<(), OciError> {
        for kind in Attachment::ALL {
            let Some(raw) = self.source.attachment(digest, kind).await? else { continue };
            let tag = kind.tag(digest);
            self.report.referrers += 1;
            self.tree(raw.clone(), 2).await?;
            match &mut self.target {
                Target::Registry { client, repository } => {
                    client.push_manifest(repository, Some(&tag), &raw.media_type, raw.bytes).await?;
                }
                Target::Layout(writer) => writer.list(&raw, Some(&tag)),
            }
        }
        Ok(())
    }

    /// Writes the tag, then reads back what was written.
    async fn finish(&mut self, root: &RawManifest, tag: Option<&str>) -> Result<(), OciError> {
        match &mut self.target {
            Target::Registry { client, repository } => {
                let written = match tag {
                    Some(tag) => {
                        client
                            .push_manifest_as(repository, Some(tag), &root.media_type, root.digest, root.bytes.clone())
                            .await?;
                        client.tagged(repository, tag).await?
                    }
                    None => client.manifest(repository, root.digest).await?,
                };
                if written.bytes != root.bytes {
                    return Err(OciError::DigestMismatch {
                        what: format!("{repository} after the copy"),
                        expected: Box::new(root.digest),
                        found: Box::new(written.digest),
                    });
                }
                Ok(())
            }
            Target::Layout(writer) => {
                writer.list(root, tag);
                writer.finish()
            }
        }
    }
}
