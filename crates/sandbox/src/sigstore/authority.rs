//! All services of one instance behind one handle.

use std::sync::{Arc, Mutex, PoisonError};

use assay_model::Timestamp;
use assay_sign::{IdentityToken, Service, Services, SignError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificates::CertificateAuthority;
use super::key::Key;
use super::log::{Log, ORIGIN};
use super::timestamp::TimestampAuthority;
use super::{Clock, Identity, fulcio, rekor};

/// Life of a signing certificate, as Fulcio gives it.
const CERTIFICATE_LIFE: i64 = 600;

/// What goes wrong on purpose until it is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Certificates had expired ten minutes ago when they are issued.
    ExpiredCertificate,
    /// The log answers with the entry of another signature.
    EntryForAnotherSignature,
    /// The log signs checkpoint and promise with a key that the trusted root does not name.
    WrongLogKey,
    /// The timestamp says one hour later: after the certificate expired.
    LateTimestamp,
    /// Certificates carry an SCT of a log that the trusted root does not name.
    WrongCertificateLogKey,
}

/// An answer that is a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Why.
    pub message: String,
}

impl Refusal {
    pub(super) fn internal(message: &str) -> Self {
        Self { status: 500, message: message.to_owned() }
    }

    pub(super) fn request(message: &str) -> Self {
        Self { status: 400, message: message.to_owned() }
    }
}

/// A Sigstore instance in memory. Clones share everything.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    clock: Clock,
    oidc: Key,
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    certificate_log: Key,
    /// A key that the trusted root does not name.
    stranger: Key,
    timestamps: TimestampAuthority,
    state: Mutex<State>,
}

struct State {
    log: Log,
    fault: Option<Fault>,
    serial: u64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("clock", &self.0.clock).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new instance with new keys, whose clock shows `now`.
    ///
    /// # Panics
    /// If the system gives no randomness for its keys.
    pub fn new(now: Timestamp) -> Self {
        #[expect(clippy::expect_used, reason = "a test double that cannot make keys has no test to serve")]
        let inner = Inner::new(Clock::new(now)).expect("keys of the sandbox");
        Self(Arc::new(inner))
    }

    /// The clock of all services.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Turns a fault on, or all off.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state(|state| state.fault = fault);
    }

    /// Mints a token for an identity, valid for five minutes.
    pub fn token(&self, identity: &Identity) -> Result<IdentityToken, SignError> {
        self.token_text(identity)
            .map_err(|refusal| SignError::Token { reason: refusal.message })
            .and_then(|text| IdentityToken::new(&text))
    }

    /// The same token as text.
    pub fn token_text(&self, identity: &Identity) -> Result<String, Refusal> {
        fulcio::token(&self.0.oidc, identity, self.0.clock.seconds())
    }

    /// The issuer's JSON Web Key Set.
    pub fn key_set(&self) -> Value {
        fulcio::key_set(&self.0.oidc)
    }

    /// The services within the process, for [`assay_sign::KeylessSigner`].
    pub fn services(&self) -> Local {
        Local(self.clone())
    }

    /// Answers a service's request.
    pub fn answer(&self, service: Service, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        match service {
            Service::Fulcio => self.certificate(body),
            Service::Rekor => self.log(body),
            Service::Timestamp => self.timestamp(body),
        }
    }

    fn certificate(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let inner = &*self.0;
        let now = inner.clock.seconds();
        let (identity, key) = fulcio::check(body, &inner.oidc, now)?;
        let (serial, fault) = self.next();
        let from = if fault == Some(Fault::ExpiredCertificate) { now - 2 * CERTIFICATE_LIFE } else { now };
        let log = if fault == Some(Fault::WrongCertificateLogKey) { &inner.stranger } else { &inner.certificate_log };
        let validity = (from, from + CERTIFICATE_LIFE);
        let leaf = inner.intermediate.signing(&identity, &key, serial, validity, (log, from))?;
        let chain = [&leaf, &inner.intermediate.der, &inner.root.der];
        let chain: Vec<String> = chain.into_iter().map(|der| pem(der)).collect();
        answer(&json!({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}))
    }

    fn log(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let inner = &*self.0;
        let (_, fault) = self.next();
        let other = match fault {
            Some(Fault::EntryForAnotherSignature) => Some(inner.stranger.sign(b"another")?),
            _ => None,
        };
        let canonical = rekor::canonical(body, other.as_deref())?;
        let signer = (fault == Some(Fault::WrongLogKey)).then_some(&inner.stranger);
        let (id, entry) = self.state(|state| state.log.append(&canonical, &inner.clock, signer))?;
        let entry = serde_json::to_value(entry).map_err(|error| Refusal::internal(&error.to_string()))?;
        answer(&Value::Object([(id, entry)].into_iter().collect()))
    }

    fn timestamp(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (serial, fault) = self.next();
        let late = if fault == Some(Fault::LateTimestamp) { 3600 } else { 0 };
        self.0.timestamps.respond(body, serial, self.0.clock.seconds() + late)
    }

    /// The trusted root of this instance (sigstore/protobuf-specs, `sigstore_trustroot.proto`).
    pub fn trusted_root_json(&self) -> Vec<u8> {
        let inner = &*self.0;
        let from = "2020-01-01T00:00:00Z";
        let certificates = |chain: &[&[u8]]| -> Vec<Value> {
            chain.iter().map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect()
        };
        let log = |url: &str, key: &Key| {
            json!({
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": STANDARD.encode(key.spki()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": from},
                },
                "logId": {"keyId": STANDARD.encode(key.id().as_bytes())},
            })
        };
        let rekor = self.state(|state| log("https://rekor.sandbox.assay.dev", &state.log.key));
        let name = |name: &str| json!({"organization": "assay sandbox", "commonName": name});
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [rekor],
            "certificateAuthorities": [{
                "subject": name("fulcio root"),
                "uri": "https://fulcio.sandbox.assay.dev",
                "certChain": {"certificates": certificates(&[&inner.intermediate.der, &inner.root.der])},
                "validFor": {"start": from},
            }],
            "ctlogs": [log("https://ctlog.sandbox.assay.dev", &inner.certificate_log)],
            "timestampAuthorities": [{
                "subject": name("timestamp authority"),
                "uri": "https://timestamp.sandbox.assay.dev",
                "certChain": {"certificates": certificates(&inner.timestamps.chain())},
                "validFor": {"start": from},
            }],
        });
        root.to_string().into_bytes()
    }

    /// The name of its transparency log in checkpoints.
    pub fn log_origin(&self) -> &'static str {
        ORIGIN
    }

    fn next(&self) -> (u64, Option<Fault>) {
        self.state(|state| {
            state.serial += 1;
            (state.serial, state.fault)
        })
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn new(clock: Clock) -> Result<Self, Refusal> {
        let root = CertificateAuthority::root("fulcio root")?;
        let intermediate = root.intermediate("fulcio intermediate")?;
        Ok(Self {
            clock,
            oidc: Key::generate()?,
            root,
            intermediate,
            certificate_log: Key::generate()?,
            stranger: Key::generate()?,
            timestamps: TimestampAuthority::new()?,
            state: Mutex::new(State { log: Log::new()?, fault: None, serial: 16 }),
        })
    }
}

/// The services of an [`Authority`] without sockets.
#[derive(Clone, Debug)]
pub struct Local(Authority);

impl Services for Local {
    fn has(&self, _service: Service) -> bool {
        true
    }

    async fn post(&self, service: Service, body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        self.0.answer(service, &body).map_err(|refusal| SignError::Refused {
            service,
            status: refusal.status,
            message: refusal.message,
        })
    }
}

fn pem(der: &[u8]) -> String {
    x509_cert::der::pem::encode_string("CERTIFICATE", x509_cert::der::pem::LineEnding::LF, der).unwrap_or_default()
}

fn answer(value: &Value) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| Refusal::internal(&error.to_string()))
}
