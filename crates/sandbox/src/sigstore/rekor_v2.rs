//! Rekor, version 2: `hashedrekord` 0.0.2, and `dsse` 0.0.2 which newer servers refuse
//! (sigstore/rekor-tiles, `api/proto/rekor/v2` and `CLIENTS.md`).
//!
//! It states no time and gives no promise: the answer is the `TransparencyLogEntry` that bundles carry.

use assay_model::Digest;
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::Refusal;
use super::envelope::Envelope;
use super::fault::{Fault, Faults};
use super::log::Log;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    hashed_rekord_request_v002: Option<HashedRekord>,
    dsse_request_v002: Option<Dsse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord {
    digest: String,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    content: String,
    verifier: Verifier,
}

/// The fields stand in the order of canonical JSON (RFC 8785), as in all that is logged.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verifier {
    key_details: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RawBytes>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dsse {
    envelope: Envelope,
    verifiers: Vec<Verifier>,
}

/// Takes an entry into the log (beside it the instance's other one) and answers with it and its proof.
pub(super) fn append(request: &[u8], (log, other): (&mut Log, &Log), faults: &Faults) -> Result<Value, Refusal> {
    let request: Request = serde_json::from_slice(request).map_err(bad)?;
    let substitute = faults.has(Fault::EntryForAnotherSignature).then(|| log.signer(faults).key.sign(b"another"));
    let substitute = substitute.transpose()?.map(|other| STANDARD.encode(other));
    let (kind, canonical) = match (request.hashed_rekord_request_v002, request.dsse_request_v002) {
        (Some(request), None) => ("hashedrekord", hashed_rekord(request, substitute, faults)?),
        (None, Some(request)) => ("dsse", dsse(request, substitute, faults)?),
        _ => return Err(bad("one request of a known kind is taken")),
    };
    let canonical = serde_json::to_vec(&canonical).map_err(bad)?;
    let appended = log.append(&canonical, faults, other)?;
    Ok(json!({
        "logIndex": appended.index.to_string(),
        "logId": {"keyId": STANDARD.encode(log.signer(faults).id.as_bytes())},
        "kindVersion": {"kind": kind, "version": "0.0.2"},
        "integratedTime": "0",
        "inclusionPromise": null,
        "inclusionProof": {
            "logIndex": appended.index.to_string(),
            "rootHash": STANDARD.encode(appended.root.as_bytes()),
            "treeSize": appended.size.to_string(),
            "hashes": appended.path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect::<Vec<_>>(),
            "checkpoint": {"envelope": appended.checkpoint},
        },
        "canonicalizedBody": STANDARD.encode(&canonical),
    }))
}

fn hashed_rekord(request: HashedRekord, substitute: Option<String>, faults: &Faults) -> Result<Value, Refusal> {
    let HashedRekord { digest, mut signature } = request;
    let signed = Scheme::of(&signature.verifier.key_details)?;
    let hash = STANDARD.decode(&digest).map_err(bad)?;
    let hash = digest::Digest::import_less_safe(&hash, signed.hash)
        .map_err(|_| bad("the digest's length does not fit the key details"))?;
    signed.verify(&signature.verifier, &signature.content, &hash)?;
    signature.content = substitute.unwrap_or(signature.content);
    let digest = other_artifact(faults).map_or(digest, |other| STANDARD.encode(other.as_bytes()));
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": signed.name, "digest": digest},
            "signature": signature,
        }},
    }))
}

fn dsse(request: Dsse, substitute: Option<String>, faults: &Faults) -> Result<Value, Refusal> {
    let Dsse { envelope, verifiers } = request;
    let ([signature], [verifier]) = (envelope.signatures.as_slice(), verifiers.as_slice()) else {
        return Err(bad("one signature and one verifier are logged"));
    };
    let payload = STANDARD.decode(&envelope.payload).map_err(bad)?;
    let signed = Scheme::of(&verifier.key_details)?;
    let hash = digest::digest(signed.hash, &assay_trust::pae(&envelope.payload_type, &payload));
    signed.verify(verifier, &signature.sig, &hash)?;
    let digest = other_artifact(faults).unwrap_or_else(|| Digest::of(&payload));
    let content = substitute.unwrap_or_else(|| signature.sig.clone());
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "dsse",
        "spec": {"dsseV002": {
            "payloadHash": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest.as_bytes())},
            "signatures": [Signature { content, verifier: verifier.clone() }],
        }},
    }))
}

fn other_artifact(faults: &Faults) -> Option<Digest> {
    faults.has(Fault::EntryOfAnotherArtifact).then(|| Digest::of(b"another artifact"))
}

/// How a signature is made (protobuf-specs, `sigstore_common.proto`, `PublicKeyDetails`).
struct Scheme {
    name: &'static str,
    hash: &'static digest::Algorithm,
    algorithm: &'static dyn VerificationAlgorithm,
}

impl Scheme {
    fn of(key_details: &str) -> Result<Self, Refusal> {
        let scheme = match key_details {
            "PKIX_ECDSA_P256_SHA_256" => ("SHA2_256", &SHA256, &ECDSA_P256_SHA256_ASN1 as &dyn VerificationAlgorithm),
            "PKIX_ECDSA_P384_SHA_384" => ("SHA2_384", &SHA384, &ECDSA_P384_SHA384_ASN1 as _),
            "PKIX_ECDSA_P521_SHA_512" => ("SHA2_512", &SHA512, &ECDSA_P521_SHA512_ASN1 as _),
            "PKIX_RSA_PKCS1V15_2048_SHA256" | "PKIX_RSA_PKCS1V15_3072_SHA256" | "PKIX_RSA_PKCS1V15_4096_SHA256" => {
                ("SHA2_256", &SHA256, &RSA_PKCS1_2048_8192_SHA256 as _)
            }
            other => return Err(bad(format!("signatures of {other} are not logged"))),
        };
        let (name, hash, algorithm) = scheme;
        Ok(Self { name, hash, algorithm })
    }

    fn verify(&self, verifier: &Verifier, signature: &str, hash: &digest::Digest) -> Result<(), Refusal> {
        let (raw, is_certificate) = match (&verifier.x509_certificate, &verifier.public_key) {
            (Some(certificate), None) => (certificate, true),
            (None, Some(key)) => (key, false),
            _ => return Err(bad("either a certificate or a public key verifies")),
        };
        let der = STANDARD.decode(&raw.raw_bytes).map_err(bad)?;
        let spki = if is_certificate {
            Certificate::from_der(&der).map_err(bad)?.tbs_certificate.subject_public_key_info
        } else {
            SubjectPublicKeyInfoOwned::from_der(&der).map_err(bad)?
        };
        let signature = STANDARD.decode(signature).map_err(bad)?;
        UnparsedPublicKey::new(self.algorithm, spki.subject_public_key.raw_bytes())
            .verify_digest(hash, &signature)
            .map_err(|_| bad("the signature does not fit the entry"))
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::request(&error.to_string())
}
