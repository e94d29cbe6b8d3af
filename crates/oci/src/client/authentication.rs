//! Tokens: one per registry and scope, fetched once however many requests wait for it, and only from a token server that
//! may see the registry's credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use assay_credentials::Credential;
use assay_model::{RedactedUrl, Repository, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::challenge::Challenge;
use super::transport::{read_bounded, root_cause};
use super::{Client, redirect, retry};
use crate::OciError;

/// Largest answer of a token server.
const ANSWER_MAX: u64 = 1 << 20;
/// Lifetime of a token whose server does not say (distribution, "Token Authentication Specification": 60 s).
const DEFAULT_LIFETIME: u64 = 60;
/// A token is renewed this long before it ends, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(10);

/// What a request needs: the repository, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) registry: String,
    /// `repository:a/b:pull`, one per repository, in order.
    pub(super) actions: Vec<String>,
}

impl Scope {
    pub(super) fn pull(repository: &Repository) -> Self {
        Self {
            registry: repository.registry().to_owned(),
            actions: vec![format!("repository:{}:pull", repository.path())],
        }
    }

    pub(super) fn push(repository: &Repository) -> Self {
        let actions = vec![format!("repository:{}:pull,push", repository.path())];
        Self { registry: repository.registry().to_owned(), actions }
    }

    pub(super) fn and_pull(mut self, from: &Repository) -> Self {
        self.actions.push(format!("repository:{}:pull", from.path()));
        self
    }
}

/// What is sent in `Authorization`, and until when.
#[derive(Clone)]
pub(super) struct Authorization {
    pub(super) header: Secret<String>,
    /// Whether credentials of ours are behind it.
    pub(super) authenticated: bool,
    until: Option<Instant>,
}

type Slot = Arc<Mutex<Option<Authorization>>>;

/// Known authorizations. The outer lock is held for a look-up only; the inner one while a token is fetched, so that
/// everybody else who needs the same token waits for it.
#[derive(Default)]
pub(super) struct Tokens {
    slots: StdMutex<BTreeMap<Scope, Slot>>,
}

impl Tokens {
    pub(super) fn slot(&self, scope: &Scope) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(scope.clone()).or_default())
    }
}

impl Authorization {
    pub(super) fn is_fresh(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Client {
    /// What answers `challenge`; none where there are no credentials to answer with.
    pub(super) async fn authorize(
        &self,
        scope: &Scope,
        repository: &Repository,
        origin: &Url,
        challenge: &Challenge,
    ) -> Result<Option<Authorization>, OciError> {
        let credential = self.inner.keychain.credential(repository).await?;
        match (challenge, credential) {
            (_, Some(Credential::RegistryToken(token))) => {
                let header = Secret::new(format!("Bearer {}", token.expose()));
                Ok(Some(Authorization { header, authenticated: true, until: None }))
            }
            (Challenge::Basic, Some(Credential::Basic { username, password })) => Ok(Some(Authorization {
                header: basic(&username, password.expose()),
                authenticated: true,
                until: None,
            })),
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service }, credential) => {
                self.token(scope, origin, realm, service.as_deref(), credential.as_ref()).await.map(Some)
            }
        }
    }

    async fn token(
        &self,
        scope: &Scope,
        origin: &Url,
        realm: &str,
        service: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<Authorization, OciError> {
        let mut url = self.check_realm(&scope.registry, origin, realm, credential.is_some())?;
        let failed = |cause: String| OciError::TokenFailed {
            registry: scope.registry.clone(),
            realm: RedactedUrl::new(realm),
            cause,
        };
        let http = self.http_for(&url);
        let mut tries = retry::Tries::new(self.inner.options.retry);
        let refresh = match credential {
            Some(Credential::IdentityToken(token)) => Some(token),
            _ => None,
        };
        if refresh.is_none() {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(service.map(|service| ("service", service)));
            query.extend_pairs(scope.actions.iter().map(|action| ("scope", action)));
        }
        let response = loop {
            tries.begin();
            let request = match (refresh, credential) {
                (Some(token), _) => http
                    .post(url.clone())
                    .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(refresh_form(token, service, scope)),
                (None, Some(Credential::Basic { username, password })) => http
                    .get(url.clone())
                    .header(http::header::AUTHORIZATION, basic(username, password.expose()).expose()),
                _ => http.get(url.clone()),
            };
            self.count();
            match request.send().await {
                Ok(response) if retry::is_busy(response.status()) => {
                    if !tries.wait(retry::retry_after(response.headers())).await {
                        break response;
                    }
                }
                Ok(response) => break response,
                Err(error) => {
                    if !tries.wait(None).await {
                        return Err(failed(root_cause(&error)));
                    }
                }
            }
        };
        let status = response.status();
        if status == http::StatusCode::UNAUTHORIZED || status == http::StatusCode::FORBIDDEN {
            return Err(OciError::Unauthorized {
                registry: scope.registry.clone(),
                what: "login".to_owned(),
                status: status.as_u16(),
                authenticated: credential.is_some(),
            });
        }
        if !status.is_success() {
            // Redirects are not followed: a token server has no reason to send credentials on (CVE-2026-48978).
            return Err(failed(format!("status {}", status.as_u16())));
        }
        let bytes = read_bounded(response, ANSWER_MAX, "token answer", &scope.registry).await?;
        // The error's text could quote the token.
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| failed("no JSON token".to_owned()))?;
        let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
        if token.is_empty() || token.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(failed("no token".to_owned()));
        }
        let lifetime = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFETIME).clamp(1, 24 * 3600));
        let until = Instant::now() + lifetime.saturating_sub(MARGIN.min(lifetime / 2));
        Ok(Authorization {
            header: Secret::new(format!("Bearer {token}")),
            authenticated: credential.is_some(),
            until: Some(until),
        })
    }

    /// The rules for a token server: HTTPS (or the registry's own loopback), no credentials in its URL; and to see ours,
    /// the registry's own origin, Docker Hub's, or one that the configuration allows.
    fn check_realm(&self, registry: &str, origin: &Url, realm: &str, with_credentials: bool) -> Result<Url, OciError> {
        let refuse = |reason| OciError::TokenRealmRefused {
            registry: registry.to_owned(),
            realm: RedactedUrl::new(realm),
            reason,
        };
        let url: Url = realm.parse().map_err(|_| refuse("which is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("a URL with credentials in it"));
        }
        let same = redirect::same_origin(&url, origin);
        match url.scheme() {
            "https" => {}
            "http" if same || (redirect::is_loopback(&url) && redirect::is_loopback(origin)) => {}
            _ => return Err(refuse("which is not HTTPS")),
        }
        if redirect::is_loopback(&url) && !redirect::is_loopback(origin) {
            return Err(refuse("this machine itself"));
        }
        let host = url.host_str().unwrap_or_default();
        if same {
            return Ok(url);
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<std::net::IpAddr>().is_ok() && !redirect::is_loopback(origin) {
            return Err(refuse("an address instead of a name"));
        }
        let docker_hub = registry == "docker.io" && host == "auth.docker.io" && url.scheme() == "https";
        let allowed = self.inner.options.token_realms.get(registry).is_some_and(|hosts| {
            hosts.contains(host) || url.port().is_some_and(|port| hosts.contains(&format!("{host}:{port}")))
        });
        if with_credentials && !docker_hub && !allowed {
            return Err(refuse("another host, which may not see this registry's credentials"));
        }
        Ok(url)
    }
}

fn basic(username: &str, password: &str) -> Secret<String> {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

/// The OAuth2 form (distribution, "Oauth2 Token Authentication", grant `refresh_token`).
fn refresh_form(token: &Secret<String>, service: Option<&str>, scope: &Scope) -> String {
    let mut pairs = vec![("grant_type", "refresh_token".to_owned()), ("client_id", "assay".to_owned())];
    pairs.extend(service.map(|service| ("service", service.to_owned())));
    pairs.push(("scope", scope.actions.join(" ")));
    pairs.push(("refresh_token", token.expose().clone()));
    let encoded: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", percent(value))).collect();
    encoded.join("&")
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
pub(super) fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut result = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            result.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(result, "%{byte:02X}");
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientOptions;

    #[test]
    fn a_token_is_used_until_it_ends() {
        let until = |until| Authorization { header: Secret::new(String::new()), authenticated: false, until };
        assert!(until(None).is_fresh());
        assert!(until(Some(Instant::now() + Duration::from_mins(1))).is_fresh());
        assert!(!until(Some(Instant::now())).is_fresh());
    }

    #[test]
    fn cve_2026_48978_which_token_servers_may_see_credentials() {
        let realms = [("r.example.com".to_owned(), ["login.example.com".to_owned()].into())].into();
        let client = Client::new(ClientOptions { token_realms: realms, ..ClientOptions::default() }).unwrap();
        let asks = |registry: &str, realm: &str, credentials: bool| {
            let origin = format!("https://{registry}/v2/").parse().unwrap();
            client.check_realm(registry, &origin, realm, credentials).is_ok()
        };
        for (registry, realm, anonymous, with_credentials) in [
            ("r.example.com", "https://r.example.com/token", true, true),
            ("r.example.com", "https://login.example.com/token", true, true),
            ("docker.io", "https://auth.docker.io/token", true, true),
            ("r.example.com", "https://auth.docker.io/token", true, false),
            ("r.example.com", "https://r.example.com:8443/token", true, false),
            ("r.example.com", "https://r.example.com.evil.test/token", true, false),
            ("docker.io", "https://auth.docker.io.evil.test/token", true, false),
            ("r.example.com", "http://r.example.com/token", false, false),
            ("r.example.com", "https://169.254.169.254/token", false, false),
            ("r.example.com", "https://[fd00:ec2::254]/token", false, false),
            ("r.example.com", "https://localhost/token", false, false),
            ("r.example.com", "https://u:p@r.example.com/token", false, false),
        ] {
            assert_eq!(asks(registry, realm, false), anonymous, "{registry} {realm} anonymously");
            assert_eq!(asks(registry, realm, true), with_credentials, "{registry} {realm} with credentials");
        }
    }
}
