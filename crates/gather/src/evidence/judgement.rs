//! What came of a verification, kept by everything that went into it.
//!
//! A tag, an image or a policy is no part of a key: a judgement is about bytes, what stands beside them, and the trust
//! material. Other material makes other keys, so that a changed trust root finds nothing here.

use std::sync::Arc;
use std::time::Duration;

use assay_model::{Digest, Timestamp};
use assay_trust::Evidence;

use crate::memory::Memory;

/// How long a refusal is believed. Its bytes will not get better, but the clock moves: what is not valid yet will be.
const REFUSAL_AGE: Duration = Duration::from_mins(5);

/// What a judgement is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) subject: Digest,
    /// See [`Evidence::inputs`].
    pub(super) inputs: Digest,
    pub(super) trust_root: Digest,
}

/// What one trust root makes of a claim.
#[derive(Clone, Debug)]
pub(super) enum Judgement {
    Verified(Arc<Evidence>),
    /// Definitive: nothing that was out of reach.
    Refused(Refusal),
}

/// Why a claim is no evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn no_root() -> Self {
        Self { code: "no-trust-root".to_owned(), message: "nothing is trusted here to verify it against".to_owned() }
    }

    /// A claim whose bytes are not there though no judgement is: an error in this crate, which must not count as evidence.
    pub(super) fn unread() -> Self {
        Self { code: "verification-failed".to_owned(), message: "it was not read".to_owned() }
    }
}

/// The judgements of a process.
pub(crate) struct Judgements {
    memory: Memory<Key, (Judgement, Timestamp)>,
}

impl Judgements {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { memory: Memory::new(capacity) }
    }

    pub(super) fn put(&self, key: Key, judgement: Judgement, now: Timestamp) {
        self.memory.put(key, (judgement, now));
    }

    /// A judgement that still holds at `now`.
    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<Judgement> {
        let (judgement, at) = self.memory.get(key)?;
        let holds = match &judgement {
            Judgement::Verified(evidence) => evidence.is_reusable(now),
            Judgement::Refused(_) => {
                let since = now.duration_since(at);
                !since.is_negative() && since.unsigned_abs() <= REFUSAL_AGE
            }
        };
        holds.then_some(judgement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_five_minutes_and_not_before_it_was_made() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let digest = Digest::of(b"a");
        let key = Key { subject: digest, inputs: digest, trust_root: digest };
        let judgements = Judgements::new(4);
        judgements.put(key.clone(), Judgement::Refused(Refusal::no_root()), at("2026-06-01T12:00:00Z"));
        for (now, known) in [
            ("2026-06-01T12:00:00Z", true),
            ("2026-06-01T12:05:00Z", true),
            ("2026-06-01T12:05:01Z", false),
            ("2026-06-01T11:59:59Z", false),
        ] {
            assert_eq!(judgements.get(&key, at(now)).is_some(), known, "{now}");
        }
        let other = Key { trust_root: Digest::of(b"other material"), ..key };
        assert!(judgements.get(&other, at("2026-06-01T12:00:00Z")).is_none());
    }
}
