//! That an entry is in a transparency log: the log's promise, its proof, its signed checkpoint.

use assay_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ProofRule;
use super::checkpoint::Checkpoint;
use super::entry::{Inclusion, LogEntry};
use crate::crypto::PublicKey;
use crate::{VerifyError, merkle};

/// A log whose key is trusted.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// Its identity: hash of its key, or of its name and key.
    pub(super) id: Vec<u8>,
    /// Its key.
    pub(super) key: PublicKey,
    /// When the key counts, both ends included.
    pub(super) from: Option<Timestamp>,
    /// See `from`.
    pub(super) until: Option<Timestamp>,
}

impl Log {
    pub(super) fn counts_at(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at <= until)
    }
}

/// Verifies that `entry` is in one of `logs`, and gives the time that the log vouches for, if it does.
///
/// A promise and a proof that are there must both hold, whichever `rule` asks for. Logs of the second generation promise
/// nothing and know no time: their key must have counted at the times that were `stamped`.
pub(super) fn verify(
    entry: &LogEntry,
    rule: ProofRule,
    logs: &[Log],
    stamped: &[Timestamp],
) -> Result<Option<Timestamp>, VerifyError> {
    let refuse = |reason: &str| VerifyError::LogProof { reason: reason.to_owned() };
    let mut known = logs.iter().filter(|log| log.id == entry.log_id).peekable();
    if known.peek().is_none() {
        return Err(VerifyError::UnknownLog { log_id: hex::encode(&entry.log_id) });
    }
    let second_generation = entry.integrated.is_none() && entry.promise.is_none();
    match rule {
        _ if second_generation && entry.inclusion.is_none() => {
            return Err(refuse("the entry has neither an inclusion proof nor a promise"));
        }
        ProofRule::Inclusion if entry.inclusion.is_none() => return Err(refuse("the entry has no inclusion proof")),
        ProofRule::Promise if entry.promise.is_none() => return Err(refuse("the entry has no promise of the log")),
        _ => {}
    }
    let integrated = match entry.integrated {
        Some(seconds) => {
            let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
            Some(time.ok_or_else(|| VerifyError::LogTime { reason: format!("{seconds} is no time") })?)
        }
        None => None,
    };
    let valid = |log: &&Log| match integrated {
        Some(at) => log.counts_at(at),
        None => stamped.iter().all(|at| log.counts_at(*at)),
    };
    let log = known.find(valid).ok_or_else(|| VerifyError::LogTime {
        reason: "the log's key was not valid when the log took the entry in".to_owned(),
    })?;
    // The first bundles had proofs without a checkpoint, which prove nothing; their promise is what counts.
    let provable = |inclusion: &&Inclusion| rule != ProofRule::Promise || inclusion.checkpoint.is_some();
    if let Some(inclusion) = entry.inclusion.as_ref().filter(provable) {
        verify_inclusion(entry, inclusion, log)?;
    }
    let Some(promise) = &entry.promise else { return Ok(None) };
    let promised = format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
        STANDARD.encode(&entry.body),
        entry.integrated.unwrap_or(0),
        hex::encode(&entry.log_id),
        entry.index,
    );
    log.key
        .verify(log.key.default_scheme(), promised.as_bytes(), promise)
        .map_err(|error| refuse(&format!("the log's promise: {error}")))?;
    Ok(integrated)
}

fn verify_inclusion(entry: &LogEntry, inclusion: &Inclusion, log: &Log) -> Result<(), VerifyError> {
    let refuse = |reason: &str| VerifyError::LogProof { reason: reason.to_owned() };
    let text = inclusion.checkpoint.as_deref().ok_or_else(|| refuse("the inclusion proof has no checkpoint"))?;
    let checkpoint = Checkpoint::parse(text).map_err(refuse)?;
    if checkpoint.size != inclusion.size || checkpoint.root != inclusion.root {
        return Err(refuse("the inclusion proof is of another tree than its checkpoint"));
    }
    // A log of the second generation has one tree, so that the entry's index is the tree's.
    if entry.promise.is_none() && entry.integrated.is_none() && entry.index != inclusion.index {
        return Err(refuse("the inclusion proof is of another index than the entry"));
    }
    let leaf = merkle::leaf_hash(&entry.body);
    if !merkle::is_included(&leaf, inclusion.index, inclusion.size, &inclusion.hashes, &inclusion.root) {
        return Err(refuse("the inclusion proof does not lead to the root of the tree"));
    }
    // A hint is the beginning of the log's identity; two keys may share one, and witnesses sign as well.
    let own = checkpoint.signatures.iter().filter(|note| log.id.starts_with(&note.hint));
    let mut refused = "the checkpoint is not signed by the log";
    for note in own {
        let scheme = log.key.default_scheme();
        if log.key.verify(scheme, checkpoint.signed.as_bytes(), &note.signature).is_ok() {
            return Ok(());
        }
        refused = "the log's signature of the checkpoint does not fit";
    }
    Err(VerifyError::LogProof { reason: format!("{refused} (`{}`)", checkpoint.origin.escape_debug()) })
}
