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
use assay_store::{Alert, AlertKey, Delivery, PLATFORM_OWNER, Store, StoreError};
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
    let mut is_waiting = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        match target.deliver(&store, clock()).await {
            Ok(_) => {
                if std::mem::take(&mut is_waiting) {
                    tracing::info!("alerts are delivered again: the store is back");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_waiting, true) {
                    tracing::warn!(%error, code = error.code(), "alerts wait: the store does not give them");
                }
            }
        }
    }
}

/// How the ledger was when that was kept.
#[derive(Debug, Default, PartialEq, Eq)]
enum Ledger {
    /// Nothing was kept yet.
    #[default]
    Unseen,
    Whole,
    /// It was changed, and how that shows.
    Broken(String),
}

/// Alerts where the promotion ledger was changed after the fact, and until it is whole again.
#[derive(Debug, Default)]
pub(crate) struct LedgerWatch {
    /// What was kept last.
    kept: Ledger,
    /// Whether the store did not take it the last time.
    is_waiting: bool,
}

impl LedgerWatch {
    /// Looks at what was read of the ledger. The store is written to only where that is news.
    pub(crate) fn look(&mut self, store: &Store, world: &World, now: Timestamp) {
        let ledger = match world.promotions.get() {
            Ok(_) => Ledger::Whole,
            Err(cause) if cause.code == "ledger-broken" => Ledger::Broken(cause.message.clone()),
            // Nothing can be said of it.
            Err(_) => return,
        };
        if self.kept == ledger {
            return;
        }
        let key =
            AlertKey { owner: PLATFORM_OWNER.into(), subject: "promotion-ledger".into(), environment: String::new() };
        let result = match &ledger {
            Ledger::Unseen | Ledger::Whole => store.resolve_alert(&key, now).map(drop),
            Ledger::Broken(why) => {
                let summary = why.clone();
                let alert = Alert { key, source: "ledger".to_owned(), severity: Severity::Critical, summary };
                store.raise_alert(&alert, now).map(drop)
            }
        };
        match result {
            Ok(()) => {
                if std::mem::take(&mut self.is_waiting) {
                    tracing::info!("the store is back: what is to be said of the ledger is kept");
                }
                self.kept = ledger;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_waiting, true) {
                    tracing::warn!(%error, code = error.code(), "an alert about the ledger waits for the store");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_case::Known;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn world(broken: Option<&str>) -> World {
        let promotions = match broken {
            None => Known::new(Vec::new().into(), at(0)),
            Some(why) => Known::unknown("ledger-broken", why.to_owned()),
        };
        World { promotions, ..World::unknown() }
    }

    #[test]
    fn the_ledger_is_written_about_only_when_there_is_news() {
        let (store, mut watch) = (Store::in_memory().unwrap(), LedgerWatch::default());
        let seen = |store: &Store| {
            store.open_alerts().unwrap().into_iter().map(|own| (own.summary, own.seen)).collect::<Vec<_>>()
        };
        watch.look(&store, &world(None), at(1));
        assert!(seen(&store).is_empty());
        for second in [2, 4, 6] {
            watch.look(&store, &world(Some("entry 3 was changed")), at(second));
            assert_eq!(seen(&store), [("entry 3 was changed".to_owned(), at(2))], "not at every look");
        }
        watch.look(&store, &world(Some("entry 2 was changed")), at(8));
        assert_eq!(seen(&store), [("entry 2 was changed".to_owned(), at(8))]);
        // What cannot be read says nothing, neither good nor bad.
        let unknown = Known::unknown("store-unreachable", "away".to_owned());
        watch.look(&store, &World { promotions: unknown, ..World::unknown() }, at(10));
        assert_eq!(seen(&store).len(), 1);
        watch.look(&store, &world(None), at(12));
        assert!(seen(&store).is_empty());
    }

    #[test]
    fn what_the_store_did_not_take_is_said_to_be_waiting_once_and_kept_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (store, mut watch) = (Store::open(&path).unwrap(), LedgerWatch::default());
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("ALTER TABLE alert RENAME TO hidden").unwrap();
        for second in [1, 3] {
            watch.look(&store, &world(Some("entry 3 was changed")), at(second));
            assert!(watch.is_waiting && watch.kept == Ledger::Unseen);
        }
        other.execute_batch("ALTER TABLE hidden RENAME TO alert").unwrap();
        watch.look(&store, &world(Some("entry 3 was changed")), at(5));
        assert!(!watch.is_waiting);
        assert_eq!(store.open_alerts().unwrap()[0].opened, at(5));
    }
}
