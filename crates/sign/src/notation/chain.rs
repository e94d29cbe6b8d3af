//! The certificates of a signature (`signature-specification.md`, "Certificate Requirements"): what a verifier would refuse
//! at sight is refused before anything is signed. Whether the chain is trusted is the verifier's matter.

use assay_model::{Digest, Timestamp};
use const_oid::db::rfc5280::{ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_KP_CODE_SIGNING};
use der::{Decode, Encode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use crate::SignError;
use crate::key::PublicKey;

/// Most certificates of a chain.
const CERTIFICATES_MAX: usize = 10;

/// A chain, the signer's own certificate first.
#[derive(Debug)]
pub(super) struct Chain {
    der: Vec<Vec<u8>>,
    certificates: Vec<Certificate>,
}

fn refuse(reason: impl Into<String>) -> SignError {
    SignError::Chain { reason: reason.into() }
}

impl Chain {
    /// Reads a chain that belongs to `key`.
    pub(super) fn parse(pem: &str, key: &PublicKey) -> Result<Self, SignError> {
        // Not `Certificate::load_pem_chain`, which panics on an empty text.
        let mut certificates = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem.as_bytes()).take(CERTIFICATES_MAX + 1) {
            let der = der.map_err(|error| refuse(error.to_string()))?;
            certificates.push(Certificate::from_der(&der).map_err(|error| refuse(error.to_string()))?);
        }
        if certificates.len() > CERTIFICATES_MAX {
            return Err(refuse(format!("it has more than {CERTIFICATES_MAX} certificates")));
        }
        let leaf = certificates.first().ok_or_else(|| refuse("it has no certificate"))?;
        let spki = leaf.tbs_certificate.subject_public_key_info.to_der().map_err(|error| refuse(error.to_string()))?;
        if PublicKey::from_der(&spki).ok().as_ref() != Some(key) {
            return Err(refuse("the first certificate is of another key"));
        }
        check_leaf(leaf)?;
        for (certificate, issuer) in certificates.iter().zip(certificates.iter().skip(1)) {
            let (issuer, named) = (&issuer.tbs_certificate.subject, &certificate.tbs_certificate.issuer);
            if issuer != named {
                return Err(refuse(format!("after the certificate issued by `{named}` comes that of `{issuer}`")));
            }
        }
        let root = certificates.last().map(|root| &root.tbs_certificate);
        if root.is_none_or(|root| root.subject != root.issuer) {
            return Err(refuse("it does not end with a root, which issued itself"));
        }
        let der = certificates.iter().map(Encode::to_der).collect::<Result<_, _>>();
        Ok(Self { der: der.map_err(|error: der::Error| refuse(error.to_string()))?, certificates })
    }

    /// The certificates, DER.
    pub(super) fn certificates(&self) -> &[Vec<u8>] {
        &self.der
    }

    /// SHA-256 of each certificate, hexadecimal.
    pub(super) fn thumbprints(&self) -> Vec<String> {
        self.der.iter().map(|der| Digest::of(der).hex()).collect()
    }

    pub(super) fn check_valid_at(&self, time: Timestamp) -> Result<(), SignError> {
        let seconds = u64::try_from(time.as_second()).unwrap_or(0);
        for certificate in &self.certificates {
            let validity = &certificate.tbs_certificate.validity;
            let (from, to) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
            if seconds < from.as_secs() || seconds > to.as_secs() {
                let subject = &certificate.tbs_certificate.subject;
                return Err(refuse(format!("the certificate of `{subject}` is not valid at {time}")));
            }
        }
        Ok(())
    }
}

fn check_leaf(leaf: &Certificate) -> Result<(), SignError> {
    let extensions = leaf.tbs_certificate.extensions.iter().flatten();
    for extension in extensions {
        let value = extension.extn_value.as_bytes();
        let fits = match extension.extn_id {
            ID_CE_BASIC_CONSTRAINTS => BasicConstraints::from_der(value).is_ok_and(|constraints| !constraints.ca),
            ID_CE_KEY_USAGE => KeyUsage::from_der(value).is_ok_and(|usage| usage.digital_signature()),
            ID_CE_EXT_KEY_USAGE => {
                ExtendedKeyUsage::from_der(value).is_ok_and(|usages| usages.0.contains(&ID_KP_CODE_SIGNING))
            }
            _ => true,
        };
        if !fits {
            return Err(refuse("the first certificate is not one for signing (an authority's, or for another use)"));
        }
    }
    Ok(())
}
