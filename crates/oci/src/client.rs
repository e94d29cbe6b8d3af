//! The registry client.

mod authentication;
mod challenge;
mod pull;
mod push;
mod redirect;
mod referrers;
mod retry;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_credentials::Keychain;
use assay_credentials::tls::{self, Authorities};
use assay_model::Repository;

use crate::OciError;

pub use pull::Resolved;
pub use push::Pushed;
pub use referrers::{Artifact, ArtifactLayer, Referrers};

/// How the client connects. The default asks anonymously, over HTTPS, with Mozilla's roots and the proxy variables.
#[derive(Debug)]
pub struct ClientOptions {
    /// Who we are.
    pub keychain: Keychain,
    /// PEM file of certificate authorities trusted besides Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// Registries (`host:port`) that may be asked over plain HTTP; loopback always is.
    pub plain_http: BTreeSet<String>,
    /// Token servers (hosts) that may see a registry's credentials, besides the registry's own host and Docker Hub's.
    pub token_realms: BTreeMap<String, BTreeSet<String>>,
    /// How long and how often a request is tried.
    pub retry: RetryOptions,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while bytes are read.
    pub read_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            keychain: Keychain::anonymous(),
            ca_file: None,
            plain_http: BTreeSet::new(),
            token_realms: BTreeMap::new(),
            retry: RetryOptions::default(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// How often and how long a request is tried when the registry is busy (429, 502, 503, 504) or does not answer.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// Requests at most, the first included.
    pub tries: u32,
    /// The wait before the second try; it doubles with each, with jitter, and a longer `Retry-After` wins.
    pub wait: Duration,
    /// Longest time for all tries and waits together; a `Retry-After` beyond it fails at once.
    pub total: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { tries: 4, wait: Duration::from_millis(250), total: Duration::from_secs(30) }
    }
}

/// A registry client. Cloning shares connections, tokens and the request counter.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    /// Through the proxy that the environment names.
    http: reqwest::Client,
    /// For loopback, which no proxy can reach.
    direct: reqwest::Client,
    options: Arc<ClientOptions>,
    keychain: Keychain,
    tokens: authentication::Tokens,
    requests: Arc<AtomicU64>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up TLS and connection pools. Fails where the CA file cannot be read.
    pub fn new(mut options: ClientOptions) -> Result<Self, OciError> {
        let tls = tls(options.ca_file.as_deref())?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(options.connect_timeout)
                .read_timeout(options.read_timeout)
                .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
        };
        let setup = |error: reqwest::Error| OciError::Setup { reason: error.to_string() };
        let http = builder().build().map_err(setup)?;
        let direct = builder().no_proxy().build().map_err(setup)?;
        let keychain = std::mem::replace(&mut options.keychain, Keychain::anonymous());
        let (tokens, options, requests) = (authentication::Tokens::default(), Arc::new(options), Arc::default());
        Ok(Self { inner: Arc::new(Inner { http, direct, options, keychain, tokens, requests }) })
    }

    /// A client that knows the credentials of one pull Secret and no others: its name for messages, its `type` and its value,
    /// as [`Keychain::with_pull_secret`] takes them. Connections and the counter are shared with this one, tokens are not.
    pub fn with_pull_secret(&self, secret: &str, kind: &str, value: &[u8]) -> Result<Self, OciError> {
        let keychain = Keychain::anonymous().with_pull_secret(secret, kind, value)?;
        let Inner { http, direct, options, requests, .. } = &*self.inner;
        let (http, direct) = (http.clone(), direct.clone());
        let (options, requests, tokens) =
            (Arc::clone(options), Arc::clone(requests), authentication::Tokens::default());
        Ok(Self { inner: Arc::new(Inner { http, direct, options, keychain, tokens, requests }) })
    }

    /// Whether a credential for `repository` was handed to this client, by itself or in a pull Secret.
    pub fn is_given(&self, repository: &Repository) -> bool {
        self.inner.keychain.is_given(repository)
    }

    /// Requests sent so far, to registries and token servers, each try and each redirect counted.
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }
}

pub(crate) fn tls(ca_file: Option<&std::path::Path>) -> Result<rustls::ClientConfig, OciError> {
    let pem = ca_file.map(|path| std::fs::read(path).map_err(|error| OciError::file(path, &error))).transpose()?;
    let builder = tls::builder(pem.as_deref().map_or(Authorities::Public, Authorities::PublicAnd));
    let place = ca_file.map_or_else(String::new, |path| format!("{}: ", path.display()));
    let builder = builder.map_err(|error| OciError::Setup { reason: format!("{place}{error}") })?;
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for content in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let options = ClientOptions { ca_file: Some(path.clone()), ..ClientOptions::default() };
            assert!(matches!(Client::new(options), Err(OciError::Setup { .. })), "{content}");
        }
        let options = ClientOptions { ca_file: Some(folder.path().join("absent")), ..ClientOptions::default() };
        assert!(matches!(Client::new(options), Err(OciError::File { .. })));
    }
}
