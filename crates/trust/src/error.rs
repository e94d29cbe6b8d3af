//! Why a Claim did not become Evidence.

use assay_model::{Digest, Explain, Timestamp};

/// Why a bundle was not accepted. Every variant is a cause; none of them ever counts as a pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A part of the bundle cannot be read. Sign again, or fetch the bundle again if it was cut off.
    #[error("the {part} cannot be read: {reason}")]
    Malformed {
        /// Which part: `bundle`, `envelope`, `payload`, `statement`, `certificate`, `log entry`, ...
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The bundle's media type is none of v0.1, v0.2, v0.3.
    #[error("the bundle has media type `{media_type}`, known are the Sigstore bundle versions 0.1, 0.2 and 0.3")]
    UnsupportedVersion {
        /// As written.
        media_type: String,
    },
    /// The bundle is well formed, but holds something that is not verified here (another payload type, key type or
    /// kind of log entry).
    #[error("the bundle holds something that cannot be verified: {what}")]
    Unsupported {
        /// What it is.
        what: String,
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
    /// A predicate of a known type does not have that type's form.
    #[error("the predicate {predicate_type} cannot be read: {reason}")]
    PredicateMalformed {
        /// Its type.
        predicate_type: String,
        /// What the parser says.
        reason: String,
    },
    /// The statement or signature is about something else than the artifact: copied from another digest.
    #[error("signed for another artifact than {artifact}")]
    WrongDigest {
        /// The digest that was asked about.
        artifact: Box<Digest>,
    },
    /// The signature does not fit the bytes and the key.
    #[error("the signature does not fit the signed bytes")]
    SignatureInvalid,
    /// No trusted key made this signature.
    #[error("no trusted key made this signature (key hint `{hint}`)")]
    UnknownKey {
        /// The bundle's hint, which proves nothing.
        hint: String,
    },
    /// The key is trusted for another period than the one in which it signed.
    #[error("the key {fingerprint} was not valid at {at}")]
    KeyNotValid {
        /// Its fingerprint.
        fingerprint: Box<Digest>,
        /// The proven time; the time of verification where none is proven.
        at: Timestamp,
    },
    /// There is no trusted material of the kind that the bundle needs.
    #[error("nothing to verify it against: the bundle needs a trusted {wanted}")]
    NoMaterial {
        /// `root` or `key`.
        wanted: &'static str,
    },
    /// No trusted root has the certificate's issuer.
    #[error("the certificate was issued by an authority that no trusted root names")]
    UnknownAuthority,
    /// The certificate does not chain to its authority, or is not for code signing.
    #[error("the certificate does not chain to a trusted authority: {reason}")]
    CertificateChain {
        /// What the path builder says.
        reason: String,
    },
    /// No authority of the trusted root was valid at the proven time.
    #[error("no certificate authority of the trusted root was valid at the proven time {at}")]
    AuthorityNotValid {
        /// The proven time.
        at: Timestamp,
    },
    /// The certificate had expired at the proven time.
    #[error("the certificate had expired at the proven time {at} (valid to {not_after})")]
    CertificateExpired {
        /// The proven time.
        at: Timestamp,
        /// End of validity.
        not_after: Timestamp,
    },
    /// The certificate was not valid yet at the proven time.
    #[error("the certificate was not valid yet at the proven time {at} (valid from {not_before})")]
    CertificateNotYetValid {
        /// The proven time.
        at: Timestamp,
        /// Start of validity.
        not_before: Timestamp,
    },
    /// The certificate carries no valid signed certificate timestamp of a trusted log.
    #[error("the certificate is not proven to be in a certificate transparency log: {reason}")]
    CertificateTransparency {
        /// What was wrong.
        reason: String,
    },
    /// The certificate names no identity or no issuer.
    #[error("the certificate has no {missing}")]
    NoIdentity {
        /// `subject alternative name` or `OIDC issuer`.
        missing: &'static str,
    },
    /// The entry is of a log that no trusted root names.
    #[error("the log entry is of a transparency log that no trusted root names ({log_id})")]
    UnknownLog {
        /// The log's identity as the entry gives it.
        log_id: String,
    },
    /// Inclusion proof, checkpoint or inclusion promise do not hold.
    #[error("the entry is not proven to be in the transparency log: {reason}")]
    LogProof {
        /// What was wrong.
        reason: String,
    },
    /// The log entry belongs to another signature, key or artifact.
    #[error("the log entry is of another signature: {reason}")]
    LogEntryMismatch {
        /// What differs.
        reason: String,
    },
    /// The log's time is outside the certificate's validity or in the future.
    #[error("the time of the log entry does not fit: {reason}")]
    LogTime {
        /// What was wrong.
        reason: String,
    },
    /// A signed timestamp is not of a trusted authority or not for this signature.
    #[error("the signed timestamp does not hold: {reason}")]
    TimestampInvalid {
        /// What was wrong.
        reason: String,
    },
    /// A signed timestamp is authentic but outside its authority's validity.
    #[error("the signed timestamp {at} is outside the validity of the authority that signed it")]
    TimestampOutsideAuthority {
        /// The time it states.
        at: Timestamp,
    },
    /// A certificate, and neither a log entry nor a timestamp beside it: it cannot be told whether the certificate was
    /// valid when it signed. Supply the log entry (`--rekor-entry`), or sign again.
    ///
    /// Also: an envelope that names neither a certificate nor a key, so that only its log entry could tell who signed it.
    #[error("there is neither a log entry nor a timestamp to tell {}", untold(*not_after))]
    Unverifiable {
        /// End of the certificate's validity, if there is a certificate.
        not_after: Option<Timestamp>,
    },
    /// Nothing proves when it was signed, so that the certificate cannot be judged.
    #[error("nothing proves when it was signed")]
    NoTime,
    /// The proven time is later than the time of verification.
    #[error("signed at {at}, which is after the time of verification {now}")]
    InFuture {
        /// The proven time.
        at: Timestamp,
        /// The time that was handed in.
        now: Timestamp,
    },
    /// The trust material itself cannot be used.
    #[error("the trust material cannot be used: {reason}")]
    Material {
        /// What was wrong.
        reason: String,
    },
}

fn untold(not_after: Option<Timestamp>) -> String {
    match not_after {
        Some(end) => format!("when it was signed (its certificate ended at {end})"),
        None => "who signed it".to_owned(),
    }
}

impl Explain for VerifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "bundle-malformed",
            Self::UnsupportedVersion { .. } => "bundle-version-unsupported",
            Self::Unsupported { .. } => "bundle-unsupported",
            Self::TooLarge { .. } => "bundle-too-large",
            Self::PredicateMalformed { .. } => "predicate-malformed",
            Self::WrongDigest { .. } => "evidence-wrong-digest",
            Self::SignatureInvalid => "signature-invalid",
            Self::UnknownKey { .. } => "key-unknown",
            Self::KeyNotValid { .. } => "key-not-valid",
            Self::NoMaterial { .. } => "trust-material-missing",
            Self::UnknownAuthority => "certificate-authority-unknown",
            Self::CertificateChain { .. } => "certificate-chain-invalid",
            Self::AuthorityNotValid { .. } => "certificate-authority-not-valid",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::CertificateNotYetValid { .. } => "certificate-not-yet-valid",
            Self::CertificateTransparency { .. } => "certificate-not-logged",
            Self::NoIdentity { .. } => "certificate-without-identity",
            Self::UnknownLog { .. } => "log-unknown",
            Self::LogProof { .. } => "log-proof-invalid",
            Self::LogEntryMismatch { .. } => "log-entry-mismatch",
            Self::LogTime { .. } => "log-time-invalid",
            Self::TimestampInvalid { .. } => "timestamp-invalid",
            Self::TimestampOutsideAuthority { .. } => "timestamp-outside-authority",
            Self::Unverifiable { .. } => "evidence-unverifiable",
            Self::NoTime => "signing-time-unproven",
            Self::InFuture { .. } => "signed-in-future",
            Self::Material { .. } => "trust-material-invalid",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::WrongDigest { .. } => "sign this digest: a signature cannot be moved from one digest to another",
            Self::UnknownKey { .. } => "give the public key of the signer, or sign with a trusted key",
            Self::NoMaterial { wanted: "key" } => "name the signer's public key (--key, or keys of a TrustRoot)",
            Self::NoMaterial { .. } => "name a trusted root (--trusted-root, or sigstore of a TrustRoot)",
            Self::UnknownAuthority | Self::UnknownLog { .. } => {
                "if the signature comes from another Sigstore instance, name its trusted root; else sign again"
            }
            Self::CertificateExpired { .. } | Self::CertificateNotYetValid { .. } | Self::NoTime => {
                "sign again: the log or timestamp must be made while the certificate is valid"
            }
            Self::Unverifiable { .. } => {
                "supply its log entry (--rekor-entry FILE, from Rekor's /api/v1/log/entries), or sign again as a bundle"
            }
            Self::InFuture { .. } => "check the clock of this machine",
            Self::UnsupportedVersion { .. } => "sign again with a current signer (bundle v0.3)",
            Self::Material { .. } => "fetch the trusted root again",
            _ => return None,
        };
        Some(step.to_owned())
    }
}
