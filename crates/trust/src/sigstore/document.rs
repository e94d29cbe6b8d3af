//! Which format a file is in: bundles, envelopes, blob bundles, lines and lists of them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DOCUMENT_MAX, bound, json};
use crate::VerifyError;

/// Most documents read of one file: lines of an attestation file, attestations of a registry's answer.
const DOCUMENTS_MAX: usize = 64;

/// One document of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document<'a> {
    /// A Sigstore bundle.
    Bundle(&'a [u8]),
    /// A DSSE envelope.
    Envelope(&'a [u8]),
    /// cosign's older bundle of a blob.
    Blob(&'a [u8]),
}

/// What tells the formats apart; everything else is read by the format's own reader.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(default, borrow)]
    media_type: Option<&'a RawValue>,
    #[serde(default, borrow)]
    payload_type: Option<&'a RawValue>,
    #[serde(default, borrow, rename = "base64Signature")]
    blob_signature: Option<&'a RawValue>,
    #[serde(default, borrow)]
    attestations: Option<&'a RawValue>,
    #[serde(default, borrow)]
    bundle: Option<&'a RawValue>,
}

/// The documents of a file: one, one a line, or a list under `attestations` as GitHub and npm answer.
pub(crate) fn documents(bytes: &[u8]) -> Result<Vec<Document<'_>>, VerifyError> {
    bound("bytes of the file", bytes.len(), DOCUMENT_MAX)?;
    let mut found = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
    for value in &mut stream {
        let value = value.map_err(|error| malformed(error.to_string()))?;
        collect(value, &mut found, 0)?;
    }
    if found.is_empty() { Err(malformed("there is nothing in it".to_owned())) } else { Ok(found) }
}

fn collect<'a>(value: &'a RawValue, found: &mut Vec<Document<'a>>, depth: usize) -> Result<(), VerifyError> {
    let bytes = value.get().as_bytes();
    // A list of entries with a bundle each, in an object: nothing is nested deeper than that.
    if depth > 3 {
        return Err(malformed("it is nested too deep".to_owned()));
    }
    if bytes.starts_with(b"[") {
        let items: Vec<&RawValue> = json::parse("file", bytes)?;
        bound("documents of the file", items.len(), DOCUMENTS_MAX)?;
        return items.into_iter().try_for_each(|item| collect(item, found, depth + 1));
    }
    let head: Head<'a> = json::parse("bundle", bytes)?;
    let document = match head {
        Head { media_type: Some(_), .. } => Document::Bundle(bytes),
        Head { payload_type: Some(_), .. } => Document::Envelope(bytes),
        Head { blob_signature: Some(_), .. } => Document::Blob(bytes),
        Head { attestations: Some(list), .. } => return collect(list, found, depth + 1),
        Head { bundle: Some(bundle), .. } => return collect(bundle, found, depth + 1),
        _ => return Err(malformed("it is neither a Sigstore bundle nor an envelope nor a cosign bundle".to_owned())),
    };
    bound("documents of the file", found.len() + 1, DOCUMENTS_MAX)?;
    found.push(document);
    Ok(())
}

fn malformed(reason: String) -> VerifyError {
    VerifyError::Malformed { part: "bundle", reason }
}
