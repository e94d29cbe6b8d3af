//! Timestamp requests (RFC 3161, section 2.4).

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use der::asn1::{Any, BitString, Int, OctetString};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierOwned;

use crate::key::Hash;
use crate::{Service, SignError};

#[derive(Sequence)]
struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

#[derive(Sequence)]
struct Request {
    version: u8,
    message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    cert_req: bool,
}

#[derive(Sequence)]
struct Response {
    status: StatusInfo,
    #[asn1(optional = "true")]
    token: Option<Any>,
}

#[derive(Sequence)]
struct StatusInfo {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// A request for a timestamp of this signature, DER. Certificates are asked for.
pub(crate) fn request(signature: &[u8], hash: Hash) -> Result<Vec<u8>, SignError> {
    let encode = |error: der::Error| SignError::Encode { reason: error.to_string() };
    let mut nonce = [0; 8];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SignError::Crypto { what: "make a nonce" })?;
    // Positive and without leading zero, which DER requires of an integer.
    nonce[0] = (nonce[0] & 0x3f) | 0x40;
    Request {
        version: 1,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifierOwned { oid: hash.identifier(), parameters: None },
            hashed_message: OctetString::new(hash.of(signature)).map_err(encode)?,
        },
        nonce: Some(Int::new(&nonce).map_err(encode)?),
        cert_req: true,
    }
    .to_der()
    .map_err(encode)
}

/// The response as bundles carry it, if it was granted. Its token is verified by whoever verifies the bundle.
pub(crate) fn check(response: Vec<u8>) -> Result<Vec<u8>, SignError> {
    let unreadable = |reason: String| SignError::Answer { service: Service::Timestamp, reason };
    let parsed = Response::from_der(&response).map_err(|error| unreadable(error.to_string()))?;
    // 0 granted, 1 granted with modifications.
    if parsed.status.status > 1 || parsed.token.is_none() {
        return Err(unreadable(format!("not granted, status {}", parsed.status.status)));
    }
    Ok(response)
}

/// The token alone (a CMS SignedData), which Notation's envelopes carry.
pub(crate) fn token(response: &[u8]) -> Result<Vec<u8>, SignError> {
    let unreadable = |error: der::Error| SignError::Answer { service: Service::Timestamp, reason: error.to_string() };
    let parsed = Response::from_der(response).map_err(unreadable)?;
    parsed.token.unwrap_or_else(Any::null).to_der().map_err(unreadable)
}
