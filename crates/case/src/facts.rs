//! Everything known about one Subject.

use std::sync::{Arc, Weak};

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

/// Which facts are looked at. The Subject is, wherever any of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactNeeds {
    /// What a reference resolves to.
    pub subject: bool,
    /// Packages and secrets, and what is vulnerable of them.
    pub contents: bool,
    /// Signatures, and whatever refers to the image.
    pub evidence: bool,
    /// What was kept under tags of its own beside signatures, before there were referrers: attestations and SBOMs.
    pub attestation_tags: bool,
}

impl FactNeeds {
    /// Everything.
    pub const ALL: Self = Self { subject: true, contents: true, evidence: true, attestation_tags: true };

    /// What either of two needs.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            subject: self.subject | other.subject,
            contents: self.contents | other.contents,
            evidence: self.evidence | other.evidence,
            attestation_tags: self.attestation_tags | other.attestation_tags,
        }
    }

    /// Whether nothing is needed at all.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
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

/// The parts that facts are made of, recognised and not kept: facts are gathered anew for every request, of parts that are
/// remembered elsewhere. A part that is gone is never taken for another one, since its place in memory is not given away.
#[derive(Debug)]
pub struct FactParts {
    subject: Subject,
    resolution: Resolution,
    contents: Known<Weak<Contents>>,
    findings: Known<Weak<Findings>>,
    evidence: Known<(Vec<Weak<Evidence>>, Vec<RejectedClaim>, bool)>,
}

impl FactParts {
    /// The parts of these facts.
    pub fn of(facts: &Facts) -> Self {
        let evidence = |set: &EvidenceSet| {
            (set.verified.iter().map(Arc::downgrade).collect(), set.rejected.clone(), set.truncated)
        };
        Self {
            subject: facts.subject.clone(),
            resolution: facts.resolution,
            contents: facts.contents.map(Arc::downgrade),
            findings: facts.findings.map(Arc::downgrade),
            evidence: facts.evidence.map(evidence),
        }
    }

    /// Whether these facts are made of the very same parts, found out at the same times. False says nothing.
    pub fn are_of(&self, facts: &Facts) -> bool {
        let same_evidence = |(verified, rejected, truncated): &(Vec<_>, _, _), set: &EvidenceSet| {
            *truncated == set.truncated
                && verified.len() == set.verified.len()
                && verified.iter().zip(&set.verified).all(|(own, other)| is(own, other))
                && *rejected == set.rejected
        };
        self.resolution == facts.resolution
            && self.subject == facts.subject
            && self.contents.is(&facts.contents, is)
            && self.findings.is(&facts.findings, is)
            && self.evidence.is(&facts.evidence, same_evidence)
    }
}

fn is<T>(own: &Weak<T>, other: &Arc<T>) -> bool {
    std::ptr::eq(own.as_ptr(), Arc::as_ptr(other))
}

#[cfg(test)]
mod tests {
    use assay_model::Timestamp;

    use super::*;

    #[test]
    fn facts_of_the_same_parts_are_the_same_and_of_equal_parts_are_not() {
        let known = |at: i64, set: &EvidenceSet| {
            let at = Timestamp::from_second(at).unwrap();
            let subject = Subject {
                repository: "registry.example.com/api".parse().unwrap(),
                digest: Digest::of(b"api"),
                index: None,
                platform: None,
            };
            Facts {
                subject,
                resolution: Resolution::ByDigest,
                contents: Known::unknown("a", "b"),
                findings: Known::unknown("a", "b"),
                evidence: Known::new(set.clone(), at),
            }
        };
        let (none, more) = (EvidenceSet::default(), EvidenceSet { truncated: true, ..EvidenceSet::default() });
        let same = |a: &Facts, b: &Facts| FactParts::of(a).are_of(b);
        assert!(same(&known(1, &none), &known(1, &none)));
        assert!(!same(&known(1, &none), &known(2, &none)), "found out at another time");
        assert!(!same(&known(1, &none), &known(1, &more)));
        let contents = Arc::new(Contents::default());
        let with = |contents: &Arc<Contents>| {
            let contents = Known::new(Arc::clone(contents), Timestamp::UNIX_EPOCH);
            Facts { contents, ..known(1, &none) }
        };
        assert!(same(&with(&contents), &with(&contents)));
        assert!(
            !same(&with(&contents), &with(&Arc::new(Contents::default()))),
            "equal is not enough to be told cheaply"
        );
        assert!(!same(&with(&contents), &known(1, &none)));
        let parts = FactParts::of(&with(&contents));
        assert_eq!(Arc::strong_count(&contents), 1, "nothing is held on to");
        drop(contents);
        assert!(!parts.are_of(&with(&Arc::new(Contents::default()))));
    }
}
