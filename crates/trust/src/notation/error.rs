//! Why a Notation signature fails one of the checks.

use assay_model::{Explain, Timestamp};

use super::chain::ChainError;
use super::name::NameError;
use super::policy::Validation;

/// The cause of a failed check. Whether it refuses the signature is what the trust policy says, see
/// [`Action`](super::Action).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotationError {
    /// The layer's media type is neither of the two envelope formats.
    #[error("the envelope has media type `{media_type}`, known are application/jose+json and application/cose")]
    UnknownFormat {
        /// As written.
        media_type: String,
    },
    /// A part of the envelope cannot be read. Sign again, or fetch it again if it was cut off.
    #[error("the {part} cannot be read: {reason}")]
    Malformed {
        /// Which part: `envelope`, `protected header`, `payload`, `certificate`.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A bound was exceeded. Nothing was verified.
    #[error("{what}: {found}, at most {limit} are read")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A header that every signature of its scheme has is missing.
    #[error("the envelope has no {header}")]
    MissingHeader {
        /// Which.
        header: &'static str,
    },
    /// A header belongs to the other signing scheme.
    #[error("{header} does not belong to signing scheme {scheme}")]
    HeaderOfOtherScheme {
        /// Which.
        header: &'static str,
        /// The scheme of the envelope.
        scheme: &'static str,
    },
    /// A header that decides about trust is not marked critical, so that another verifier may pass over it.
    #[error("{header} is not marked critical")]
    NotCritical {
        /// Which.
        header: &'static str,
    },
    /// A header is marked critical that is not there.
    #[error("`{header}` is marked critical and is not there")]
    CriticalAbsent {
        /// Which.
        header: String,
    },
    /// A critical header is not known here.
    #[error("`{header}` is marked critical and is not understood here")]
    UnknownCritical {
        /// Which.
        header: String,
    },
    /// The signature asks for a verification plugin. Plugins are programs, and none is run here.
    #[error("it asks for the verification plugin `{name}`, and plugins are not run here")]
    Plugin {
        /// Its name.
        name: String,
    },
    /// The signing scheme is none of the two.
    #[error("signing scheme `{scheme}` is neither notary.x509 nor notary.x509.signingAuthority")]
    UnsupportedScheme {
        /// As written.
        scheme: String,
    },
    /// The algorithm is none of PS256, PS384, PS512, ES256, ES384 and ES512.
    #[error("signature algorithm {algorithm} is not allowed")]
    UnsupportedAlgorithm {
        /// As written.
        algorithm: String,
    },
    /// The key of the certificate is of a kind or size that is not allowed.
    #[error("the certificate's key is neither RSA of 2048, 3072 or 4096 bits nor ECDSA on P-256, P-384 or P-521")]
    UnsupportedKey,
    /// The envelope names another algorithm than the certificate's key goes with.
    #[error("the envelope says {stated}, the certificate's key goes with {key}")]
    AlgorithmMismatch {
        /// In the envelope.
        stated: &'static str,
        /// Of the key.
        key: &'static str,
    },
    /// The payload is of another type.
    #[error("the payload has content type `{found}`, known is application/vnd.cncf.notary.payload.v1+json")]
    ContentType {
        /// As written.
        found: String,
    },
    /// The signature ends before it was made.
    #[error("it expires at {expiry}, which is not after its signing time {signed}")]
    ExpiryBeforeSigning {
        /// The end.
        expiry: Timestamp,
        /// The signing time.
        signed: Timestamp,
    },
    /// The signature does not fit the bytes and the certificate's key.
    #[error("the signature does not fit the signed bytes")]
    SignatureInvalid,
    /// The certificates break a rule of the Notary signature specification.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The signature is about something else than the artifact: copied from another one.
    #[error("signed for another artifact: {what} is {signed}, not {artifact}")]
    WrongArtifact {
        /// `digest`, `size` or `media type`.
        what: &'static str,
        /// In the signature.
        signed: String,
        /// Of the artifact.
        artifact: String,
    },
    /// A trust store that the statement names is not there.
    #[error("there is no trust store {store}")]
    NoStore {
        /// `kind:name`.
        store: String,
    },
    /// The statement names no trust store of the kind that the signing scheme needs.
    #[error("the trust policy names no trust store of kind {kind}")]
    NoStoreOfKind {
        /// Which kind.
        kind: &'static str,
    },
    /// No certificate of the chain is in a trust store.
    #[error("no certificate of the chain is in a trust store of the policy (its root is `{root}`)")]
    UntrustedRoot {
        /// Subject of the last certificate.
        root: String,
    },
    /// The certificate's subject is not among the trusted identities.
    #[error("`{subject}` is none of the trusted identities")]
    UntrustedIdentity {
        /// The leaf's subject.
        subject: String,
    },
    /// The certificate's subject cannot be compared with identities.
    #[error("the certificate's subject cannot be matched: {0}")]
    Subject(NameError),
    /// The signer's own end has passed.
    #[error("the signature expired at {at}")]
    Expired {
        /// The end.
        at: Timestamp,
    },
    /// A certificate was not valid at the time that counts.
    #[error("certificate `{subject}` is valid from {not_before} to {not_after}, which does not hold {at}")]
    CertificateNotValid {
        /// Whose.
        subject: String,
        /// Start of validity.
        not_before: Timestamp,
        /// End of validity.
        not_after: Timestamp,
        /// The time, or one end of its range.
        at: Timestamp,
    },
    /// The authority's signing time lies after the time of verification.
    #[error("signed at {at}, which is after the time of verification {now}")]
    InFuture {
        /// The time it states.
        at: Timestamp,
        /// The time that was handed in.
        now: Timestamp,
    },
    /// The trust policy wants a timestamp, and there is none.
    #[error("there is no timestamp countersignature")]
    TimestampMissing,
    /// The timestamp countersignature does not hold.
    #[error("the timestamp countersignature does not hold: {reason}")]
    TimestampInvalid {
        /// What was wrong.
        reason: String,
    },
    /// A certificate is revoked.
    #[error("certificate `{subject}` is revoked since {since}{}", reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Revoked {
        /// Whose.
        subject: String,
        /// When it was revoked.
        since: Timestamp,
        /// The authority's reason.
        reason: Option<&'static str>,
    },
    /// Nobody says whether a certificate is revoked.
    #[error("it is not known whether certificate `{subject}` is revoked: {reason}")]
    RevocationUnknown {
        /// Whose.
        subject: String,
        /// What was wrong.
        reason: String,
    },
}

impl NotationError {
    /// Which check this is a failure of.
    pub fn validation(&self) -> Validation {
        match self {
            Self::NoStore { .. }
            | Self::NoStoreOfKind { .. }
            | Self::UntrustedRoot { .. }
            | Self::UntrustedIdentity { .. }
            | Self::Subject(_) => Validation::Authenticity,
            Self::Expired { .. } => Validation::Expiry,
            Self::CertificateNotValid { .. }
            | Self::InFuture { .. }
            | Self::TimestampMissing
            | Self::TimestampInvalid { .. } => Validation::AuthenticTimestamp,
            Self::Revoked { .. } | Self::RevocationUnknown { .. } => Validation::Revocation,
            _ => Validation::Integrity,
        }
    }

    pub(super) fn malformed(part: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { part, reason: reason.to_string() }
    }
}

impl Explain for NotationError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat { .. } => "notation-format-unknown",
            Self::Malformed { .. } => "notation-malformed",
            Self::TooLarge { .. } => "notation-too-large",
            Self::MissingHeader { .. } => "notation-header-missing",
            Self::HeaderOfOtherScheme { .. } => "notation-header-of-other-scheme",
            Self::NotCritical { .. } => "notation-header-not-critical",
            Self::CriticalAbsent { .. } => "notation-critical-absent",
            Self::UnknownCritical { .. } => "notation-critical-unknown",
            Self::Plugin { .. } => "notation-plugin-needed",
            Self::UnsupportedScheme { .. } => "notation-scheme-unsupported",
            Self::UnsupportedAlgorithm { .. } | Self::UnsupportedKey => "notation-algorithm-unsupported",
            Self::AlgorithmMismatch { .. } => "notation-algorithm-mismatch",
            Self::ContentType { .. } => "notation-content-type",
            Self::ExpiryBeforeSigning { .. } => "notation-expiry-before-signing",
            Self::SignatureInvalid => "signature-invalid",
            Self::Chain(_) => "notation-certificate-rule",
            Self::WrongArtifact { .. } => "evidence-wrong-digest",
            Self::NoStore { .. } | Self::NoStoreOfKind { .. } => "trust-store-missing",
            Self::UntrustedRoot { .. } => "certificate-authority-unknown",
            Self::UntrustedIdentity { .. } | Self::Subject(_) => "signer-mismatch",
            Self::Expired { .. } => "signature-expired",
            Self::CertificateNotValid { .. } => "certificate-not-valid",
            Self::InFuture { .. } => "signed-in-future",
            Self::TimestampMissing => "timestamp-missing",
            Self::TimestampInvalid { .. } => "timestamp-invalid",
            Self::Revoked { .. } => "certificate-revoked",
            Self::RevocationUnknown { .. } => "revocation-unknown",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::WrongArtifact { .. } => "sign this digest: a signature cannot be moved from one digest to another",
            Self::NoStore { .. } | Self::NoStoreOfKind { .. } => "add the store, and name it in the trust policy",
            Self::UntrustedRoot { .. } => "put the authority's root certificate into a trust store of the policy",
            Self::UntrustedIdentity { .. } => {
                "name the signer among trustedIdentities, or sign with a trusted identity"
            }
            Self::Expired { .. } => "sign again",
            Self::CertificateNotValid { .. } | Self::TimestampMissing => {
                "sign again with a timestamp: it keeps a signature valid when its certificate ends"
            }
            Self::Revoked { .. } => "sign again with another certificate",
            Self::RevocationUnknown { .. } => {
                "let this machine reach the authority's OCSP and CRL addresses, or set revocation to log"
            }
            Self::Plugin { .. } => "sign without a plugin, or verify with one elsewhere",
            _ => return None,
        };
        Some(step.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_fails_the_check_that_it_is_about() {
        let at = Timestamp::UNIX_EPOCH;
        for (error, check) in [
            (NotationError::SignatureInvalid, "integrity"),
            (NotationError::NoStoreOfKind { kind: "ca" }, "authenticity"),
            (NotationError::Expired { at }, "expiry"),
            (NotationError::TimestampMissing, "authentic timestamp"),
            (NotationError::Revoked { subject: String::new(), since: at, reason: None }, "revocation"),
        ] {
            assert_eq!(error.validation().title(), check, "{error}");
        }
    }

    #[test]
    fn what_can_be_done_about_a_cause_is_said() {
        let (at, text) = (Timestamp::UNIX_EPOCH, String::new);
        let valid = NotationError::CertificateNotValid { subject: text(), not_before: at, not_after: at, at };
        let moved = NotationError::WrongArtifact { what: "digest", signed: text(), artifact: text() };
        for (error, step) in [
            (moved, "sign this digest"),
            (NotationError::NoStore { store: text() }, "add the store"),
            (NotationError::NoStoreOfKind { kind: "ca" }, "add the store"),
            (NotationError::UntrustedRoot { root: text() }, "the authority's root certificate"),
            (NotationError::UntrustedIdentity { subject: text() }, "trustedIdentities"),
            (NotationError::Expired { at }, "sign again"),
            (valid, "with a timestamp"),
            (NotationError::TimestampMissing, "with a timestamp"),
            (NotationError::Revoked { subject: text(), since: at, reason: None }, "with another certificate"),
            (NotationError::RevocationUnknown { subject: text(), reason: text() }, "OCSP and CRL addresses"),
            (NotationError::Plugin { name: text() }, "without a plugin"),
        ] {
            let said = error.next_step().unwrap();
            assert!(said.contains(step), "{error}: {said}");
        }
        // Nothing but another signature helps where this one is damaged.
        assert_eq!(NotationError::SignatureInvalid.next_step(), None);
    }
}
