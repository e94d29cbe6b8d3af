//! Answers of certificate authorities about revocation: OCSP responses and revocation lists, fetched within bounds.
//!
//! What is asked and what an answer means is the business of `assay-trust`; here are time-outs (2 s for OCSP, 5 s for a
//! list, as Notary has them), size bounds, and a cache of lists on disk. A cache that cannot be read or written costs a
//! request and nothing else (CVE-2024-51491).
//!
//! Addresses come from certificates. They are followed by plain HTTP only, without redirects, and never to this machine
//! or its link: that is where metadata services answer. A list or response is signed, so that the way it came by does
//! not matter.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assay_model::{Digest, Timestamp};
use assay_trust::notation::NotationOutcome;
use assay_trust::{RevocationData, RevocationRequest, revocation_list_expiry};
use futures_util::future::join_all;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Largest OCSP response, bytes.
const RESPONSE_MAX: usize = 64 << 10;
/// Largest revocation list, bytes.
const LIST_MAX: usize = 32 << 20;
/// Most questions of one verification.
const QUESTIONS_MAX: usize = 64;
/// Most rounds of questions of one verification: for each certificate OCSP responders, then a list, then its delta.
const ROUNDS_MAX: usize = 16;

/// How authorities are asked.
#[derive(Clone, Debug)]
pub struct RevocationOptions {
    /// Where lists are kept until they expire; none keeps none.
    pub cache: Option<PathBuf>,
    /// Whether addresses of this machine and its link may be asked, for a test or an authority on the same host.
    pub local: bool,
    /// Longest wait for an OCSP response.
    pub ocsp_timeout: Duration,
    /// Longest wait for a revocation list.
    pub list_timeout: Duration,
    /// Longest wait for all answers of one verification.
    pub total: Duration,
}

impl Default for RevocationOptions {
    fn default() -> Self {
        Self {
            cache: None,
            local: false,
            ocsp_timeout: Duration::from_secs(2),
            list_timeout: Duration::from_secs(5),
            total: Duration::from_secs(20),
        }
    }
}

/// Asks authorities.
#[derive(Debug)]
pub struct RevocationFetcher {
    client: reqwest::Client,
    options: RevocationOptions,
}

impl RevocationFetcher {
    /// Sets the client up. It connects to nobody yet.
    ///
    /// # Errors
    /// The system's TLS or resolver cannot be set up.
    pub fn new(options: RevocationOptions) -> io::Result<Self> {
        // Plain HTTP only, and yet the client wants to know how it would speak TLS: with nobody trusted.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.ocsp_timeout)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver { local: options.local }));
        if options.local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(io::Error::other)?;
        Ok(Self { client, options })
    }

    /// Judges, fetches what the judgement asks for, and judges again until it asks for nothing more or a bound is
    /// reached. What could not be fetched stays unknown, and the trust policy says what that means.
    pub async fn settle(
        &self,
        now: Timestamp,
        mut judge: impl FnMut(&RevocationData) -> NotationOutcome,
    ) -> NotationOutcome {
        let mut data = RevocationData::new();
        let until = tokio::time::Instant::now() + self.options.total;
        let mut questions = 0_usize;
        for _ in 0..ROUNDS_MAX {
            let outcome = judge(&data);
            let mut wanted: Vec<_> = outcome.wanted.iter().filter(|request| !data.contains(request)).cloned().collect();
            wanted.truncate(QUESTIONS_MAX.saturating_sub(questions));
            if wanted.is_empty() {
                return outcome;
            }
            questions += wanted.len();
            let answers = join_all(wanted.into_iter().map(|request| async move {
                let answer = tokio::time::timeout_at(until, self.fetch(&request, now)).await;
                let answer = answer.unwrap_or_else(|_| Err("the time for all answers ran out".to_owned()));
                (request, answer)
            }));
            for (request, answer) in answers.await {
                data.insert(request, answer.map(Arc::from));
            }
        }
        judge(&data)
    }

    async fn fetch(&self, request: &RevocationRequest, now: Timestamp) -> Result<Vec<u8>, String> {
        match request {
            RevocationRequest::Ocsp { url, request } => {
                let post = self.client.post(self.address(url)?).header("content-type", "application/ocsp-request");
                self.read(post.body(request.clone()).timeout(self.options.ocsp_timeout), RESPONSE_MAX).await
            }
            RevocationRequest::Crl { url } => {
                if let Some(list) = self.cached(url, now).await {
                    return Ok(list);
                }
                let get = self.client.get(self.address(url)?).timeout(self.options.list_timeout);
                let list = self.read(get, LIST_MAX).await?;
                self.keep(url, &list).await;
                Ok(list)
            }
        }
    }

    /// The address, if it may be asked. A name is looked at once it is resolved, see [`Resolver`].
    fn address(&self, text: &str) -> Result<reqwest::Url, String> {
        let url = reqwest::Url::parse(text).map_err(|error| format!("the address cannot be read: {error}"))?;
        if url.scheme() != "http" {
            return Err(format!("the address has scheme {}, and plain HTTP is asked only", url.scheme()));
        }
        let host = url.host_str().ok_or("the address has no host")?;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|ip| !may_ask(ip, self.options.local)) {
            return Err(format!("{host} is an address of this machine or its link, which is not asked"));
        }
        Ok(url)
    }

    async fn read(&self, request: reqwest::RequestBuilder, limit: usize) -> Result<Vec<u8>, String> {
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer is {}", response.status().as_u16()));
        }
        let too_large = || format!("the answer has more than {limit} bytes");
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn cache_file(&self, url: &str) -> Option<PathBuf> {
        self.options.cache.as_ref().map(|folder| folder.join(Digest::of(url.as_bytes()).hex()))
    }

    /// A list that was kept and has not expired. Its signature is checked by whoever uses it, as if it had just come.
    async fn cached(&self, url: &str, now: Timestamp) -> Option<Vec<u8>> {
        let file = self.cache_file(url)?;
        let list = tokio::fs::read(&file).await.ok()?;
        let fresh = list.len() <= LIST_MAX && revocation_list_expiry(&list).is_some_and(|until| now <= until);
        fresh.then_some(list)
    }

    async fn keep(&self, url: &str, list: &[u8]) {
        let Some(file) = self.cache_file(url) else { return };
        if let Err(error) = write(&file, list).await {
            tracing::debug!(%error, %url, "the revocation list is not kept");
        }
    }
}

/// Beside its place first, so that nobody reads half a list.
async fn write(file: &Path, list: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    tokio::fs::write(&part, list).await?;
    tokio::fs::rename(&part, file).await
}

fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    assay_model::innermost(error)
}

/// Resolves names, and leaves out the addresses that may not be asked.
struct Resolver {
    local: bool,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (name, local) = (name.as_str().to_owned(), self.local);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| may_ask(address.ip(), local)).collect();
            if allowed.is_empty() {
                return Err(format!("{name} is this machine or its link, which is not asked").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Not this machine, its link (where cloud metadata services answer), nor an address that is nobody's. Private networks
/// are asked: that is where an enterprise has its authority.
fn may_ask(ip: IpAddr, local: bool) -> bool {
    let ip = ip.to_canonical();
    let own = match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => {
            // fd00:ec2::254 is where one cloud's metadata service answers over IPv6.
            ip.is_loopback() || ip.is_unicast_link_local() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    };
    let nobody = match ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    !nobody && (local || !own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_its_link_are_not_asked() {
        for address in [
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::ffff:127.0.0.1",
        ] {
            assert!(!may_ask(address.parse().unwrap(), false), "{address}");
            assert!(may_ask(address.parse().unwrap(), true), "{address}");
        }
        for address in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"] {
            assert!(!may_ask(address.parse().unwrap(), true), "{address}");
        }
        for address in ["10.1.2.3", "192.168.0.1", "93.184.216.34", "2606:2800::1", "fd12::1"] {
            assert!(may_ask(address.parse().unwrap(), false), "{address}");
        }
    }

    #[test]
    fn addresses_are_plain_http_to_elsewhere() {
        let fetcher = RevocationFetcher::new(RevocationOptions::default()).unwrap();
        for address in [
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/list",
            "http://0x7f000001/",
            "http://127.1/",
            "https://crl.example.com/a.crl",
            "file:///etc/passwd",
            "ldap://directory.example.com/",
            "none",
        ] {
            assert!(fetcher.address(address).is_err(), "{address}");
        }
        assert!(fetcher.address("http://crl.example.com/a.crl").is_ok());
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_asked() {
        let fetcher = RevocationFetcher::new(RevocationOptions::default()).unwrap();
        let request = RevocationRequest::Crl { url: "http://localhost:9/list".to_owned() };
        let refused = fetcher.fetch(&request, Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(refused.contains("is not asked"), "{refused}");
    }
}
