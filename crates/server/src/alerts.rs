//! Alerts leave the store's outbox for a webhook, signed.
//!
//! A request is what Standard Webhooks says (<https://www.standardwebhooks.com>, specification 1.0.0): `webhook-id`, the same at
//! each try; `webhook-timestamp`; and `webhook-signature`, `v1,` and the base64 of an HMAC-SHA256 over id, time and body with
//! dots between. A 2xx ends a delivery; anything else, a redirect too, is tried again by the outbox's pauses.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assay_case::World;
use assay_credentials::tls::{self, Authorities};
use assay_model::{Explain, RedactedUrl, Secret, Severity, Timestamp};
use assay_store::{Alert, AlertKey, Delivery, Store, StoreError};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use tokio::sync::watch;

use crate::Clock;

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_secs(5);
/// For one delivery.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For which nobody else takes what was taken: longer than all of them take.
const LEASE: Duration = Duration::from_mins(5);
/// Deliveries at once.
const AT_ONCE: usize = 16;
/// Shortest secret: that of the hash.
const SECRET_MIN: usize = 24;
/// Who is told where nobody owns it.
const PLATFORM: &str = "platform";

/// Why alerts cannot be delivered.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// The address is none, or would send alerts in the clear to another machine.
    #[error("alerts cannot be sent to {url}: {why}")]
    Address {
        /// The address, without credentials.
        url: String,
        /// Why not.
        why: String,
    },
    /// The file of the secret, or of the authorities, cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl Explain for AlertError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "alert-address",
            Self::File { .. } => "alert-file",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => "--alert-webhook https://HOST/PATH".into(),
            Self::File { .. } => "openssl rand -base64 32 > secret, and give the receiver the same".into(),
        })
    }
}

/// Where alerts go.
#[derive(Clone)]
pub struct AlertTarget {
    url: Url,
    key: Arc<hmac::Key>,
    client: reqwest::Client,
}

impl std::fmt::Debug for AlertTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertTarget").field("url", &RedactedUrl::new(self.url.as_str())).finish_non_exhaustive()
    }
}

impl AlertTarget {
    /// Sends to `url`, signed with what is in the file `secret` (its text without white space around it; base64 after
    /// `whsec_`, as Standard Webhooks writes it). `authorities` (PEM) are trusted beside Mozilla's.
    pub fn new(url: &str, secret: &Path, authorities: Option<&Path>) -> Result<Self, AlertError> {
        let shown = RedactedUrl::new(url).to_string();
        let wrong = |why: &str| AlertError::Address { url: shown.clone(), why: why.to_owned() };
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return Err(wrong("it is not https")),
        }
        let file = |path: &Path, why: String| AlertError::File { path: path.to_owned(), why };
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| file(path, error.to_string()));
        let text = Secret::new(read(secret)?);
        let text = text.expose().trim();
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => {
                STANDARD.decode(encoded).map_err(|_| file(secret, "after whsec_ stands no base64".into()))?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_MIN {
            return Err(file(secret, format!("a secret has at least {SECRET_MIN} bytes")));
        }
        let tls = match authorities {
            None => tls::builder(Authorities::Public).map_err(|error| wrong(&error.to_string()))?,
            Some(path) => {
                let pem = read(path)?;
                let authorities = Authorities::PublicAnd(pem.as_bytes());
                tls::builder(authorities).map_err(|error| file(path, error.to_string()))?
            }
        };
        let builder = reqwest::Client::builder().tls_backend_preconfigured(tls.with_no_client_auth()).timeout(TIMEOUT);
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        let builder = if local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { url, key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)), client })
    }

    /// Delivers what is due; how many arrived, and how many did not.
    pub async fn deliver(&self, store: &Arc<Store>, now: Timestamp) -> Result<(usize, usize), StoreError> {
        let due = blocking(store, move |store| store.take_deliveries(now, LEASE, AT_ONCE)).await?;
        let (mut arrived, mut failed) = (0, 0);
        for delivery in due {
            match self.send(&delivery, now).await {
                Ok(()) => {
                    blocking(store, move |store| store.delivered(delivery.id)).await?;
                    arrived += 1;
                }
                Err(why) => {
                    tracing::warn!(delivery.id, why, "an alert did not arrive");
                    blocking(store, move |store| store.delivery_failed(&delivery, &why, now)).await?;
                    failed += 1;
                }
            }
        }
        Ok((arrived, failed))
    }

    async fn send(&self, delivery: &Delivery, now: Timestamp) -> Result<(), String> {
        let (id, time) = (format!("assay-{}", delivery.id), now.as_second().to_string());
        let signature = hmac::sign(&self.key, format!("{id}.{time}.{}", delivery.body).as_bytes());
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(signature)))
            .body(delivery.body.clone());
        // The address may hold a token: it is not repeated.
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
    }
}

/// The store blocks.
async fn blocking<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    let done = tokio::task::spawn_blocking(move || work(&store)).await;
    done.unwrap_or_else(|error| Err(StoreError::Unreachable { server: "store".to_owned(), why: error.to_string() }))
}

/// Delivers until the server stops.
pub(crate) async fn run(target: AlertTarget, store: Arc<Store>, clock: Clock, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        if let Err(error) = target.deliver(&store, clock()).await {
            tracing::warn!(%error, code = error.code(), "alerts wait: the store does not give them");
        }
    }
}

/// Alerts where the promotion ledger was changed after the fact, and until it is whole again.
pub(crate) fn watch_ledger(store: &Store, world: &World, now: Timestamp) {
    let key = AlertKey { owner: PLATFORM.into(), subject: "promotion-ledger".into(), environment: String::new() };
    let result = match world.promotions.get() {
        Ok(_) => store.resolve_alert(&key, now).map(drop),
        Err(cause) if cause.code == "ledger-broken" => {
            let summary = cause.message.clone();
            let alert = Alert { key, source: "ledger", severity: Severity::Critical, summary };
            store.raise_alert(&alert, now).map(drop)
        }
        Err(_) => Ok(()),
    };
    if let Err(error) = result {
        tracing::warn!(%error, code = error.code(), "an alert could not be kept");
    }
}
