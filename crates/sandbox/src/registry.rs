//! A private registry on loopback: the OCI distribution specification 1.1, in memory, with switches for what real
//! registries get wrong and for what hostile ones would try.
//!
//! It is not a registry to keep anything in: everything is gone when the value is dropped.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use assay_sandbox::{ImageBuilder, Registry, RegistryOptions};
//!
//! let registry = Registry::start(RegistryOptions::default()).await?;
//! let image = ImageBuilder::new().layer([("etc/hostname", b"lab\n".as_slice(), 0o644)]).build();
//! let digest = registry.put_image("payments/api", "1.0", &image);
//! println!("{}/payments/api@{digest}", registry.host());
//! # Ok(())
//! # }
//! ```

mod authentication;
mod faults;
mod memory;
mod pull;
mod push;
mod reply;
mod routes;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_model::Digest;
use bytes::Bytes;
use tokio::sync::oneshot;

pub use authentication::Authentication;
pub use faults::Fault;
pub use memory::StoredManifest;

use crate::image::BuiltImage;
use memory::Memory;

/// How the registry behaves from the start; [`Registry::set_fault`] changes it while it runs.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Who may come in.
    pub authentication: Authentication,
    /// Refuse to move a tag that exists (403 with the code `TAG_IMMUTABLE`).
    pub immutable_tags: bool,
    /// Offer `/v2/<name>/referrers/<digest>`; without it the endpoint answers 404 and clients keep a fallback tag.
    pub referrers_endpoint: bool,
    /// Entries on one page of tags and of referrers.
    pub page_size: usize,
    /// Wait this long before every answer.
    pub latency: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            authentication: Authentication::None,
            immutable_tags: false,
            referrers_endpoint: true,
            page_size: 100,
            latency: Duration::ZERO,
        }
    }
}

/// Which part of the API a request went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v2/`.
    Ping,
    /// `/token`.
    Token,
    /// `/v2/<name>/manifests/<reference>`.
    Manifest,
    /// `/v2/<name>/blobs/<digest>`.
    Blob,
    /// `/v2/<name>/blobs/uploads/...`.
    Upload,
    /// `/v2/<name>/tags/list`.
    Tags,
    /// `/v2/<name>/referrers/<digest>`.
    Referrers,
    /// Anything else.
    Other,
}

/// One request that arrived, as the tests want to see it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// `GET`, `PUT`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Part of the API.
    pub endpoint: Endpoint,
    /// The `Authorization` header, whole: the credentials of a test are no secret.
    pub authorization: Option<String>,
    /// The status that was answered.
    pub status: u16,
    /// When it arrived: counted in requests and answers, so that what came before what can be told.
    pub arrived: u64,
    /// When it was answered, counted alike.
    pub answered: u64,
}

impl RequestRecord {
    /// Whether it is part of showing who one is: the question for a token, or a request that was sent away for one.
    pub fn is_authentication(&self) -> bool {
        self.endpoint == Endpoint::Token || self.status == 401
    }
}

pub(crate) struct Shared {
    pub(crate) options: RegistryOptions,
    pub(crate) address: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) faults: faults::Faults,
    pub(crate) log: Vec<RequestRecord>,
    pub(crate) tokens: authentication::Tokens,
    time: u64,
}

impl State {
    pub(crate) fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running registry. It stops when it is dropped.
pub struct Registry {
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Registry {
    /// Starts on a free port of 127.0.0.1, on the current tokio runtime.
    pub async fn start(options: RegistryOptions) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { options, address, state: Mutex::default() });
        let (stop, stopped) = oneshot::channel::<()>();
        let service = routes::router(Arc::clone(&shared));
        tokio::spawn(async move {
            let until = async move {
                // An error here means that the sender is gone: the registry was dropped.
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the sandbox registry stopped");
            }
        });
        Ok(Self { shared, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `127.0.0.1:PORT`: the registry part of a reference.
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// Every request so far, in order of their answers.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.state().log.clone()
    }

    /// How many requests went to one part of the API.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.shared.state().log.iter().filter(|record| record.endpoint == endpoint).count()
    }

    /// Round trips: the longest chain of these requests in which each began after the answer to the one before. With a
    /// latency that is long beside everything else, a client waited this many times.
    pub fn round_trips<'r>(requests: impl IntoIterator<Item = &'r RequestRecord>) -> usize {
        let mut requests: Vec<_> = requests.into_iter().collect();
        requests.sort_by_key(|request| request.arrived);
        let mut chains: Vec<(u64, usize)> = Vec::new();
        for request in requests {
            let before = chains.iter().filter(|(answered, _)| *answered < request.arrived).map(|(_, length)| *length);
            let length = before.max().unwrap_or(0) + 1;
            chains.push((request.answered, length));
        }
        chains.into_iter().map(|(_, length)| length).max().unwrap_or(0)
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.state().log.clear();
    }

    /// Switches a fault on; several may be on together.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.state().faults.add(fault);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.shared.state().faults = faults::Faults::default();
    }

    /// Puts a blob there without a request.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> Digest {
        self.shared.state().memory.put_blob(repository, bytes.into())
    }

    /// Puts a manifest there without a request and without any check, under `tag` if there is one: hostile registries
    /// hold what a push would refuse.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Digest {
        let mut state = self.shared.state();
        let digest = state.memory.put_manifest(repository, media_type, bytes.into());
        if let Some(tag) = tag {
            state.memory.set_tag(repository, tag, digest);
        }
        digest
    }

    /// Puts a whole image (or index of images) there without a request, and tags it. Returns its digest.
    pub fn put_image(&self, repository: &str, tag: &str, image: &BuiltImage) -> Digest {
        let mut state = self.shared.state();
        for blob in image.blobs() {
            state.memory.put_blob(repository, blob.clone());
        }
        for (media_type, bytes) in image.manifests() {
            state.memory.put_manifest(repository, media_type, bytes.clone());
        }
        state.memory.set_tag(repository, tag, image.digest());
        image.digest()
    }

    /// What a tag points to.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.shared.state().memory.tag(repository, tag)
    }

    /// Moves a tag behind everybody's back, immutable or not: what an attacker with registry access does.
    pub fn move_tag(&self, repository: &str, tag: &str, digest: Digest) {
        self.shared.state().memory.set_tag(repository, tag, digest);
    }

    /// A stored manifest.
    pub fn manifest(&self, repository: &str, digest: Digest) -> Option<StoredManifest> {
        self.shared.state().memory.manifest(repository, digest).cloned()
    }

    /// A stored blob.
    pub fn blob(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        self.shared.state().memory.blob(repository, digest).cloned()
    }
}

#[cfg(test)]
mod tests;
