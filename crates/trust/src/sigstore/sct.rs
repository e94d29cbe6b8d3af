//! Signed certificate timestamps (RFC 6962, section 3.2): that a certificate was logged before it was handed out.

use assay_model::Timestamp;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};

use super::log::Log;
use crate::VerifyError;
use crate::crypto::{HashAlgorithm, PublicKey, Scheme};
use crate::x509::Certificate;

/// The list of SCTs in a certificate.
const LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

/// Most SCTs read of one certificate.
const LIST_MAX: usize = 16;

/// One SCT, parsed.
struct Sct<'a> {
    log: &'a [u8],
    timestamp: u64,
    extensions: &'a [u8],
    scheme: Scheme,
    signature: &'a [u8],
}

/// Verifies that one of the certificate's SCTs is of one of `logs`, over this certificate and its `issuer`'s key.
pub(super) fn verify(certificate: &Certificate, issuer: &PublicKey, logs: &[Log]) -> Result<(), VerifyError> {
    let refuse = |reason: &str| VerifyError::CertificateTransparency { reason: reason.to_owned() };
    let list = certificate.extension(LIST).ok_or_else(|| refuse("it has no signed certificate timestamp"))?;
    let list = OctetString::from_der(list).map_err(|error| refuse(&error.to_string()))?;
    let scts = parse(list.as_bytes()).ok_or_else(|| refuse("its signed certificate timestamps cannot be read"))?;
    let to_be_signed = without_list(certificate).map_err(|error| refuse(&error.to_string()))?;
    let mut refused = "its signed certificate timestamps are of logs that the trusted root does not name";
    for sct in &scts {
        let milliseconds = i64::try_from(sct.timestamp).ok();
        let Some(at) = milliseconds.and_then(|at| Timestamp::from_millisecond(at).ok()) else { continue };
        for log in logs.iter().filter(|log| log.id == sct.log) {
            if !log.counts_at(at) {
                refused = "the certificate log's key was not valid when it logged the certificate";
                continue;
            }
            let signed = signed(sct, issuer, &to_be_signed).ok_or_else(|| refuse("the certificate is too long"))?;
            if log.key.verify(sct.scheme, &signed, sct.signature).is_ok() {
                return Ok(());
            }
            refused = "the signature of a signed certificate timestamp does not fit";
        }
    }
    Err(refuse(refused))
}

/// What the log signed: a precertificate entry (RFC 6962, section 3.2).
fn signed(sct: &Sct<'_>, issuer: &PublicKey, to_be_signed: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(to_be_signed.len()).ok().filter(|length| *length < 1 << 24)?.to_be_bytes();
    let mut out = Vec::with_capacity(to_be_signed.len() + 64);
    out.extend([0, 0]);
    out.extend(sct.timestamp.to_be_bytes());
    out.extend([0, 1]);
    out.extend(issuer.fingerprint().as_bytes());
    out.extend(length.get(1..)?);
    out.extend(to_be_signed);
    out.extend(u16::try_from(sct.extensions.len()).ok()?.to_be_bytes());
    out.extend(sct.extensions);
    Some(out)
}

/// The to-be-signed part of the certificate without the list, as it was when the log saw it.
fn without_list(certificate: &Certificate) -> x509_cert::der::Result<Vec<u8>> {
    let mut fields = certificate.fields().clone();
    if let Some(extensions) = &mut fields.extensions {
        extensions.retain(|extension| extension.extn_id != LIST);
    }
    fields.to_der()
}

/// A list in TLS encoding: two bytes of length, then for each SCT the same again.
fn parse(list: &[u8]) -> Option<Vec<Sct<'_>>> {
    let (mut items, rest) = prefixed(list)?;
    let mut scts = Vec::new();
    while !items.is_empty() {
        if scts.len() >= LIST_MAX {
            return None;
        }
        let (item, behind) = prefixed(items)?;
        items = behind;
        let (version, item) = item.split_first()?;
        // A later version has another form and cannot be read here.
        if *version != 0 {
            continue;
        }
        let (log, item) = item.split_at_checked(32)?;
        let (timestamp, item) = item.split_first_chunk::<8>()?;
        let (extensions, item) = prefixed(item)?;
        let (algorithm, item) = item.split_first_chunk::<2>()?;
        let (signature, []) = prefixed(item)? else { return None };
        // RFC 5246, section 7.4.1.4.1: hash, then signature.
        let scheme = match algorithm {
            [4, 3] => Scheme::Ecdsa(HashAlgorithm::Sha256),
            [5, 3] => Scheme::Ecdsa(HashAlgorithm::Sha384),
            [4, 1] => Scheme::RsaPkcs1(HashAlgorithm::Sha256),
            _ => continue,
        };
        scts.push(Sct { log, timestamp: u64::from_be_bytes(*timestamp), extensions, scheme, signature });
    }
    rest.is_empty().then_some(scts)
}

fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_that_lie_are_refused() {
        assert!(parse(&[0, 0]).is_some_and(|list| list.is_empty()));
        assert!(parse(&[0, 1]).is_none());
        assert!(parse(&[0, 0, 0]).is_none());
        assert!(parse(&[0, 3, 0, 1, 0]).is_none());
        // Version 2 is passed over.
        assert!(parse(&[0, 3, 0, 1, 1]).is_some_and(|list| list.is_empty()));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
