//! Fulcio's API, version 2 (sigstore/fulcio, `fulcio.proto`, `CreateSigningCertificate`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{IdentityToken, PrivateKey, Service, SignError};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    credentials: Credentials<'a>,
    public_key_request: PublicKeyRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    oidc_identity_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: PublicKey,
    proof_of_possession: String,
}

#[derive(Serialize)]
struct PublicKey {
    algorithm: &'static str,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(alias = "signedCertificateDetachedSct")]
    signed_certificate_embedded_sct: Signed,
}

#[derive(Deserialize)]
struct Signed {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

/// The leaf certificate.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
}

/// The body of a request. The proof of possession is a signature over the identity that the token names.
pub(crate) fn request(token: &IdentityToken, key: &PrivateKey) -> Result<Vec<u8>, SignError> {
    let request = Request {
        credentials: Credentials { oidc_identity_token: token.expose() },
        public_key_request: PublicKeyRequest {
            public_key: PublicKey { algorithm: "ECDSA", content: key.public_key_pem()? },
            proof_of_possession: STANDARD.encode(key.sign(token.proof_subject().as_bytes())?),
        },
    };
    serde_json::to_vec(&request).map_err(|error| SignError::Encode { reason: error.to_string() })
}

/// The leaf certificate of an answer; the rest of the chain is the trusted root's matter.
pub(crate) fn certificate(answer: &[u8]) -> Result<Certificate, SignError> {
    let unreadable = |reason: String| SignError::Answer { service: Service::Fulcio, reason };
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| unreadable(error.to_string()))?;
    let pem = answer
        .signed_certificate_embedded_sct
        .chain
        .certificates
        .into_iter()
        .next()
        .ok_or_else(|| unreadable("no certificate".to_owned()))?;
    let (label, der) = der::pem::decode_vec(pem.trim().as_bytes()).map_err(|error| unreadable(error.to_string()))?;
    if label != "CERTIFICATE" {
        return Err(unreadable(format!("PEM label `{label}`")));
    }
    Ok(Certificate { pem, der })
}
