//! How metadata and targets are fetched: bounded, without redirects, with what the environment says of proxies.

use std::path::Path;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use sigstore_tuf::transport::{FetchFuture, Repository};

use super::{TufError, TufInstance, keys};
use crate::http;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for one file: a mirror that trickles bytes must not hold a refresh (TUF specification, "slow retrieval").
const REQUEST: Duration = Duration::from_secs(30);

/// A mirror over HTTPS; plain HTTP to this machine only.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    client: reqwest::Client,
    metadata: Url,
    targets: Url,
}

impl Mirror {
    pub(super) fn new(instance: &TufInstance, ca_file: Option<&Path>) -> Result<Self, TufError> {
        let metadata = base(&instance.mirror)?;
        let targets = match &instance.targets {
            Some(address) => base(address)?,
            None => base(&format!("{metadata}targets"))?,
        };
        let setup = |error: reqwest::Error| TufError::Setup { reason: error.to_string() };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(ca_file)?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
        // A proxy would be asked for its own 127.0.0.1.
        if is_local(&metadata) && is_local(&targets) {
            builder = builder.no_proxy();
        }
        Ok(Self { client: builder.build().map_err(setup)?, metadata, targets })
    }

    async fn get(&self, base: &Url, file: &str, limit: u64) -> Result<Option<Vec<u8>>, TufError> {
        let unreachable = |error: reqwest::Error| TufError::Unreachable {
            file: file.to_owned(),
            reason: assay_model::innermost(&error),
        };
        let too_large = || TufError::TooLarge { file: file.to_owned(), limit };
        // Joined as text: a name that begins with a scheme or a slash must not lead elsewhere.
        let url = Url::parse(&format!("{base}{file}"))
            .ok()
            .filter(|url| url.as_str().starts_with(base.as_str()))
            .ok_or_else(|| TufError::TargetName { name: file.to_owned() })?;
        let mut response = self.client.get(url).send().await.map_err(unreachable)?;
        match response.status() {
            // Object stores answer 403 for what they do not have.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            status if !status.is_success() => {
                return Err(TufError::Refused { file: file.to_owned(), status: status.as_u16() });
            }
            _ => {}
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }
}

impl Repository for Mirror {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            let bytes = self.get(&self.metadata, name, max_length).await.map_err(wrapped)?;
            if let Some(bytes) = &bytes {
                keys::check(bytes).map_err(wrapped)?;
            }
            Ok(bytes)
        })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { self.get(&self.targets, path, max_length).await.map_err(wrapped) })
    }
}

/// Our error within the library's, from which [`super::error::cause`] takes it again.
fn wrapped(error: TufError) -> sigstore_tuf::Error {
    sigstore_tuf::Error::transport_with_source("fetch", error)
}

/// An address to which file names are appended: it ends in a slash and has neither query nor fragment.
fn base(address: &str) -> Result<Url, TufError> {
    let unusable = |reason: &str| TufError::Address { address: address.to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(address).map_err(|error| unusable(&error.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a query or a fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_local(&url) => {}
        "http" => return Err(unusable("plain HTTP is allowed to this machine only")),
        _ => return Err(unusable("only https is known")),
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(http::is_loopback)
}

/// Mozilla's roots, and those of a PEM file.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, TufError> {
    let Some(path) = ca_file else { return http::tls(None).map_err(|reason| TufError::Setup { reason }) };
    let invalid = |reason: String| TufError::Setup { reason: format!("{}: {reason}", path.display()) };
    let pem = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    http::tls(Some(&pem)).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_on_this_machine() {
        for (given, used) in [
            ("https://tuf.example", "https://tuf.example/"),
            ("https://tuf.example/a/", "https://tuf.example/a/"),
            ("http://127.0.0.1:1/a", "http://127.0.0.1:1/a/"),
            ("http://[::1]:1", "http://[::1]:1/"),
        ] {
            assert_eq!(base(given).unwrap().as_str(), used);
        }
        for refused in ["http://tuf.example", "ftp://a", "file:///a", "tuf", "", "https://a/?b", "https://a/#b"] {
            assert!(matches!(base(refused), Err(TufError::Address { .. })), "{refused}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "no certificate").unwrap();
        for path in [path, folder.path().join("absent")] {
            assert!(matches!(tls(Some(&path)), Err(TufError::Setup { .. })));
        }
        assert!(tls(None).is_ok());
    }
}
