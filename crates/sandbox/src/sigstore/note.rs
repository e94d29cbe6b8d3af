//! Checkpoints: the size and root of a tree as a signed note (C2SP `tlog-checkpoint` and `signed-note`).

use assay_model::{Algorithm, Digest, Hasher};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Refusal;
use super::key::{Key, KeyKind};

/// Signature type of Ed25519 (C2SP `signed-note`, "Signature types").
const ED25519: &[u8] = &[1];
/// Signature type of RSA: undefined, then a name (sigstore/rekor-tiles, `pkg/note`).
const RSA: &[u8] = b"\xffPKIX-RSA-PKCS#1v1.5";

/// The identity of a key that signs notes in the name of `origin`; the first four bytes stand in the note.
///
/// Of ECDSA keys it is the SHA-256 of the SubjectPublicKeyInfo, as Rekor always made it.
pub(super) fn key_id(origin: &str, key: &Key) -> Digest {
    match key.kind() {
        KeyKind::Ed25519 => hash(origin, ED25519, key.public()),
        KeyKind::Rsa2048 => hash(origin, RSA, &key.spki()),
        KeyKind::EcdsaP256 => key.id(),
    }
}

fn hash(origin: &str, signature_type: &[u8], key: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in [origin.as_bytes(), b"\n", signature_type, key] {
        hasher.update(part);
    }
    hasher.finish()
}

/// The checkpoint's text: origin, size, root, an empty line, and the signature of `name`.
pub(super) fn checkpoint(
    origin: &str,
    size: usize,
    root: &Digest,
    (name, key, id): (&str, &Key, &Digest),
) -> Result<String, Refusal> {
    let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root.as_bytes()));
    let mut signature: Vec<u8> = id.as_bytes().iter().take(4).copied().collect();
    signature.extend(key.sign(text.as_bytes())?);
    Ok(format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public-good instance's log of 2025, from its trusted root: key and identity.
    #[test]
    fn the_identity_of_an_ed25519_key_depends_on_the_origin_as_in_the_public_log() {
        let spki = STANDARD.decode("MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=").unwrap();
        let id = hash("log2025-1.rekor.sigstore.dev", ED25519, &spki[12..]);
        assert_eq!(STANDARD.encode(id.as_bytes()), "zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=");
        let key = Key::of_kind(KeyKind::Ed25519).unwrap();
        assert_ne!(key_id("a.example", &key), key_id("b.example", &key));
        let key = Key::generate().unwrap();
        assert_eq!(key_id("a.example", &key), key.id());
    }

    #[test]
    fn a_checkpoint_has_three_lines_and_a_signature() {
        let key = Key::generate().unwrap();
        let root = Digest::of(b"");
        let note = checkpoint("log.example", 3, &root, ("log.example", &key, &key.id())).unwrap();
        let (text, signatures) = note.split_once("\n\n").unwrap();
        assert_eq!(text, format!("log.example\n3\n{}", STANDARD.encode(root.as_bytes())));
        let signature = signatures.strip_prefix("\u{2014} log.example ").unwrap().trim_end();
        assert_eq!(STANDARD.decode(signature).unwrap()[..4], key.id().as_bytes()[..4]);
    }
}
