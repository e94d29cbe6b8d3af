//! DSSE envelopes as both versions of Rekor are sent them (secure-systems-lab/dsse, `envelope.md`).

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    /// Base64.
    pub(super) payload: String,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
pub(super) struct EnvelopeSignature {
    /// Base64.
    pub(super) sig: String,
}
