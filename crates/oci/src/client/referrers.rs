//! Signatures, attestations and SBOMs that refer to an image (distribution-spec 1.1, "Listing Referrers", "Referrers Tag
//! Schema").
//!
//! "None" is a statement about an image, so only a 404 makes it: a registry that is busy, broken or closed is an error.

use std::collections::BTreeMap;

use assay_model::{Digest, Repository};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::{Method, StatusCode, header};
use serde_json::json;

use super::Client;
use super::authentication::Scope;
use super::pull::{next_page, query};
use super::transport::{Call, read_bounded};
use crate::OciError;
use crate::manifest::{Descriptor, MANIFEST_MAX, Manifest, RawManifest, media_type};

/// Entries of a list of referrers that are looked at; a signature flood (CVE-2023-46737) ends here.
const REFERRERS_MAX: usize = 2_000;
/// Pages of such a list that are read: each is a round trip, and somebody waits.
const LIST_PAGES_MAX: usize = 40;
/// Referrers that are fetched at the same time.
const FETCHES: usize = 8;
/// How often a lost update of the fallback index is tried again.
const FALLBACK_TRIES: u32 = 5;
/// When a referrer was made (image-spec, annotations.md).
const CREATED: &str = "org.opencontainers.image.created";

/// Referrers that were fetched and that really refer to the subject.
#[derive(Clone, Debug)]
pub struct Referrers {
    /// The manifests, newest first as far as their annotations say.
    pub manifests: Vec<RawManifest>,
    /// Entries that were listed although their manifest names another subject, or none, or is gone.
    pub foreign: Vec<Digest>,
    /// Entries beyond the limit, which were not fetched: the result is partial. Of a list that does not end this is a
    /// lower bound.
    pub left_out: usize,
}

/// What a registry lists.
struct List {
    entries: Vec<Descriptor>,
    /// Whether there is more than was read.
    more: bool,
}

/// A blob of an [`Artifact`].
#[derive(Clone, Debug)]
pub struct ArtifactLayer {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
}

/// Something to attach to an image: a Sigstore bundle, an SBOM.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What kind of artifact it is, for example `application/vnd.dev.sigstore.bundle.v0.3+json`.
    pub artifact_type: String,
    /// Its content, usually one layer.
    pub layers: Vec<ArtifactLayer>,
    /// Annotations of the manifest; the referrers list shows them.
    pub annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// The manifest over these layers that refers to `subject`: an empty configuration, as image-spec ("Guidelines for
    /// Artifact Usage") has it. The same input gives the same bytes.
    pub fn manifest(&self, subject: &Descriptor) -> Bytes {
        let layers: Vec<Descriptor> = self
            .layers
            .iter()
            .map(|layer| Descriptor {
                annotations: layer.annotations.clone(),
                ..Descriptor::of(&layer.media_type, &layer.bytes)
            })
            .collect();
        let subject = Descriptor::new(&subject.media_type, subject.digest, subject.size);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": self.artifact_type,
            "config": Descriptor::of(media_type::EMPTY, EMPTY),
            "layers": layers,
            "subject": subject,
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        manifest.to_string().into()
    }
}

/// The content of an empty configuration.
const EMPTY: &[u8] = b"{}";

impl Client {
    /// What the registry lists as referrers of `digest`, filtered by artifact type. This is what the registry *says*: use
    /// [`referrer_manifests`](Self::referrer_manifests) to read them, which checks that they refer to `digest`.
    pub async fn referrers(
        &self,
        repository: &Repository,
        digest: Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let list = self.list(repository, digest, artifact_type).await?;
        if list.more {
            let what = format!("{}@{digest} referrers", repository.path());
            return Err(OciError::TooMany { what, limit: REFERRERS_MAX });
        }
        Ok(list.entries)
    }

    /// What is listed, by the endpoint or under the tag, as far as it is read.
    async fn list(
        &self,
        repository: &Repository,
        digest: Digest,
        artifact_type: Option<&str>,
    ) -> Result<List, OciError> {
        let mut list = match self.listed(repository, digest, artifact_type).await {
            Err(error) if error.is_not_found() => {
                let entries = self.fallback(repository, digest).await?.unwrap_or_default();
                List { more: entries.len() > REFERRERS_MAX, entries }
            }
            other => other?,
        };
        let wanted = |entry: &Descriptor| artifact_type.is_none_or(|kind| entry.artifact_type.as_deref() == Some(kind));
        list.entries.retain(wanted);
        Ok(list)
    }

    async fn listed(
        &self,
        repository: &Repository,
        digest: Digest,
        artifact_type: Option<&str>,
    ) -> Result<List, OciError> {
        let what = format!("{}@{digest} referrers", repository.path());
        let mut first = self.url(repository, &format!("referrers/{digest}"))?;
        if let Some(kind) = artifact_type {
            first.set_query(Some(&query("artifactType", kind)));
        }
        let mut url = Some(first);
        let mut found = Vec::new();
        let mut pages = 0;
        while let Some(page_url) = url {
            pages += 1;
            if pages > LIST_PAGES_MAX {
                return Ok(List { entries: found, more: true });
            }
            let call = Call::new(Method::GET, page_url.clone(), repository, Scope::pull(repository), what.clone())
                .header(header::ACCEPT, media_type::OCI_INDEX);
            let response = match self.send(&call).await {
                // In the middle of the list a 404 is a failure, not the absence of the endpoint.
                Err(OciError::NotFound { registry, what }) if pages > 1 => {
                    return Err(OciError::Protocol { registry, what, reason: "a page of the list is missing".into() });
                }
                other => other?,
            };
            url = next_page(repository.registry(), &page_url, response.headers())?;
            let bytes = read_bounded(response, MANIFEST_MAX, &what, repository.registry()).await?;
            let digest = Digest::of(&bytes);
            match RawManifest::parse(bytes, digest, None, &what)?.manifest {
                Manifest::Index(index) => found.extend(index.manifests),
                Manifest::Image(_) => {
                    return Err(OciError::InvalidManifest { what, reason: "the list of referrers is no index".into() });
                }
            }
            // Whoever floods an image with referrers costs these pages, and no more.
            if found.len() >= REFERRERS_MAX && (url.is_some() || found.len() > REFERRERS_MAX) {
                return Ok(List { entries: found, more: true });
            }
        }
        Ok(List { entries: found, more: false })
    }

    /// The entries of the fallback index; none where there is no such tag.
    async fn fallback(&self, repository: &Repository, digest: Digest) -> Result<Option<Vec<Descriptor>>, OciError> {
        let tag = digest.fallback_tag();
        match self.tagged(repository, &tag).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(RawManifest { manifest: Manifest::Index(index), .. }) => Ok(Some(index.manifests)),
            Ok(_) => {
                let (what, reason) = (format!("{repository}:{tag}"), "the referrers tag is no index".to_owned());
                Err(OciError::InvalidManifest { what, reason })
            }
        }
    }

    /// Fetches up to `limit` referrers, newest first, and keeps those whose manifest names `digest` as its subject: anybody
    /// who may push can write anything into a list.
    pub async fn referrer_manifests(
        &self,
        repository: &Repository,
        digest: Digest,
        artifact_type: Option<&str>,
        limit: usize,
    ) -> Result<Referrers, OciError> {
        let List { entries: mut listed, more } = self.list(repository, digest, artifact_type).await?;
        newest_first(&mut listed);
        let left_out = listed.len().saturating_sub(limit).max(usize::from(more));
        listed.truncate(limit);
        let mut result = Referrers { manifests: Vec::new(), foreign: Vec::new(), left_out };
        let fetches = listed.into_iter().map(|entry| async move {
            let read = self.manifest(repository, entry.digest).await;
            (entry.digest, read)
        });
        let mut fetched = stream::iter(fetches).buffered(FETCHES);
        while let Some((listed, read)) = fetched.next().await {
            match read {
                Ok(raw) if raw.manifest.subject().is_some_and(|subject| subject.digest == digest) => {
                    result.manifests.push(raw);
                }
                Ok(_) => result.foreign.push(listed),
                Err(error) if error.is_not_found() => result.foreign.push(listed),
                Err(error) => return Err(error),
            }
        }
        Ok(result)
    }

    /// Pushes `artifact` as a referrer of `subject`, and lists it in the fallback index where the registry has no
    /// referrers endpoint. Returns its descriptor.
    pub async fn attach(
        &self,
        repository: &Repository,
        subject: &Descriptor,
        artifact: &Artifact,
    ) -> Result<Descriptor, OciError> {
        self.push_blob(repository, media_type::EMPTY, Bytes::from_static(EMPTY)).await?;
        for layer in &artifact.layers {
            self.push_blob(repository, &layer.media_type, layer.bytes.clone()).await?;
        }
        let bytes = artifact.manifest(subject);
        let digest = Digest::of(&bytes);
        let raw = RawManifest::parse(bytes, digest, None, "artifact")?;
        self.push_referrer(repository, &raw).await?;
        Ok(raw.descriptor())
    }

    /// Pushes a manifest with a subject, whose blobs are there, and sees to it that it is listed.
    pub async fn push_referrer(&self, repository: &Repository, raw: &RawManifest) -> Result<(), OciError> {
        let pushed = self.push_manifest_as(repository, None, &raw.media_type, raw.digest, raw.bytes.clone()).await?;
        let Some(subject) = raw.manifest.subject() else { return Ok(()) };
        if pushed.lists_subject || self.has_referrers_endpoint(repository, subject.digest).await? {
            return Ok(());
        }
        self.list_in_fallback(repository, subject.digest, &raw.descriptor()).await
    }

    /// Some registries list referrers and forget the header: the endpoint itself decides.
    async fn has_referrers_endpoint(&self, repository: &Repository, digest: Digest) -> Result<bool, OciError> {
        let url = self.url(repository, &format!("referrers/{digest}"))?;
        let what = format!("{}@{digest} referrers", repository.path());
        let call = Call::new(Method::GET, url, repository, Scope::pull(repository), what)
            .header(header::ACCEPT, media_type::OCI_INDEX);
        match self.send(&call).await {
            Ok(response) => Ok(response.status() == StatusCode::OK),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds an entry to the fallback index: the index is read, completed, written and read again, since two writers may
    /// come at once and the specification has no lock.
    async fn list_in_fallback(
        &self,
        repository: &Repository,
        subject: Digest,
        entry: &Descriptor,
    ) -> Result<(), OciError> {
        let tag = subject.fallback_tag();
        for _ in 0..FALLBACK_TRIES {
            let mut entries = self.fallback(repository, subject).await?.unwrap_or_default();
            if entries.iter().any(|present| present == entry) {
                return Ok(());
            }
            entries.retain(|present| present.digest != entry.digest);
            entries.push(entry.clone());
            if entries.len() > REFERRERS_MAX {
                return Err(OciError::TooMany { what: format!("{repository}:{tag}"), limit: REFERRERS_MAX });
            }
            let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries });
            self.push_manifest(repository, Some(&tag), media_type::OCI_INDEX, index.to_string().into()).await?;
            let after = self.fallback(repository, subject).await?.unwrap_or_default();
            if after.iter().any(|present| present.digest == entry.digest) {
                return Ok(());
            }
        }
        Err(OciError::FallbackContended { repository: repository.to_string(), tag, tries: FALLBACK_TRIES })
    }
}

/// RFC 3339 times in UTC sort as text; entries without a time come last, in a fixed order.
fn newest_first(entries: &mut [Descriptor]) {
    entries.sort_by(|a, b| {
        let created = |entry: &Descriptor| {
            entry.annotations.get(CREATED).and_then(|text| text.parse::<assay_model::Timestamp>().ok())
        };
        created(b).cmp(&created(a)).then_with(|| a.digest.cmp(&b.digest))
    });
}
