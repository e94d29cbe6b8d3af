//! Writing to a registry: blobs, mounts, manifests.

use assay_model::{Digest, Repository};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, StatusCode, header};
use reqwest::{Response, Url};

use super::Client;
use super::authentication::Scope;
use super::pull::query;
use super::transport::Call;
use super::{redirect, retry};
use crate::OciError;
use crate::blob::Blob;
use crate::manifest::Descriptor;

/// Where a pushed manifest ended up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its digest.
    pub digest: Digest,
    /// Whether the registry lists it as a referrer of its subject by itself (`OCI-Subject`).
    pub lists_subject: bool,
}

impl Client {
    /// Pushes a blob that is in memory, unless it is there.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Descriptor, OciError> {
        let descriptor = Descriptor::of(media_type, &bytes);
        if self.has_blob(repository, descriptor.digest).await? {
            return Ok(descriptor);
        }
        let upload = self.begin_upload(repository, descriptor.digest, None).await?;
        let Begun::At(url) = upload else { return Ok(descriptor) };
        let call = upload_call(repository, url, descriptor.digest).body(bytes);
        self.send(&call).await?;
        Ok(descriptor)
    }

    /// Pushes a blob from a stream of known size, without holding it in memory. A failed stream is not tried again.
    pub async fn push_stream(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        blob: Blob,
    ) -> Result<(), OciError> {
        let Begun::At(url) = self.begin_upload(repository, descriptor.digest, None).await? else { return Ok(()) };
        let call = upload_call(repository, url, descriptor.digest);
        // What is wrong with the stream itself counts more than how the registry noticed.
        let failure = std::sync::Arc::new(std::sync::Mutex::new(None));
        let sink = std::sync::Arc::clone(&failure);
        let body = blob.map(move |chunk| {
            chunk.map_err(|error| {
                let aborted = OciError::Setup { reason: "the source failed".to_owned() };
                *sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                aborted
            })
        });
        let answer = self.send_stream(&call, descriptor.size, body.boxed()).await;
        if let Some(error) = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            return Err(error);
        }
        let response = answer?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status if retry::is_busy(status) || status.is_server_error() => Err(OciError::ServerError {
                registry: repository.registry().to_owned(),
                what: call.what,
                status: status.as_u16(),
                tries: 1,
            }),
            status => Err(OciError::Refused {
                registry: repository.registry().to_owned(),
                what: call.what,
                status: status.as_u16(),
                code: "the upload".to_owned(),
            }),
        }
    }

    /// Makes a blob of another repository of the same registry available here, without moving bytes. False where the
    /// registry would rather have it uploaded.
    pub async fn mount_blob(&self, to: &Repository, from: &Repository, digest: Digest) -> Result<bool, OciError> {
        if to.registry() != from.registry() {
            return Ok(false);
        }
        Ok(match self.begin_upload(to, digest, Some(from)).await {
            Ok(Begun::Done) => true,
            Ok(Begun::At(url)) => {
                // The registry began an upload that nobody will use: let it go, and do not mind if it cannot.
                let call = Call::new(Method::DELETE, url, to, Scope::push(to), format!("{to}@{digest}"));
                let _ = self.send(&call).await;
                false
            }
            // A registry that refuses the mount (no right to read there) still takes an upload.
            Err(OciError::Unauthorized { .. } | OciError::Refused { .. }) => false,
            Err(error) => return Err(error),
        })
    }

    /// Pushes a manifest under a tag, or under its digest without one. Repeating it is harmless.
    pub async fn push_manifest(
        &self,
        repository: &Repository,
        tag: Option<&str>,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Pushed, OciError> {
        let digest = Digest::of(&bytes);
        self.push_manifest_as(repository, tag, media_type, digest, bytes).await
    }

    /// The same for a digest of another algorithm, which the caller has established.
    pub(crate) async fn push_manifest_as(
        &self,
        repository: &Repository,
        tag: Option<&str>,
        media_type: &str,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Pushed, OciError> {
        let name = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let url = self.url(repository, &format!("manifests/{name}"))?;
        let what = format!("push {}{}{name}", repository.path(), if tag.is_some() { ":" } else { "@" });
        let call = Call::new(Method::PUT, url, repository, Scope::push(repository), what.clone())
            .header(header::CONTENT_TYPE, media_type)
            .body(bytes);
        let response = self.send(&call).await?;
        let stored = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        if let Some(found) = stored.and_then(|text| text.parse::<Digest>().ok())
            && found.algorithm() == digest.algorithm()
            && found != digest
        {
            return Err(OciError::DigestMismatch { what, expected: Box::new(digest), found: Box::new(found) });
        }
        Ok(Pushed { digest, lists_subject: response.headers().contains_key("oci-subject") })
    }

    async fn begin_upload(
        &self,
        repository: &Repository,
        digest: Digest,
        from: Option<&Repository>,
    ) -> Result<Begun, OciError> {
        let mut url = self.url(repository, "blobs/uploads/")?;
        let mut scope = Scope::push(repository);
        if let Some(from) = from {
            let (mount, from_path) = (query("mount", &digest.to_string()), query("from", from.path()));
            url.set_query(Some(&format!("{mount}&{from_path}")));
            if from.path() != repository.path() {
                scope = scope.and_pull(from);
            }
        }
        let what = format!("push {}@{digest}", repository.path());
        let call = Call::new(Method::POST, url, repository, scope, what.clone()).body(Bytes::new());
        let response = self.send(&call).await?;
        if response.status() == StatusCode::CREATED {
            return Ok(Begun::Done);
        }
        let location = upload_location(repository, &call.url, &response, &what)?;
        Ok(Begun::At(location))
    }
}

enum Begun {
    /// The blob is there.
    Done,
    /// Upload here.
    At(Url),
}

/// `Location` of an upload; it may name another host, which then sees no credentials (CVE-2026-50151).
fn upload_location(repository: &Repository, from: &Url, response: &Response, what: &str) -> Result<Url, OciError> {
    let registry = repository.registry();
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| OciError::Protocol {
        registry: registry.to_owned(),
        what: what.to_owned(),
        reason: "the answer to the upload has no Location".to_owned(),
    })?;
    redirect::target(registry, from, location)
}

fn upload_call(repository: &Repository, mut url: Url, digest: Digest) -> Call<'_> {
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let what = format!("push {}@{digest}", repository.path());
    Call::new(Method::PUT, url, repository, Scope::push(repository), what)
        .header(header::CONTENT_TYPE, "application/octet-stream")
}
