//! What the registry does wrong on request.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::Digest;
use http::StatusCode;

use super::Endpoint;

/// One thing that the registry does wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers the next `count` requests to `endpoint` (all, without one) with this status and, if given,
    /// `Retry-After` in seconds.
    Status {
        /// The part of the API; all of it without one.
        endpoint: Option<Endpoint>,
        /// The status, for example 429 or 503.
        status: u16,
        /// How many requests.
        count: u32,
        /// The value of `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Answers other bytes of the same length for this blob or manifest.
    LiesAbout(Digest),
    /// Cuts the blob or manifest short.
    Truncates(Digest),
    /// Answers a tag correctly once and then with another digest.
    TagMovesAfterFirstRead {
        /// The repository.
        repository: String,
        /// The tag.
        tag: String,
        /// What it points to from the second answer on.
        then: Digest,
    },
    /// Sends blob requests elsewhere: a base URL without a path.
    RedirectsBlobsTo(String),
    /// Answers every blob request with a redirect to itself.
    RedirectsForEver,
    /// Names uploads at another base URL.
    UploadsTo(String),
    /// Names another token server: a whole URL.
    TokenRealm(String),
    /// Answers this many bytes of spaces for every manifest, without a length in the headers.
    EndlessManifest(u64),
    /// Announces this length for every manifest.
    ManifestLength(u64),
    /// Leaves out `Docker-Content-Digest`.
    NoContentDigest,
    /// Serves whole blobs to whoever asks for a part.
    NoRanges,
    /// Loses the next `count` writes of a manifest under this tag though it answers 201: what a concurrent writer does.
    LosesTagWrites {
        /// The tag.
        tag: String,
        /// How many writes.
        count: u32,
    },
}

#[derive(Default)]
pub(crate) struct Faults {
    statuses: Vec<(Option<Endpoint>, StatusCode, u32, Option<u64>)>,
    lies: BTreeSet<Digest>,
    truncated: BTreeSet<Digest>,
    moving: BTreeMap<(String, String), (bool, Digest)>,
    lost_writes: BTreeMap<String, u32>,
    pub(crate) redirect_blobs: Option<String>,
    pub(crate) redirect_for_ever: bool,
    pub(crate) uploads_to: Option<String>,
    pub(crate) token_realm: Option<String>,
    pub(crate) endless_manifest: Option<u64>,
    pub(crate) manifest_length: Option<u64>,
    pub(crate) no_content_digest: bool,
    pub(crate) no_ranges: bool,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Status { endpoint, status, count, retry_after } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                self.statuses.push((endpoint, status, count, retry_after));
            }
            Fault::LiesAbout(digest) => {
                self.lies.insert(digest);
            }
            Fault::Truncates(digest) => {
                self.truncated.insert(digest);
            }
            Fault::TagMovesAfterFirstRead { repository, tag, then } => {
                self.moving.insert((repository, tag), (false, then));
            }
            Fault::RedirectsBlobsTo(base) => self.redirect_blobs = Some(base),
            Fault::RedirectsForEver => self.redirect_for_ever = true,
            Fault::UploadsTo(base) => self.uploads_to = Some(base),
            Fault::TokenRealm(realm) => self.token_realm = Some(realm),
            Fault::EndlessManifest(length) => self.endless_manifest = Some(length),
            Fault::ManifestLength(length) => self.manifest_length = Some(length),
            Fault::NoContentDigest => self.no_content_digest = true,
            Fault::NoRanges => self.no_ranges = true,
            Fault::LosesTagWrites { tag, count } => {
                self.lost_writes.insert(tag, count);
            }
        }
    }

    /// The status that this request gets instead of an answer.
    pub(crate) fn status(&mut self, endpoint: Endpoint) -> Option<(StatusCode, Option<u64>)> {
        let hit = self
            .statuses
            .iter_mut()
            .find(|(at, _, count, _)| *count > 0 && at.is_none_or(|wanted| wanted == endpoint))?;
        hit.2 -= 1;
        Some((hit.1, hit.3))
    }

    /// Where a tag points now: the truth the first time, something else afterwards.
    pub(crate) fn moved_tag(&mut self, repository: &str, tag: &str) -> Option<Digest> {
        let (read, then) = self.moving.get_mut(&(repository.to_owned(), tag.to_owned()))?;
        std::mem::replace(read, true).then_some(*then)
    }

    pub(crate) fn loses_write(&mut self, tag: &str) -> bool {
        match self.lost_writes.get_mut(tag) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    /// The bytes that are answered for `digest`.
    pub(crate) fn distort(&self, digest: Digest, bytes: &bytes::Bytes) -> bytes::Bytes {
        if self.lies.contains(&digest) {
            let mut bytes = bytes.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            return bytes.into();
        }
        if self.truncated.contains(&digest) {
            return bytes.slice(..bytes.len() / 2);
        }
        bytes.clone()
    }
}
