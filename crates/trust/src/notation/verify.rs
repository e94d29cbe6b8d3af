//! The five checks, in their order.

use std::collections::BTreeMap;

use assay_model::{Digest, Timestamp};
use jiff::SignedDuration;
use serde::Serialize;

use super::envelope::{Envelope, EnvelopeFormat, SignedArtifact, SigningScheme};
use super::error::NotationError;
use super::name::DistinguishedName;
use super::policy::{Action, Level, TrustedIdentities, Validation};
use super::store::{StoreKind, StoreName};
use super::timestamp::{self, Time};
use super::trust::StatementTrust;
use crate::evidence::Content;
use crate::revocation::{self, ChainStatus, RevocationData, RevocationRequest};
use crate::x509::Certificate;
use crate::{Check, CheckName, Evidence, EvidenceKind, Predicate, Signer};

/// Longest use of an outcome without asking authorities again, where there may be one to ask.
const REUSE: SignedDuration = SignedDuration::from_hours(1);

/// What a trust policy says about one signature.
#[derive(Clone, Debug)]
pub struct NotationOutcome {
    /// Name of the statement that applied.
    pub statement: String,
    /// Its level.
    pub level: Level,
    /// The checks that were made, in their order; the last one is the one that refused, if one did. None under
    /// [`Level::Skip`].
    pub results: Vec<ValidationResult>,
    /// What the envelope says, once its integrity is proven.
    pub details: Option<SignatureDetails>,
    /// The signature as evidence. None where it is refused, under [`Level::Skip`], and where nobody trusts the signer,
    /// even if the policy only logs that: a signature of anybody proves nothing.
    pub evidence: Option<Evidence>,
    /// Questions about revocation that have no answer yet. With the answers the outcome may be another one.
    pub wanted: Vec<RevocationRequest>,
}

impl NotationOutcome {
    /// Whether the policy accepts it: no enforced check failed. Under [`Level::Skip`] everything is accepted.
    pub fn is_accepted(&self) -> bool {
        self.refusal().is_none()
    }

    /// The failure of the enforced check, if one failed.
    pub fn refusal(&self) -> Option<&NotationError> {
        let refuses = |result: &&ValidationResult| result.action == Action::Enforce && result.failure.is_some();
        self.results.iter().find(refuses).and_then(|result| result.failure.as_ref())
    }

    /// The failures that the policy only logs.
    pub fn logged(&self) -> impl Iterator<Item = &NotationError> {
        let logged = self.results.iter().filter(|result| result.action == Action::Log);
        logged.filter_map(|result| result.failure.as_ref())
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationResult {
    /// Which.
    pub validation: Validation,
    /// What its failure means.
    pub action: Action,
    /// Why it failed, if it did.
    pub failure: Option<NotationError>,
}

/// What a signer wrote. Only what the signature covers; the signing time of scheme `notary.x509` is the signer's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureDetails {
    /// `notary.x509` or `notary.x509.signingAuthority`.
    pub scheme: &'static str,
    /// When it was made, as the signer says.
    pub signing_time: Timestamp,
    /// Until when it is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Timestamp>,
    /// What the signer added, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The program that signed, as it calls itself. Nobody signed this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl StatementTrust<'_> {
    /// Judges a signature about `artifact`, with the answers of authorities that are at hand.
    ///
    /// A failure of an enforced check ends the verification; a logged one is kept in the results and, if the signature
    /// counts all the same, in [`Evidence::checks`]. Where [`NotationOutcome::wanted`] is not empty, fetch what it asks
    /// for, add it, and call again: the questions about a list's delta come once the list is there. Nobody is asked about
    /// certificates that no trust store leads to.
    pub fn verify(
        &self,
        envelope: &[u8],
        format: EnvelopeFormat,
        artifact: SignedArtifact<'_>,
        revocation: &RevocationData,
        now: Timestamp,
    ) -> NotationOutcome {
        let mut outcome = NotationOutcome {
            statement: self.statement.name().to_owned(),
            level: self.statement.level(),
            results: Vec::new(),
            details: None,
            evidence: None,
            wanted: Vec::new(),
        };
        if self.statement.level() != Level::Skip {
            outcome.evidence = Run { trust: *self, revocation, now, outcome: &mut outcome }
                .verify(envelope, format, artifact)
                .map(|content| Evidence { content });
        }
        outcome
    }
}

/// One verification under way. `None` of its steps means that an enforced check failed.
struct Run<'a> {
    trust: StatementTrust<'a>,
    revocation: &'a RevocationData,
    now: Timestamp,
    outcome: &'a mut NotationOutcome,
}

impl Run<'_> {
    fn verify(mut self, bytes: &[u8], format: EnvelopeFormat, artifact: SignedArtifact<'_>) -> Option<Content> {
        let trust = self.trust;
        let whole = Envelope::verify(bytes, format, |der| trust.known(der))
            .and_then(|envelope| envelope.check_artifact(artifact).map(|subject| (envelope, subject)));
        let (envelope, subject) = self.record(Validation::Integrity, whole)?.ok()?;
        self.outcome.details = Some(SignatureDetails {
            scheme: envelope.scheme.word(),
            signing_time: envelope.signing_time,
            expiry: envelope.expiry,
            annotations: envelope.target.annotations.clone(),
            agent: envelope.agent.clone(),
        });
        let authority = self.authority(&envelope);
        let authority = self.record(Validation::Authenticity, authority)?.ok();
        let expired = envelope.expiry.filter(|expiry| *expiry <= self.now);
        let expiry = expired.map_or(Ok(()), |at| Err(NotationError::Expired { at }));
        let expiry = self.record(Validation::Expiry, expiry)?;
        // Certificates that nobody trusts name addresses that nobody should be sent to.
        let nothing = RevocationData::new();
        let answers = if authority.is_some() { self.revocation } else { &nothing };
        let (time, timely) = timestamp::check(&envelope, self.trust, answers, self.now);
        if authority.is_some() {
            self.outcome.wanted.extend(time.wanted.iter().cloned());
        }
        let timely = self.record(Validation::AuthenticTimestamp, timely)?;
        let status = self.revocation_status(&envelope, authority.is_some(), time.latest);
        let revoked = status.map(|status| self.record(Validation::Revocation, status));
        let revoked = match revoked {
            Some(recorded) => Some(recorded?),
            None => None,
        };
        let authority = authority?;
        let checks = checks(&time, &expiry, &timely, revoked.as_ref());
        let valid_until = self.valid_until(&envelope, &time, revoked.as_ref());
        let reuse_until = self.reuse_until(&checks, &time, revoked.as_ref());
        let leaf = envelope.chain.first()?;
        Some(Content {
            subject,
            kind: EvidenceKind::Signature,
            predicate_type: None,
            predicate: Predicate::Signature,
            signer: Signer::Certificate {
                subject: leaf.subject_text(),
                issuer: leaf.issuer_text(),
                fingerprint: leaf.fingerprint(),
                authority: authority.to_string(),
            },
            signed_at: time.proven,
            valid_until,
            checks,
            trust_root: self.trust.trust_root(),
            source: Digest::of(bytes),
            inputs: None,
            reuse_until,
        })
    }

    /// Keeps a result. `None` where it failed and is enforced.
    fn record<T>(
        &mut self,
        validation: Validation,
        result: Result<T, NotationError>,
    ) -> Option<Result<T, NotationError>> {
        let action = self.trust.statement.action(validation);
        let failure = result.as_ref().err().cloned();
        let refused = failure.is_some() && action == Action::Enforce;
        self.outcome.results.push(ValidationResult { validation, action, failure });
        (!refused).then_some(result)
    }

    /// The store that the chain leads to. The leaf must be a trusted identity besides.
    fn authority(&self, envelope: &Envelope) -> Result<StoreName, NotationError> {
        let kind = match envelope.scheme {
            SigningScheme::X509 => StoreKind::Ca,
            SigningScheme::SigningAuthority => StoreKind::SigningAuthority,
        };
        let named = self.trust.statement.stores().iter().filter(|store| store.kind() == kind);
        let (mut any, mut found) = (false, None);
        for store in named {
            any = true;
            let certificates = self.trust.stores.certificates(store);
            let certificates = certificates.ok_or_else(|| NotationError::NoStore { store: store.to_string() })?;
            let trusted = |der: &[u8]| certificates.iter().any(|trusted| trusted.der() == der);
            if found.is_none() && envelope.chain.iter().any(|certificate| trusted(certificate.der())) {
                found = Some(store.clone());
            }
        }
        if !any {
            return Err(NotationError::NoStoreOfKind { kind: kind.word() });
        }
        let root = || envelope.chain.last().map(Certificate::subject_text).unwrap_or_default();
        let store = found.ok_or_else(|| NotationError::UntrustedRoot { root: root() })?;
        let identities = self.trust.statement.identities();
        if let (TrustedIdentities::Subjects(_), Some(leaf)) = (identities, envelope.chain.first()) {
            let subject = DistinguishedName::of(&leaf.fields().subject).map_err(NotationError::Subject)?;
            if !identities.accept(&subject) {
                return Err(NotationError::UntrustedIdentity { subject: leaf.subject_text() });
            }
        }
        Ok(store)
    }

    /// None where the policy skips it. Gives until when the answers hold, where somebody was asked.
    fn revocation_status(
        &mut self,
        envelope: &Envelope,
        trusted: bool,
        latest: Option<Timestamp>,
    ) -> Option<Result<Option<Timestamp>, NotationError>> {
        if self.trust.statement.action(Validation::Revocation) == Action::Skip {
            return None;
        }
        let unknown = |subject, reason: &str| NotationError::RevocationUnknown { subject, reason: reason.to_owned() };
        let leaf = || envelope.chain.first().map(Certificate::subject_text).unwrap_or_default();
        let nothing = RevocationData::new();
        let answers = if trusted { self.revocation } else { &nothing };
        Some(match revocation::check(&envelope.chain, latest, answers, self.now) {
            ChainStatus::Good { until, .. } => Ok(until),
            ChainStatus::Revoked { subject, since, reason } => Err(NotationError::Revoked { subject, since, reason }),
            ChainStatus::Unknown { subject, reason } => Err(NotationError::RevocationUnknown { subject, reason }),
            ChainStatus::Wanted(_) if !trusted => {
                Err(unknown(leaf(), "its chain leads to no trust store, so that nobody is asked"))
            }
            ChainStatus::Wanted(requests) => {
                self.outcome.wanted.extend(requests);
                Err(unknown(leaf(), "nobody was asked"))
            }
        })
    }

    /// Until when the outcome may be kept: as long as the answers of authorities hold, and no longer than an hour where
    /// one could have been asked; not at all where a check failed that is only logged.
    fn reuse_until(
        &self,
        checks: &[Check],
        time: &Time,
        revoked: Option<&Result<Option<Timestamp>, NotationError>>,
    ) -> Option<Timestamp> {
        if checks.iter().any(|check| check.failed.is_some()) {
            return Some(self.now);
        }
        let answers = revoked.and_then(|result| result.as_ref().ok().copied().flatten());
        let longest = revoked.is_some().then(|| self.now.checked_add(REUSE).unwrap_or(self.now));
        [answers, time.until, longest].into_iter().flatten().min()
    }

    /// The first time at which an enforced check would fail, as far as it is known now.
    fn valid_until(
        &self,
        envelope: &Envelope,
        time: &Time,
        revoked: Option<&Result<Option<Timestamp>, NotationError>>,
    ) -> Option<Timestamp> {
        let enforced = |validation| self.trust.statement.action(validation) == Action::Enforce;
        let expiry = envelope.expiry.filter(|_| enforced(Validation::Expiry));
        let chain = envelope.chain.iter().map(Certificate::not_after).min();
        let chain = chain.filter(|_| enforced(Validation::AuthenticTimestamp) && time.proven.is_none());
        let authority = time.until.filter(|_| enforced(Validation::AuthenticTimestamp));
        let answers = revoked.and_then(|result| result.as_ref().ok().copied().flatten());
        let answers = answers.filter(|_| enforced(Validation::Revocation));
        [expiry, chain, authority, answers].into_iter().flatten().min()
    }
}

fn checks(
    time: &Time,
    expiry: &Result<(), NotationError>,
    timely: &Result<(), NotationError>,
    revoked: Option<&Result<Option<Timestamp>, NotationError>>,
) -> Vec<Check> {
    let failed = |error: &NotationError| Some(error.to_string());
    let check = |name, made, failed| Check { name, made, failed };
    vec![
        check(CheckName::Signature, true, None),
        check(CheckName::Subject, true, None),
        check(CheckName::CertificateChain, true, None),
        check(CheckName::CertificateTransparency, false, None),
        check(CheckName::TransparencyLog, false, None),
        check(CheckName::Expiry, true, expiry.as_ref().err().and_then(failed)),
        check(CheckName::Timestamp, time.countersigned || timely.is_err(), timely.as_ref().err().and_then(failed)),
        // Certificates that name no authority to ask were looked at, and that is all there is to it.
        check(
            CheckName::Revocation,
            revoked.is_some(),
            revoked.and_then(|result| result.as_ref().err()).and_then(failed),
        ),
    ]
}
