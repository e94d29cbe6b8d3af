//! The transparency log: an append-only Merkle tree with signed checkpoints and promises.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::key::Key;
use super::merkle::{self, Hash};
use super::{Clock, Refusal};

/// The name in checkpoints (C2SP `tlog-checkpoint`).
pub(super) const ORIGIN: &str = "rekor.sandbox.assay.dev - 1";

/// A log and its key.
pub(super) struct Log {
    pub(super) key: Key,
    leaves: Vec<Hash>,
}

/// What the promise covers; the fields stand in the order of canonical JSON (RFC 8785).
#[derive(Serialize)]
struct Promised<'a> {
    body: &'a str,
    #[serde(rename = "integratedTime")]
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: &'a str,
    #[serde(rename = "logIndex")]
    log_index: usize,
}

/// An entry as Rekor answers it (sigstore/rekor, `openapi.yaml`, `LogEntry`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: usize,
    verification: Verification,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: Proof,
    signed_entry_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: usize,
    root_hash: String,
    tree_size: usize,
}

impl Log {
    pub(super) fn new() -> Result<Self, Refusal> {
        Ok(Self { key: Key::generate()?, leaves: Vec::new() })
    }

    /// Appends a canonical body. `signer` is the log's own key, but for the fault that wants another.
    pub(super) fn append(
        &mut self,
        body: &[u8],
        clock: &Clock,
        signer: Option<&Key>,
    ) -> Result<(String, Entry), Refusal> {
        let leaf = merkle::leaf(body);
        let index = self.leaves.len();
        self.leaves.push(leaf);
        let signer = signer.unwrap_or(&self.key);
        let (body, log_id) = (STANDARD.encode(body), self.key.id().hex());
        let integrated_time = clock.seconds();
        let promised = Promised { body: &body, integrated_time, log_id: &log_id, log_index: index };
        let promised = serde_json::to_vec(&promised).map_err(|error| Refusal::internal(&error.to_string()))?;
        let root = merkle::root(&self.leaves);
        let proof = Proof {
            checkpoint: self.checkpoint(&root, signer)?,
            hashes: merkle::inclusion(&self.leaves, index).iter().map(Hash::hex).collect(),
            log_index: index,
            root_hash: root.hex(),
            tree_size: self.leaves.len(),
        };
        let signed_entry_timestamp = STANDARD.encode(signer.sign(&promised)?);
        let verification = Verification { inclusion_proof: proof, signed_entry_timestamp };
        Ok((leaf.hex(), Entry { body, integrated_time, log_id, log_index: index, verification }))
    }

    /// A signed note: text, empty line, signature with the first four bytes of the key's hash.
    fn checkpoint(&self, root: &Hash, signer: &Key) -> Result<String, Refusal> {
        let text = format!("{ORIGIN}\n{}\n{}\n", self.leaves.len(), STANDARD.encode(root.as_bytes()));
        let mut signature: Vec<u8> = self.key.id().as_bytes().iter().take(4).copied().collect();
        signature.extend(signer.sign(text.as_bytes())?);
        let name = ORIGIN.split(' ').next().unwrap_or(ORIGIN);
        Ok(format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature)))
    }
}
