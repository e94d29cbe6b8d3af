//! in-toto statements, version 1 (in-toto/attestation, `spec/v1/statement.md`).

use std::collections::BTreeMap;

use assay_model::Digest;
use assay_trust::predicates::COSIGN_SIGN_V1;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::SignError;

/// A statement about one digest, ready to be signed.
#[derive(Clone, Debug)]
pub struct Statement {
    subject: Digest,
    predicate_type: String,
    predicate: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: [Subject; 1],
    predicate_type: &'a str,
    predicate: &'a RawValue,
}

#[derive(Serialize)]
struct Subject {
    digest: BTreeMap<&'static str, String>,
}

impl Statement {
    /// The signature on an image, in the form that cosign writes since version 3: a statement without content.
    pub fn image_signature(subject: &Digest) -> Self {
        let predicate = RawValue::from_string("{}".to_owned()).unwrap_or_default();
        Self { subject: *subject, predicate_type: COSIGN_SIGN_V1.to_owned(), predicate }
    }

    /// An attestation. The predicate's bytes are kept as they are; they must be one JSON value.
    pub fn attestation(subject: &Digest, predicate_type: &str, predicate: &[u8]) -> Result<Self, SignError> {
        let predicate: Box<RawValue> =
            serde_json::from_slice(predicate).map_err(|error| SignError::Predicate { reason: error.to_string() })?;
        Ok(Self { subject: *subject, predicate_type: predicate_type.to_owned(), predicate })
    }

    /// The digest it is about.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// Its predicate type.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The bytes to be signed as an envelope's payload.
    pub fn payload(&self) -> Result<Vec<u8>, SignError> {
        let digest = BTreeMap::from([(self.subject.algorithm().name(), self.subject.hex())]);
        serde_json::to_vec(&Wire {
            statement_type: "https://in-toto.io/Statement/v1",
            subject: [Subject { digest }],
            predicate_type: &self.predicate_type,
            predicate: &self.predicate,
        })
        .map_err(|error| SignError::Encode { reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_signature_is_a_statement_without_content() {
        let digest = Digest::of(b"");
        let payload = String::from_utf8(Statement::image_signature(&digest).payload().unwrap()).unwrap();
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#,
            digest.hex()
        );
        assert_eq!(payload, expected);
    }

    #[test]
    fn the_predicate_stays_as_written_and_must_be_json() {
        let written = br#"{ "b": 1.0, "a": [] }"#;
        let statement = Statement::attestation(&Digest::of(b""), "https://example.com/p", written).unwrap();
        let payload = String::from_utf8(statement.payload().unwrap()).unwrap();
        assert!(payload.contains(r#""predicate":{ "b": 1.0, "a": [] }"#));
        for bad in [&b""[..], b"{", b"{}{}", b"\xff"] {
            assert!(matches!(Statement::attestation(&Digest::of(b""), "p", bad), Err(SignError::Predicate { .. })));
        }
    }
}
