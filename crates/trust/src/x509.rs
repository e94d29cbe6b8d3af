//! X.509 certificates and certification paths (RFC 5280), judged at a time that is handed in.
//!
//! [`Certificate::parse`] reads one certificate within bounds; [`verify_path`] finds a path from a leaf over a pool of
//! intermediates to an anchor, and checks on it: every signature, every validity at the given time, `basicConstraints`
//! and its path length, `keyUsage`, the extended key usage (nested: an authority that lists purposes issues only for
//! those), name constraints, and that no critical extension is left unread. Revocation is not looked at here.
//!
//! Policies are not evaluated (RFC 5280, section 6.1.1, with any-policy as the initial set).

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use assay_model::{Digest, Timestamp};
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix;

use crate::crypto::{PublicKey, Scheme, SignatureError};

mod names;
mod path;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use path::{Anchor, Path, Purpose, check_authorities, verify_path};

/// Largest certificate read, in bytes: real ones have 1 to 4 KiB.
const CERTIFICATE_MAX: usize = 64 << 10;

/// Most extensions of one certificate.
const EXTENSIONS_MAX: usize = 64;

/// Purposes of certificates (RFC 5280, section 4.2.1.12).
pub(crate) mod purpose {
    use x509_cert::der::asn1::ObjectIdentifier as Oid;

    /// Any purpose.
    pub(crate) const ANY: Oid = Oid::new_unwrap("2.5.29.37.0");
    /// Signing of code: Fulcio's and Notation's leaves.
    pub(crate) const CODE_SIGNING: Oid = Oid::new_unwrap("1.3.6.1.5.5.7.3.3");
    /// Signing of timestamps.
    pub(crate) const TIME_STAMPING: Oid = Oid::new_unwrap("1.3.6.1.5.5.7.3.8");
}

/// Object identifiers of extensions.
mod extension {
    use x509_cert::der::asn1::ObjectIdentifier as Oid;

    pub(super) const BASIC_CONSTRAINTS: Oid = Oid::new_unwrap("2.5.29.19");
    pub(super) const KEY_USAGE: Oid = Oid::new_unwrap("2.5.29.15");
    pub(super) const EXTENDED_KEY_USAGE: Oid = Oid::new_unwrap("2.5.29.37");
    pub(super) const SUBJECT_ALT_NAME: Oid = Oid::new_unwrap("2.5.29.17");
    pub(super) const NAME_CONSTRAINTS: Oid = Oid::new_unwrap("2.5.29.30");
    pub(super) const CERTIFICATE_POLICIES: Oid = Oid::new_unwrap("2.5.29.32");
    pub(super) const SUBJECT_KEY_IDENTIFIER: Oid = Oid::new_unwrap("2.5.29.14");
    pub(super) const AUTHORITY_KEY_IDENTIFIER: Oid = Oid::new_unwrap("2.5.29.35");
}

/// A parsed certificate, cheap to clone. Parsing proves nothing about who issued it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(Arc<Parsed>);

impl Deref for Certificate {
    type Target = Parsed;

    fn deref(&self) -> &Parsed {
        &self.0
    }
}

/// What a certificate says.
#[derive(Debug)]
pub(crate) struct Parsed {
    der: Vec<u8>,
    /// Where the to-be-signed part stands in `der`: the very bytes that the issuer signed.
    signed: std::ops::Range<usize>,
    parsed: x509_cert::Certificate,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// An algorithm that is not known (an old root's SHA-1) fails the signature, not the certificate: who is trusted by
    /// itself needs none.
    scheme: Result<Scheme, SignatureError>,
    key: PublicKey,
    not_before: Timestamp,
    not_after: Timestamp,
    authority: Option<Authority>,
    key_usage: Option<KeyUsage>,
    purposes: Option<Purposes>,
    subject_key: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
    name_constraints: Option<names::Constraints>,
    unread_critical: Option<ObjectIdentifier>,
    /// Found out once: the roots of a trust store are met in every chain that leads to them.
    self_signed: OnceLock<bool>,
    fingerprint: OnceLock<Digest>,
}

/// `basicConstraints` of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    /// How many intermediates may stand between it and the leaf; none means any number.
    pub(crate) path_length: Option<u8>,
}

/// `keyUsage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUsage {
    /// Whether it is marked critical.
    pub(crate) critical: bool,
    /// May sign things other than certificates and revocation lists.
    pub(crate) digital_signature: bool,
    /// May sign certificates.
    pub(crate) certificates: bool,
    /// May sign revocation lists.
    pub(crate) revocation_lists: bool,
}

/// `extKeyUsage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purposes {
    /// Whether it is marked critical.
    pub(crate) critical: bool,
    /// The purposes, in the order written.
    pub(crate) listed: Vec<ObjectIdentifier>,
}

impl Certificate {
    /// Parses DER, without anything behind it.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, X509Error> {
        let malformed = |reason: &dyn std::fmt::Display| X509Error::Malformed { reason: reason.to_string() };
        if der.len() > CERTIFICATE_MAX {
            return Err(malformed(&format_args!("{} bytes, at most {CERTIFICATE_MAX} are read", der.len())));
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(|error| malformed(&error))?;
        let signed = signed_range(der).map_err(|error| malformed(&error))?;
        let tbs = &parsed.tbs_certificate;
        if tbs.signature != parsed.signature_algorithm {
            return Err(malformed(&"it names two signature algorithms"));
        }
        let key = tbs.subject_public_key_info.to_der().map_err(|error| malformed(&error))?;
        let mut certificate = Parsed {
            der: der.to_vec(),
            signed,
            subject: tbs.subject.to_der().map_err(|error| malformed(&error))?,
            issuer: tbs.issuer.to_der().map_err(|error| malformed(&error))?,
            scheme: Scheme::from_identifier(&parsed.signature_algorithm, None),
            key: PublicKey::from_spki(&key)?,
            not_before: time(tbs.validity.not_before).ok_or_else(|| malformed(&"its validity is out of range"))?,
            not_after: time(tbs.validity.not_after).ok_or_else(|| malformed(&"its validity is out of range"))?,
            authority: None,
            key_usage: None,
            purposes: None,
            subject_key: None,
            authority_key: None,
            name_constraints: None,
            unread_critical: None,
            self_signed: OnceLock::new(),
            fingerprint: OnceLock::new(),
            parsed,
        };
        certificate.read_extensions()?;
        Ok(Self(Arc::new(certificate)))
    }

    /// Parses PEM text of one or more certificates, at most `limit`; anything else between them is refused.
    pub(crate) fn parse_pem(text: &str, limit: usize) -> Result<Vec<Self>, X509Error> {
        let malformed = |reason: &str| X509Error::Malformed { reason: reason.to_owned() };
        let mut certificates = Vec::new();
        let mut rest = text;
        while !rest.trim().is_empty() {
            if certificates.len() >= limit {
                return Err(X509Error::TooMany { what: "certificates", limit });
            }
            let (label, der, behind) = crate::pem::next(rest).map_err(malformed)?;
            if label != "CERTIFICATE" {
                return Err(malformed("a PEM block is no certificate"));
            }
            certificates.push(Self::parse(&der)?);
            rest = behind;
        }
        if certificates.is_empty() { Err(malformed("there is no certificate in it")) } else { Ok(certificates) }
    }
}

impl Parsed {
    fn read_extensions(&mut self) -> Result<(), X509Error> {
        let extensions = self.parsed.tbs_certificate.extensions.take().unwrap_or_default();
        if extensions.len() > EXTENSIONS_MAX {
            return Err(X509Error::TooMany { what: "extensions", limit: EXTENSIONS_MAX });
        }
        for (index, extension) in extensions.iter().enumerate() {
            let oid = extension.extn_id;
            if extensions.iter().take(index).any(|earlier| earlier.extn_id == oid) {
                return Err(X509Error::Malformed { reason: format!("the extension {oid} stands twice") });
            }
            let value = extension.extn_value.as_bytes();
            let unreadable =
                |error: x509_cert::der::Error| X509Error::Malformed { reason: format!("the extension {oid}: {error}") };
            match oid {
                extension::BASIC_CONSTRAINTS => {
                    let read = pkix::BasicConstraints::from_der(value).map_err(unreadable)?;
                    self.authority = read.ca.then_some(Authority { path_length: read.path_len_constraint });
                }
                extension::KEY_USAGE => {
                    let read = pkix::KeyUsage::from_der(value).map_err(unreadable)?;
                    self.key_usage = Some(KeyUsage {
                        critical: extension.critical,
                        digital_signature: read.digital_signature(),
                        certificates: read.key_cert_sign(),
                        revocation_lists: read.crl_sign(),
                    });
                }
                extension::EXTENDED_KEY_USAGE => {
                    let read = pkix::ExtendedKeyUsage::from_der(value).map_err(unreadable)?;
                    self.purposes = Some(Purposes { critical: extension.critical, listed: read.0 });
                }
                extension::SUBJECT_KEY_IDENTIFIER => {
                    let read = OctetString::from_der(value).map_err(unreadable)?;
                    self.subject_key = Some(read.as_bytes().to_vec());
                }
                extension::AUTHORITY_KEY_IDENTIFIER => {
                    let read = pkix::AuthorityKeyIdentifier::from_der(value).map_err(unreadable)?;
                    self.authority_key = read.key_identifier.map(|key| key.as_bytes().to_vec());
                }
                extension::NAME_CONSTRAINTS => {
                    let read = names::Constraints::parse(value)
                        .map_err(|reason| X509Error::Malformed { reason: format!("the extension {oid}: {reason}") })?;
                    self.name_constraints = Some(read);
                }
                // Names are the caller's business, policies are not evaluated (see the module's head).
                extension::SUBJECT_ALT_NAME | extension::CERTIFICATE_POLICIES => {}
                _ if extension.critical => self.unread_critical = Some(oid),
                _ => {}
            }
        }
        self.parsed.tbs_certificate.extensions = Some(extensions);
        Ok(())
    }
}

impl Certificate {
    /// The bytes it was parsed from.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its DER.
    pub(crate) fn fingerprint(&self) -> Digest {
        *self.fingerprint.get_or_init(|| Digest::of(&self.der))
    }

    /// The fields as `x509-cert` reads them.
    pub(crate) fn fields(&self) -> &x509_cert::TbsCertificate {
        &self.parsed.tbs_certificate
    }

    /// The DER value of an extension.
    pub(crate) fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let extensions = self.parsed.tbs_certificate.extensions.as_deref().unwrap_or_default();
        extensions.iter().find(|extension| extension.extn_id == oid).map(|extension| extension.extn_value.as_bytes())
    }

    /// Its public key.
    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Subject, DER.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Issuer, DER.
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// Subject as RFC 4514 writes it.
    pub(crate) fn subject_text(&self) -> String {
        text::text(&self.fields().subject)
    }

    /// Issuer as RFC 4514 writes it.
    pub(crate) fn issuer_text(&self) -> String {
        text::text(&self.fields().issuer)
    }

    /// First moment of its validity.
    pub(crate) fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last moment of its validity.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it is an authority, and how far.
    pub(crate) fn authority(&self) -> Option<Authority> {
        self.authority
    }

    /// `keyUsage`, if there.
    pub(crate) fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// `extKeyUsage`, if there.
    pub(crate) fn purposes(&self) -> Option<&Purposes> {
        self.purposes.as_ref()
    }

    /// `subjectKeyIdentifier`, if there.
    pub(crate) fn subject_key(&self) -> Option<&[u8]> {
        self.subject_key.as_deref()
    }

    /// Whether subject and issuer are one and its own key signed it.
    pub(crate) fn is_self_signed(&self) -> bool {
        *self.self_signed.get_or_init(|| self.subject == self.issuer && self.check_signature(&self.key).is_ok())
    }

    /// Whether `key` signed it.
    pub(crate) fn check_signature(&self, key: &PublicKey) -> Result<(), X509Error> {
        let signed = self.der.get(self.signed.clone()).unwrap_or_default();
        // A signature is whole bytes; with bits left over one certificate could be written in several ways.
        let signature = self.parsed.signature.as_bytes().unwrap_or_default();
        key.verify(self.scheme.clone()?, signed, signature).map_err(|error| match error {
            SignatureError::Invalid => X509Error::SignatureInvalid { subject: self.subject_text() },
            other => other.into(),
        })
    }

    /// Whether its validity covers this time.
    pub(crate) fn check_validity(&self, at: Timestamp) -> Result<(), X509Error> {
        let subject = || self.subject_text();
        // Certificates count in whole seconds, and the last second belongs to the validity (RFC 5280, section 4.1.2.5).
        if at < self.not_before {
            Err(X509Error::NotYetValid { subject: subject(), at, not_before: self.not_before })
        } else if at.as_second() > self.not_after.as_second() {
            Err(X509Error::Expired { subject: subject(), at, not_after: self.not_after })
        } else {
            Ok(())
        }
    }

    fn may_have_issued(&self, certificate: &Self) -> bool {
        let keys_differ = match (&self.subject_key, &certificate.authority_key) {
            (Some(own), Some(wanted)) => own != wanted,
            _ => false,
        };
        self.subject == certificate.issuer && !keys_differ
    }
}

/// Where `tbsCertificate` stands in a certificate.
fn signed_range(der: &[u8]) -> x509_cert::der::Result<std::ops::Range<usize>> {
    let mut reader = SliceReader::new(der)?;
    let header = reader.peek_header()?;
    let start = usize::try_from(header.encoded_len()?)?;
    let length = reader.sequence(|fields| {
        let signed = fields.tlv_bytes()?.len();
        while !fields.is_finished() {
            fields.tlv_bytes()?;
        }
        Ok(signed)
    })?;
    Ok(start..start.saturating_add(length))
}

fn time(time: x509_cert::time::Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}

/// Why a certificate or a path was not accepted. Subjects are written as RFC 4514 has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum X509Error {
    /// It cannot be read.
    #[error("a certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// A bound was exceeded.
    #[error("too many {what}: at most {limit} are read")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A key or signature algorithm that is not verified here.
    #[error("{what} is not supported")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// The signature of a certificate does not fit its issuer's key.
    #[error("the signature of the certificate `{subject}` does not fit its issuer's key")]
    SignatureInvalid {
        /// Whose.
        subject: String,
    },
    /// No anchor and no intermediate is the issuer.
    #[error("no trusted certificate is the issuer `{issuer}`")]
    UnknownIssuer {
        /// The issuer that was looked for.
        issuer: String,
    },
    /// A certificate was not valid yet.
    #[error("the certificate `{subject}` is valid from {not_before}, which is after {at}")]
    NotYetValid {
        /// Whose.
        subject: String,
        /// The time that was asked about.
        at: Timestamp,
        /// Start of validity.
        not_before: Timestamp,
    },
    /// A certificate had expired.
    #[error("the certificate `{subject}` was valid until {not_after}, which is before {at}")]
    Expired {
        /// Whose.
        subject: String,
        /// The time that was asked about.
        at: Timestamp,
        /// End of validity.
        not_after: Timestamp,
    },
    /// An anchor does not count at this time.
    #[error("the authority `{subject}` is not trusted at {at}")]
    AnchorNotTrusted {
        /// Whose.
        subject: String,
        /// The time that was asked about.
        at: Timestamp,
    },
    /// An issuer is no authority, or may not sign certificates.
    #[error("the certificate `{subject}` may not issue certificates: {reason}")]
    NotAuthority {
        /// Whose.
        subject: String,
        /// What is missing.
        reason: &'static str,
    },
    /// More intermediates than an authority allows.
    #[error("the authority `{subject}` allows {allowed} certificates below it, not {found}")]
    PathLength {
        /// Whose.
        subject: String,
        /// Its bound.
        allowed: u8,
        /// How many stand below.
        found: usize,
    },
    /// The leaf's key may not be used like this.
    #[error("the certificate `{subject}` may not sign: {reason}")]
    KeyUsage {
        /// Whose.
        subject: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The certificate is for something else.
    #[error("the certificate `{subject}` is not for {wanted}: {reason}")]
    Purpose {
        /// Whose.
        subject: String,
        /// What it must be for, as an object identifier.
        wanted: ObjectIdentifier,
        /// What is wrong.
        reason: &'static str,
    },
    /// A name that an authority above may not vouch for.
    #[error("the authority `{authority}` may not vouch for `{name}` in the certificate `{subject}`: {reason}")]
    NameConstraint {
        /// Whose certificate has the name.
        subject: String,
        /// Who is constrained.
        authority: String,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A critical extension that is not evaluated here.
    #[error("the certificate `{subject}` has the critical extension {extension}, which is not evaluated")]
    CriticalExtension {
        /// Whose.
        subject: String,
        /// Which.
        extension: ObjectIdentifier,
    },
}

impl From<SignatureError> for X509Error {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::MalformedKey { reason } => Self::Malformed { reason },
            SignatureError::Unsupported { what } => Self::Unsupported { what },
            SignatureError::Invalid => Self::SignatureInvalid { subject: String::new() },
        }
    }
}
