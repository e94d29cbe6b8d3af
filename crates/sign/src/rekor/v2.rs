//! Rekor's API, version 2 (sigstore/rekor-tiles, `rekor_service.proto`, `CreateEntry`, and `hashedrekord.proto`,
//! `HashedRekordRequestV002`).
//!
//! Whatever is signed is logged as a `hashedrekord` over its digest: of a DSSE envelope the digest of its
//! pre-authentication encoding. The log never sees the payload, so that an SBOM of any size stays below its limits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::{Checkpoint, KindVersion, LogEntry, LogId, Proof};
use crate::key::{PublicKey, SignatureScheme};
use crate::{Service, SignError};

/// What verifies a logged signature.
pub(crate) enum Verifier<'a> {
    /// A certificate, DER, of this key.
    Certificate(&'a [u8], &'a PublicKey),
    /// A key.
    Key(&'a PublicKey),
}

/// The body that asks for an entry of this signature over `signed`.
pub(crate) fn propose(
    signed: &[u8],
    signature: &[u8],
    scheme: SignatureScheme,
    verifier: &Verifier<'_>,
) -> Result<Vec<u8>, SignError> {
    let (Verifier::Certificate(_, public) | Verifier::Key(public)) = verifier;
    let (Some(hash), Some(details)) = (scheme.hash(), public.algorithm().log_name()) else {
        return Err(SignError::Unsupported {
            what: format!("an {} signature in a log of version 2, which sees no more than a hash", public.algorithm()),
        });
    };
    let mut verifier = match verifier {
        Verifier::Certificate(der, _) => json!({"x509Certificate": {"rawBytes": STANDARD.encode(der)}}),
        Verifier::Key(public) => json!({"publicKey": {"rawBytes": STANDARD.encode(public.der())}}),
    };
    verifier["keyDetails"] = details.into();
    let request = json!({
        "hashedRekordRequestV002": {
            "digest": STANDARD.encode(hash.of(signed)),
            "signature": {"content": STANDARD.encode(signature), "verifier": verifier},
        }
    });
    Ok(request.to_string().into_bytes())
}

/// A `TransparencyLogEntry` in protobuf's JSON form: numbers of 64 bits are text, and what is zero may be left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default, deserialize_with = "number")]
    log_index: u64,
    log_id: AnswerLogId,
    kind_version: AnswerKind,
    inclusion_proof: AnswerProof,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerLogId {
    key_id: String,
}

#[derive(Deserialize)]
struct AnswerKind {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerProof {
    #[serde(default, deserialize_with = "number")]
    log_index: u64,
    root_hash: String,
    #[serde(deserialize_with = "number")]
    tree_size: u64,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: AnswerCheckpoint,
}

#[derive(Deserialize)]
struct AnswerCheckpoint {
    envelope: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Number(u64),
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Number(number) => Ok(number),
    }
}

/// Longest path of an inclusion proof: a tree has fewer than 2^64 leaves.
const HASHES_MAX: usize = 64;

/// The entry of an answer.
pub(crate) fn entry(answer: &[u8]) -> Result<LogEntry, SignError> {
    let unreadable = |reason: String| SignError::Answer { service: Service::RekorV2, reason };
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| unreadable(error.to_string()))?;
    let proof = answer.inclusion_proof;
    if answer.kind_version.kind != "hashedrekord" || answer.kind_version.version != "0.0.2" {
        let AnswerKind { kind, version } = answer.kind_version;
        let found: String = format!("{kind} {version}").chars().take(64).collect();
        return Err(unreadable(format!("the entry is of kind {found}, not hashedrekord 0.0.2")));
    }
    if proof.hashes.len() > HASHES_MAX || proof.log_index >= proof.tree_size {
        return Err(unreadable("the inclusion proof is of no tree".to_owned()));
    }
    let encoded = [&answer.canonicalized_body, &answer.log_id.key_id, &proof.root_hash];
    if encoded.into_iter().chain(&proof.hashes).any(|text| STANDARD.decode(text).is_err()) {
        return Err(unreadable("a field is not base64".to_owned()));
    }
    Ok(LogEntry {
        log_index: answer.log_index.to_string(),
        log_id: LogId { key_id: answer.log_id.key_id },
        kind_version: KindVersion { kind: answer.kind_version.kind, version: answer.kind_version.version },
        // This log says no time: a timestamp authority does.
        integrated_time: None,
        inclusion_promise: None,
        inclusion_proof: Proof {
            log_index: proof.log_index.to_string(),
            root_hash: proof.root_hash,
            tree_size: proof.tree_size.to_string(),
            hashes: proof.hashes,
            checkpoint: Checkpoint { envelope: proof.checkpoint.envelope },
        },
        canonicalized_body: answer.canonicalized_body,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{KeyAlgorithm, PrivateKey};

    fn answer() -> Value {
        json!({
            "logId": {"keyId": "AA=="},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": {"rootHash": "AQ==", "treeSize": "1", "checkpoint": {"envelope": "c"}},
            "canonicalizedBody": "e30=",
        })
    }

    #[test]
    fn what_is_zero_may_be_left_out() {
        let entry = serde_json::to_value(entry(answer().to_string().as_bytes()).unwrap()).unwrap();
        assert_eq!(entry["logIndex"], "0");
        assert_eq!(entry["inclusionProof"]["treeSize"], "1");
        assert!(entry.get("inclusionPromise").is_none() && entry.get("integratedTime").is_none());
        let mut numbers = answer();
        numbers["logIndex"] = 5.into();
        numbers["inclusionProof"]["logIndex"] = "5".into();
        numbers["inclusionProof"]["treeSize"] = 6.into();
        assert!(super::entry(numbers.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn a_changed_or_missing_field_is_refused() {
        let changes: [(&str, Value); 8] = [
            ("/kindVersion/kind", "dsse".into()),
            ("/kindVersion/version", "0.0.1".into()),
            ("/logId/keyId", "*".into()),
            ("/inclusionProof/rootHash", "*".into()),
            ("/inclusionProof/treeSize", "0".into()),
            ("/inclusionProof/treeSize", "many".into()),
            ("/inclusionProof/checkpoint", Value::Null),
            ("/canonicalizedBody", "{}".into()),
        ];
        for (field, value) in changes {
            let mut changed = answer();
            *changed.pointer_mut(field).unwrap() = value;
            let refused = entry(changed.to_string().as_bytes());
            assert!(matches!(refused, Err(SignError::Answer { service: Service::RekorV2, .. })), "{field}");
        }
        for field in ["logId", "kindVersion", "inclusionProof", "canonicalizedBody"] {
            let mut changed = answer();
            changed.as_object_mut().unwrap().remove(field);
            assert!(entry(changed.to_string().as_bytes()).is_err(), "{field}");
        }
        let mut long = answer();
        long["inclusionProof"]["hashes"] = vec!["AA=="; 65].into();
        assert!(entry(long.to_string().as_bytes()).is_err());
    }

    #[test]
    fn the_request_holds_a_digest_and_never_the_payload() {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP384).unwrap();
        let payload = vec![b'a'; 1 << 20];
        let scheme = SignatureScheme::EcdsaP384Sha384;
        let request = propose(&payload, b"signature", scheme, &Verifier::Key(key.public_key())).unwrap();
        assert!(request.len() < 1000);
        let request: Value = serde_json::from_slice(&request).unwrap();
        let request = &request["hashedRekordRequestV002"];
        assert_eq!(STANDARD.decode(request["digest"].as_str().unwrap()).unwrap().len(), 48);
        assert_eq!(request["signature"]["verifier"]["keyDetails"], "PKIX_ECDSA_P384_SHA_384");
        let edwards = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let refused = propose(b"", b"", SignatureScheme::Ed25519, &Verifier::Key(edwards.public_key()));
        assert!(matches!(refused, Err(SignError::Unsupported { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = entry(&bytes);
        }
    }
}
