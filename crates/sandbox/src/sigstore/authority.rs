//! All services of one instance behind one handle.

use std::sync::{Arc, Mutex, PoisonError};

use assay_model::Timestamp;
use assay_sign::{IdentityToken, Service, Services, SignError};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};

use super::certificates::{CertificateAuthority, Covered, Wanted};
use super::fault::{Fault, Faults};
use super::issuer::{self, Devices};
use super::key::{Key, KeyKind};
use super::log::Log;
use super::timestamp::{TimestampAuthority, Usage};
use super::{Clock, Identity, certificate_log, fulcio, rekor_v1, rekor_v2, root, tiles};

/// Life of a signing certificate, as Fulcio gives it.
const CERTIFICATE_LIFE: i64 = 600;
/// By how much early and late timestamps are off, in seconds.
const OFF: i64 = 3600;
/// The origin of the log of version 1: a host and the number of the tree.
const ORIGIN_V1: &str = "rekor.sandbox.assay.dev - 1";
/// The origin of the log of version 2: the host of its address in the trusted root (sigstore/rekor-tiles, `CLIENTS.md`).
const ORIGIN_V2: &str = "log2026-1.rekor.sandbox.assay.dev";

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

/// Which keys the services of an instance have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityOptions {
    /// The key of the log of version 2. The log of version 1 has an ECDSA key.
    pub log: KeyKind,
    /// The key of the timestamp authority.
    pub timestamp: KeyKind,
}

impl Default for AuthorityOptions {
    /// As the public-good instance has them.
    fn default() -> Self {
        Self { log: KeyKind::Ed25519, timestamp: KeyKind::EcdsaP256 }
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
    /// Not in the trusted root.
    foreign: CertificateAuthority,
    /// Not in the trusted root, with the intermediate's name.
    impostor: CertificateAuthority,
    certificate_log: Key,
    /// A key that the trusted root does not name.
    stranger: Key,
    timestamps: TimestampAuthority,
    retired_timestamps: TimestampAuthority,
    state: Mutex<State>,
}

struct State {
    log_v1: Log,
    log_v2: Log,
    faults: Faults,
    serial: u64,
    devices: Devices,
    workflow: Option<Identity>,
    /// Chains of other authorities that the trusted root names too, leaf first, DER.
    trusted_chains: Vec<Vec<Vec<u8>>>,
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
        Self::with(now, AuthorityOptions::default())
    }

    /// A new instance with keys of these kinds.
    ///
    /// # Panics
    /// If the system gives no randomness for its keys.
    pub fn with(now: Timestamp, options: AuthorityOptions) -> Self {
        #[expect(clippy::expect_used, reason = "a test double that cannot make keys has no test to serve")]
        let inner = Inner::new(Clock::new(now), options).expect("keys of the sandbox");
        Self(Arc::new(inner))
    }

    /// The clock of all services.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Turns one fault on and all others off, or all off.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.set_faults(fault.as_slice());
    }

    /// Turns these faults on and all others off.
    pub fn set_faults(&self, faults: &[Fault]) {
        self.state(|state| state.faults = Faults::of(faults));
    }

    /// Mints a token for an identity, valid for five minutes.
    pub fn token(&self, identity: &Identity) -> Result<IdentityToken, SignError> {
        self.token_text(identity)
            .map_err(|refusal| SignError::Token { reason: refusal.message })
            .and_then(|text| IdentityToken::new(&text))
    }

    /// The same token as text.
    pub fn token_text(&self, identity: &Identity) -> Result<String, Refusal> {
        self.token_for(identity, issuer::AUDIENCE)
    }

    /// A token for another audience than Sigstore.
    pub fn token_for(&self, identity: &Identity, audience: &str) -> Result<String, Refusal> {
        issuer::token(&self.0.oidc, identity, audience, self.0.clock.seconds())
    }

    /// The issuer's JSON Web Key Set.
    pub fn key_set(&self) -> Value {
        issuer::key_set(&self.0.oidc)
    }

    /// The workflow that the token endpoint of CI jobs (`/ci/token`) speaks for; none at first.
    pub fn set_workflow(&self, identity: Option<Identity>) {
        self.state(|state| state.workflow = identity);
    }

    /// Says yes to the device that shows `user_code`, in the name of a person. False: no device waits under this code.
    pub fn approve_device(&self, user_code: &str, person: &Identity) -> bool {
        self.state(|state| state.devices.approve(user_code, person))
    }

    pub(super) fn begin_device(&self, url: &str) -> Value {
        self.state(|state| state.devices.begin(url))
    }

    pub(super) fn redeem_device(&self, form: &[(String, String)]) -> Result<Identity, &'static str> {
        self.state(|state| state.devices.redeem(form))
    }

    pub(super) fn workflow(&self) -> Option<Identity> {
        self.state(|state| state.workflow.clone())
    }

    /// The services within the process, for [`assay_sign::KeylessSigner`].
    pub fn services(&self) -> Local {
        Local(self.clone())
    }

    /// Answers a service's request.
    pub fn answer(&self, service: Service, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        match service {
            Service::Fulcio => self.certificate(body),
            Service::Rekor => self.log_v1(body),
            Service::RekorV2 => self.log_v2(body),
            Service::Timestamp => self.timestamp(body),
        }
    }

    fn certificate(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let inner = &*self.0;
        let now = inner.clock.seconds();
        let (mut identity, key) = fulcio::check(body, &inner.oidc, now)?;
        let (serial, faults) = self.next();
        if faults.has(Fault::EmptyIssuer) {
            identity.issuer.clear();
        }
        let from = if faults.has(Fault::ExpiredCertificate) { now - 2 * CERTIFICATE_LIFE } else { now };
        let log = if faults.has(Fault::WrongCertificateLogKey) { &inner.stranger } else { &inner.certificate_log };
        let covered = if faults.has(Fault::SctOverOtherBytes) { Covered::OtherBytes } else { Covered::Certificate };
        let wanted = Wanted {
            identity: &identity,
            serial,
            validity: (from, from + CERTIFICATE_LIFE),
            usage: if faults.has(Fault::WrongKeyUsage) {
                ExtendedKeyUsagePurpose::ServerAuth
            } else {
                ExtendedKeyUsagePurpose::CodeSigning
            },
            sct: (!faults.has(Fault::NoSct)).then_some((log, covered)),
        };
        let authority = if faults.has(Fault::UnknownAuthority) {
            &inner.foreign
        } else if faults.has(Fault::ImpostorAuthority) {
            &inner.impostor
        } else {
            &inner.intermediate
        };
        let leaf = authority.signing(&wanted, &key)?;
        let chain = [&leaf, &authority.der, &inner.root.der];
        let chain: Vec<String> = chain.into_iter().map(|der| pem("CERTIFICATE", der)).collect();
        encode(&json!({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}))
    }

    /// Answers Rekor version 1 (`POST /api/v1/log/entries`).
    pub fn log_v1(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let now = self.0.clock.seconds();
        let entry =
            self.state(|state| rekor_v1::append(body, (&mut state.log_v1, &state.log_v2), now, &state.faults))?;
        encode(&entry)
    }

    /// Answers Rekor version 2 (`POST /api/v2/log/entries`).
    pub fn log_v2(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let entry = self.state(|state| rekor_v2::append(body, (&mut state.log_v2, &state.log_v1), &state.faults))?;
        encode(&entry)
    }

    /// What the log of version 2 has below `/api/v2/`: `checkpoint`, or a tile (C2SP `tlog-tiles`); none if there is no
    /// such tile.
    pub fn log_v2_read(&self, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
        self.state(|state| {
            let log = &state.log_v2;
            match path {
                "checkpoint" => log.checkpoint(&state.faults, &state.log_v1).map(|note| Some(note.into_bytes())),
                tile => tiles::read(tile, log.leaves(), log.entries()),
            }
        })
    }

    /// Answers the certificate log: `add-chain`, or `add-pre-chain` if `pre` (RFC 6962, section 4).
    pub fn certificate_log(&self, body: &[u8], pre: bool) -> Result<Vec<u8>, Refusal> {
        let faults = self.state(|state| state.faults.clone());
        let inner = &*self.0;
        let log = if faults.has(Fault::WrongCertificateLogKey) { &inner.stranger } else { &inner.certificate_log };
        encode(&certificate_log::add(log, inner.clock.seconds(), body, pre)?)
    }

    fn timestamp(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (serial, faults) = self.next();
        let inner = &*self.0;
        let retired = faults.has(Fault::RetiredTimestampAuthority);
        let authority = if retired { &inner.retired_timestamps } else { &inner.timestamps };
        let off = match (faults.has(Fault::LateTimestamp), faults.has(Fault::EarlyTimestamp)) {
            (true, _) => OFF,
            (false, true) => -OFF,
            (false, false) => 0,
        };
        let imprint = faults.has(Fault::TimestampOfAnotherSignature).then_some(&b"another signature"[..]);
        let usage = if faults.has(Fault::TimestampAuthorityWithoutUsage) { Usage::None } else { Usage::TimeStamping };
        authority.respond(body, (serial, inner.clock.seconds() + off), imprint, usage)
    }

    /// The trusted root of this instance (sigstore/protobuf-specs, `sigstore_trustroot.proto`).
    ///
    /// Beside what is in use it names a key of each log and a timestamp authority that ended on 2020-12-31: see
    /// [`Fault::RetiredLogKey`] and [`Fault::RetiredTimestampAuthority`].
    pub fn trusted_root_json(&self) -> Vec<u8> {
        let inner = &*self.0;
        self.state(|state| {
            let own = vec![inner.intermediate.der.clone(), inner.root.der.clone()];
            let chains: Vec<&[Vec<u8>]> =
                std::iter::once(own.as_slice()).chain(state.trusted_chains.iter().map(Vec::as_slice)).collect();
            root::trusted(&root::Parts {
                logs: [&state.log_v1, &state.log_v2],
                authorities: &chains,
                certificate_log: &inner.certificate_log,
                timestamps: &inner.timestamps,
                retired_timestamps: &inner.retired_timestamps,
            })
        })
        .to_string()
        .into_bytes()
    }

    /// Names another certificate authority in the trusted root from now on, such as a real Fulcio that uses this
    /// instance's logs: its chain, leaf first, DER.
    pub fn trust_authority(&self, chain: Vec<Vec<u8>>) {
        self.state(|state| state.trusted_chains.push(chain));
    }

    /// The public key of the certificate log as PEM, for a real Fulcio (`--ct-log-public-key-path`).
    pub fn certificate_log_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.certificate_log.spki())
    }

    /// The origin of the checkpoints of Rekor version 1.
    pub fn log_origin(&self) -> &'static str {
        self.state(|state| state.log_v1.origin())
    }

    /// The origin of the checkpoints of Rekor version 2.
    pub fn log_v2_origin(&self) -> &'static str {
        self.state(|state| state.log_v2.origin())
    }

    fn next(&self) -> (u64, Faults) {
        self.state(|state| {
            state.serial += 1;
            (state.serial, state.faults.clone())
        })
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn new(clock: Clock, options: AuthorityOptions) -> Result<Self, Refusal> {
        let root = CertificateAuthority::root("fulcio root")?;
        let intermediate = root.intermediate("fulcio intermediate")?;
        let foreign = CertificateAuthority::root("another root")?.intermediate("another intermediate")?;
        let impostor = CertificateAuthority::root("fulcio root")?.intermediate("fulcio intermediate")?;
        Ok(Self {
            clock,
            oidc: Key::generate()?,
            root,
            intermediate,
            foreign,
            impostor,
            certificate_log: Key::generate()?,
            stranger: Key::generate()?,
            timestamps: TimestampAuthority::new("timestamp authority", options.timestamp)?,
            retired_timestamps: TimestampAuthority::new("retired timestamp authority", options.timestamp)?,
            state: Mutex::new(State {
                log_v1: Log::new(ORIGIN_V1, KeyKind::EcdsaP256)?,
                log_v2: Log::new(ORIGIN_V2, options.log)?,
                faults: Faults::default(),
                serial: 16,
                devices: Devices::default(),
                workflow: None,
                trusted_chains: Vec::new(),
            }),
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

fn pem(label: &'static str, der: &[u8]) -> String {
    x509_cert::der::pem::encode_string(label, x509_cert::der::pem::LineEnding::LF, der).unwrap_or_default()
}

fn encode(value: &Value) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| Refusal::internal(&error.to_string()))
}
