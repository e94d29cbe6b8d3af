//! DSSE envelopes by themselves, as SLSA's generators wrote them (secure-systems-lab/dsse, `envelope.md`; the
//! certificate beside a signature is slsa-github-generator's addition).

use serde::Deserialize;

use super::entry::LogEntry;
use super::json::{self, Base64};
use super::{Content, DOCUMENT_MAX, ENTRIES_MAX, Parts, ProofRule, Signatory, bound, certificates};
use crate::{VerifyError, pae};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) payload: Base64,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<Signature>,
}

#[derive(Deserialize)]
pub(super) struct Signature {
    pub(super) sig: Base64,
    #[serde(default)]
    keyid: Option<String>,
    #[serde(default)]
    cert: Option<String>,
}

/// Reads an envelope; gives one [`Parts`] for each of its signatures. `beside` is a certificate that stands beside the
/// envelope, for signatures that carry none.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    beside: Option<&str>,
    entries: &[LogEntry],
    timestamps: &[Vec<u8>],
) -> Result<Vec<Parts<'a>>, VerifyError> {
    bound("bytes of the envelope", bytes.len(), DOCUMENT_MAX)?;
    let envelope: Envelope = json::parse("envelope", bytes)?;
    bound("signatures of the envelope", envelope.signatures.len(), ENTRIES_MAX)?;
    if envelope.signatures.is_empty() {
        return Err(VerifyError::Malformed { part: "envelope", reason: "it has no signature".to_owned() });
    }
    let Envelope { payload, payload_type, signatures } = envelope;
    let encoded = pae(&payload_type, &payload.0);
    let mut all = Vec::with_capacity(signatures.len());
    for signature in signatures {
        let pem = signature.cert.as_deref().filter(|pem| !pem.is_empty()).or(beside);
        let signer = match pem {
            Some(pem) => Signatory::Certificates(certificates(pem)?),
            None => Signatory::Key { hint: signature.keyid.unwrap_or_default() },
        };
        let content = Content::Envelope {
            payload_type: payload_type.clone(),
            payload: payload.0.clone(),
            encoded: encoded.clone(),
            document: Some(bytes),
        };
        all.push(Parts {
            signature: signature.sig.0,
            content,
            signer,
            entries: entries.to_vec(),
            timestamps: timestamps.to_vec(),
            proof: ProofRule::Either,
        });
    }
    Ok(all)
}
