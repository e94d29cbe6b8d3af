//! Rekor's API, version 1 (sigstore/rekor, `openapi.yaml`, `createLogEntry`; entry kinds `dsse` and `hashedrekord`, both
//! 0.0.1). Version 2 is in [`v2`].

pub(crate) mod v2;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::bundle::Envelope;
use crate::{Service, SignError};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proposed {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    proposed_content: ProposedContent,
}

#[derive(Serialize)]
struct ProposedContent {
    envelope: String,
    verifiers: [String; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: i64,
    verification: Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: AnswerProof,
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerProof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: i64,
    root_hash: String,
    tree_size: i64,
}

/// An entry in the form that bundles carry (protobuf-specs, `sigstore_rekor.proto`, `TransparencyLogEntry`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<Promise>,
    inclusion_proof: Proof,
    canonicalized_body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize, Serialize)]
struct KindVersion {
    kind: String,
    #[serde(rename(deserialize = "apiVersion"))]
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    log_index: String,
    root_hash: String,
    tree_size: String,
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Serialize)]
struct Checkpoint {
    envelope: String,
}

/// The body that asks for an entry of this envelope.
pub(crate) fn propose(envelope: &Envelope, verifier_pem: &str) -> Result<Vec<u8>, SignError> {
    let encode = |error: serde_json::Error| SignError::Encode { reason: error.to_string() };
    let content = ProposedContent {
        envelope: serde_json::to_string(envelope).map_err(encode)?,
        verifiers: [STANDARD.encode(verifier_pem)],
    };
    let proposed = Proposed { api_version: "0.0.1", kind: "dsse", spec: Spec { proposed_content: content } };
    serde_json::to_vec(&proposed).map_err(encode)
}

/// The body that asks for an entry of a message's signature: only the message's SHA-256 is sent.
pub(crate) fn propose_message(message: &[u8], signature: &[u8], verifier_pem: &str) -> Vec<u8> {
    let proposed = serde_json::json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": assay_model::Digest::of(message).hex()}},
            "signature": {
                "content": STANDARD.encode(signature),
                "publicKey": {"content": STANDARD.encode(verifier_pem)},
            },
        },
    });
    proposed.to_string().into_bytes()
}

/// The entry of an answer: an object with the entry under its identifier.
pub(crate) fn entry(answer: &[u8]) -> Result<LogEntry, SignError> {
    let unreadable = |reason: String| SignError::Answer { service: Service::Rekor, reason };
    let entries: BTreeMap<String, Answer> =
        serde_json::from_slice(answer).map_err(|error| unreadable(error.to_string()))?;
    let answer = entries.into_values().next().ok_or_else(|| unreadable("no entry".to_owned()))?;
    let from_hex = |text: &str| hex::decode(text).map_err(|error| unreadable(error.to_string()));
    let body = STANDARD.decode(&answer.body).map_err(|error| unreadable(error.to_string()))?;
    let kind_version: KindVersion = serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
    let proof = answer.verification.inclusion_proof;
    let hashes = proof.hashes.iter().map(|hash| from_hex(hash).map(|hash| STANDARD.encode(hash)));
    Ok(LogEntry {
        log_index: answer.log_index.to_string(),
        log_id: LogId { key_id: STANDARD.encode(from_hex(&answer.log_id)?) },
        kind_version,
        integrated_time: Some(answer.integrated_time.to_string()),
        inclusion_promise: Some(Promise { signed_entry_timestamp: answer.verification.signed_entry_timestamp }),
        inclusion_proof: Proof {
            log_index: proof.log_index.to_string(),
            root_hash: STANDARD.encode(from_hex(&proof.root_hash)?),
            tree_size: proof.tree_size.to_string(),
            hashes: hashes.collect::<Result<_, _>>()?,
            checkpoint: Checkpoint { envelope: proof.checkpoint },
        },
        canonicalized_body: answer.body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_a_bundle_entry() {
        let body = STANDARD.encode(r#"{"apiVersion":"0.0.1","kind":"dsse","spec":{}}"#);
        let answer = format!(
            r#"{{"aa":{{"body":"{body}","integratedTime":7,"logID":"00ff","logIndex":3,"verification":{{"inclusionProof":
            {{"checkpoint":"c","hashes":["01"],"logIndex":2,"rootHash":"02","treeSize":4}},"signedEntryTimestamp":"AA=="}}}}}}"#
        );
        let entry = serde_json::to_value(entry(answer.as_bytes()).unwrap()).unwrap();
        assert_eq!(entry["kindVersion"], serde_json::json!({"kind": "dsse", "version": "0.0.1"}));
        assert_eq!(entry["logId"]["keyId"], "AP8=");
        assert_eq!(entry["inclusionProof"]["hashes"][0], "AQ==");
        assert_eq!(entry["integratedTime"], "7");
    }

    #[test]
    fn other_answers_are_errors() {
        for answer in ["", "{}", "[]", r#"{"a":{}}"#, r#"{"code":400,"message":"no"}"#] {
            assert!(matches!(entry(answer.as_bytes()), Err(SignError::Answer { service: Service::Rekor, .. })));
        }
    }
}
