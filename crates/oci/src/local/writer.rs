//! Writes an OCI layout (image-spec, image-layout.md). A layout that exists is added to.

use std::path::{Path, PathBuf};

use assay_model::Digest;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{Files, Local, REF_NAME};
use crate::OciError;
use crate::blob::Blob;
use crate::manifest::{Descriptor, RawManifest, media_type};

/// A layout being written. Nothing is listed before [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct LayoutWriter {
    root: PathBuf,
    entries: Vec<Descriptor>,
}

impl LayoutWriter {
    /// Makes the folders, and reads the index of a layout that is there. Blocks.
    pub(crate) fn create(path: &Path) -> Result<Self, OciError> {
        let blobs = path.join("blobs");
        std::fs::create_dir_all(&blobs).map_err(|error| OciError::file(&blobs, &error))?;
        let root = path.canonicalize().map_err(|error| OciError::file(path, &error))?;
        // Each folder is checked before the next is made in it.
        for name in ["blobs", "blobs/sha256", "blobs/sha512"] {
            let folder = root.join(name);
            std::fs::create_dir_all(&folder).map_err(|error| OciError::file(&folder, &error))?;
            let real = folder.canonicalize().map_err(|error| OciError::file(&folder, &error))?;
            if !real.starts_with(&root) {
                let reason = format!("{name} is a link out of the layout");
                return Err(OciError::BadArchive { path: path.to_owned(), reason });
            }
        }
        let entries = match Local::layout(Files::folder(&root)?) {
            Ok(present) => present.index,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { root, entries })
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    /// Whether a blob of this digest and size is there. Its bytes are checked when it is read.
    pub(crate) fn has(&self, digest: Digest, size: u64) -> bool {
        self.blob_path(digest).symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Writes a blob under its digest, after its last byte was found right.
    pub(crate) async fn put(&self, digest: Digest, mut blob: Blob) -> Result<(), OciError> {
        let path = self.blob_path(digest);
        let partial = path.with_extension("partial");
        let written = write(&partial, &mut blob).await;
        let placed = match written {
            Ok(()) => tokio::fs::rename(&partial, &path).await.map_err(|error| OciError::file(&path, &error)),
            Err(error) => Err(error),
        };
        if placed.is_err() {
            // The first error is the one to tell.
            let _ = tokio::fs::remove_file(&partial).await;
        }
        placed
    }

    /// Writes a manifest.
    pub(crate) async fn put_manifest(&self, raw: &RawManifest) -> Result<(), OciError> {
        let bytes = raw.bytes.clone();
        let body = futures_util::stream::once(async move { Ok(bytes) });
        let size = Some(raw.bytes.len() as u64);
        let blob = Blob::new("manifest".to_owned(), raw.digest, size, Box::pin(body));
        self.put(raw.digest, blob).await
    }

    /// Lists a manifest in the index, under `tag` if there is one, which it takes from whoever had it.
    pub(crate) fn list(&mut self, raw: &RawManifest, tag: Option<&str>) {
        let mut entry = raw.descriptor();
        if let Some(tag) = tag {
            entry.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
            self.entries.retain(|other| other.annotations.get(REF_NAME).is_none_or(|name| name != tag));
        }
        self.entries.retain(|other| other.digest != entry.digest);
        self.entries.push(entry);
    }

    /// Writes `index.json` and `oci-layout`. Blocks.
    pub(crate) fn finish(&self) -> Result<(), OciError> {
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": self.entries });
        for (name, content) in
            [("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string()), ("index.json", index.to_string())]
        {
            let path = self.root.join(name);
            let partial = self.root.join(format!("{name}.partial"));
            let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, &path));
            written.map_err(|error| OciError::file(&path, &error))?;
        }
        Ok(())
    }
}

async fn write(path: &Path, blob: &mut Blob) -> Result<(), OciError> {
    let failed = |error: std::io::Error| OciError::file(path, &error);
    // What a copy that was cut off left behind, or a link that somebody put there.
    let _ = tokio::fs::remove_file(path).await;
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(path).await.map_err(failed)?;
    while let Some(chunk) = blob.chunk().await? {
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}
