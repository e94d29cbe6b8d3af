//! One bounded HTTPS client for every service of this crate.
//!
//! No redirects: a credential goes to the named host or nowhere. Plain HTTP is for this machine, and for the metadata
//! servers of clouds, whose addresses are link-local. Answers and times are bounded; a busy service is asked again a
//! few times.

use std::net::IpAddr;
use std::time::Duration;

use assay_credentials::tls::{self, Authorities};
use assay_model::innermost;
use reqwest::{Method, Url};

/// Largest answer read; a log entry of a large attestation stays below.
const ANSWER_MAX: usize = 8 << 20;
/// Time for one request with its answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request to a metadata server, which answers at once or is not there.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// Characters of a refusal that are shown.
const MESSAGE_MAX: usize = 300;
/// How often a busy service is asked.
const TRIES: u32 = 4;
/// Pause before the second try; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that a service may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The names under which metadata servers are known beside link-local addresses.
const METADATA_HOSTS: [&str; 1] = ["metadata.google.internal"];

/// Why there is no usable answer. What it says never holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpFailure {
    /// The address may not be used.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// No answer.
    #[error("{0}")]
    Unreachable(String),
    /// Another status than success.
    #[error("status {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The beginning of the answer.
        message: String,
        /// Where it points to instead.
        location: Option<String>,
    },
    /// More than is read.
    #[error("the answer is longer than {ANSWER_MAX} bytes")]
    TooLong,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Http {
    proxied: reqwest::Client,
    /// For this machine and metadata servers: a proxy would be asked for its own.
    direct: reqwest::Client,
    first_pause: Duration,
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Names in lower case.
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: Vec<u8>,
}

impl<'a> Call<'a> {
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(url: Url, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { method: Method::POST, url, headers: vec![("content-type", content_type)], body }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Http {
    /// A client that trusts the public web's authorities and those in `authorities` (PEM). The error is what is wrong
    /// with them.
    pub fn new(authorities: Option<&str>) -> Result<Self, String> {
        let tls = tls(authorities)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .timeout(TIMEOUT)
                .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
        };
        let proxied = builder().build().map_err(|error| error.to_string())?;
        let direct = builder().no_proxy().build().map_err(|error| error.to_string())?;
        Ok(Self { proxied, direct, first_pause: FIRST_PAUSE })
    }

    /// The same with another pause before the second try of a request.
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Sends a call; where the service is busy or gone, again. Only for calls that may happen twice.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Vec<u8>, HttpFailure> {
        let mut pause = self.first_pause;
        let mut tries = 1;
        loop {
            let (failure, asked) = match self.once(&call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = match &failure {
                HttpFailure::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
                HttpFailure::Unreachable(_) => !is_metadata(&call.url),
                HttpFailure::Address(_) | HttpFailure::TooLong => false,
            };
            if !again || tries == TRIES {
                return Err(failure);
            }
            tokio::time::sleep(asked.unwrap_or(pause).min(PAUSE_MAX)).await;
            pause *= 2;
            tries += 1;
        }
    }

    /// One try; with a failure comes the pause that the service asks for.
    async fn once(&self, call: &Call<'_>) -> Result<Vec<u8>, (HttpFailure, Option<Duration>)> {
        let unreachable = |error: reqwest::Error| (HttpFailure::Unreachable(innermost(&error)), None);
        let metadata = is_metadata(&call.url);
        let client =
            if metadata || call.url.host_str().is_some_and(is_loopback) { &self.direct } else { &self.proxied };
        let mut request = client.request(call.method.clone(), call.url.clone());
        if metadata {
            request = request.timeout(METADATA_TIMEOUT);
        }
        for (name, value) in &call.headers {
            let mut value = reqwest::header::HeaderValue::from_str(value)
                .map_err(|_| (HttpFailure::Address(format!("the value of {name} is not a header's")), None))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let mut response = request.body(call.body.clone()).send().await.map_err(unreachable)?;
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (location, retry_after) = (header("location"), header("retry-after"));
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.len().saturating_add(chunk.len()) > ANSWER_MAX {
                return Err((HttpFailure::TooLong, None));
            }
            answer.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&answer);
            let message = text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect();
            let asked = retry_after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
            return Err((HttpFailure::Refused { status: status.as_u16(), message, location }, asked));
        }
        Ok(answer)
    }
}

/// TLS that trusts the public web's authorities, and those in `authorities` (PEM). The error is what is wrong with them.
pub(crate) fn tls(authorities: Option<&str>) -> Result<rustls::ClientConfig, String> {
    let authorities = authorities.map_or(Authorities::Public, |pem| Authorities::PublicAnd(pem.as_bytes()));
    Ok(tls::builder(authorities).map_err(|error| error.to_string())?.with_no_client_auth())
}

/// An address that may be spoken to: HTTPS, or plain HTTP on this machine or to a metadata server. No user information.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name".to_owned());
    }
    let local = url.host_str().is_some_and(is_loopback);
    match url.scheme() {
        "https" => Ok(url),
        "http" if local || is_metadata(&url) => Ok(url),
        "http" => Err("plain HTTP is allowed to this machine only".to_owned()),
        other => Err(format!("scheme `{other}`")),
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `host` is one of `domains` or below one of them, or this machine.
pub(crate) fn is_below(host: &str, domains: &[&str]) -> bool {
    is_loopback(host)
        || domains.iter().any(|domain| {
            host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
        })
}

/// A body of `application/x-www-form-urlencoded`.
pub(crate) fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    // The query of a URL is written in the same form.
    let Ok(mut url) = Url::parse("form:") else { return Vec::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().as_bytes().to_vec()
}

fn is_metadata(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        METADATA_HOSTS.contains(&host)
            || match host.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => address.is_link_local(),
                // The address of Amazon's metadata servers (EC2 and EKS Pod Identity).
                Ok(IpAddr::V6(address)) => address.segments()[0] == 0xfd00,
                Err(_) => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_and_metadata_servers_only() {
        for allowed in [
            "https://fulcio.example",
            "http://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
            "http://169.254.169.254/latest",
            "http://metadata.google.internal/x",
        ] {
            assert!(address(allowed).is_ok(), "{allowed}");
        }
        for refused in [
            "http://fulcio.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "http://metadata.google.internal.example",
            "https://user:secret@fulcio.example",
            "ftp://a",
            "fulcio",
            "",
        ] {
            assert!(address(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_look_alike_is_not_below_a_domain() {
        let domains = ["vault.azure.net"];
        assert!(is_below("a.vault.azure.net", &domains) && is_below("127.0.0.1", &domains));
        for other in ["avault.azure.net", "vault.azure.net.example", ".vault.azure.net", "example"] {
            assert!(!is_below(other, &domains), "{other}");
        }
    }

    #[test]
    fn a_form_is_encoded() {
        assert_eq!(form(&[("a", "b c&d"), ("e", "\u{e9}+")]), b"a=b+c%26d&e=%C3%A9%2B");
    }

    #[test]
    fn authorities_of_ones_own_must_be_certificates() {
        assert!(Http::new(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).is_err());
        assert!(matches!(Http::new(Some("no certificate")), Err(why) if why == "has no PEM certificate"));
        assert!(Http::new(None).is_ok());
    }
}
