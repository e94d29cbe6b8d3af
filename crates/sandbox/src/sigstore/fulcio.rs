//! Fulcio: an identity token and a proof of possession in, a certificate out.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};
use x509_cert::der::{Decode, pem};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::key::{Key, PublicPoint};
use super::{Identity, Refusal};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    credentials: Credentials,
    public_key_request: PublicKeyRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    oidc_identity_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: PublicKey,
    proof_of_possession: String,
}

#[derive(Deserialize)]
struct PublicKey {
    content: String,
}

/// Checks a request: who asks, for which key.
pub(super) fn check(request: &[u8], issuer: &Key, now: i64) -> Result<(Identity, PublicPoint), Refusal> {
    let request: Request = serde_json::from_slice(request).map_err(bad)?;
    let claims = claims(&request.credentials.oidc_identity_token, issuer, now)?;
    let identity = Identity::of_claims(&claims).ok_or_else(|| bad("the token names no workflow and no address"))?;
    let key = request.public_key_request;
    let (_, der) = pem::decode_vec(key.public_key.content.trim().as_bytes()).map_err(bad)?;
    let spki = SubjectPublicKeyInfoOwned::from_der(&der).map_err(bad)?;
    let point = spki.subject_public_key.raw_bytes().to_vec();
    let subject = ["email", "sub"].iter().find_map(|name| claims.get(*name).and_then(Value::as_str));
    let proof = STANDARD.decode(&key.proof_of_possession).map_err(bad)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point)
        .verify(subject.unwrap_or_default().as_bytes(), &proof)
        .map_err(|_| bad("the proof of possession does not fit key and subject"))?;
    Ok((identity, PublicPoint(point)))
}

/// Verifies a token of our own issuer.
fn claims(token: &str, issuer: &Key, now: i64) -> Result<Map<String, Value>, Refusal> {
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| bad("no token"))?;
    let (_, payload) = signed.split_once('.').ok_or_else(|| bad("no token"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(bad)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, issuer.public())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Refusal { status: 401, message: "the token is not of this issuer".to_owned() })?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(bad)?;
    let claims: Map<String, Value> = serde_json::from_slice(&payload).map_err(bad)?;
    let number = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    if claims.get("aud").and_then(Value::as_str) != Some("sigstore") {
        return Err(Refusal { status: 401, message: "the token is for another audience".to_owned() });
    }
    if now < number("nbf") || now >= number("exp") {
        return Err(Refusal { status: 401, message: "the token is not valid now".to_owned() });
    }
    Ok(claims)
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::request(&error.to_string())
}
