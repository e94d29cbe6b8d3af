//! An authority on 127.0.0.1.

use std::net::SocketAddr;

use assay_sign::{Service, SigningConfig};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Authority;

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
        let app = router(authority, format!("http://{address}"));
        let task = tokio::spawn(async move {
            // Serving ends with the task; there is nobody to tell an error to.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, task })
    }

    /// Base URL of every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a signer finds the services.
    pub fn signing_config(&self) -> SigningConfig {
        SigningConfig { fulcio: self.url(), rekor: Some(self.url()), timestamp: Some(self.url()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

fn router(authority: Authority, url: String) -> Router {
    let discovery = serde_json::json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
    Router::new()
        .route(
            Service::Fulcio.path(),
            post(async |State(authority): State<Authority>, body: Bytes| answer(&authority, Service::Fulcio, &body)),
        )
        .route(
            Service::Rekor.path(),
            post(async |State(authority): State<Authority>, body: Bytes| answer(&authority, Service::Rekor, &body)),
        )
        .route(
            Service::Timestamp.path(),
            post(async |State(authority): State<Authority>, body: Bytes| answer(&authority, Service::Timestamp, &body)),
        )
        .route(
            "/keys",
            get(move |State(authority): State<Authority>| async move { (JSON, authority.key_set().to_string()) }),
        )
        .route("/.well-known/openid-configuration", get(move || async move { (JSON, discovery) }))
        .route(
            "/trusted_root.json",
            get(move |State(authority): State<Authority>| async move { (JSON, authority.trusted_root_json()) }),
        )
        .with_state(authority)
}

fn answer(authority: &Authority, service: Service, body: &Bytes) -> Response {
    let content_type = match service {
        Service::Fulcio | Service::Rekor => "application/json",
        Service::Timestamp => "application/timestamp-reply",
    };
    match authority.answer(service, body) {
        Ok(answer) => (StatusCode::CREATED, [(header::CONTENT_TYPE, content_type)], answer).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let body = serde_json::json!({"code": refusal.status, "message": refusal.message}).to_string();
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}
