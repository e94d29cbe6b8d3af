//! The rules for certificates of the Notary signature specification
//! (notaryproject/specifications, signature-specification.md, certificate requirements).
//!
//! They hold for the certificates by themselves: whether anybody trusts them is another question. Extensions other
//! than basic constraints, key usage and extended key usage are not looked at, as the specification has it.

use const_oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
use const_oid::db::rfc5912::{
    ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING, ID_KP_SERVER_AUTH, ID_KP_TIME_STAMPING,
};
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::Decode;
use der::flagset::FlagSet;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use crate::crypto::KeyAlgorithm;
use crate::x509::Certificate;

/// Most certificates of one chain.
pub(crate) const CHAIN_MAX: usize = 10;

/// What a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signatures on artifacts.
    CodeSigning,
    /// Timestamps.
    Timestamping,
}

/// Which rule a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is no certificate.
    #[error("there is no certificate")]
    Empty,
    /// There are more than ten.
    #[error("there are {found} certificates, at most {CHAIN_MAX} are read")]
    TooLong {
        /// How many.
        found: usize,
    },
    /// A certificate is not issued by the one after it: out of order, or unrelated.
    #[error("certificate `{subject}` is not issued by the next one, `{issuer}`")]
    NotIssued {
        /// Whose.
        subject: String,
        /// The next one's.
        issuer: String,
    },
    /// The last certificate is not self-signed: the chain is not complete.
    #[error("the chain ends in `{subject}`, which is no self-signed root")]
    NoRoot {
        /// The last one's.
        subject: String,
    },
    /// A self-signed certificate stands before the last place.
    #[error("certificate `{subject}` is self-signed and not the last one")]
    EarlyRoot {
        /// Whose.
        subject: String,
    },
    /// An authority may not vouch for a name below it, or a certificate has a critical extension that is not evaluated
    /// (RFC 5280, sections 4.2 and 4.2.1.10).
    #[error("{reason}")]
    Extension {
        /// What is wrong.
        reason: String,
    },
    /// A certificate breaks a rule by itself.
    #[error("certificate `{subject}`: {rule}")]
    Rule {
        /// Whose.
        subject: String,
        /// The rule.
        rule: CertificateRule,
    },
}

/// A rule for one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRule {
    /// An authority has no basic constraints, or they are not critical, or say that it is none.
    #[error("an authority needs critical basic constraints with cA")]
    Authority,
    /// More certificates lie below an authority than its path length allows.
    #[error("its path length is exceeded")]
    PathLength,
    /// Key usage is missing or, for code signing, not critical.
    #[error("key usage must be there, and critical")]
    KeyUsage,
    /// An authority may not sign certificates.
    #[error("an authority's key usage needs keyCertSign")]
    CertificateSigning,
    /// A leaf may not sign.
    #[error("a leaf's key usage needs digitalSignature")]
    DigitalSignature,
    /// A leaf may do something else besides signing.
    #[error("a leaf's key usage has something that is not allowed")]
    OtherKeyUsage,
    /// A leaf is an authority.
    #[error("a leaf must not be an authority")]
    LeafAuthority,
    /// A leaf is for another purpose.
    #[error("its extended key usage has a purpose that is not allowed")]
    ExtendedKeyUsage,
    /// A timestamp authority's leaf is not for timestamps alone, or does not say so critically.
    #[error("its extended key usage must be critical and timeStamping alone")]
    Timestamping,
    /// A leaf's key is of another kind or size than those that are allowed.
    #[error("its key is neither RSA of 2048, 3072 or 4096 bits nor ECDSA on P-256, P-384 or P-521")]
    Key,
}

/// Checks the rules of a chain that is ordered from leaf to root.
pub(crate) fn check(chain: &[Certificate], purpose: Purpose) -> Result<(), ChainError> {
    let (Some(leaf), Some(root)) = (chain.first(), chain.last()) else { return Err(ChainError::Empty) };
    if chain.len() > CHAIN_MAX {
        return Err(ChainError::TooLong { found: chain.len() });
    }
    if !root.is_self_signed() {
        return Err(ChainError::NoRoot { subject: root.subject_text() });
    }
    for pair in chain.windows(2) {
        let [certificate, issuer] = pair else { continue };
        if certificate.is_self_signed() {
            return Err(ChainError::EarlyRoot { subject: certificate.subject_text() });
        }
        if certificate.issuer() != issuer.subject() || certificate.check_signature(issuer.key()).is_err() {
            let (subject, issuer) = (certificate.subject_text(), issuer.subject_text());
            return Err(ChainError::NotIssued { subject, issuer });
        }
    }
    let broken = |certificate: &Certificate, rule| ChainError::Rule { subject: certificate.subject_text(), rule };
    for (below, authority) in chain.iter().skip(1).enumerate() {
        check_authority(authority, below, purpose).map_err(|rule| broken(authority, rule))?;
        let lower = chain.iter().take(below + 1);
        authority.check_names(lower).map_err(|error| ChainError::Extension { reason: error.to_string() })?;
    }
    for certificate in chain {
        certificate.check_critical().map_err(|error| ChainError::Extension { reason: error.to_string() })?;
    }
    check_leaf(leaf, purpose).map_err(|rule| broken(leaf, rule))
}

/// `below` counts the authorities between this one and the leaf (RFC 5280 section 4.2.1.9).
fn check_authority(certificate: &Certificate, below: usize, purpose: Purpose) -> Result<(), CertificateRule> {
    let (critical, constraints) = extension::<BasicConstraints>(certificate).ok_or(CertificateRule::Authority)?;
    if !critical || !constraints.ca {
        return Err(CertificateRule::Authority);
    }
    if constraints.path_len_constraint.is_some_and(|longest| usize::from(longest) < below) {
        return Err(CertificateRule::PathLength);
    }
    if !key_usage(certificate, purpose)?.contains(KeyUsages::KeyCertSign) {
        return Err(CertificateRule::CertificateSigning);
    }
    Ok(())
}

fn check_leaf(certificate: &Certificate, purpose: Purpose) -> Result<(), CertificateRule> {
    if extension::<BasicConstraints>(certificate).is_some_and(|(_, constraints)| constraints.ca) {
        return Err(CertificateRule::LeafAuthority);
    }
    let usage = key_usage(certificate, purpose)?;
    if !usage.contains(KeyUsages::DigitalSignature) {
        return Err(CertificateRule::DigitalSignature);
    }
    let refused = [
        KeyUsages::KeyEncipherment,
        KeyUsages::DataEncipherment,
        KeyUsages::KeyAgreement,
        KeyUsages::KeyCertSign,
        KeyUsages::CRLSign,
        KeyUsages::EncipherOnly,
        KeyUsages::DecipherOnly,
    ];
    if refused.into_iter().any(|bit| usage.contains(bit)) {
        return Err(CertificateRule::OtherKeyUsage);
    }
    check_extended(certificate, purpose)?;
    match certificate.key().algorithm() {
        KeyAlgorithm::Rsa { bits: 2048 | 3072 | 4096 }
        | KeyAlgorithm::EcdsaP256
        | KeyAlgorithm::EcdsaP384
        | KeyAlgorithm::EcdsaP521 => Ok(()),
        _ => Err(CertificateRule::Key),
    }
}

fn check_extended(certificate: &Certificate, purpose: Purpose) -> Result<(), CertificateRule> {
    const REFUSED: [ObjectIdentifier; 6] = [
        ANY_EXTENDED_KEY_USAGE,
        ID_KP_SERVER_AUTH,
        ID_KP_CLIENT_AUTH,
        ID_KP_EMAIL_PROTECTION,
        ID_KP_TIME_STAMPING,
        ID_KP_OCSP_SIGNING,
    ];
    match (purpose, extension::<ExtendedKeyUsage>(certificate)) {
        (Purpose::CodeSigning, Some((_, usage))) if usage.0.iter().any(|kind| REFUSED.contains(kind)) => {
            Err(CertificateRule::ExtendedKeyUsage)
        }
        (Purpose::CodeSigning, _) => Ok(()),
        (Purpose::Timestamping, Some((true, usage))) if usage.0 == [ID_KP_TIME_STAMPING] => Ok(()),
        (Purpose::Timestamping, _) => Err(CertificateRule::Timestamping),
    }
}

fn key_usage(certificate: &Certificate, purpose: Purpose) -> Result<FlagSet<KeyUsages>, CertificateRule> {
    match extension::<KeyUsage>(certificate) {
        Some((critical, usage)) if critical || purpose == Purpose::Timestamping => Ok(usage.0),
        _ => Err(CertificateRule::KeyUsage),
    }
}

/// An extension, and whether it is critical. Those that are asked for here were read when the certificate was parsed.
fn extension<T: AssociatedOid + for<'a> Decode<'a>>(certificate: &Certificate) -> Option<(bool, T)> {
    let extensions = certificate.fields().extensions.as_deref().unwrap_or_default();
    let found = extensions.iter().find(|extension| extension.extn_id == T::OID)?;
    Some((found.critical, T::from_der(found.extn_value.as_bytes()).ok()?))
}
