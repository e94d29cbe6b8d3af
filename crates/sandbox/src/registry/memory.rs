//! What the registry holds.

use std::collections::BTreeMap;

use assay_model::Digest;
use bytes::Bytes;

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its `Content-Type`.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

#[derive(Default)]
struct Contents {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, StoredManifest>,
    tags: BTreeMap<String, Digest>,
}

/// An upload that has begun and not ended.
pub(crate) struct Upload {
    pub(crate) repository: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Memory {
    repositories: BTreeMap<String, Contents>,
    uploads: BTreeMap<u64, Upload>,
    next_upload: u64,
}

impl Memory {
    fn contents(&mut self, repository: &str) -> &mut Contents {
        self.repositories.entry(repository.to_owned()).or_default()
    }

    pub(crate) fn put_blob(&mut self, repository: &str, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.put_blob_as(repository, digest, bytes);
        digest
    }

    /// Stores under a digest that the caller has checked (it need not be SHA-256).
    pub(crate) fn put_blob_as(&mut self, repository: &str, digest: Digest, bytes: Bytes) {
        self.contents(repository).blobs.insert(digest, bytes);
    }

    pub(crate) fn put_manifest(&mut self, repository: &str, media_type: &str, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.put_manifest_as(repository, digest, media_type, bytes);
        digest
    }

    pub(crate) fn put_manifest_as(&mut self, repository: &str, digest: Digest, media_type: &str, bytes: Bytes) {
        let stored = StoredManifest { media_type: media_type.to_owned(), bytes };
        self.contents(repository).manifests.insert(digest, stored);
    }

    pub(crate) fn set_tag(&mut self, repository: &str, tag: &str, digest: Digest) {
        self.contents(repository).tags.insert(tag.to_owned(), digest);
    }

    pub(crate) fn blob(&self, repository: &str, digest: Digest) -> Option<&Bytes> {
        self.repositories.get(repository)?.blobs.get(&digest)
    }

    pub(crate) fn manifest(&self, repository: &str, digest: Digest) -> Option<&StoredManifest> {
        self.repositories.get(repository)?.manifests.get(&digest)
    }

    pub(crate) fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.repositories.get(repository)?.tags.get(tag).copied()
    }

    /// Tags in order, or none where the repository does not exist.
    pub(crate) fn tags(&self, repository: &str) -> Option<Vec<&str>> {
        Some(self.repositories.get(repository)?.tags.keys().map(String::as_str).collect())
    }

    pub(crate) fn manifests(&self, repository: &str) -> impl Iterator<Item = (&Digest, &StoredManifest)> {
        self.repositories.get(repository).into_iter().flat_map(|contents| &contents.manifests)
    }

    pub(crate) fn delete_blob(&mut self, repository: &str, digest: Digest) -> bool {
        self.contents(repository).blobs.remove(&digest).is_some()
    }

    /// Removes the manifest and every tag that points to it.
    pub(crate) fn delete_manifest(&mut self, repository: &str, digest: Digest) -> bool {
        let contents = self.contents(repository);
        contents.tags.retain(|_, target| *target != digest);
        contents.manifests.remove(&digest).is_some()
    }

    pub(crate) fn delete_tag(&mut self, repository: &str, tag: &str) -> bool {
        self.contents(repository).tags.remove(tag).is_some()
    }

    pub(crate) fn begin_upload(&mut self, repository: &str) -> u64 {
        self.next_upload += 1;
        self.uploads.insert(self.next_upload, Upload { repository: repository.to_owned(), bytes: Vec::new() });
        self.next_upload
    }

    pub(crate) fn upload(&mut self, repository: &str, id: u64) -> Option<&mut Upload> {
        self.uploads.get_mut(&id).filter(|upload| upload.repository == repository)
    }

    pub(crate) fn end_upload(&mut self, repository: &str, id: u64) -> Option<Vec<u8>> {
        self.upload(repository, id)?;
        self.uploads.remove(&id).map(|upload| upload.bytes)
    }
}
