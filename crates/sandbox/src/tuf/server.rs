//! A repository on 127.0.0.1.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Repository;

/// A mirror of a [`Repository`] until it is dropped: metadata at the root, targets below `targets/`.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    site: Site,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Site(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    repository: Repository,
    requests: Vec<String>,
    endless: Option<String>,
    status: Option<u16>,
}

impl Site {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Starts serving on a free port of 127.0.0.1. Must be called within a tokio runtime.
    pub async fn start(repository: Repository) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let inner = Inner { repository, requests: Vec::new(), endless: None, status: None };
        let site = Site(Arc::new(Mutex::new(inner)));
        let app = Router::new().fallback(file).with_state(site.clone());
        let task = tokio::spawn(async move {
            // Serving ends with the task; there is nobody to tell an error to.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, site, task })
    }

    /// The address of the mirror.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes or reads the repository.
    pub fn with<T>(&self, use_it: impl FnOnce(&mut Repository) -> T) -> T {
        use_it(&mut self.site.lock().repository)
    }

    /// The files that were asked for since the last call, in order, with their percent encoding.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.site.lock().requests)
    }

    /// Sends this file without end, or none.
    pub fn set_endless(&self, file: Option<&str>) {
        self.site.lock().endless = file.map(str::to_owned);
    }

    /// Answers everything with this status, or nothing.
    pub fn set_status(&self, status: Option<u16>) {
        self.site.lock().status = status;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn file(State(site): State<Site>, uri: Uri) -> Response {
    let asked = uri.path().trim_start_matches('/').to_owned();
    let mut site = site.lock();
    site.requests.push(asked.clone());
    if let Some(status) = site.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return status.into_response();
    }
    if site.endless.as_deref() == Some(&asked) {
        let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
        return Body::from_stream(chunks).into_response();
    }
    match site.repository.fetch(&decoded(&asked)) {
        Some(bytes) => bytes.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Role names stand percent-encoded in addresses.
fn decoded(path: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
            let value = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.push(value.unwrap_or_default());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
