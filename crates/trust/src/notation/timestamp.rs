//! Authentic timestamps: whether the certificates were valid when the signature was made
//! (notaryproject/specifications, trust-store-trust-policy.md, signature verification, validate authentic timestamp).

use assay_model::Timestamp;

use super::chain::{self, Purpose};
use super::envelope::{Envelope, SigningScheme};
use super::error::NotationError;
use super::policy::VerifyTimestamp;
use super::store::StoreKind;
use super::trust::StatementTrust;
use crate::revocation::{self, ChainStatus, RevocationData, RevocationRequest};
use crate::timestamp::{TimestampAuthority, VerifiedTimestamp};
use crate::x509::{Anchor, Certificate};

/// What is known about the time of a signature.
#[derive(Debug, Default)]
pub(super) struct Time {
    /// The word of an authority, if there is one.
    pub(super) proven: Option<Timestamp>,
    /// No later than this it was made, if that is proven.
    pub(super) latest: Option<Timestamp>,
    /// Whether a countersignature was verified.
    pub(super) countersigned: bool,
    /// Until when the answers about the timestamp authority hold.
    pub(super) until: Option<Timestamp>,
    /// Answers that are missing.
    pub(super) wanted: Vec<RevocationRequest>,
}

/// Judges the time. Missing answers about the authority are named beside the failure.
pub(super) fn check(
    envelope: &Envelope,
    trust: StatementTrust<'_>,
    data: &RevocationData,
    now: Timestamp,
) -> (Time, Result<(), NotationError>) {
    let mut time = Time::default();
    let result = match envelope.scheme {
        SigningScheme::SigningAuthority => authority(envelope, now, &mut time),
        SigningScheme::X509 if wants_countersignature(envelope, trust, now) => {
            countersignature(envelope, trust, data, now, &mut time)
        }
        SigningScheme::X509 => valid_within(&envelope.chain, now, now),
    };
    (time, result)
}

fn authority(envelope: &Envelope, now: Timestamp, time: &mut Time) -> Result<(), NotationError> {
    let at = envelope.signing_time;
    if at > now {
        return Err(NotationError::InFuture { at, now });
    }
    valid_within(&envelope.chain, at, at)?;
    (time.proven, time.latest) = (Some(at), Some(at));
    Ok(())
}

fn wants_countersignature(envelope: &Envelope, trust: StatementTrust<'_>, now: Timestamp) -> bool {
    let named = trust.statement.stores().iter().any(|store| store.kind() == StoreKind::Tsa);
    let expired = || envelope.chain.iter().any(|certificate| is_after(now, certificate));
    named
        && match trust.statement.verify_timestamp() {
            VerifyTimestamp::Always => true,
            VerifyTimestamp::AfterCertExpiry => expired(),
        }
}

fn countersignature(
    envelope: &Envelope,
    trust: StatementTrust<'_>,
    data: &RevocationData,
    now: Timestamp,
    time: &mut Time,
) -> Result<(), NotationError> {
    let invalid = |reason: &dyn std::fmt::Display| NotationError::TimestampInvalid { reason: reason.to_string() };
    let token = envelope.timestamp.as_deref().ok_or(NotationError::TimestampMissing)?;
    let mut anchors = Vec::new();
    for store in trust.statement.stores().iter().filter(|store| store.kind() == StoreKind::Tsa) {
        let certificates = trust.stores.certificates(store);
        let certificates = certificates.ok_or_else(|| invalid(&format_args!("there is no trust store {store}")))?;
        anchors.extend(certificates.iter().cloned().map(Anchor::new));
    }
    let authority = TimestampAuthority::of_anchors(anchors);
    let verified = crate::timestamp::verify(token, &envelope.signature, &authority).map_err(|error| invalid(&error))?;
    let chain = verified.chain.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| invalid(&error))?;
    chain::check(&chain, Purpose::Timestamping).map_err(|error| invalid(&error))?;
    check_range(envelope, &verified, now)?;
    time.until = match revocation::check(&chain, None, data, now) {
        ChainStatus::Good { until, .. } => until,
        ChainStatus::Revoked { subject, since, reason } => {
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Err(invalid(&format_args!("its certificate `{subject}` is revoked since {since}{reason}")));
        }
        ChainStatus::Unknown { subject, reason } => {
            return Err(invalid(&format_args!(
                "it is not known whether its certificate `{subject}` is revoked: {reason}"
            )));
        }
        ChainStatus::Wanted(requests) => {
            time.wanted = requests;
            return Err(invalid(&"nobody was asked whether its certificates are revoked"));
        }
    };
    (time.proven, time.latest, time.countersigned) = (Some(verified.at), Some(verified.latest()), true);
    Ok(())
}

/// The whole range that the accuracy allows lies within every certificate's validity.
fn check_range(envelope: &Envelope, verified: &VerifiedTimestamp, now: Timestamp) -> Result<(), NotationError> {
    if verified.earliest() > now {
        return Err(NotationError::InFuture { at: verified.at, now });
    }
    valid_within(&envelope.chain, verified.earliest(), verified.latest())
}

fn valid_within(chain: &[Certificate], earliest: Timestamp, latest: Timestamp) -> Result<(), NotationError> {
    for certificate in chain {
        let outside = |at| NotationError::CertificateNotValid {
            subject: certificate.subject_text(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            at,
        };
        if earliest < certificate.not_before() {
            return Err(outside(earliest));
        }
        if is_after(latest, certificate) {
            return Err(outside(latest));
        }
    }
    Ok(())
}

/// Validity ends with the last second that is named.
fn is_after(at: Timestamp, certificate: &Certificate) -> bool {
    at.as_second() > certificate.not_after().as_second()
}
