//! The services that keyless signing needs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::SignError;

/// Largest answer read; a log entry of a large attestation stays below.
const ANSWER_MAX: usize = 8 << 20;
/// Time for one request with its answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of a refusal that are shown.
const MESSAGE_MAX: usize = 300;

/// A service of a Sigstore instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The certificate authority.
    Fulcio,
    /// The transparency log, version 1.
    Rekor,
    /// The timestamp authority.
    Timestamp,
}

impl Service {
    /// The path of its one request, after the base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Fulcio => "/api/v2/signingCert",
            Self::Rekor => "/api/v1/log/entries",
            Self::Timestamp => "/api/v1/timestamp",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Fulcio | Self::Rekor => "application/json",
            Self::Timestamp => "application/timestamp-query",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fulcio => "the certificate authority",
            Self::Rekor => "the transparency log",
            Self::Timestamp => "the timestamp authority",
        })
    }
}

/// How requests reach the services: over HTTP, or within the process in tests.
pub trait Services {
    /// Whether this service exists. Fulcio always does.
    fn has(&self, service: Service) -> bool;

    /// Sends the service's one request and gives back the body of its successful answer.
    fn post(&self, service: Service, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;
}

/// Where the services are. A timestamp authority or a log is needed, else nothing proves the time of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningConfig {
    /// Base URL of Fulcio.
    pub fulcio: String,
    /// Base URL of Rekor.
    pub rekor: Option<String>,
    /// Base URL of the timestamp authority.
    pub timestamp: Option<String>,
}

/// The services over HTTPS (plain HTTP on this machine only). No redirects: a token is sent to the named host or nowhere.
#[derive(Clone, Debug)]
pub struct HttpServices {
    client: reqwest::Client,
    config: SigningConfig,
}

impl HttpServices {
    /// Checks the addresses; connects to nothing yet.
    pub fn new(config: SigningConfig) -> Result<Self, SignError> {
        let addresses = [
            (Service::Fulcio, Some(&config.fulcio)),
            (Service::Rekor, config.rekor.as_ref()),
            (Service::Timestamp, config.timestamp.as_ref()),
        ];
        // A proxy would be asked for its own 127.0.0.1.
        let mut local = true;
        for (service, address) in addresses {
            if let Some(address) = address {
                local &= check(service, address)?;
            }
        }
        let unusable = |reason: String| SignError::Address { service: Service::Fulcio, reason };
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| unusable(error.to_string()))?;
        Ok(Self { client, config })
    }

    fn base(&self, service: Service) -> Option<&str> {
        match service {
            Service::Fulcio => Some(&self.config.fulcio),
            Service::Rekor => self.config.rekor.as_deref(),
            Service::Timestamp => self.config.timestamp.as_deref(),
        }
    }
}

impl Services for HttpServices {
    fn has(&self, service: Service) -> bool {
        self.base(service).is_some()
    }

    async fn post(&self, service: Service, body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let unreachable = |error: reqwest::Error| SignError::Unreachable { service, reason: innermost(&error) };
        let base =
            self.base(service).ok_or_else(|| SignError::Address { service, reason: "none was given".to_owned() })?;
        let url = format!("{}{}", base.trim_end_matches('/'), service.path());
        let request = self.client.post(url).header("content-type", service.content_type()).body(body);
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.len().saturating_add(chunk.len()) > ANSWER_MAX {
                return Err(SignError::Answer { service, reason: format!("longer than {ANSWER_MAX} bytes") });
            }
            answer.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&answer);
            let message = text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect();
            return Err(SignError::Refused { service, status: status.as_u16(), message });
        }
        Ok(answer)
    }
}

/// Whether the address is on this machine; refused if it may not be used.
fn check(service: Service, address: &str) -> Result<bool, SignError> {
    let unusable = |reason: String| SignError::Address { service, reason };
    let url = reqwest::Url::parse(address).map_err(|error| unusable(error.to_string()))?;
    let local = url.host_str().is_some_and(is_loopback);
    match url.scheme() {
        "https" => Ok(local),
        "http" if local => Ok(local),
        "http" => Err(unusable("plain HTTP is allowed to this machine only".to_owned())),
        other => Err(unusable(format!("scheme `{other}`"))),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The cause at the bottom of an error, without the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(fulcio: &str) -> SigningConfig {
        SigningConfig { fulcio: fulcio.to_owned(), rekor: None, timestamp: None }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for allowed in ["https://fulcio.example", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert!(HttpServices::new(config(allowed)).is_ok(), "{allowed}");
        }
        for refused in ["http://fulcio.example", "http://127.0.0.1.example", "ftp://a", "fulcio", ""] {
            assert!(matches!(HttpServices::new(config(refused)), Err(SignError::Address { .. })), "{refused}");
        }
    }
}
