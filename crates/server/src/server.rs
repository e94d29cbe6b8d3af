//! The listener: TLS, HTTP/1.1, limits, shutdown.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use assay_case::{Known, World};
use assay_gate::{Memory, Policy};
use assay_model::{Explain, Timestamp};
use assay_store::{DecisionLog, Retention, Store, StoreError};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::admission::{Admissions, Answer, Snapshot, Webhook};
use crate::admitted::Admitted;
use crate::alerts::{self, LedgerWatch};
use crate::certificate::Certificate;
use crate::cluster::Kinds;
use crate::metrics::{Metrics, TrustRootStatus};
use crate::{CertificateError, Clock, KeepDecisions, Mutation, Namespaces, ServerOptions};

/// Largest body. One more than assay-kube reads, so that its error is the one that is reported.
const BODY_MAX: usize = (8 << 20) + 1;
/// Connections at once. The API server keeps a few; each costs about 40 kB.
const CONNECTIONS_MAX: usize = 1024;
/// For the handshake, for the headers, and for the body of a request each.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How often files and ledger are looked at.
const REFRESH: Duration = Duration::from_secs(2);
/// How often it is looked for decisions that are kept no longer.
const EXPIRE: Duration = Duration::from_hours(1);
/// For requests under way when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// How far back admissions are remembered: a Pod of an older rollout is judged as if it were new.
const ADMISSIONS: Duration = Duration::from_hours(24 * 30);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The store or its decision log failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Explain for ServerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "server-listen",
            Self::Certificate(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some("Choose another --listen address, or stop what holds this one".into()),
            Self::Certificate(error) => error.next_step(),
            Self::Store(error) => error.next_step(),
        }
    }
}

/// The admission server.
#[derive(Debug)]
pub struct Server;

/// A server that runs. Dropping it stops it at once; [`Running::shutdown`] lets requests finish.
pub struct Running {
    address: SocketAddr,
    admissions: Arc<Admissions>,
    certificate: Arc<Certificate>,
    store: Arc<Store>,
    stop: watch::Sender<bool>,
    listener: tokio::task::JoinHandle<()>,
    refresher: tokio::task::JoinHandle<()>,
    ledger: Arc<Mutex<LedgerWatch>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts listening. Decisions that an earlier process left in the decision directory are taken in first.
    pub async fn start(options: ServerOptions) -> Result<Running, ServerError> {
        let ServerOptions {
            address,
            certificate,
            policy,
            facts,
            store,
            decision_directory,
            retention,
            alerts,
            namespaces,
            mutate,
            in_flight,
            clock,
        } = options;
        let certificate = Arc::new(Certificate::load(certificate)?);
        let acceptor = TlsAcceptor::from(Arc::new(certificate.server_config()?));
        let log = DecisionLog::open(Arc::clone(&store), &decision_directory)?;
        let admitted = Admitted::default();
        let since = clock().checked_sub(ADMISSIONS).unwrap_or(Timestamp::MIN);
        let mut unread = None;
        match store.admissions_since(since) {
            Ok(known) => admitted.remember(known),
            Err(error) if error.is_passing() => unread = Some(since),
            Err(error) => return Err(error.into()),
        }
        let admissions = Arc::new(Admissions {
            policy: Snapshot::new(policy),
            world: Snapshot::new(world(&store, &clock, &World::unknown())),
            namespaces: Snapshot::new(namespaces),
            facts,
            log,
            admitted,
            memory: Memory::default(),
            in_flight: Semaphore::new(in_flight),
            metrics: Metrics::new(),
            clock,
            nonce: AtomicU64::new(0),
            mutation: mutate,
            kinds: OnceLock::new(),
            routing: Snapshot::new(None),
        });
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let router = router(Arc::clone(&admissions), mutate != Mutation::Nothing);
        let listener = tokio::spawn(accept(listener, acceptor, router, stopped.clone()));
        let ledger = Arc::default();
        let refreshed = Refreshed {
            admissions: Arc::clone(&admissions),
            certificate: Arc::clone(&certificate),
            store: Arc::clone(&store),
            ledger: Arc::clone(&ledger),
            unread: Arc::new(Mutex::new(unread)),
        };
        let refresher = tokio::spawn(refresh(refreshed, stopped.clone()));
        if let Some(target) = alerts {
            let clock = Arc::clone(&admissions.clock);
            tokio::spawn(alerts::run(target, Arc::clone(&store), clock, stopped.clone()));
        }
        if retention != KeepDecisions::default() {
            tokio::spawn(expire(Arc::clone(&admissions), Arc::clone(&store), retention, stopped));
        }
        Ok(Running { address, admissions, certificate, store, stop, listener, refresher, ledger })
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn admissions(&self) -> Arc<Admissions> {
        Arc::clone(&self.admissions)
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    pub(crate) fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.certificate)
    }

    /// The authority of the development certificate, PEM: `caBundle` of the webhook configuration. `None` where the
    /// certificate came from files.
    pub fn ca_certificate(&self) -> Option<&str> {
        self.certificate.ca()
    }

    /// Judges by another policy from the next request on.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.admissions.policy.set(Some(policy));
    }

    /// Takes other namespace labels from the next request on.
    pub fn set_namespaces(&self, namespaces: Namespaces) {
        self.admissions.namespaces.set(namespaces);
    }

    /// Shows in `/metrics` how it stands with the trusted roots that are renewed.
    pub fn set_trust_roots(&self, roots: &[TrustRootStatus]) {
        self.admissions.metrics.set_trust_roots(roots);
    }

    /// Reads the promotion ledger now instead of within two seconds.
    pub fn refresh_world(&self) {
        read_world(&self.admissions, &self.store, &self.ledger);
    }

    /// Reads the certificate files now. Where they cannot be used, the certificate of before stays.
    pub fn reload_certificate(&self) -> Result<(), CertificateError> {
        self.certificate.reload()
    }

    /// Waits until all decisions given so far are in the store. False where the store does not take them; they stay in
    /// the decision directory.
    pub async fn flush_decisions(&self) -> bool {
        let admissions = Arc::clone(&self.admissions);
        tokio::task::spawn_blocking(move || admissions.log.flush()).await.unwrap_or(false)
    }

    /// Takes no more connections, finishes the requests under way, and stores what was decided.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(SHUTDOWN, &mut self.listener).await.is_err() {
            tracing::warn!("requests were still under way at shutdown");
        }
        self.flush_decisions().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.listener.abort();
        self.refresher.abort();
    }
}

/// Reads the ledger, and says where it was changed.
fn read_world(admissions: &Admissions, store: &Store, ledger: &Mutex<LedgerWatch>) {
    let before = admissions.world.get();
    admissions.world.set(world(store, &admissions.clock, &before));
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    ledger.look(store, &admissions.world.get(), (admissions.clock)());
}

/// What is known beside the facts of each image: the ledger. An unreadable ledger is unknown, not empty; while the store is
/// away, what was read last is still known, as of then.
fn world(store: &Store, clock: &Clock, before: &World) -> World {
    let promotions = match store.promotions() {
        Ok(promotions) => Known::new(promotions.into(), clock()),
        Err(error) if error.is_passing() && before.promotions.get().is_ok() => before.promotions.clone(),
        Err(error) => {
            tracing::error!(%error, code = error.code(), "the promotion ledger cannot be read");
            Known::unknown(error.code(), error.to_string())
        }
    };
    World { promotions, ..World::unknown() }
}

/// What is looked at from time to time.
#[derive(Clone)]
struct Refreshed {
    admissions: Arc<Admissions>,
    certificate: Arc<Certificate>,
    store: Arc<Store>,
    ledger: Arc<Mutex<LedgerWatch>>,
    /// Since when admissions have to be read that could not be at the start.
    unread: Arc<Mutex<Option<Timestamp>>>,
}

/// Looks at certificate files, ledger and decision log from time to time.
async fn refresh(refreshed: Refreshed, mut stopped: watch::Receiver<bool>) {
    let admissions = Arc::clone(&refreshed.admissions);
    // Nothing yet: the first look reads the ledger again, in case it grew since the start.
    let mut seen = None;
    let mut ticks = tokio::time::interval(REFRESH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        admissions.metrics.waiting.set(i64::try_from(admissions.log.waiting()).unwrap_or(i64::MAX));
        let Refreshed { admissions, certificate, store, ledger, unread } = refreshed.clone();
        let seen_before = seen.clone();
        // Files and SQLite block.
        let looked = tokio::task::spawn_blocking(move || {
            if certificate.is_stale()
                && let Err(error) = certificate.reload()
            {
                admissions.metrics.certificate_errors.inc();
                tracing::error!(%error, code = error.code(), "the new certificate is not used");
            }
            // The store was away at the start.
            let mut since = unread.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = since.and_then(|since| store.admissions_since(since).ok()) {
                admissions.admitted.remember(known);
                *since = None;
            }
            if let Ok(oldest) = store.oldest_undelivered() {
                admissions.metrics.age.set_outbox(oldest);
            }
            // Reading it all is for when it has changed, or cannot be told.
            let head = store.ledger_head().ok();
            if head.is_none() || head != seen_before {
                read_world(&admissions, &store, &ledger);
            }
            head
        });
        match looked.await {
            Ok(head) => seen = head,
            Err(error) => tracing::error!(%error, "refresh failed"),
        }
    }
}

/// Lets old decisions go, and alerts that have long been over, every hour.
async fn expire(
    admissions: Arc<Admissions>,
    store: Arc<Store>,
    keep: KeepDecisions,
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(EXPIRE);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        let before = keep.age.and_then(|age| (admissions.clock)().checked_sub(age).ok());
        let (store, retention) = (Arc::clone(&store), Retention { before, bytes: keep.bytes });
        let expired = tokio::task::spawn_blocking(move || {
            if let Some(before) = before {
                store.expire_alerts(before)?;
            }
            store.expire_decisions(retention)
        });
        match expired.await {
            Ok(Ok(gone)) if gone.decisions > 0 => tracing::info!(gone.decisions, gone.bytes, "old decisions went"),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, code = error.code(), "old decisions stay"),
            Err(error) => tracing::error!(%error, "old decisions stay"),
        }
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router, mut stopped: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
            Some(_) = tasks.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors: others must close first.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        // Too many: the connection is closed at once, which the API server treats as a failed webhook.
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
        let (acceptor, router, stopped) = (acceptor.clone(), router.clone(), stopped.clone());
        tasks.spawn(async move {
            connection(stream, acceptor, router, stopped).await;
            drop(permit);
        });
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, router: Router, mut stopped: watch::Receiver<bool>) {
    // Answers are small, and the API server waits for each.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(READ_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            changed = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn router(admissions: Arc<Admissions>, mutate: bool) -> Router {
    let mut router = Router::new()
        .route("/validate", post(validate))
        .route("/kinds/validate", post(validate_kinds))
        .route("/kinds/record", post(record_kinds))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    if mutate {
        router = router.route("/mutate", post(mutate_pods));
    }
    router.with_state(admissions)
}

/// What the API server adds to the address.
#[derive(serde::Deserialize)]
struct Call {
    timeout: Option<String>,
}

async fn validate(State(admissions): State<Arc<Admissions>>, Query(call): Query<Call>, request: Request) -> Response {
    answer(&admissions, Webhook::Validating, call, request).await
}

async fn mutate_pods(
    State(admissions): State<Arc<Admissions>>,
    Query(call): Query<Call>,
    request: Request,
) -> Response {
    answer(&admissions, Webhook::Mutating, call, request).await
}

async fn validate_kinds(State(admissions): State<Arc<Admissions>>, request: Request) -> Response {
    answer_kinds(&admissions, request, Kinds::validate).await
}

async fn record_kinds(State(admissions): State<Arc<Admissions>>, request: Request) -> Response {
    answer_kinds(&admissions, request, Kinds::record).await
}

async fn answer_kinds(admissions: &Admissions, request: Request, ask: fn(&Kinds, &[u8]) -> Answer) -> Response {
    let Some(kinds) = admissions.kinds.get() else {
        return failed(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "this server follows no cluster");
    };
    match body(request).await {
        Ok(body) => send(ask(kinds, &body)),
        Err(response) => response,
    }
}

async fn answer(admissions: &Admissions, webhook: Webhook, call: Call, request: Request) -> Response {
    match body(request).await {
        Ok(body) => send(admissions.answer(webhook, &body, call.timeout.as_deref()).await),
        Err(response) => response,
    }
}

async fn body(request: Request) -> Result<Bytes, Response> {
    match tokio::time::timeout(READ_TIMEOUT, to_bytes(request.into_body(), BODY_MAX)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            let message = format!("the body cannot be read: {error}; at most {} bytes are", BODY_MAX - 1);
            Err(failed(StatusCode::PAYLOAD_TOO_LARGE, "review-too-large", &message))
        }
        Err(_) => Err(failed(StatusCode::REQUEST_TIMEOUT, "review-too-slow", "the body took more than 10 s")),
    }
}

fn send(answer: Answer) -> Response {
    match answer {
        Answer::Review(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Answer::Failed { status, code, message } => {
            failed(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, &message)
        }
    }
}

fn failed(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = serde_json::json!({"code": code, "message": message}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

async fn ready(State(admissions): State<Arc<Admissions>>) -> Response {
    if admissions.is_ready() {
        return "ready\n".into_response();
    }
    failed(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "no policy is loaded")
}

async fn metrics(State(admissions): State<Arc<Admissions>>) -> Response {
    let loaded = i64::from(admissions.is_ready());
    admissions.metrics.policy_loaded.set(loaded);
    admissions.metrics.age.tell((admissions.clock)(), admissions.facts.data_until());
    admissions.metrics.waiting.set(i64::try_from(admissions.log.waiting()).unwrap_or(i64::MAX));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admissions.metrics.encode()).into_response()
}
