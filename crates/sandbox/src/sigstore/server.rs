//! An authority on 127.0.0.1.

use std::collections::HashMap;
use std::net::SocketAddr;

use assay_sign::{Service, SigningConfig};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Authority, Refusal, issuer, root};

/// The secret that jobs show to the token endpoint of CI systems (`ACTIONS_ID_TOKEN_REQUEST_TOKEN` on GitHub).
pub const CI_TOKEN: &str = "sandbox-job";

/// All services of an instance on one port, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts serving on a free port of 127.0.0.1. Must be called within a tokio runtime.
    pub async fn start(authority: Authority) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let app = router(Site { authority, url: format!("http://{address}") });
        let task = tokio::spawn(async move {
            // Serving ends with the task; there is nobody to tell an error to.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, task })
    }

    /// Base URL of every service. The certificate log is at `/ct` below it, tokens for CI jobs at `/ci/token`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a signer finds the services.
    pub fn signing_config(&self) -> SigningConfig {
        SigningConfig { fulcio: self.url(), rekor: Some(self.url()), timestamp: Some(self.url()) }
    }

    /// The same as a `signing_config.v0.2.json`, with both versions of Rekor.
    pub fn signing_config_json(&self) -> Vec<u8> {
        root::signing(&self.url()).to_string().into_bytes()
    }

    /// A configuration for a real Fulcio (`--config-path`; JSON is YAML) that takes tokens of this issuer:
    /// `email` for people, `github-workflow` for workflows. The identity must be
    /// [`Identity::of_issuer`](super::Identity::of_issuer) this server's URL.
    pub fn fulcio_configuration(&self, kind: &str) -> Vec<u8> {
        issuer::fulcio_configuration(&self.url(), kind).to_string().into_bytes()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Site {
    authority: Authority,
    url: String,
}

fn router(site: Site) -> Router {
    let service = |service: Service| {
        post(async move |State(site): State<Site>, body: Bytes| posted(site.authority.answer(service, &body), service))
    };
    Router::new()
        .route(Service::Fulcio.path(), service(Service::Fulcio))
        .route(Service::Rekor.path(), service(Service::Rekor))
        .route(Service::Timestamp.path(), service(Service::Timestamp))
        .route(
            "/api/v2/log/entries",
            post(async |State(site): State<Site>, body: Bytes| posted(site.authority.log_v2(&body), Service::Rekor)),
        )
        .route("/api/v2/{*path}", get(tile))
        .route(
            "/ct/ct/v1/add-chain",
            post(async |State(site): State<Site>, body: Bytes| answered(site.authority.certificate_log(&body, false))),
        )
        .route(
            "/ct/ct/v1/add-pre-chain",
            post(async |State(site): State<Site>, body: Bytes| answered(site.authority.certificate_log(&body, true))),
        )
        .route(issuer::DISCOVERY, get(async |State(site): State<Site>| json_body(&issuer::discovery(&site.url))))
        .route("/keys", get(async |State(site): State<Site>| json_body(&site.authority.key_set())))
        .route(
            "/device/code",
            post(async |State(site): State<Site>| json_body(&site.authority.begin_device(&site.url))),
        )
        .route("/token", post(device_token))
        .route("/ci/token", get(job_token))
        .route(
            "/trusted_root.json",
            get(async |State(site): State<Site>| (JSON, site.authority.trusted_root_json()).into_response()),
        )
        .route("/signing_config.v0.2.json", get(async |State(site): State<Site>| json_body(&root::signing(&site.url))))
        .with_state(site)
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

fn json_body(value: &Value) -> Response {
    (JSON, value.to_string()).into_response()
}

/// A static file of the log of version 2.
async fn tile(State(site): State<Site>, Path(path): Path<String>) -> Response {
    match site.authority.log_v2_read(&path) {
        Ok(Some(bytes)) if path == "checkpoint" => ([(header::CONTENT_TYPE, "text/plain")], bytes).into_response(),
        Ok(Some(bytes)) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Ok(None) => refused(&Refusal { status: 404, message: "no such tile".to_owned() }),
        Err(refusal) => refused(&refusal),
    }
}

/// The token endpoint, for devices only.
async fn device_token(State(site): State<Site>, body: Bytes) -> Response {
    let form = form(&String::from_utf8_lossy(&body));
    let person = match site.authority.redeem_device(&form) {
        Ok(person) => person,
        Err(error) => return (StatusCode::BAD_REQUEST, JSON, json!({"error": error}).to_string()).into_response(),
    };
    match site.authority.token_text(&person) {
        Ok(token) => json_body(&json!({
            "access_token": "none", "token_type": "bearer", "expires_in": 300, "id_token": token,
        })),
        Err(refusal) => refused(&refusal),
    }
}

/// Tokens for CI jobs, as GitHub Actions hands them out (docs.github.com, "OpenID Connect reference").
async fn job_token(
    State(site): State<Site>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = shown.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some(workflow) = site.authority.workflow().filter(|_| shown.is_some_and(|(_, token)| token == CI_TOKEN)) else {
        return refused(&Refusal { status: 401, message: "no job runs under this token".to_owned() });
    };
    let audience = query.get("audience").map_or(issuer::AUDIENCE, String::as_str);
    match site.authority.token_for(&workflow, audience) {
        Ok(token) => json_body(&json!({"count": token.len(), "value": token})),
        Err(refusal) => refused(&refusal),
    }
}

fn posted(answer: Result<Vec<u8>, Refusal>, service: Service) -> Response {
    let content_type = match service {
        Service::Timestamp => "application/timestamp-reply",
        _ => "application/json",
    };
    match answer {
        Ok(answer) => {
            let name = entry_name(&answer);
            let mut response = (StatusCode::CREATED, [(header::CONTENT_TYPE, content_type)], answer).into_response();
            if let Some(name) = name.and_then(|name| header::HeaderValue::from_str(&name).ok()) {
                response.headers_mut().insert(header::ETAG, name);
            }
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

/// The name of an entry of Rekor's version 1, which its `ETag` says: that is where cosign looks it up
/// (sigstore/rekor, `openapi.yaml`, `createLogEntry`).
fn entry_name(answer: &[u8]) -> Option<String> {
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(answer).ok()?;
    let mut names = entries.into_iter().filter(|(_, entry)| entry.get("integratedTime").is_some());
    names.next().map(|(name, _)| name)
}

fn answered(answer: Result<Vec<u8>, Refusal>) -> Response {
    match answer {
        Ok(answer) => (JSON, answer).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"code": refusal.status, "message": refusal.message}).to_string();
    (status, JSON, body).into_response()
}

/// The fields of a form (`application/x-www-form-urlencoded`).
fn form(body: &str) -> Vec<(String, String)> {
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (plain(name), plain(value))).collect()
}

/// Takes the percent encoding off; what is no encoding stays.
fn plain(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let encoded = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                out.push(b' ');
                rest = after;
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_lose_their_encoding() {
        let fields = form("grant_type=urn%3Aietf%3Aparams&a=b+c&broken=%2&empty=");
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("grant_type", "urn:ietf:params"), ("a", "b c"), ("broken", "%2"), ("empty", "")]);
    }
}
