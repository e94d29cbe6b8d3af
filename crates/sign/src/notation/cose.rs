//! The COSE envelope (`signature-envelope-cose.md`): a tagged COSE_Sign1 (RFC 9052, section 4.2).

use assay_model::Timestamp;

use super::cbor::Writer;
use super::{
    AGENT, EXPIRY, PAYLOAD_TYPE, Protected, SCHEME, SIGNING_AGENT, SIGNING_SCHEME, SIGNING_TIME, TIMESTAMP_SIGNATURE,
    Unprotected,
};
use crate::key::SignatureScheme;

/// Header parameters (RFC 9052, section 3.1; RFC 9360, section 2).
const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;
const CONTENT_TYPE: i64 = 3;
const CERTIFICATE_CHAIN: i64 = 33;
/// CBOR tags: COSE_Sign1, and seconds since 1970 (RFC 8949, section 3.4.2).
const TAG_SIGN1: u64 = 18;
const TAG_TIME: u64 = 1;

/// Algorithm numbers (RFC 9053, sections 2.1 and 2.2; RFC 8230). Schemes of other formats never come here.
fn algorithm(scheme: SignatureScheme) -> i64 {
    match scheme {
        SignatureScheme::EcdsaP256Sha256 => -7,
        SignatureScheme::EcdsaP384Sha384 => -35,
        SignatureScheme::EcdsaP521Sha512 => -36,
        SignatureScheme::RsaPssSha256 => -37,
        SignatureScheme::RsaPssSha384 => -38,
        SignatureScheme::RsaPssSha512 => -39,
        SignatureScheme::RsaPkcs1Sha256 => -257,
        SignatureScheme::Ed25519 => -8,
    }
}

/// The protected header, encoded, and the bytes to sign (RFC 9052, section 4.4).
pub(super) fn to_sign(protected: &Protected, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let time = |writer: &mut Writer, name: &str, at: Timestamp| {
        writer.text(name);
        writer.tag(TAG_TIME);
        writer.integer(at.as_second());
    };
    let mut header = Writer::default();
    header.map(5 + usize::from(protected.expires.is_some()));
    header.integer(ALGORITHM);
    header.integer(algorithm(protected.scheme));
    header.integer(CRITICAL);
    header.array(1 + usize::from(protected.expires.is_some()));
    header.text(SIGNING_SCHEME);
    if protected.expires.is_some() {
        header.text(EXPIRY);
    }
    header.integer(CONTENT_TYPE);
    header.text(PAYLOAD_TYPE);
    // Shorter keys first, then by bytes: the canonical order (RFC 8949, section 4.2.3).
    if let Some(expires) = protected.expires {
        time(&mut header, EXPIRY, expires);
    }
    time(&mut header, SIGNING_TIME, protected.signed_at);
    header.text(SIGNING_SCHEME);
    header.text(SCHEME);
    let header = header.into_bytes();

    let mut to_sign = Writer::default();
    to_sign.array(4);
    to_sign.text("Signature1");
    to_sign.bytes(&header);
    to_sign.bytes(b"");
    to_sign.bytes(payload);
    (header, to_sign.into_bytes())
}

pub(super) fn assemble(header: &[u8], payload: &[u8], signature: &[u8], unprotected: &Unprotected<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    out.tag(TAG_SIGN1);
    out.array(4);
    out.bytes(header);
    out.map(2 + usize::from(unprotected.timestamp.is_some()));
    out.integer(CERTIFICATE_CHAIN);
    match unprotected.chain {
        // One certificate stands by itself.
        [one] => out.bytes(one),
        several => {
            out.array(several.len());
            for der in several {
                out.bytes(der);
            }
        }
    }
    out.text(SIGNING_AGENT);
    out.text(AGENT);
    if let Some(token) = unprotected.timestamp {
        out.text(TIMESTAMP_SIGNATURE);
        out.bytes(token);
    }
    out.bytes(payload);
    out.bytes(signature);
    out.into_bytes()
}
