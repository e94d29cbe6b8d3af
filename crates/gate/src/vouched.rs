//! Whether the signers that are wanted vouch for something: one of those named for a kind of evidence, or as many as the
//! Environment requires; or a verifier whose summary stands in.

use assay_case::{Case, EvidenceSet, Facts};
use assay_kinds::{SignerPurpose, SummaryRules};
use assay_model::{BuildLevel, Reference, Timestamp};
use assay_trust::{Evidence, EvidenceKind, Predicate, Signer, VerificationSummary};
use jiff::SignedDuration;

use crate::constraints::{Unmet, level_of};
use crate::evidence::{TrustedSigner, kind_of};
use crate::policy::Policy;
use crate::report::Context;
use crate::select::select;

/// How far two clocks may differ before a time in the future is none.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Signatures of one kind on one image that are weighed against each other.
const VOTES_MAX: usize = 1024;

/// The level of the SLSA Build track that a Subject reaches by the Environment that judges its Case: that of its best
/// provenance by a builder which the Environment trusts, else what a summary states that stands in. None where `builders`
/// are not named, so that nobody looked.
pub fn build_level(policy: &Policy, case: &Case<'_>, facts: &Facts, now: Timestamp) -> Option<BuildLevel> {
    let environment = select(policy, &case.request).environments.first().copied()?;
    let context = Context::new(case, environment, now);
    let set = facts.evidence.get().ok()?;
    let levels = context.evidence(facts, set, EvidenceKind::Provenance).flat_map(|evidence| {
        let signers = context.signers(SignerPurpose::Provenance, &facts.subject.repository);
        let own = signers.filter(|signer| signer.is(evidence.signer()));
        own.filter_map(|signer| match evidence.predicate() {
            Predicate::Provenance(stated) => {
                let builders = &environment.trusted_builders;
                let counts = environment.rules.unmet(evidence, signer, builders, &context.clock).is_none();
                level_of(builders, stated, signer).filter(|_| counts)
            }
            _ => None,
        })
    });
    levels.max().or_else(|| context.summarised(facts, set).ok()?.level)
}

/// How many of which signers an Environment requires for a kind of evidence.
#[derive(Debug)]
pub(crate) struct CompiledQuorum {
    pub(crate) purpose: SignerPurpose,
    pub(crate) of: Vec<String>,
    pub(crate) at_least: usize,
}

/// What came of looking for evidence.
pub(crate) enum Vouched<'c, 'f> {
    /// It is there.
    Yes {
        /// The evidence, the first of several.
        evidence: &'f Evidence,
        /// Who made that.
        signer: &'c TrustedSigner,
        /// Everybody who vouches, by name.
        names: String,
    },
    /// There is none, or none that counts, or not from as many as are wanted.
    No(Option<Unmet>),
}

/// One signer's word: which of the signers of the quorum it is, and what it signed.
struct Vote<'c, 'f> {
    place: usize,
    evidence: &'f Evidence,
    signer: &'c TrustedSigner,
}

impl<'c> Context<'c> {
    /// Looks for evidence of a kind, by signers named for it, that meets the constraints and `judge`.
    pub(crate) fn vouched<'f>(
        &self,
        facts: &'f Facts,
        set: &'f EvidenceSet,
        purpose: SignerPurpose,
        judge: impl Fn(&Evidence, &TrustedSigner) -> Option<Unmet>,
    ) -> Vouched<'c, 'f> {
        let environment = self.environment;
        let quorum = environment.quorums.iter().find(|quorum| quorum.purpose == purpose);
        let (mut first, mut votes) = (None, Vec::new());
        // By the order in which the Environment names them, not by that in which the registry lists what they signed.
        for signer in self.signers(purpose, &facts.subject.repository) {
            let own = self.evidence(facts, set, kind_of(purpose)).filter(|evidence| signer.is(evidence.signer()));
            let (mut counts, mut lacks): (Option<&Evidence>, Option<(&Evidence, Unmet)>) = (None, None);
            for evidence in own {
                let unmet = environment.rules.unmet(evidence, signer, &environment.trusted_builders, &self.clock);
                match unmet.or_else(|| judge(evidence, signer)) {
                    Some(unmet) if lacks.as_ref().is_none_or(|(other, _)| evidence.source() < other.source()) => {
                        lacks = Some((evidence, unmet));
                    }
                    Some(_) => {}
                    None => {
                        if counts.is_none_or(|other| evidence.source() < other.source()) {
                            counts = Some(evidence);
                        }
                        let place = quorum.and_then(|quorum| quorum.of.iter().position(|name| *name == signer.name));
                        if let Some(place) = place.filter(|_| votes.len() < VOTES_MAX) {
                            votes.push(Vote { place, evidence, signer });
                        }
                    }
                }
            }
            if let (Some(evidence), None) = (counts, quorum) {
                return Vouched::Yes { evidence, signer, names: signer.name.clone() };
            }
            first = first.or(lacks.map(|(_, unmet)| unmet));
        }
        match quorum {
            Some(quorum) => quorum.count(&votes, first),
            None => Vouched::No(first),
        }
    }
}

impl CompiledQuorum {
    /// Counts signers that different identities stand for: one key under two names is one, and so is one signature that
    /// was logged twice.
    fn count<'c, 'f>(&self, votes: &[Vote<'c, 'f>], first: Option<Unmet>) -> Vouched<'c, 'f> {
        let mut identities: Vec<&Signer> = Vec::new();
        let mut stands_for: Vec<Vec<usize>> = vec![Vec::new(); self.of.len()];
        for vote in votes {
            let signer = vote.evidence.signer();
            let known = identities.iter().position(|known| same(known, signer));
            let identity = known.unwrap_or_else(|| {
                identities.push(signer);
                identities.len() - 1
            });
            if let Some(own) = stands_for.get_mut(vote.place).filter(|own| !own.contains(&identity)) {
                own.push(identity);
            }
        }
        let agreed = matching(&stands_for, identities.len());
        let names: Vec<&str> = self
            .of
            .iter()
            .enumerate()
            .filter(|(place, _)| agreed.contains(place))
            .map(|(_, name)| name.as_str())
            .collect();
        let agreeing = votes.iter().filter(|vote| agreed.contains(&vote.place));
        let vote = agreeing.min_by_key(|vote| (vote.place, vote.evidence.source()));
        if let (Some(vote), true) = (vote, names.len() >= self.at_least) {
            return Vouched::Yes { evidence: vote.evidence, signer: vote.signer, names: names.join(" and ") };
        }
        if names.is_empty() && first.is_some() {
            return Vouched::No(first);
        }
        let by = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let but = first.map(|unmet| format!("; of another {}", unmet.why)).unwrap_or_default();
        let (wanted, all) = (self.at_least, self.of.join(", "));
        let why = format!("{} of {wanted} wanted signers vouch{by}, out of {all}{but}", names.len());
        Vouched::No(Some(Unmet { why, fix: "have the others sign, each with an identity of its own" }))
    }
}

/// Whether two signers are one: the same key, the same identity, or the same certificate or its successor.
fn same(one: &Signer, other: &Signer) -> bool {
    match (one, other) {
        (Signer::Key { fingerprint: one }, Signer::Key { fingerprint: other }) => one == other,
        (
            Signer::Keyless { issuer, subject, .. },
            Signer::Keyless { issuer: other_issuer, subject: other_subject, .. },
        ) => (issuer, subject) == (other_issuer, other_subject),
        (
            Signer::Certificate { subject, issuer, fingerprint, .. },
            Signer::Certificate { subject: other_subject, issuer: other_issuer, fingerprint: other, .. },
        ) => fingerprint == other || (subject, issuer) == (other_subject, other_issuer),
        _ => false,
    }
}

/// The places of a largest set of signers to which different identities can be given (augmenting paths; Kuhn's algorithm).
fn matching(stands_for: &[Vec<usize>], identities: usize) -> Vec<usize> {
    fn place(at: usize, stands_for: &[Vec<usize>], given: &mut [Option<usize>], seen: &mut [bool]) -> bool {
        for identity in stands_for.get(at).into_iter().flatten().copied() {
            match seen.get_mut(identity) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let holder = given.get(identity).copied().flatten();
            if holder.is_none_or(|holder| place(holder, stands_for, given, seen)) {
                if let Some(slot) = given.get_mut(identity) {
                    *slot = Some(at);
                }
                return true;
            }
        }
        false
    }
    let mut given = vec![None; identities];
    for at in 0..stands_for.len() {
        place(at, stands_for, &mut given, &mut vec![false; identities]);
    }
    given.into_iter().flatten().collect()
}

impl Context<'_> {
    /// How a verification summary stands in for the evidence of a Subject: what it says, for the end of a message. The
    /// error says why one that was found does not; it is empty where there is none.
    pub(crate) fn summarised(&self, facts: &Facts, set: &EvidenceSet) -> Result<Accepted, String> {
        let Some(rules) = &self.environment.vsa else { return Err(String::new()) };
        let reason = |evidence: &Evidence, _: &TrustedSigner| match evidence.predicate() {
            Predicate::Summary(summary) => {
                self.refuse(rules, facts, summary, evidence).map(|why| Unmet { why, fix: "" })
            }
            _ => Some(Unmet { why: "it is no summary".to_owned(), fix: "" }),
        };
        match self.vouched(facts, set, SignerPurpose::Vsa, reason) {
            Vouched::Yes { evidence, names, .. } => {
                let Predicate::Summary(summary) = evidence.predicate() else { return Err(String::new()) };
                let at = summary.verified_at.map(|at| format!(" of {at}")).unwrap_or_default();
                let policy =
                    summary.policy_digest.as_ref().map(|digest| format!(" by policy {digest}")).unwrap_or_default();
                let said =
                    format!("says the verification summary of {}{at}{policy}, signed by {names}", summary.verifier);
                Ok(Accepted { said, level: summary.build_level() })
            }
            Vouched::No(Some(unmet)) => Err(format!("; a verification summary does not stand in: {}", unmet.why)),
            Vouched::No(None) => Err(String::new()),
        }
    }

    /// Why a summary does not count, if it does not.
    fn refuse(
        &self,
        rules: &SummaryRules,
        facts: &Facts,
        summary: &VerificationSummary,
        evidence: &Evidence,
    ) -> Option<String> {
        if summary.verifier != rules.verifier {
            return Some(format!("it is of the verifier {}, wanted is {}", summary.verifier, rules.verifier));
        }
        if !summary.passed {
            return Some("the verification failed".to_owned());
        }
        if let Some(wanted) = rules.policy.as_ref().filter(|wanted| summary.policy_digest.as_ref() != Some(wanted)) {
            let found = summary.policy_digest.as_deref().unwrap_or("not stated");
            return Some(format!("its policy is {found}, wanted is {wanted}"));
        }
        // A summary is about a digest in a repository: the same bytes elsewhere may be under another policy.
        let resource = &summary.resource;
        let bare = resource.strip_prefix("oci://").or_else(|| resource.strip_prefix("docker://")).unwrap_or(resource);
        let names_it = bare.parse::<Reference>().is_ok_and(|reference| {
            *reference.repository() == facts.subject.repository
                && reference.digest().is_none_or(|digest| facts.subject.covering_digests().any(|own| own == digest))
        });
        if !names_it {
            return Some(format!("it is about {resource}"));
        }
        let (least, level) = (self.environment.rules.minimum_level(), summary.build_level());
        if let Some(least) = least.filter(|least| level < Some(*least)) {
            let level = level.map_or("no level".to_owned(), |level| format!("SLSA Build {level}"));
            return Some(format!("it states {level}, and {least} is wanted"));
        }
        let Some(at) = summary.verified_at.into_iter().chain(evidence.signed_at()).min() else {
            return Some("nothing says when it was verified".to_owned());
        };
        if self.clock.is_ahead(at, SKEW) {
            return Some(format!("it is dated {at}, in the future"));
        }
        self.clock.is_older(at, rules.max_age.duration()).then(|| {
            let hours = self.clock.hours_since(at);
            format!("it is {hours} h old, at most {} are wanted", rules.max_age)
        })
    }
}

/// A verification summary that stands in for evidence.
pub(crate) struct Accepted {
    /// Who says it, for the end of a message.
    pub(crate) said: String,
    /// The level of the SLSA Build track that it states.
    pub(crate) level: Option<BuildLevel>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_identity_stands_for_one_signer() {
        assert_eq!(matching(&[vec![0], vec![0]], 1).len(), 1);
        assert_eq!(matching(&[vec![0], vec![0, 1]], 2).len(), 2);
        assert_eq!(matching(&[vec![0, 1], vec![0]], 2).len(), 2, "the first gives way");
        assert_eq!(matching(&[vec![], vec![]], 0).len(), 0);
    }

    proptest! {
        /// The naive count tries every way to give identities to signers.
        #[test]
        fn the_count_is_the_largest_possible(table in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 4), 1..5)) {
            fn naive(table: &[Vec<bool>], used: &mut Vec<usize>) -> usize {
                let Some((first, rest)) = table.split_first() else { return 0 };
                let mut best = naive(rest, used);
                for (identity, stands) in first.iter().enumerate() {
                    if *stands && !used.contains(&identity) {
                        used.push(identity);
                        best = best.max(1 + naive(rest, used));
                        used.pop();
                    }
                }
                best
            }
            let stands_for: Vec<Vec<usize>> =
                table.iter().map(|row| row.iter().enumerate().filter(|(_, on)| **on).map(|(at, _)| at).collect()).collect();
            prop_assert_eq!(matching(&stands_for, 4).len(), naive(&table, &mut Vec::new()));
        }
    }
}
