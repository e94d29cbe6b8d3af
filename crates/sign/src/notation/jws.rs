//! The JWS envelope (`signature-envelope-jws.md`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    AGENT, EXPIRY, PAYLOAD_TYPE, Protected, SCHEME, SIGNING_AGENT, SIGNING_SCHEME, SIGNING_TIME, TIMESTAMP_SIGNATURE,
    Unprotected,
};
use crate::key::SignatureScheme;

#[derive(Serialize)]
struct Envelope {
    payload: String,
    protected: String,
    header: Map<String, Value>,
    signature: String,
}

/// Algorithm names (RFC 7518, section 3.1). Schemes of other formats never come here.
fn algorithm(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::EcdsaP256Sha256 => "ES256",
        SignatureScheme::EcdsaP384Sha384 => "ES384",
        SignatureScheme::EcdsaP521Sha512 => "ES512",
        SignatureScheme::RsaPssSha256 => "PS256",
        SignatureScheme::RsaPssSha384 => "PS384",
        SignatureScheme::RsaPssSha512 => "PS512",
        SignatureScheme::RsaPkcs1Sha256 => "RS256",
        SignatureScheme::Ed25519 => "EdDSA",
    }
}

/// The protected header, encoded, and the bytes to sign (RFC 7515, section 5.1).
pub(super) fn to_sign(protected: &Protected, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut header = json!({
        "alg": algorithm(protected.scheme),
        "cty": PAYLOAD_TYPE,
        SIGNING_SCHEME: SCHEME,
        SIGNING_TIME: protected.signed_at.to_string(),
    });
    let mut critical = vec![SIGNING_SCHEME];
    if let Some(expires) = protected.expires {
        header[EXPIRY] = expires.to_string().into();
        critical.push(EXPIRY);
    }
    header["crit"] = json!(critical);
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let to_sign = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    (header.into_bytes(), to_sign.into_bytes())
}

pub(super) fn assemble(header: &[u8], payload: &[u8], signature: &[u8], unprotected: &Unprotected<'_>) -> Vec<u8> {
    let chain: Vec<String> = unprotected.chain.iter().map(|der| STANDARD.encode(der)).collect();
    let mut members = Map::new();
    members.insert("x5c".to_owned(), json!(chain));
    members.insert(SIGNING_AGENT.to_owned(), AGENT.into());
    if let Some(token) = unprotected.timestamp {
        members.insert(TIMESTAMP_SIGNATURE.to_owned(), STANDARD.encode(token).into());
    }
    let envelope = Envelope {
        payload: URL_SAFE_NO_PAD.encode(payload),
        protected: String::from_utf8_lossy(header).into_owned(),
        header: members,
        signature: URL_SAFE_NO_PAD.encode(signature),
    };
    // Text under text keys: nothing that could fail to be written.
    serde_json::to_vec(&envelope).unwrap_or_default()
}
