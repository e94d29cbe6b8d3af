//! Trusted roots (sigstore/protobuf-specs, `sigstore_trustroot.proto`), parsed and checked once.

use assay_model::{Digest, Timestamp};
use serde::Deserialize;

use super::json::{self, Base64};
use super::log::Log;
use crate::MaterialError;
use crate::crypto::{PublicKey, SignatureError};
use crate::timestamp::TimestampAuthority;
use crate::x509::{Anchor, Certificate, X509Error, check_authorities};

/// The roots that are compiled in, see `data/roots/SOURCE`.
pub(crate) const PUBLIC_GOOD: &str = include_str!("../../data/roots/public-good.json");
/// Sigstore's staging instance.
pub(crate) const STAGING: &str = include_str!("../../data/roots/staging.json");
/// GitHub's own instance, which signs attestations of private repositories.
pub(crate) const GITHUB: &str = include_str!("../../data/roots/github.json");

/// Logs, authorities and certificates of one root.
const PARTS_MAX: usize = 64;

/// A parsed trusted root.
#[derive(Debug)]
pub(crate) struct Root {
    digest: Digest,
    pub(super) logs: Vec<Log>,
    pub(super) certificate_logs: Vec<Log>,
    /// Every certificate of every authority: those above an intermediate were verified when the root was parsed.
    pub(super) anchors: Vec<Anchor>,
    pub(super) timestamp_authorities: Vec<TimestampAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    #[serde(default, deserialize_with = "json::list")]
    tlogs: Vec<LogDocument>,
    #[serde(default, deserialize_with = "json::list")]
    ctlogs: Vec<LogDocument>,
    #[serde(default, deserialize_with = "json::list")]
    certificate_authorities: Vec<AuthorityDocument>,
    #[serde(default, deserialize_with = "json::list")]
    timestamp_authorities: Vec<AuthorityDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogDocument {
    public_key: KeyDocument,
    #[serde(default)]
    log_id: Option<LogId>,
    #[serde(default)]
    checkpoint_key_id: Option<LogId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyDocument {
    raw_bytes: Base64,
    #[serde(default)]
    key_details: String,
    #[serde(default)]
    valid_for: Option<Window>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityDocument {
    cert_chain: Chain,
    #[serde(default)]
    valid_for: Option<Window>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<CertificateDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateDocument {
    raw_bytes: Base64,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Window {
    #[serde(default)]
    start: Option<Timestamp>,
    #[serde(default)]
    end: Option<Timestamp>,
}

impl Root {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, MaterialError> {
        let document: Document = serde_json::from_slice(json).map_err(|error| refuse(&error))?;
        if !document.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            return Err(refuse(&format_args!("its media type is `{}`", document.media_type)));
        }
        let mut anchors = Vec::new();
        for authority in &document.certificate_authorities {
            let window = window(authority.valid_for)?;
            let chain = chain(authority)?;
            check_authorities(&chain).map_err(|error| refuse(&error))?;
            // A certificate of the chain counts while all above it do.
            let mut above = window;
            for certificate in chain.into_iter().rev() {
                let (from, until) = above;
                let (start, end) = (certificate.not_before(), certificate.not_after());
                above =
                    (Some(from.map_or(start, |from| from.max(start))), Some(until.map_or(end, |until| until.min(end))));
                anchors.push(Anchor::new(certificate).within(from, until));
            }
        }
        let mut timestamp_authorities = Vec::new();
        for authority in &document.timestamp_authorities {
            let (from, until) = window(authority.valid_for)?;
            let chain = chain(authority)?;
            let parsed = TimestampAuthority::of_chain(chain, from, until).map_err(|error| refuse(&error))?;
            timestamp_authorities.push(parsed);
        }
        let (logs, certificate_logs) = (logs(&document.tlogs)?, logs(&document.ctlogs)?);
        let parts = [logs.len(), certificate_logs.len(), anchors.len(), timestamp_authorities.len()];
        if parts.iter().any(|count| *count > PARTS_MAX) {
            return Err(MaterialError::TooLarge { what: "logs or authorities of a trusted root", limit: PARTS_MAX });
        }
        Ok(Self { digest: Digest::of(json), logs, certificate_logs, anchors, timestamp_authorities })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it names the issuer of one of these certificates.
    pub(super) fn issued(&self, certificates: &[Certificate]) -> bool {
        let names = |issuer: &[u8]| self.anchors.iter().any(|anchor| anchor.certificate().subject() == issuer);
        certificates.iter().any(|certificate| names(certificate.issuer()))
    }
}

fn refuse(reason: &dyn std::fmt::Display) -> MaterialError {
    MaterialError::Root { reason: reason.to_string() }
}

fn window(window: Option<Window>) -> Result<(Option<Timestamp>, Option<Timestamp>), MaterialError> {
    let Window { start, end } = window.unwrap_or_default();
    match (start, end) {
        (Some(start), Some(end)) if end < start => Err(refuse(&"a validity ends before it begins")),
        window => Ok(window),
    }
}

fn chain(authority: &AuthorityDocument) -> Result<Vec<Certificate>, MaterialError> {
    let certificates = authority.cert_chain.certificates.iter().map(|entry| Certificate::parse(&entry.raw_bytes.0));
    certificates.collect::<Result<_, X509Error>>().map_err(|error| refuse(&error))
}

fn logs(documents: &[LogDocument]) -> Result<Vec<Log>, MaterialError> {
    let mut logs = Vec::new();
    for document in documents {
        let (from, until) = window(document.public_key.valid_for)?;
        let KeyDocument { raw_bytes, key_details, .. } = &document.public_key;
        let older_form = key_details.starts_with("PKCS1_");
        let key = if older_form { PublicKey::from_pkcs1(&raw_bytes.0) } else { PublicKey::from_spki(&raw_bytes.0) };
        let key = match key {
            Ok(key) => key,
            // A log with a key of a kind to come vouches for nothing here, and does not spoil the others.
            Err(SignatureError::Unsupported { .. }) => continue,
            Err(error) => return Err(refuse(&error)),
        };
        let stated = document.log_id.as_ref().or(document.checkpoint_key_id.as_ref()).map(|id| id.key_id.0.clone());
        let id = stated.filter(|id| id.len() >= 4).unwrap_or_else(|| key.fingerprint().as_bytes().to_vec());
        logs.push(Log { id, key, from, until });
    }
    Ok(logs)
}
