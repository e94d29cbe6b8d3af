//! Images on disk: OCI layouts (image-spec, image-layout.md), the same in a tar file, and what `docker save` writes.
//!
//! Nothing is unpacked: a tar file is indexed and read in place (one in gzip is inflated first), and a name that leads outside is an error
//! (CVE-2026-50162, CVE-2024-24579).

mod compressed;
mod docker;
pub(crate) mod engine;
mod files;
mod tar;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_model::{Digest, Hasher, Platform, Repository, Subject};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tempfile::TempPath;
use tokio::io::AsyncReadExt as _;

use crate::attachment::Attachment;
use crate::blob::Blob;
use crate::client::Resolved;
use crate::location::{ImageSource, Selector};
use crate::manifest::{Descriptor, ImageIndex, MANIFEST_MAX, Manifest, RawManifest, media_type};
use crate::{OciError, json, platform};
use files::Files;

pub(crate) use writer::LayoutWriter;

/// The name of an image in a layout (image-spec, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What `cosign save` says about an entry.
const COSIGN_KIND: &str = "kind";
/// Configurations of images, by OCI and by Docker.
const IMAGE_CONFIGS: [&str; 2] = [media_type::OCI_CONFIG, "application/vnd.docker.container.image.v1+json"];
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// An opened layout or archive.
#[derive(Debug)]
pub(crate) struct Local {
    files: Files,
    /// The entries of `index.json`, or the images of `docker save`.
    index: Vec<Descriptor>,
    /// Manifests that exist only here: `docker save` writes none.
    made: BTreeMap<Digest, Bytes>,
    /// Blobs that do not lie under their digest.
    names: BTreeMap<Digest, String>,
    /// What stands for the file's name in subjects; none = that itself.
    called: Option<PathBuf>,
    /// A file that is there only for this.
    _held: Option<TempPath>,
}

impl ImageSource {
    /// The image that lies at a path, by what is there and not by its name: a folder with `oci-layout`, a tar file with
    /// `oci-layout` or with the `manifest.json` of `docker save`, in gzip or not. None for everything else, so that a folder of sources,
    /// a lockfile and an archive of sources stay what they are. Blocks.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let (path_owned, selector) = (path.to_owned(), Selector::Only);
        if path.is_dir() {
            return path.join("oci-layout").is_file().then_some(Self::Layout { path: path_owned, selector });
        }
        if !path.is_file() {
            return None;
        }
        if compressed::is(path) && !compressed::begins_as_image(path) {
            return None;
        }
        let files = Files::archive(path).ok()?;
        // `docker save` writes both since Docker 25; the layout has the digests that registries know.
        if files.open("oci-layout").is_ok() && files.open("index.json").is_ok() {
            return Some(Self::OciArchive { path: path_owned, selector });
        }
        let saved = files.read("manifest.json", MANIFEST_MAX).ok()?;
        docker::is_saved(&saved).then_some(Self::DockerArchive { path: path_owned, selector })
    }
}

impl Local {
    /// Opens what `source` names. Blocks.
    pub(crate) fn open(source: &ImageSource) -> Result<Self, OciError> {
        match source {
            ImageSource::Layout { path, .. } => Self::layout(Files::folder(path)?),
            ImageSource::OciArchive { path, .. } => Self::layout(Files::archive(path)?),
            ImageSource::DockerArchive { path, selector } => docker::open(Files::archive(path)?, selector),
            ImageSource::Containerd { path, .. } => Ok(Self::of(Files::folder(path)?)),
            ImageSource::Engine { .. } => {
                Err(OciError::BadLocation { written: source.to_string(), reason: "is in an engine".to_owned() })
            }
            ImageSource::Registry(reference) => {
                Err(OciError::BadLocation { written: reference.to_string(), reason: "is in a registry".to_owned() })
            }
        }
    }

    /// Opens what an engine saved of the image of this name. Blocks.
    pub(crate) fn saved(file: TempPath, name: &str) -> Result<Self, OciError> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let called = last.split(['@', ':']).next().unwrap_or(last);
        let local = docker::open(Files::archive(&file)?, &Selector::Only)?;
        Ok(Self { called: Some(PathBuf::from(called)), _held: Some(file), ..local })
    }

    /// Files without a list of images.
    fn of(files: Files) -> Self {
        Self { files, index: Vec::new(), made: BTreeMap::new(), names: BTreeMap::new(), called: None, _held: None }
    }

    fn layout(files: Files) -> Result<Self, OciError> {
        let bad = |reason: String| OciError::BadArchive { path: files.path().to_owned(), reason };
        let bytes = files.read("index.json", MANIFEST_MAX)?;
        let index: ImageIndex = json::parse(&bytes).map_err(|reason| bad(format!("index.json: {reason}")))?;
        Ok(Self { index: index.manifests, ..Self::of(files) })
    }

    fn what(&self, digest: Digest) -> String {
        format!("{}@{digest}", self.files.path().display())
    }

    fn name(&self, digest: Digest) -> String {
        let standard = || format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
        self.names.get(&digest).cloned().unwrap_or_else(standard)
    }

    /// The image that the selector means.
    pub(crate) fn root(&self, selector: &Selector) -> Result<RawManifest, OciError> {
        let images: Vec<&Descriptor> = self.index.iter().filter(|entry| self.is_image(entry)).collect();
        let named = |tag: &str| {
            images.iter().find(|entry| entry.annotations.get(REF_NAME).is_some_and(|name| names(name, tag)))
        };
        let found = match (selector, images.as_slice()) {
            (Selector::Digest(digest), _) => return self.manifest(*digest),
            (Selector::Tag(tag), _) => named(tag).copied(),
            (Selector::Only, [only]) => Some(*only),
            (Selector::Only, several) => {
                let known: Vec<&str> = several
                    .iter()
                    .filter_map(|entry| entry.annotations.get(REF_NAME))
                    .map(String::as_str)
                    .take(10)
                    .collect();
                let reason = format!("it has {} images ({}): say which", several.len(), known.join(", "));
                return Err(OciError::BadArchive { path: self.files.path().to_owned(), reason });
            }
        };
        let found = found.ok_or_else(|| OciError::NotFound {
            registry: self.files.path().display().to_string(),
            what: match selector {
                Selector::Tag(tag) => tag.clone(),
                _ => "an image".to_owned(),
            },
        })?;
        self.manifest(found.digest)
    }

    /// Not a referrer, and not a list of referrers.
    fn is_image(&self, entry: &Descriptor) -> bool {
        let fallback = |name: &String| name.starts_with("sha256-") || name.starts_with("sha512-");
        let attached = |kind: &String| Attachment::ALL.iter().any(|other| other.layout_kind() == Some(kind.as_str()));
        if entry.annotations.get(REF_NAME).is_some_and(fallback)
            || entry.annotations.get(COSIGN_KIND).is_some_and(attached)
        {
            return false;
        }
        // A referrer may be an image like any other: only its manifest says so.
        // cosign repeats the media type of the configuration as the type of artifact.
        let plain = |kind: &String| IMAGE_CONFIGS.contains(&kind.as_str());
        entry.artifact_type.as_ref().is_none_or(plain)
            && !self.manifest(entry.digest).is_ok_and(|raw| raw.manifest.subject().is_some())
    }

    /// Resolves to one image, as [`Client::resolve`](crate::Client::resolve) does.
    pub(crate) fn resolve(&self, selector: &Selector, platform: Option<&Platform>) -> Result<Resolved, OciError> {
        let repository = repository_of(self.called.as_deref().unwrap_or_else(|| self.files.path()))?;
        let first = self.root(selector)?;
        let Manifest::Index(index) = &first.manifest else {
            let subject = Subject { repository, digest: first.digest, index: None, platform: None };
            return Ok(Resolved { subject, manifest: first, index: None });
        };
        let entry = platform::choose(index, platform, &self.what(first.digest))?;
        let manifest = self.manifest(entry.digest)?;
        let (digest, index) = (manifest.digest, Some(first.digest));
        let subject = Subject { repository, digest, index, platform: entry.platform.clone() };
        Ok(Resolved { subject, manifest, index: Some(first) })
    }

    /// A manifest by digest, checked.
    pub(crate) fn manifest(&self, digest: Digest) -> Result<RawManifest, OciError> {
        let what = self.what(digest);
        let bytes = match self.made.get(&digest) {
            Some(bytes) => bytes.clone(),
            None => self.files.read(&self.name(digest), MANIFEST_MAX)?.into(),
        };
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != digest {
            return Err(OciError::DigestMismatch { what, expected: Box::new(digest), found: Box::new(found) });
        }
        RawManifest::parse(bytes, digest, None, &what)
    }

    /// A blob, checked while it streams.
    pub(crate) fn blob(&self, descriptor: &Descriptor) -> Result<Blob, OciError> {
        let what = self.what(descriptor.digest);
        let (file, length) = self.files.open(&self.name(descriptor.digest))?;
        if length != descriptor.size {
            return Err(OciError::SizeMismatch { what, expected: descriptor.size, found: length });
        }
        let path = self.files.path().to_owned();
        let reader = tokio::fs::File::from_std(file).take(length);
        let body = futures_util::stream::try_unfold((reader, path), |(mut reader, path)| async move {
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
            match reader.read_buf(&mut chunk).await {
                Ok(0) => Ok(None),
                Ok(_) => Ok(Some((chunk.freeze(), (reader, path)))),
                Err(error) => Err(OciError::file(&path, &error)),
            }
        });
        Ok(Blob::new(what, descriptor.digest, Some(descriptor.size), body.boxed()))
    }

    /// The referrers of `digest` that the layout lists, checked against their manifests.
    pub(crate) fn referrers(&self, digest: Digest) -> Result<Vec<RawManifest>, OciError> {
        let mut found = Vec::new();
        for entry in &self.index {
            if self.made.contains_key(&entry.digest) {
                continue;
            }
            let raw = self.manifest(entry.digest)?;
            if raw.manifest.subject().is_some_and(|subject| subject.digest == digest) {
                found.push(raw);
            }
        }
        Ok(found)
    }

    /// What cosign kept beside `digest`: under its tag, or, as `cosign save` has it, for the one image of the layout.
    pub(crate) fn attachment(&self, digest: Digest, kind: Attachment) -> Result<Option<RawManifest>, OciError> {
        let tag = kind.tag(digest);
        let listed = self.index.iter().find(|entry| {
            entry.annotations.get(REF_NAME).is_some_and(|name| names(name, &tag))
                || entry.annotations.get(COSIGN_KIND).is_some_and(|found| kind.layout_kind() == Some(found.as_str()))
        });
        listed.map(|entry| self.manifest(entry.digest)).transpose()
    }
}

/// `name` of an entry is the tag itself, or a whole reference that ends with it.
fn names(name: &str, tag: &str) -> bool {
    name == tag || name.rsplit_once(':').is_some_and(|(_, end)| end == tag && !end.contains('/'))
}

/// A layout is in no registry; its subject says `localhost/<file name>`. What the layout says about its origin is not
/// taken over: anybody can write `registry.example.com` there.
fn repository_of(path: &Path) -> Result<Repository, OciError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    let name = if plain.is_empty() { "image" } else { plain };
    Repository::new("localhost", name)
        .map_err(|error| OciError::BadArchive { path: PathBuf::from(path), reason: error.to_string() })
}
