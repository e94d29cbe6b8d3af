//! Reading from a registry: manifests, blobs, tags.

use assay_model::{Digest, Hasher, Platform, Reference, Repository, Subject};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::Url;
use serde::Deserialize;

use super::authentication::{Scope, percent};
use super::transport::{Call, body_stream, read_bounded};
use super::{Client, redirect};
use crate::blob::Blob;
use crate::manifest::{Descriptor, MANIFEST_MAX, Manifest, RawManifest, media_type};
use crate::{OciError, platform};

/// Largest page of tags.
const TAGS_PAGE_MAX: u64 = 4 << 20;
/// Most pages of one list.
const PAGES_MAX: usize = 256;

/// A reference, resolved: from here on only the digest counts.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The image: its manifest's digest, and the index and platform it came through.
    pub subject: Subject,
    /// The manifest of the image.
    pub manifest: RawManifest,
    /// The index it came through.
    pub index: Option<RawManifest>,
}

impl Client {
    /// Resolves a reference to one image. A tag is read once; what an index names is read by digest; every byte is checked.
    /// Without `platform`, an index gives linux/amd64, or its only image.
    pub async fn resolve(&self, reference: &Reference, platform: Option<&Platform>) -> Result<Resolved, OciError> {
        let repository = reference.repository();
        let first = self.root(reference).await?;
        let Manifest::Index(index) = &first.manifest else {
            let subject = Subject { repository: repository.clone(), digest: first.digest, index: None, platform: None };
            return Ok(Resolved { subject, manifest: first, index: None });
        };
        let entry = platform::choose(index, platform, &reference.to_string())?;
        let manifest = self.manifest(repository, entry.digest).await?;
        if matches!(manifest.manifest, Manifest::Index(_)) {
            let reason = format!("its entry {} is an index again", entry.digest);
            return Err(OciError::InvalidManifest { what: reference.to_string(), reason });
        }
        let subject = Subject {
            repository: repository.clone(),
            digest: manifest.digest,
            index: Some(first.digest),
            platform: entry.platform.clone(),
        };
        Ok(Resolved { subject, manifest, index: Some(first) })
    }

    /// What a reference names itself, index or image, without a choice of platform.
    pub async fn root(&self, reference: &Reference) -> Result<RawManifest, OciError> {
        match (reference.digest(), reference.effective_tag()) {
            (Some(digest), _) => self.manifest(reference.repository(), digest).await,
            (None, tag) => self.tagged(reference.repository(), tag.unwrap_or("latest")).await,
        }
    }

    /// The digest that a reference names, as the registry says in answer to HEAD: cheap (Docker Hub does not count it), and
    /// good enough to see whether a tag moved. Where the registry does not say, the manifest is read.
    pub async fn head(&self, reference: &Reference) -> Result<Digest, OciError> {
        if let Some(digest) = reference.digest() {
            return Ok(digest);
        }
        let repository = reference.repository();
        let tag = reference.effective_tag().unwrap_or("latest");
        let response = self.send(&self.manifest_call(Method::HEAD, repository, tag)?).await?;
        match content_digest(response.headers()) {
            Some(digest) => Ok(digest),
            None => Ok(self.tagged(repository, tag).await?.digest),
        }
    }

    /// A manifest or index by digest.
    pub async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<RawManifest, OciError> {
        let (bytes, headers) = self.manifest_bytes(repository, &digest.to_string()).await?;
        let what = format!("{repository}@{digest}");
        let found = hash_like(&bytes, digest);
        if found != digest {
            return Err(OciError::DigestMismatch { what, expected: Box::new(digest), found: Box::new(found) });
        }
        RawManifest::parse(bytes, digest, content_type(&headers), &what)
    }

    /// A manifest or index by tag. Its digest is computed from its bytes; where the registry announces another, it is refused.
    pub(crate) async fn tagged(&self, repository: &Repository, tag: &str) -> Result<RawManifest, OciError> {
        let (bytes, headers) = self.manifest_bytes(repository, tag).await?;
        let what = format!("{repository}:{tag}");
        let announced = content_digest(&headers);
        let found = announced.map_or_else(|| Digest::of(&bytes), |announced| hash_like(&bytes, announced));
        if let Some(expected) = announced.filter(|announced| *announced != found) {
            return Err(OciError::DigestMismatch { what, expected: Box::new(expected), found: Box::new(found) });
        }
        RawManifest::parse(bytes, found, content_type(&headers), &what)
    }

    fn manifest_call<'a>(&self, method: Method, repository: &'a Repository, name: &str) -> Result<Call<'a>, OciError> {
        let url = self.url(repository, &format!("manifests/{name}"))?;
        let separator = if name.contains(':') { "@" } else { ":" };
        let what = format!("{}{separator}{name}", repository.path());
        Ok(Call::new(method, url, repository, Scope::pull(repository), what).header(header::ACCEPT, media_type::ACCEPT))
    }

    async fn manifest_bytes(&self, repository: &Repository, name: &str) -> Result<(Bytes, HeaderMap), OciError> {
        let response = self.send(&self.manifest_call(Method::GET, repository, name)?).await?;
        let headers = response.headers().clone();
        let bytes =
            read_bounded(response, MANIFEST_MAX, &format!("{repository} {name}"), repository.registry()).await?;
        Ok((bytes, headers))
    }

    /// A blob, checked while it streams.
    pub async fn blob(&self, repository: &Repository, descriptor: &Descriptor) -> Result<Blob, OciError> {
        let what = format!("{repository}@{}", descriptor.digest);
        let url = self.url(repository, &format!("blobs/{}", descriptor.digest))?;
        let call = Call::new(Method::GET, url, repository, Scope::pull(repository), what.clone());
        let response = self.send(&call).await?;
        if let Some(found) = response.content_length().filter(|length| *length != descriptor.size) {
            return Err(OciError::SizeMismatch { what, expected: descriptor.size, found });
        }
        let body = body_stream(response, repository.registry());
        Ok(Blob::new(what, descriptor.digest, Some(descriptor.size), body))
    }

    /// A part of a blob; none where the registry serves no parts. Nothing but its length is checked: who asks knows a digest
    /// of the part.
    pub async fn blob_part(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        start: u64,
        length: u64,
    ) -> Result<Option<Bytes>, OciError> {
        let what = format!("{repository}@{}", descriptor.digest);
        let Some(last) = start.checked_add(length).and_then(|end| end.checked_sub(1)) else { return Ok(None) };
        let url = self.url(repository, &format!("blobs/{}", descriptor.digest))?;
        let call = Call::new(Method::GET, url, repository, Scope::pull(repository), what.clone());
        let call = call.header(header::RANGE, &format!("bytes={start}-{last}"));
        let response = self.send(&call).await?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(None);
        }
        let bytes = read_bounded(response, length, &what, repository.registry()).await?;
        if bytes.len() as u64 != length {
            return Err(OciError::SizeMismatch { what, expected: length, found: bytes.len() as u64 });
        }
        Ok(Some(bytes))
    }

    /// Whether a blob is there (HEAD).
    pub async fn has_blob(&self, repository: &Repository, digest: Digest) -> Result<bool, OciError> {
        let url = self.url(repository, &format!("blobs/{digest}"))?;
        let what = format!("{repository}@{digest}");
        found(self.send(&Call::new(Method::HEAD, url, repository, Scope::pull(repository), what)).await)
    }

    /// Whether a manifest is there (HEAD).
    pub async fn has_manifest(&self, repository: &Repository, digest: Digest) -> Result<bool, OciError> {
        found(self.send(&self.manifest_call(Method::HEAD, repository, &digest.to_string())?).await)
    }

    /// Every tag of a repository, in the registry's order.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, OciError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let what = format!("{} tags", repository.path());
        let mut tags = Vec::new();
        let mut url = Some(self.url(repository, "tags/list")?);
        let mut pages = 0;
        while let Some(page_url) = url {
            pages += 1;
            if pages > PAGES_MAX {
                return Err(OciError::TooMany { what: format!("{what}: pages"), limit: PAGES_MAX });
            }
            let call = Call::new(Method::GET, page_url.clone(), repository, Scope::pull(repository), what.clone());
            let response = self.send(&call).await?;
            url = next_page(repository.registry(), &page_url, response.headers())?;
            let bytes = read_bounded(response, TAGS_PAGE_MAX, &what, repository.registry()).await?;
            let page: Page = serde_json::from_slice(&bytes)
                .map_err(|error| OciError::InvalidManifest { what: what.clone(), reason: error.to_string() })?;
            tags.extend(page.tags.unwrap_or_default());
        }
        Ok(tags)
    }
}

fn found(answer: Result<reqwest::Response, OciError>) -> Result<bool, OciError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

fn hash_like(bytes: &[u8], like: Digest) -> Digest {
    let mut hasher = Hasher::new(like.algorithm());
    hasher.update(bytes);
    hasher.finish()
}

/// The next page: `Link: <url>; rel="next"` (RFC 8288), at the registry itself only.
pub(super) fn next_page(registry: &str, from: &Url, headers: &HeaderMap) -> Result<Option<Url>, OciError> {
    let links = headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    for link in links.flat_map(|value| value.split(", <")) {
        let Some((target, parameters)) = link.trim_start_matches('<').split_once('>') else { continue };
        let next = parameters.split(';').any(|parameter| {
            matches!(parameter.trim().split_once('='), Some((key, value)) if key.eq_ignore_ascii_case("rel") && value.trim_matches('"') == "next")
        });
        if !next {
            continue;
        }
        let to = redirect::target(registry, from, target)?;
        if !redirect::same_origin(from, &to) || &to == from {
            return Err(OciError::RedirectRefused {
                registry: registry.to_owned(),
                to: assay_model::RedactedUrl::new(to),
                reason: "which is no next page of this list",
            });
        }
        return Ok(Some(to));
    }
    Ok(None)
}

/// A query value, encoded.
pub(super) fn query(key: &str, value: &str) -> String {
    format!("{key}={}", percent(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(link: &str) -> Result<Option<String>, OciError> {
        let headers = [(header::LINK, link.parse().unwrap())].into_iter().collect();
        let from = "https://r.test/v2/a/tags/list".parse().unwrap();
        next_page("r.test", &from, &headers).map(|url| url.map(|url| url.to_string()))
    }

    #[test]
    fn the_next_page_is_at_the_registry_itself() {
        let page = Some("https://r.test/v2/a/tags/list?last=x".to_owned());
        assert_eq!(next("</v2/a/tags/list?last=x>; rel=\"next\"").unwrap(), page);
        assert_eq!(next("</first>; rel=first, </v2/a/tags/list?last=x>; rel=next").unwrap(), page);
        assert_eq!(next("</v2/>; rel=\"prev\"").unwrap(), None);
        assert_eq!(next("garbage").unwrap(), None);
        for evil in ["<https://evil.test/x>; rel=next", "<http://r.test/x>; rel=next", "</v2/a/tags/list>; rel=next"] {
            assert!(matches!(next(evil), Err(OciError::RedirectRefused { .. })), "{evil}");
        }
    }
}
