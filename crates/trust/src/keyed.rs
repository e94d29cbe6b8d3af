//! Bundles signed with a key that is known beforehand.

use crate::sigstore::{Bundle, Proven, PublicKey};
use crate::{Artifact, Signer, TrustMaterial, VerifyError};

/// Finds the trusted key that made the signature, then verifies whatever log entries and timestamps the bundle carries:
/// they may be absent, but not wrong. The hint only explains failures.
pub(crate) fn verify(
    bundle: &Bundle,
    hint: &str,
    artifact: Artifact<'_>,
    material: &TrustMaterial,
) -> Result<Proven, VerifyError> {
    let key = find(bundle, hint, artifact, material)?;
    bundle.check_message_digest(artifact)?;
    if bundle.log_entries() == 0 && bundle.timestamps() == 0 {
        return Ok(Proven {
            signer: Signer::Key { fingerprint: key.fingerprint() },
            times: Vec::new(),
            certificate: false,
            certificate_log: false,
            log: false,
            timestamp: false,
        });
    }
    let mut first = None;
    for root in material.roots() {
        match root.verify_key(artifact, bundle, key) {
            Ok(proven) => return Ok(proven),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or(VerifyError::NoMaterial { wanted: "root" }))
}

fn find<'a>(
    bundle: &Bundle,
    hint: &str,
    artifact: Artifact<'_>,
    material: &'a TrustMaterial,
) -> Result<&'a PublicKey, VerifyError> {
    if material.keys().is_empty() {
        return Err(VerifyError::NoMaterial { wanted: "key" });
    }
    let mut unsupported = None;
    for key in material.keys() {
        match bundle.check_signature(key.key(), artifact) {
            Ok(()) => return Ok(key.key()),
            Err(error @ VerifyError::Unsupported { .. }) => unsupported = Some(error),
            Err(_) => {}
        }
    }
    let hinted = material.keys().iter().any(|key| is_hint_of(hint, key.fingerprint()));
    Err(match unsupported {
        Some(error) => error,
        None if hinted => VerifyError::SignatureInvalid,
        None => VerifyError::UnknownKey { hint: hint.chars().take(128).collect() },
    })
}

/// cosign and sigstore-go write the base64 of the SHA-256 of the key's DER; hexadecimal occurs too.
fn is_hint_of(hint: &str, fingerprint: assay_model::Digest) -> bool {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(fingerprint.as_bytes());
    hint == base64 || hint == fingerprint.hex()
}
