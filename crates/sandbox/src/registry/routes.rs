//! From a request to the part of the registry that answers it. Repository names hold slashes, so the path is split by hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State as Extracted};
use axum::response::Response;
use http::{Method, StatusCode, header};

use super::reply::{self, Reply};
use super::{Endpoint, RequestRecord, Shared, State, authentication, pull, push};

/// Longest body that is taken: a test that needs more tests something else.
const BODY_MAX: usize = 512 << 20;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

/// A request, taken apart.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) method: Method,
    pub(crate) repository: &'a str,
    /// The last part: a tag, a digest or an upload.
    pub(crate) last: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: bytes::Bytes,
}

impl Call<'_> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

async fn handle(Extracted(shared): Extracted<Arc<Shared>>, request: Request) -> Response {
    let arrived = shared.state().tick();
    if !shared.options.latency.is_zero() {
        tokio::time::sleep(shared.options.latency).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return reply::error(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", "the body is too large").into_response();
    };
    let path = parts.uri.path();
    let mut query = pairs(parts.uri.query().unwrap_or_default());
    let form = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    if path == "/token" && form {
        query.extend(pairs(&String::from_utf8_lossy(&body)));
    }
    let (endpoint, repository, last) = route(path);
    let call = Call {
        shared: &shared,
        method: parts.method.clone(),
        repository,
        last,
        path,
        headers: &parts.headers,
        query: &query,
        body,
    };
    let mut state = shared.state();
    let mut answer = answer(&call, endpoint, &mut state);
    if parts.method == Method::HEAD {
        answer = answer.without_body();
    }
    let answered = state.tick();
    state.log.push(RequestRecord {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        endpoint,
        authorization: parts
            .headers
            .get(header::AUTHORIZATION)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        status: answer.status.as_u16(),
        arrived,
        answered,
    });
    answer.into_response()
}

fn answer(call: &Call<'_>, endpoint: Endpoint, state: &mut State) -> Reply {
    if let Some((status, retry_after)) = state.faults.status(endpoint) {
        let answer = reply::error(status, "FAULT", "switched on by the test");
        return match retry_after {
            Some(seconds) => answer.header(header::RETRY_AFTER.as_str(), seconds.to_string()),
            None => answer,
        };
    }
    if endpoint == Endpoint::Token {
        return authentication::token(call.shared, state, call.headers, call.query);
    }
    let reads = matches!(call.method, Method::GET | Method::HEAD);
    let scope = match (endpoint, reads) {
        (Endpoint::Ping | Endpoint::Other, _) => String::new(),
        (_, true) if endpoint != Endpoint::Upload => format!("repository:{}:pull", call.repository),
        _ if call.method == Method::DELETE => format!("repository:{}:delete", call.repository),
        _ => format!("repository:{}:pull,push", call.repository),
    };
    if let Some(refusal) = authentication::check(call.shared, state, call.headers, &scope) {
        return refusal;
    }
    match (endpoint, &call.method) {
        (Endpoint::Ping, _) => Reply::new(StatusCode::OK).header("Docker-Distribution-API-Version", "registry/2.0"),
        (Endpoint::Manifest, &Method::GET | &Method::HEAD) => pull::manifest(call, state),
        (Endpoint::Manifest, &Method::PUT) => push::manifest(call, state),
        (Endpoint::Manifest, &Method::DELETE) => push::delete_manifest(call, state),
        (Endpoint::Blob, &Method::GET | &Method::HEAD) => pull::blob(call, state),
        (Endpoint::Blob, &Method::DELETE) => push::delete_blob(call, state),
        (Endpoint::Upload, _) => push::upload(call, state),
        (Endpoint::Tags, &Method::GET) => pull::tags(call, state),
        (Endpoint::Referrers, &Method::GET) => pull::referrers(call, state),
        _ => reply::error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint"),
    }
}

/// Endpoint, repository and last part of a path.
fn route(path: &str) -> (Endpoint, &str, &str) {
    if path == "/token" {
        return (Endpoint::Token, "", "");
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return (if path == "/v2" { Endpoint::Ping } else { Endpoint::Other }, "", "");
    };
    if rest.is_empty() {
        return (Endpoint::Ping, "", "");
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        return (Endpoint::Tags, repository, "");
    }
    for (middle, endpoint) in [
        ("/blobs/uploads/", Endpoint::Upload),
        ("/blobs/uploads", Endpoint::Upload),
        ("/blobs/", Endpoint::Blob),
        ("/manifests/", Endpoint::Manifest),
        ("/referrers/", Endpoint::Referrers),
    ] {
        if let Some((repository, last)) = rest.rsplit_once(middle) {
            return (endpoint, repository, last);
        }
    }
    (Endpoint::Other, "", "")
}

/// `a=b&c=d`, percent-decoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = str::from_utf8(&digits).unwrap_or("00");
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
