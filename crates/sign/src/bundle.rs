//! Sigstore bundles, version 0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`, in its JSON form).

use assay_model::Digest;
use assay_trust::IN_TOTO_PAYLOAD_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::rekor::LogEntry;
use crate::{SignError, Statement};

/// The media type of bundles that are written.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A signed statement as a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBundle {
    bytes: Vec<u8>,
    predicate_type: String,
    subject: Digest,
}

impl SignedBundle {
    /// The bundle's JSON.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest that it is about.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// The predicate type of its statement.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }
}

/// A signed message as a bundle: a file with its signature beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessage {
    bytes: Vec<u8>,
    digest: Digest,
}

impl SignedMessage {
    /// The bundle's JSON.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the message.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// What a bundle carries beside what is signed.
pub(crate) struct Material {
    pub(crate) signer: SignerMaterial,
    pub(crate) entries: Vec<LogEntry>,
    /// RFC 3161 responses, DER.
    pub(crate) timestamps: Vec<Vec<u8>>,
}

pub(crate) enum SignerMaterial {
    /// The leaf certificate, DER.
    Certificate(Vec<u8>),
    /// SHA-256 of the public key's DER.
    Key(Digest),
}

/// A DSSE envelope of one signature.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    payload: String,
    payload_type: &'static str,
    signatures: [Signature; 1],
}

#[derive(Serialize)]
struct Signature {
    sig: String,
}

impl Envelope {
    pub(crate) fn new(payload: &[u8], signature: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: IN_TOTO_PAYLOAD_TYPE,
            signatures: [Signature { sig: STANDARD.encode(signature) }],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    media_type: &'static str,
    verification_material: WireMaterial<'a>,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Content {
    DsseEnvelope(Envelope),
    MessageSignature(MessageSignature),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Serialize)]
struct MessageDigest {
    algorithm: &'static str,
    digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMaterial<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<PublicKey>,
    tlog_entries: &'a [LogEntry],
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<TimestampData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Serialize)]
struct PublicKey {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimestampData {
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: String,
}

/// Puts the bundle of a statement together.
pub(crate) fn assemble(
    statement: &Statement,
    envelope: Envelope,
    material: Material,
) -> Result<SignedBundle, SignError> {
    let bytes = write(Content::DsseEnvelope(envelope), material)?;
    Ok(SignedBundle { bytes, predicate_type: statement.predicate_type().to_owned(), subject: statement.subject() })
}

/// Puts the bundle of a message together. The digest only names the message to readers; the signature is over the message.
pub(crate) fn assemble_message(
    message: &[u8],
    signature: &[u8],
    material: Material,
) -> Result<SignedMessage, SignError> {
    let digest = Digest::of(message);
    let content = MessageSignature {
        message_digest: MessageDigest { algorithm: "SHA2_256", digest: STANDARD.encode(digest.as_bytes()) },
        signature: STANDARD.encode(signature),
    };
    Ok(SignedMessage { bytes: write(Content::MessageSignature(content), material)?, digest })
}

fn write(content: Content, material: Material) -> Result<Vec<u8>, SignError> {
    let (certificate, public_key) = match material.signer {
        SignerMaterial::Certificate(der) => (Some(RawBytes { raw_bytes: STANDARD.encode(der) }), None),
        // sigstore-go and cosign write the base64 of the key's SHA-256.
        SignerMaterial::Key(fingerprint) => (None, Some(PublicKey { hint: STANDARD.encode(fingerprint.as_bytes()) })),
    };
    let timestamps: Vec<_> = material
        .timestamps
        .iter()
        .map(|response| SignedTimestamp { signed_timestamp: STANDARD.encode(response) })
        .collect();
    let wire = Wire {
        media_type: BUNDLE_MEDIA_TYPE,
        verification_material: WireMaterial {
            certificate,
            public_key,
            tlog_entries: &material.entries,
            timestamp_verification_data: (!timestamps.is_empty())
                .then_some(TimestampData { rfc3161_timestamps: timestamps }),
        },
        content,
    };
    serde_json::to_vec(&wire).map_err(|error| SignError::Encode { reason: error.to_string() })
}
