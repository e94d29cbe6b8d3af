//! A transparency log: an append-only Merkle tree whose checkpoints are signed. Both versions of Rekor stand on it.

use assay_model::Digest;

use super::fault::{Fault, Faults};
use super::key::{Key, KeyKind};
use super::merkle::{self, Hash};
use super::{Refusal, note};

/// A log with its keys and entries.
pub(super) struct Log {
    /// The first line of its checkpoints.
    origin: &'static str,
    key: Key,
    /// A key of the same log that the trusted root names as ended.
    retired: Key,
    /// A key that the trusted root does not name.
    stranger: Key,
    entries: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
}

/// Who signs.
pub(super) struct Signer<'a> {
    pub(super) key: &'a Key,
    pub(super) id: Digest,
}

/// An entry with the proof that it is in the log.
pub(super) struct Appended {
    pub(super) index: usize,
    pub(super) leaf: Hash,
    pub(super) size: usize,
    pub(super) root: Hash,
    pub(super) path: Vec<Hash>,
    pub(super) checkpoint: String,
}

impl Log {
    pub(super) fn new(origin: &'static str, kind: KeyKind) -> Result<Self, Refusal> {
        let [key, retired, stranger] = [Key::of_kind(kind)?, Key::of_kind(kind)?, Key::of_kind(kind)?];
        Ok(Self { origin, key, retired, stranger, entries: Vec::new(), leaves: Vec::new() })
    }

    pub(super) fn origin(&self) -> &'static str {
        self.origin
    }

    /// Its key and the one it had before, each with its identity.
    pub(super) fn trusted(&self) -> [Signer<'_>; 2] {
        [&self.key, &self.retired].map(|key| self.signer_of(key))
    }

    /// The entries' bodies.
    pub(super) fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// The hashes of the entries.
    pub(super) fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// Who signs with these faults on.
    pub(super) fn signer(&self, faults: &Faults) -> Signer<'_> {
        let own = self.signer_of(&self.key);
        if faults.has(Fault::WrongLogKey) {
            Signer { key: &self.stranger, id: own.id }
        } else if faults.has(Fault::UnknownLog) {
            self.signer_of(&self.stranger)
        } else if faults.has(Fault::RetiredLogKey) {
            self.signer_of(&self.retired)
        } else {
            own
        }
    }

    /// Appends a body and proves it. `other` is the other log of the instance.
    pub(super) fn append(&mut self, body: &[u8], faults: &Faults, other: &Self) -> Result<Appended, Refusal> {
        let index = self.push(body);
        let proven = if faults.has(Fault::ProofOfAnotherLeaf) { self.push(b"another leaf") } else { index };
        let checkpoint = self.checkpoint(faults, other)?;
        Ok(Appended {
            index,
            leaf: merkle::leaf(body),
            size: self.leaves.len(),
            root: merkle::root(&self.leaves),
            path: merkle::inclusion(&self.leaves, proven),
            checkpoint,
        })
    }

    /// The checkpoint of the whole tree.
    pub(super) fn checkpoint(&self, faults: &Faults, other: &Self) -> Result<String, Refusal> {
        let forked = faults.has(Fault::ForkedCheckpoint);
        let root = if forked { merkle::leaf(b"the other tree") } else { merkle::root(&self.leaves) };
        let speaker = if faults.has(Fault::CheckpointOfAnotherOrigin) { other } else { self };
        let Signer { key, id } = speaker.signer(faults);
        // Rekor's own origins are a name and the number of the tree; the name signs.
        let name = speaker.origin.split(' ').next().unwrap_or(speaker.origin);
        note::checkpoint(speaker.origin, self.leaves.len(), &root, (name, key, &id))
    }

    fn push(&mut self, body: &[u8]) -> usize {
        self.entries.push(body.to_vec());
        self.leaves.push(merkle::leaf(body));
        self.leaves.len() - 1
    }

    fn signer_of<'a>(&self, key: &'a Key) -> Signer<'a> {
        Signer { key, id: note::key_id(self.origin, key) }
    }
}
