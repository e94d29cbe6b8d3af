//! Rekor, version 1: entries of the kinds `dsse` and `hashedrekord`, both 0.0.1 (sigstore/rekor, `openapi.yaml`).

use assay_model::Digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{Decode, pem};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::Refusal;
use super::envelope::Envelope;
use super::fault::{Fault, Faults};
use super::log::Log;

/// By how much [`Fault::LateLogEntry`] is late, in seconds.
const LATE: i64 = 3600;

/// What the promise covers; the fields stand in the order of canonical JSON (RFC 8785).
#[derive(Serialize)]
struct Promised<'a> {
    body: &'a str,
    #[serde(rename = "integratedTime")]
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: &'a str,
    #[serde(rename = "logIndex")]
    log_index: usize,
}

/// Takes an entry into the log (beside it the instance's other one) and answers with it, its proof and the promise.
pub(super) fn append(
    request: &[u8],
    (log, other): (&mut Log, &Log),
    now: i64,
    faults: &Faults,
) -> Result<Value, Refusal> {
    let canonical = canonical(request, log, faults)?;
    let appended = log.append(&canonical, faults, other)?;
    let signer = log.signer(faults);
    let (body, log_id) = (STANDARD.encode(&canonical), signer.id.hex());
    let integrated_time = if faults.has(Fault::LateLogEntry) { now + LATE } else { now };
    let another = faults.has(Fault::PromiseOverAnotherBody).then(|| STANDARD.encode("{}"));
    let promised = Promised {
        body: another.as_deref().unwrap_or(&body),
        integrated_time,
        log_id: &log_id,
        log_index: appended.index,
    };
    let promised = serde_json::to_vec(&promised).map_err(|error| Refusal::internal(&error.to_string()))?;
    let entry = json!({
        "body": body,
        "integratedTime": integrated_time,
        "logID": log_id,
        "logIndex": appended.index,
        "verification": {
            "inclusionProof": {
                "checkpoint": appended.checkpoint,
                "hashes": appended.path.iter().map(Digest::hex).collect::<Vec<_>>(),
                "logIndex": appended.index,
                "rootHash": appended.root.hex(),
                "treeSize": appended.size,
            },
            "signedEntryTimestamp": STANDARD.encode(signer.key.sign(&promised)?),
        },
    });
    Ok(Value::Object([(appended.leaf.hex(), entry)].into_iter().collect()))
}

#[derive(Deserialize)]
struct Proposed {
    kind: String,
    #[serde(rename = "apiVersion")]
    version: String,
    spec: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse {
    proposed_content: DsseContent,
}

#[derive(Deserialize)]
struct DsseContent {
    envelope: String,
    verifiers: Vec<String>,
}

#[derive(Deserialize)]
struct Hashed {
    data: HashedData,
    signature: HashedSignature,
}

#[derive(Deserialize)]
struct HashedData {
    hash: HashValue,
}

#[derive(Deserialize)]
struct HashValue {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature {
    content: String,
    public_key: PublicKey,
}

#[derive(Deserialize)]
struct PublicKey {
    content: String,
}

/// The canonical body of a proposed entry, after the checks that Rekor makes: the signature must fit.
fn canonical(request: &[u8], log: &Log, faults: &Faults) -> Result<Vec<u8>, Refusal> {
    let proposed: Proposed = serde_json::from_slice(request).map_err(bad)?;
    let substitute = faults.has(Fault::EntryForAnotherSignature).then(|| log.signer(faults).key.sign(b"another"));
    let substitute = substitute.transpose()?;
    let logged = |written: &str| substitute.as_ref().map_or_else(|| written.to_owned(), |other| STANDARD.encode(other));
    let other_artifact = faults.has(Fault::EntryOfAnotherArtifact);
    let hash = |digest: &Digest| {
        let digest = if other_artifact { Digest::of(b"another artifact") } else { *digest };
        json!({"algorithm": digest.algorithm().name(), "value": digest.hex()})
    };
    let body = match (proposed.kind.as_str(), proposed.version.as_str()) {
        ("dsse", "0.0.1") => {
            let Dsse { proposed_content: content } = serde_json::from_value(proposed.spec).map_err(bad)?;
            let envelope: Envelope = serde_json::from_str(&content.envelope).map_err(bad)?;
            let ([signature], [verifier]) = (envelope.signatures.as_slice(), content.verifiers.as_slice()) else {
                return Err(bad("one signature and one verifier are logged"));
            };
            let payload = STANDARD.decode(&envelope.payload).map_err(bad)?;
            let signed = assay_trust::pae(&envelope.payload_type, &payload);
            verify(verifier, &signature.sig, |key, signature| key.verify(&signed, signature).is_ok())?;
            json!({
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": hash(&Digest::of(content.envelope.as_bytes())),
                    "payloadHash": hash(&Digest::of(&payload)),
                    "signatures": [{"signature": logged(&signature.sig), "verifier": verifier}],
                },
            })
        }
        ("hashedrekord", "0.0.1") => {
            let Hashed { data, signature } = serde_json::from_value(proposed.spec).map_err(bad)?;
            let digest: Digest = format!("{}:{}", data.hash.algorithm, data.hash.value).parse().map_err(bad)?;
            let prehashed = aws_lc_rs::digest::Digest::import_less_safe(digest.as_bytes(), &aws_lc_rs::digest::SHA256)
                .map_err(bad)?;
            verify(&signature.public_key.content, &signature.content, |key, signature| {
                key.verify_digest(&prehashed, signature).is_ok()
            })?;
            json!({
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": hash(&digest)},
                    "signature": {
                        "content": logged(&signature.content),
                        "publicKey": {"content": signature.public_key.content},
                    },
                },
            })
        }
        (kind, version) => return Err(bad(format!("entries of kind {kind} {version} are not logged"))),
    };
    serde_json::to_vec(&body).map_err(bad)
}

/// Verifies with the key of a PEM certificate or public key, itself in base64.
fn verify(
    verifier: &str,
    signature: &str,
    fits: impl Fn(&UnparsedPublicKey<Vec<u8>>, &[u8]) -> bool,
) -> Result<(), Refusal> {
    let text = STANDARD.decode(verifier).map_err(bad)?;
    let signature = STANDARD.decode(signature).map_err(bad)?;
    let (label, der) = pem::decode_vec(text.trim_ascii()).map_err(bad)?;
    let spki = match label {
        "CERTIFICATE" => Certificate::from_der(&der).map_err(bad)?.tbs_certificate.subject_public_key_info,
        _ => SubjectPublicKeyInfoOwned::from_der(&der).map_err(bad)?,
    };
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, spki.subject_public_key.raw_bytes().to_vec());
    if fits(&key, &signature) { Ok(()) } else { Err(bad("the signature does not fit the entry")) }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::request(&error.to_string())
}
