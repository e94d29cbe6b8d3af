//! One request from here to a registry: authorization, redirects, tries, bounds.

use std::sync::atomic::Ordering;

use assay_model::Repository;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Response, Url};
use serde::Deserialize;
use tracing::Instrument as _;

use super::authentication::{Authorization, Scope};
use super::{Client, challenge, redirect, retry};
use crate::{OciError, Silence};

/// The host behind the name `docker.io`.
const DOCKER_HUB: &str = "registry-1.docker.io";
/// Largest error answer that is looked at for its code.
const ERROR_MAX: u64 = 64 * 1024;

/// What is sent. The body is bytes: it can be sent again.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) repository: &'a Repository,
    pub(super) scope: Scope,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// What this is about, for errors: `payments/api:1.0`.
    pub(super) what: String,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, url: Url, repository: &'a Repository, scope: Scope, what: String) -> Self {
        Self { method, url, repository, scope, headers: HeaderMap::new(), body: None, what }
    }

    pub(super) fn header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }
}

impl Client {
    /// The base URL of a registry.
    pub(super) fn base(&self, repository: &Repository) -> Result<Url, OciError> {
        let registry = repository.registry();
        let plain = repository.is_loopback() || self.inner.options.plain_http.contains(registry);
        let host = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let text = format!("{}://{host}/v2/", if plain { "http" } else { "https" });
        text.parse().map_err(|_| OciError::Setup { reason: format!("{registry} makes no URL") })
    }

    /// `/v2/<name>/<rest>` of a repository.
    pub(super) fn url(&self, repository: &Repository, rest: &str) -> Result<Url, OciError> {
        let base = self.base(repository)?;
        base.join(&format!("{}/{rest}", repository.path()))
            .map_err(|_| OciError::Setup { reason: format!("{repository}/{rest} makes no URL") })
    }

    pub(super) fn http_for(&self, url: &Url) -> &reqwest::Client {
        if redirect::is_loopback(url) { &self.inner.direct } else { &self.inner.http }
    }

    pub(super) fn count(&self) {
        self.inner.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends, and turns every answer that is not 2xx into an error.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Response, OciError> {
        let registry = call.repository.registry();
        let (response, tries, authenticated) = self.exchange(call).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let (registry, what, status_code) = (registry.to_owned(), call.what.clone(), status.as_u16());
        let wait = retry::retry_after(response.headers()).map(|wait| wait.as_secs());
        Err(match status {
            StatusCode::NOT_FOUND => OciError::NotFound { registry, what },
            StatusCode::TOO_MANY_REQUESTS => OciError::RateLimited { registry, tries, retry_after: wait },
            status if status.is_server_error() => OciError::ServerError { registry, what, status: status_code, tries },
            StatusCode::UNAUTHORIZED => OciError::Unauthorized { registry, what, status: status_code, authenticated },
            _ => {
                let code = error_code(response, &registry).await;
                // 403 is also how registries refuse to move an immutable tag.
                if status == StatusCode::FORBIDDEN && matches!(code.as_str(), "DENIED" | "UNAUTHORIZED" | NO_CODE) {
                    OciError::Unauthorized { registry, what, status: status_code, authenticated }
                } else {
                    OciError::Refused { registry, what, status: status_code, code }
                }
            }
        })
    }

    /// Sends with authorization: what is known is used at once; a 401 is answered at most once.
    async fn exchange(&self, call: &Call<'_>) -> Result<(Response, u32, bool), OciError> {
        let slot = self.inner.tokens.slot(&call.scope);
        let known = {
            let slot = slot.lock().await;
            slot.clone().filter(Authorization::is_fresh)
        };
        let authenticated = known.as_ref().is_some_and(|known| known.authenticated);
        let (response, tries) = self.attempt(call, known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok((response, tries, authenticated));
        }
        let Some(challenge) = challenge::read(response.headers()) else {
            return Ok((response, tries, authenticated));
        };
        let origin = self.base(call.repository)?;
        if !redirect::same_origin(&origin, response.url()) {
            // A storage server behind a redirect asks for a password: not ours to give.
            return Ok((response, tries, authenticated));
        }
        let fresh = {
            let mut slot = slot.lock().await;
            let used = known.as_ref().map(|known| known.header.expose());
            let other = slot.as_ref().filter(|other| other.is_fresh() && Some(other.header.expose()) != used);
            // Somebody else may have fetched it meanwhile.
            if other.is_none() {
                *slot = self.authorize(&call.scope, call.repository, &origin, &challenge).await?;
            }
            slot.clone()
        };
        let Some(fresh) = fresh else { return Ok((response, tries, false)) };
        let (response, more) = self.attempt(call, Some(&fresh)).await?;
        Ok((response, tries + more, fresh.authenticated))
    }

    /// Sends, follows redirects, waits and tries again where the registry is busy or silent.
    async fn attempt(
        &self,
        call: &Call<'_>,
        authorization: Option<&Authorization>,
    ) -> Result<(Response, u32), OciError> {
        let mut tries = retry::Tries::new(self.inner.options.retry);
        loop {
            tries.begin();
            match self.follow(call, authorization).await {
                Ok(response) if retry::is_busy(response.status()) => {
                    if !tries.wait(retry::retry_after(response.headers())).await {
                        return Ok((response, tries.made()));
                    }
                    tracing::debug!(registry = call.repository.registry(), "the registry is busy: trying again");
                }
                Ok(response) => return Ok((response, tries.made())),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transport(error)) => {
                    if !tries.wait(None).await {
                        return Err(OciError::Unreachable {
                            registry: call.repository.registry().to_owned(),
                            silence: silence(&error),
                            cause: root_cause(&error),
                            tries: tries.made(),
                        });
                    }
                }
            }
        }
    }

    async fn follow(&self, call: &Call<'_>, authorization: Option<&Authorization>) -> Result<Response, Failure> {
        let registry = call.repository.registry();
        let origin = self.base(call.repository).map_err(Failure::Final)?;
        let mut url = call.url.clone();
        for _ in 0..=redirect::REDIRECTS_MAX {
            let mut request = self.http_for(&url).request(call.method.clone(), url.clone());
            if redirect::same_origin(&url, &origin) {
                request = request.headers(call.headers.clone());
                if let Some(authorization) = authorization {
                    request = request.header(header::AUTHORIZATION, authorization.header.expose());
                }
            } else if let Some(kind) = call.headers.get(header::CONTENT_TYPE) {
                request = request.header(header::CONTENT_TYPE, kind);
            }
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            self.count();
            let span = tracing::info_span!(
                "registry",
                method = call.method.as_str(),
                host = url.host_str().unwrap_or_default(),
                about = call.what.as_str(),
                status = tracing::field::Empty,
            );
            let sent = async {
                let response = request.send().await;
                if let Ok(response) = &response {
                    tracing::Span::current().record("status", response.status().as_u16());
                }
                response
            };
            let response = sent.instrument(span).await.map_err(Failure::Transport)?;
            let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let (true, Some(location)) = (redirects, location) else { return Ok(response) };
            url = redirect::target(registry, &url, location).map_err(Failure::Final)?;
            // A body goes on only where the method and the body are kept (RFC 9110, 15.4.8 and 15.4.9).
            if call.body.is_some() && !matches!(response.status().as_u16(), 307 | 308) {
                return Err(Failure::Final(OciError::RedirectRefused {
                    registry: registry.to_owned(),
                    to: assay_model::RedactedUrl::new(url),
                    reason: "in answer to a write, without keeping it",
                }));
            }
        }
        Err(Failure::Final(OciError::RedirectRefused {
            registry: registry.to_owned(),
            to: assay_model::RedactedUrl::new(url),
            reason: "more than 5 times",
        }))
    }

    /// Sends a streamed body once, with the authorization that is known for the scope: what came before (a POST) has
    /// fetched it. A stream cannot be sent again; the caller starts over.
    pub(super) async fn send_stream(
        &self,
        call: &Call<'_>,
        length: u64,
        body: BoxStream<'static, Result<Bytes, OciError>>,
    ) -> Result<Response, OciError> {
        let slot = self.inner.tokens.slot(&call.scope);
        let known = slot.lock().await.clone();
        let origin = self.base(call.repository)?;
        let mut request = self.http_for(&call.url).request(call.method.clone(), call.url.clone());
        request = request.headers(call.headers.clone()).header(header::CONTENT_LENGTH, length);
        if let Some(known) = known.filter(|_| redirect::same_origin(&call.url, &origin)) {
            request = request.header(header::AUTHORIZATION, known.header.expose());
        }
        self.count();
        request.body(reqwest::Body::wrap_stream(body)).send().await.map_err(|error| OciError::Unreachable {
            registry: call.repository.registry().to_owned(),
            silence: silence(&error),
            cause: root_cause(&error),
            tries: 1,
        })
    }
}

enum Failure {
    /// No answer: worth another try.
    Transport(reqwest::Error),
    /// Another try would end the same.
    Final(OciError),
}

/// The innermost cause, which is the one that says what happened; reqwest's own text would repeat the URL.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    if std::error::Error::source(error).is_none() {
        return "the connection failed".to_owned();
    }
    assay_model::innermost(error)
}

/// How far it got: what the layers below say of themselves, and of the look-up of names, which says it in words only.
fn silence(error: &reqwest::Error) -> Silence {
    if error.is_timeout() {
        return Silence::TimedOut;
    }
    let mut cause: &dyn std::error::Error = error;
    loop {
        if cause.downcast_ref::<rustls::Error>().is_some() {
            return Silence::Tls;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::ConnectionRefused => return Silence::Refused,
                std::io::ErrorKind::TimedOut => return Silence::TimedOut,
                _ => {
                    if let Some(inner) = io.get_ref()
                        && inner.is::<rustls::Error>()
                    {
                        return Silence::Tls;
                    }
                }
            }
        }
        if cause.to_string().starts_with("dns error") {
            return Silence::Name;
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return Silence::Other,
        }
    }
}

/// Reads a whole body of at most `limit` bytes. A longer one is refused by its length, or else as soon as it is longer.
pub(super) async fn read_bounded(
    response: Response,
    limit: u64,
    what: &str,
    registry: &str,
) -> Result<Bytes, OciError> {
    let too_large = || OciError::TooLarge { what: what.to_owned(), limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut body = body_stream(response, registry);
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

pub(super) fn body_stream(response: Response, registry: &str) -> BoxStream<'static, Result<Bytes, OciError>> {
    let registry = registry.to_owned();
    let failed = move |error: reqwest::Error| OciError::Unreachable {
        registry: registry.clone(),
        silence: silence(&error),
        cause: root_cause(&error),
        tries: 1,
    };
    response.bytes_stream().map(move |chunk| chunk.map_err(&failed)).boxed()
}

const NO_CODE: &str = "no code";

/// The first error code of an answer (distribution-spec, "Error Codes"), made safe to print.
async fn error_code(response: Response, registry: &str) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let code = match read_bounded(response, ERROR_MAX, "error", registry).await {
        Ok(bytes) => serde_json::from_slice::<Errors>(&bytes).ok().and_then(|list| list.errors.into_iter().next()),
        Err(_) => None,
    };
    let code = code.map(|code| code.code).unwrap_or_default();
    let plain = !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { code } else { NO_CODE.to_owned() }
}
