//! Everything known about one Subject.

use std::sync::Arc;

use assay_model::{Contents, Digest, Findings, Subject};
use assay_trust::{Evidence, EvidenceKind};
use serde::{Deserialize, Serialize};

use crate::Known;

/// How a reference became a Subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The reference carried the digest: what was verified is what will run.
    ByDigest,
    /// A tag was resolved. The kubelet will resolve it again: the verdict is `unbound`.
    ByTag,
}

/// A signature or attestation that was found and did not verify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedClaim {
    /// Digest of the referrer or tag manifest it came from.
    pub source: Digest,
    /// What it claims to be, as far as that can be told without trusting it.
    pub kind: Option<EvidenceKind>,
    /// The stable code of the failure, for example `signature-wrong-digest`.
    pub code: String,
    /// Why it does not count.
    pub message: String,
}

/// All evidence of a Subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceSet {
    /// What verified.
    pub verified: Vec<Arc<Evidence>>,
    /// What did not.
    pub rejected: Vec<RejectedClaim>,
    /// More referrers exist than were read (the newest are read first).
    pub truncated: bool,
}

/// Everything known about one Subject, each with its time. What is not known says why.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The Subject.
    pub subject: Subject,
    /// How it was found.
    pub resolution: Resolution,
    /// What is in it.
    pub contents: Known<Arc<Contents>>,
    /// What is wrong with that.
    pub findings: Known<Arc<Findings>>,
    /// Who vouches for it.
    pub evidence: Known<EvidenceSet>,
}
