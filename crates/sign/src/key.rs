//! Private keys on files: PKCS#8 (RFC 5208) in PEM, without encryption.

use assay_model::{Digest, Secret};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use der::pem::{LineEnding, decode_vec, encode_string};

use crate::SignError;

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// Algorithms that keys are generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256: what every Sigstore client reads.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// A private key in memory.
pub struct PrivateKey(Pair);

enum Pair {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.algorithm()).finish()
    }
}

impl PrivateKey {
    /// Generates a key from the system's randomness.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, SignError> {
        let failed = |_| SignError::Crypto { what: "generate a key" };
        Ok(Self(match algorithm {
            KeyAlgorithm::EcdsaP256 => {
                Pair::EcdsaP256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?)
            }
            KeyAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
        }))
    }

    /// Reads a key: PEM text with the label `PRIVATE KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let (label, der) =
            decode_vec(pem.as_bytes()).map_err(|_| SignError::Key { reason: "it is not PEM text".to_owned() })?;
        if label.starts_with("ENCRYPTED") {
            return Err(SignError::KeyEncrypted { label: label.to_owned() });
        }
        if label != PRIVATE_LABEL {
            return Err(SignError::Key { reason: format!("its PEM label is `{label}`, not `{PRIVATE_LABEL}`") });
        }
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
            .map(Pair::EcdsaP256)
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Pair::Ed25519))
            .map(Self)
            .map_err(|_| SignError::Key { reason: "it is neither an ECDSA P-256 nor an Ed25519 key".to_owned() })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.0 {
            Pair::EcdsaP256(_) => KeyAlgorithm::EcdsaP256,
            Pair::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// The key as PEM text. Write it to a file that only its owner may read (mode 0600).
    pub fn private_key_pem(&self) -> Result<Secret<String>, SignError> {
        let failed = |_| SignError::Crypto { what: "encode a private key" };
        // Version 1 without the public key: OpenSSL reads no other.
        let document = match &self.0 {
            Pair::EcdsaP256(pair) => pair.to_pkcs8v1().map_err(failed)?,
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(failed)?,
        };
        pem(PRIVATE_LABEL, document.as_ref()).map(Secret::new)
    }

    /// The public key as PEM text of a SubjectPublicKeyInfo (RFC 5280, section 4.1).
    pub fn public_key_pem(&self) -> Result<String, SignError> {
        pem(PUBLIC_LABEL, &self.public_key_der()?)
    }

    /// SHA-256 of the public key's DER: what [`assay_trust::Signer::Key`] carries.
    pub fn fingerprint(&self) -> Result<Digest, SignError> {
        Ok(Digest::of(&self.public_key_der()?))
    }

    pub(crate) fn public_key_der(&self) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::Crypto { what: "encode a public key" };
        let der: PublicKeyX509Der<'_> = match &self.0 {
            Pair::EcdsaP256(pair) => pair.public_key().as_der().map_err(failed)?,
            Pair::Ed25519(pair) => pair.public_key().as_der().map_err(failed)?,
        };
        Ok(der.as_ref().to_vec())
    }

    /// Signs `message`: ECDSA over its SHA-256, ASN.1 DER; or Ed25519, 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.0 {
            Pair::EcdsaP256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Crypto { what: "sign" }),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn pem(label: &str, der: &[u8]) -> Result<String, SignError> {
    encode_string(label, LineEnding::LF, der).map_err(|error| SignError::Encode { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_pem() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let again = PrivateKey::from_pem(key.private_key_pem().unwrap().expose()).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.fingerprint().unwrap(), key.fingerprint().unwrap());
            assert!(key.public_key_pem().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
        }
    }

    #[test]
    fn the_private_key_does_not_print() {
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(Ed25519)");
        assert!(!format!("{:?}", key.private_key_pem().unwrap()).contains("BEGIN"));
    }

    #[test]
    fn other_keys_are_refused_with_their_reason() {
        let encrypted = encode_string("ENCRYPTED SIGSTORE PRIVATE KEY", LineEnding::LF, b"x").unwrap();
        assert!(matches!(PrivateKey::from_pem(&encrypted), Err(SignError::KeyEncrypted { .. })));
        let public = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().public_key_pem().unwrap();
        for text in ["", "key", &public, &encode_string("PRIVATE KEY", LineEnding::LF, b"x").unwrap()] {
            assert!(matches!(PrivateKey::from_pem(text), Err(SignError::Key { .. })), "{text}");
        }
    }
}
