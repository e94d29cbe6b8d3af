//! The certificate log: it signs a timestamp for every certificate that it is shown (RFC 6962, sections 3.2 and 4).
//!
//! The SCTs are real; the log keeps no tree, since nobody who verifies a signature asks for a proof.

use assay_model::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use const_oid::db::rfc6962::CT_PRECERT_POISON;
use serde::Deserialize;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use super::Refusal;
use super::key::Key;

/// SHA-256 with ECDSA (RFC 5246, section 7.4.1.4.1).
const ECDSA_SHA256: [u8; 2] = [4, 3];

/// What an SCT is made over.
pub(super) enum Entry {
    /// A whole certificate.
    Certificate(Vec<u8>),
    /// A certificate before it was signed with its SCT.
    Precertificate {
        /// SHA-256 of the issuer's SubjectPublicKeyInfo.
        issuer: Digest,
        /// DER of the TBSCertificate without the poison and without the list of SCTs.
        to_be_signed: Vec<u8>,
    },
}

/// A signed certificate timestamp, version 1.
pub(super) struct Sct {
    log: Digest,
    milliseconds: u64,
    /// The TLS structure `DigitallySigned`: algorithm, length, signature.
    signature: Vec<u8>,
}

impl Sct {
    /// A list of this one in TLS encoding, as certificates carry it (section 3.3).
    pub(super) fn list(&self) -> Result<Vec<u8>, Refusal> {
        let mut sct = vec![0];
        sct.extend(self.log.as_bytes());
        sct.extend(self.milliseconds.to_be_bytes());
        // No extensions.
        sct.extend([0, 0]);
        sct.extend_from_slice(&self.signature);
        length_prefixed(&length_prefixed(&sct)?)
    }

    /// The answer of `add-chain` and `add-pre-chain` (sections 4.1 and 4.2).
    fn answer(&self) -> Value {
        json!({
            "sct_version": 0,
            "id": STANDARD.encode(self.log.as_bytes()),
            "timestamp": self.milliseconds,
            "extensions": "",
            "signature": STANDARD.encode(&self.signature),
        })
    }
}

/// Signs for an entry at a time in seconds (section 3.2).
pub(super) fn sign(log: &Key, at: i64, entry: &Entry) -> Result<Sct, Refusal> {
    let milliseconds = u64::try_from(at).map_err(refuse)?.saturating_mul(1000);
    // Version 1, certificate timestamp, time, kind of entry, entry, no extensions.
    let mut signed = vec![0, 0];
    signed.extend(milliseconds.to_be_bytes());
    let certificate = match entry {
        Entry::Certificate(certificate) => {
            signed.extend([0, 0]);
            certificate
        }
        Entry::Precertificate { issuer, to_be_signed } => {
            signed.extend([0, 1]);
            signed.extend(issuer.as_bytes());
            to_be_signed
        }
    };
    let length = u32::try_from(certificate.len()).map_err(refuse)?.to_be_bytes();
    signed.extend(length.iter().skip(1));
    signed.extend(certificate);
    signed.extend([0, 0]);
    let mut signature = ECDSA_SHA256.to_vec();
    signature.extend(length_prefixed(&log.sign(&signed)?)?);
    Ok(Sct { log: log.id(), milliseconds, signature })
}

#[derive(Deserialize)]
struct Submission {
    chain: Vec<String>,
}

/// Answers `add-chain` or, of precertificates, `add-pre-chain`.
pub(super) fn add(log: &Key, at: i64, body: &[u8], pre: bool) -> Result<Value, Refusal> {
    let submission: Submission = serde_json::from_slice(body).map_err(bad)?;
    let chain = submission.chain.iter().map(|text| STANDARD.decode(text).map_err(bad));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let first = chain.first().ok_or_else(|| bad("the chain is empty"))?;
    let mut certificate = Certificate::from_der(first).map_err(bad)?;
    let extensions = certificate.tbs_certificate.extensions.take().unwrap_or_default();
    let (poison, rest): (Vec<_>, Vec<_>) =
        extensions.into_iter().partition(|extension| extension.extn_id == CT_PRECERT_POISON);
    if poison.is_empty() == pre {
        return Err(bad(if pre { "a precertificate carries the poison extension" } else { "it is a precertificate" }));
    }
    let entry = if pre {
        let issuer = chain.get(1).ok_or_else(|| bad("the issuer of a precertificate is needed"))?;
        let issuer = Certificate::from_der(issuer).map_err(bad)?;
        let issuer = issuer.tbs_certificate.subject_public_key_info.to_der().map_err(bad)?;
        certificate.tbs_certificate.extensions = (!rest.is_empty()).then_some(rest);
        let to_be_signed = certificate.tbs_certificate.to_der().map_err(bad)?;
        Entry::Precertificate { issuer: Digest::of(&issuer), to_be_signed }
    } else {
        Entry::Certificate(first.clone())
    };
    sign(log, at, &entry).map(|sct| sct.answer())
}

fn length_prefixed(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = u16::try_from(bytes.len()).map_err(refuse)?.to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    Ok(out)
}

fn refuse(error: impl std::fmt::Display) -> Refusal {
    Refusal::internal(&error.to_string())
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::request(&error.to_string())
}
