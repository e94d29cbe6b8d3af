//! Sigstore bundles, versions 0.1 to 0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`).

use serde::Deserialize;

use super::entry::{EntryDocument, LogEntry};
use super::envelope::{Envelope, Signature};
use super::json::{self, Base64};
use super::{Content, DOCUMENT_MAX, ENTRIES_MAX, Parts, ProofRule, Signatory, bound, certificate};
use crate::crypto::HashAlgorithm;
use crate::{Artifact, VerifyError, pae};

const VERSION_0_1: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";

const LATER_VERSIONS: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "mediaType")]
    media_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    verification_material: Material,
    #[serde(default)]
    message_signature: Option<MessageSignature>,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    certificate: Option<RawBytes>,
    #[serde(default)]
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    public_key: Option<KeyHint>,
    #[serde(default, deserialize_with = "json::list")]
    tlog_entries: Vec<EntryDocument>,
    #[serde(default)]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: Base64,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    #[serde(default, deserialize_with = "json::list")]
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    #[serde(default)]
    message_digest: Option<MessageDigest>,
    signature: Base64,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: Base64,
}

/// Reads a bundle about `artifact`.
pub(crate) fn read<'a>(bytes: &[u8], artifact: Artifact<'a>) -> Result<Parts<'a>, VerifyError> {
    bound("bytes of the bundle", bytes.len(), DOCUMENT_MAX)?;
    let head: Head = json::parse("bundle", bytes)?;
    let proof = match head.media_type.as_str() {
        VERSION_0_1 => ProofRule::Promise,
        later if LATER_VERSIONS.contains(&later) => ProofRule::Inclusion,
        _ => return Err(VerifyError::UnsupportedVersion { media_type: head.media_type }),
    };
    let Document { verification_material: material, message_signature, dsse_envelope } = json::parse("bundle", bytes)?;
    bound("log entries of the bundle", material.tlog_entries.len(), ENTRIES_MAX)?;
    let timestamps = material.timestamp_verification_data.map(|data| data.rfc3161_timestamps).unwrap_or_default();
    bound("timestamps of the bundle", timestamps.len(), ENTRIES_MAX)?;
    let (signature, content) = match (message_signature, dsse_envelope) {
        (Some(message), None) => {
            let stated = message.message_digest.map(stated_digest).transpose()?;
            (message.signature.0, Content::Message { artifact, stated })
        }
        (None, Some(envelope)) => {
            let [signature] = <[Signature; 1]>::try_from(envelope.signatures)
                .map_err(|all| malformed(format!("its envelope has {} signatures instead of one", all.len())))?;
            let (payload_type, payload) = (envelope.payload_type, envelope.payload.0);
            let encoded = pae(&payload_type, &payload);
            (signature.sig.0, Content::Envelope { payload_type, payload, encoded, document: None })
        }
        (None, None) => return Err(malformed("it has no signature".to_owned())),
        (Some(_), Some(_)) => return Err(malformed("it has two kinds of signature".to_owned())),
    };
    let signer = match (material.certificate, material.x509_certificate_chain, material.public_key) {
        (Some(only), None, None) => Signatory::Certificates(vec![certificate(&only.raw_bytes.0)?]),
        (None, Some(chain), None) => {
            bound("certificates of the bundle", chain.certificates.len(), ENTRIES_MAX)?;
            if chain.certificates.is_empty() {
                return Err(malformed("its certificate chain is empty".to_owned()));
            }
            let parsed = chain.certificates.iter().map(|entry| certificate(&entry.raw_bytes.0));
            Signatory::Certificates(parsed.collect::<Result<_, _>>()?)
        }
        (None, None, Some(key)) => Signatory::Key { hint: key.hint },
        (None, None, None) => return Err(malformed("it names no signer".to_owned())),
        _ => return Err(malformed("it names its signer twice".to_owned())),
    };
    let entries = material.tlog_entries.into_iter().map(LogEntry::try_from).collect::<Result<_, _>>()?;
    let timestamps = timestamps.into_iter().map(|stamp| stamp.signed_timestamp.0).collect();
    Ok(Parts { signature, content, signer, entries, timestamps, proof })
}

fn stated_digest(stated: MessageDigest) -> Result<(HashAlgorithm, Vec<u8>), VerifyError> {
    let algorithm = match stated.algorithm.as_str() {
        "SHA2_256" => HashAlgorithm::Sha256,
        "SHA2_384" => HashAlgorithm::Sha384,
        "SHA2_512" => HashAlgorithm::Sha512,
        other => return Err(VerifyError::Unsupported { what: format!("a message digest of algorithm `{other}`") }),
    };
    Ok((algorithm, stated.digest.0))
}

fn malformed(reason: String) -> VerifyError {
    VerifyError::Malformed { part: "bundle", reason }
}
