//! Servers on 127.0.0.1 that stand in for services: a closure gives the answers, and what was asked is kept.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_sign::Http;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request, as a stand-in saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let text = String::from_utf8(self.body.clone()).unwrap();
        text.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
    }
}

/// A server whose answers a closure gives.
pub(crate) struct StandIn {
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl StandIn {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Seen { method, uri, headers, body: body.to_vec() };
            log.lock().unwrap().push(request.clone());
            let answer = answer(&request);
            async move { answer }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, seen, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn json(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

pub(crate) fn status(code: u16, text: &str) -> Response {
    (StatusCode::from_u16(code).unwrap(), text.to_owned()).into_response()
}

pub(crate) fn http() -> Http {
    Http::new(None).unwrap().with_first_pause(Duration::ZERO)
}
