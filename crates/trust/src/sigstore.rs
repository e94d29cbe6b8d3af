//! Signatures of the Sigstore family, whatever format they come in.
//!
//! Every format (bundle, DSSE envelope, cosign's annotations and blob bundles) is read into [`Parts`]; `proof` verifies
//! these against [`crate::TrustMaterial`]. What each file knows:
//!
//! - `bundle`, `envelope`, `cosign`: the formats.
//! - `entry`, `body`: a log entry, and whose signature it is.
//! - `log`, `checkpoint` (and [`crate::merkle`]): that it is in a log of a trusted root.
//! - `fulcio`, `sct`: what a certificate says, and that it was logged.
//! - `root`: trusted roots.

pub(crate) mod body;
pub(crate) mod bundle;
mod checkpoint;
pub(crate) mod cosign;
pub(crate) mod document;
pub(crate) mod entry;
pub(crate) mod envelope;
pub(crate) mod fulcio;
mod json;
mod log;
pub(crate) mod proof;
pub(crate) mod root;
mod sct;

use crate::crypto::HashAlgorithm;
use crate::x509::{Certificate, X509Error};
use crate::{Artifact, VerifyError};

use entry::LogEntry;

/// Largest document read: attested SBOMs reach some ten megabytes.
pub(crate) const DOCUMENT_MAX: usize = 32 << 20;

/// Log entries, timestamps, certificates and signatures of one document: each costs one or more signature checks.
pub(crate) const ENTRIES_MAX: usize = 8;

/// The parts of a signature, read and not verified.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The signature's bytes.
    pub(crate) signature: Vec<u8>,
    /// What it is over.
    pub(crate) content: Content<'a>,
    /// Who is said to have made it.
    pub(crate) signer: Signatory,
    /// Log entries.
    pub(crate) entries: Vec<LogEntry>,
    /// RFC 3161 timestamps over the signature.
    pub(crate) timestamps: Vec<Vec<u8>>,
    /// Whether an entry without an inclusion proof counts.
    pub(crate) proof: ProofRule,
}

/// What a signature is over.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// The artifact itself (or cosign's payload about it).
    Message {
        /// What was signed.
        artifact: Artifact<'a>,
        /// The hash that the document says was signed; a hint that must not be wrong.
        stated: Option<(HashAlgorithm, Vec<u8>)>,
    },
    /// A DSSE envelope.
    Envelope {
        /// The payload type.
        payload_type: String,
        /// The payload.
        payload: Vec<u8>,
        /// What is signed: [`crate::pae`] of both.
        encoded: Vec<u8>,
        /// The envelope's own bytes, where they are at hand: entries of kind intoto 0.0.1 hold nothing but their hash.
        document: Option<&'a [u8]>,
    },
}

/// Who is said to have signed.
#[derive(Debug)]
pub(crate) enum Signatory {
    /// The holder of the first certificate's key; the others may help to find the path to an authority.
    Certificates(Vec<Certificate>),
    /// The holder of a key that is known beforehand.
    Key {
        /// Which, in the document's words. Proves nothing.
        hint: String,
    },
}

/// What a log entry must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProofRule {
    /// An inclusion proof with a checkpoint (bundles since version 0.2).
    Inclusion,
    /// The log's promise (bundle version 0.1, cosign's annotations); an inclusion proof may stand beside it.
    Promise,
    /// Either of both.
    Either,
}

pub(crate) fn bound(what: &'static str, found: usize, limit: usize) -> Result<(), VerifyError> {
    if found > limit { Err(VerifyError::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// A certificate of a document.
pub(crate) fn certificate(der: &[u8]) -> Result<Certificate, VerifyError> {
    Certificate::parse(der).map_err(unreadable)
}

/// Certificates of a document, PEM.
pub(crate) fn certificates(pem: &str) -> Result<Vec<Certificate>, VerifyError> {
    Certificate::parse_pem(pem, ENTRIES_MAX).map_err(unreadable)
}

fn unreadable(error: X509Error) -> VerifyError {
    match error {
        X509Error::Unsupported { what } => VerifyError::Unsupported { what },
        X509Error::TooMany { what, limit } => VerifyError::TooLarge { what, found: limit + 1, limit },
        other => VerifyError::Malformed { part: "certificate", reason: other.to_string() },
    }
}
