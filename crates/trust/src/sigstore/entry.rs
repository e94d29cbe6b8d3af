//! Log entries: as bundles carry them, as Rekor's API gives them, and as cosign's annotations hold them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Base64, Number};
use super::{ENTRIES_MAX, bound};
use crate::VerifyError;

/// Largest entry read by itself: a body may hold a whole attestation.
const ENTRY_MAX: usize = 8 << 20;

/// Hashes of one inclusion proof: a tree of 2^64 leaves has 64 levels.
const PROOF_MAX: usize = 64;

/// A log entry, read and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// The log's identity: the hash of its key.
    pub(crate) log_id: Vec<u8>,
    /// Index over all of the log's trees.
    pub(crate) index: u64,
    /// When the log took it in, in seconds; second-generation logs say none.
    pub(crate) integrated: Option<u64>,
    /// Kind and version, where they are said beside the body.
    pub(crate) kind: Option<(String, String)>,
    /// The log's promise (signed entry timestamp).
    pub(crate) promise: Option<Vec<u8>>,
    /// That it is in a tree.
    pub(crate) inclusion: Option<Inclusion>,
    /// What was logged.
    pub(crate) body: Vec<u8>,
}

/// An inclusion proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inclusion {
    /// Index in this tree.
    pub(crate) index: u64,
    /// Leaves of this tree.
    pub(crate) size: u64,
    /// Root hash of this tree.
    pub(crate) root: Vec<u8>,
    /// Sibling hashes from the leaf upwards.
    pub(crate) hashes: Vec<Vec<u8>>,
    /// The log's signed statement about this tree.
    pub(crate) checkpoint: Option<String>,
}

/// `TransparencyLogEntry` of a bundle (sigstore/protobuf-specs, `sigstore_rekor.proto`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryDocument {
    #[serde(default)]
    log_index: Number,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default)]
    integrated_time: Number,
    #[serde(default)]
    inclusion_promise: Option<Promise>,
    #[serde(default)]
    inclusion_proof: Option<ProofDocument>,
    canonicalized_body: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Base64,
}

#[derive(Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProofDocument {
    #[serde(default)]
    log_index: Number,
    root_hash: Base64,
    tree_size: Number,
    #[serde(default, deserialize_with = "json::list")]
    hashes: Vec<Base64>,
    #[serde(default)]
    checkpoint: Option<Checkpoint>,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

impl TryFrom<EntryDocument> for LogEntry {
    type Error = VerifyError;

    fn try_from(document: EntryDocument) -> Result<Self, VerifyError> {
        let inclusion = document.inclusion_proof.map(|proof| {
            bound("hashes of an inclusion proof", proof.hashes.len(), PROOF_MAX)?;
            Ok::<_, VerifyError>(Inclusion {
                index: proof.log_index.0,
                size: proof.tree_size.0,
                root: proof.root_hash.0,
                hashes: proof.hashes.into_iter().map(|hash| hash.0).collect(),
                checkpoint: proof.checkpoint.map(|checkpoint| checkpoint.envelope),
            })
        });
        Ok(Self {
            log_id: document.log_id.key_id.0,
            index: document.log_index.0,
            integrated: Some(document.integrated_time.0).filter(|seconds| *seconds > 0),
            kind: Some((document.kind_version.kind, document.kind_version.version)),
            promise: document.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0),
            inclusion: inclusion.transpose()?,
            body: document.canonicalized_body.0,
        })
    }
}

/// `LogEntry` of Rekor's API (sigstore/rekor, `openapi.yaml`), under its identifier.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiEntry {
    body: Base64,
    integrated_time: Number,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: Number,
    #[serde(default)]
    verification: Option<ApiVerification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiVerification {
    #[serde(default)]
    signed_entry_timestamp: Option<Base64>,
    #[serde(default)]
    inclusion_proof: Option<ApiProof>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiProof {
    #[serde(default)]
    checkpoint: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    hashes: Vec<String>,
    log_index: Number,
    root_hash: String,
    tree_size: Number,
}

/// cosign's `rekorBundle` (sigstore/cosign, `specs/SIGNATURE_SPEC.md`, bundle annotation).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CosignEntry {
    signed_entry_timestamp: Base64,
    payload: CosignPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CosignPayload {
    body: Base64,
    integrated_time: Number,
    log_index: Number,
    #[serde(rename = "logID")]
    log_id: String,
}

impl LogEntry {
    /// Reads entries that are handed in by themselves: an entry of a bundle, or Rekor's answer with one or more entries,
    /// alone or in a list.
    pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Self>, VerifyError> {
        type Answer<'a> = std::collections::BTreeMap<String, &'a RawValue>;
        bound("bytes of the log entry", bytes.len(), ENTRY_MAX)?;
        let maps = if bytes.trim_ascii_start().starts_with(b"[") {
            json::parse::<Vec<Answer<'_>>>("log entry", bytes)?
        } else {
            let map: Answer<'_> = json::parse("log entry", bytes)?;
            if map.contains_key("canonicalizedBody") {
                return Ok(vec![Self::try_from(json::parse::<EntryDocument>("log entry", bytes)?)?]);
            }
            vec![map]
        };
        let entries: Vec<_> = maps.iter().flat_map(std::collections::BTreeMap::values).collect();
        bound("log entries", entries.len(), ENTRIES_MAX)?;
        if entries.is_empty() {
            return Err(VerifyError::Malformed { part: "log entry", reason: "there is none in it".to_owned() });
        }
        entries.into_iter().map(|entry| Self::of_api(entry.get().as_bytes())).collect()
    }

    fn of_api(bytes: &[u8]) -> Result<Self, VerifyError> {
        let entry: ApiEntry = json::parse("log entry", bytes)?;
        let verification =
            entry.verification.unwrap_or(ApiVerification { signed_entry_timestamp: None, inclusion_proof: None });
        let inclusion = verification.inclusion_proof.map(|proof| {
            bound("hashes of an inclusion proof", proof.hashes.len(), PROOF_MAX)?;
            Ok::<_, VerifyError>(Inclusion {
                index: proof.log_index.0,
                size: proof.tree_size.0,
                root: hexadecimal(&proof.root_hash)?,
                hashes: proof.hashes.iter().map(|hash| hexadecimal(hash)).collect::<Result<_, _>>()?,
                checkpoint: proof.checkpoint,
            })
        });
        Ok(Self {
            log_id: hexadecimal(&entry.log_id)?,
            index: entry.log_index.0,
            integrated: Some(entry.integrated_time.0).filter(|seconds| *seconds > 0),
            kind: None,
            promise: verification.signed_entry_timestamp.map(|promise| promise.0),
            inclusion: inclusion.transpose()?,
            body: entry.body.0,
        })
    }

    /// Reads cosign's `rekorBundle`.
    pub(crate) fn of_cosign(bytes: &[u8]) -> Result<Self, VerifyError> {
        bound("bytes of the log entry", bytes.len(), ENTRY_MAX)?;
        let entry: CosignEntry = json::parse("log entry", bytes)?;
        Ok(Self {
            log_id: hexadecimal(&entry.payload.log_id)?,
            index: entry.payload.log_index.0,
            integrated: Some(entry.payload.integrated_time.0).filter(|seconds| *seconds > 0),
            kind: None,
            promise: Some(entry.signed_entry_timestamp.0),
            inclusion: None,
            body: entry.payload.body.0,
        })
    }
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, VerifyError> {
    hex::decode(text).map_err(|error| VerifyError::Malformed { part: "log entry", reason: error.to_string() })
}
