//! Keys of the stand-ins, made for one run.

use assay_model::Digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256,
};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm as Algorithm, SigningKey,
};

use super::Refusal;

/// The kinds of keys that services have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256.
    #[default]
    EcdsaP256,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA with 2048 bits, PKCS #1 v1.5 with SHA-256.
    Rsa2048,
}

/// A key that signs certificates, log entries, timestamps and tokens.
pub(super) struct Key {
    pair: Pair,
    public: Vec<u8>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(aws_lc_rs::rsa::KeyPair),
}

impl Key {
    /// An ECDSA key.
    pub(super) fn generate() -> Result<Self, Refusal> {
        Self::of_kind(KeyKind::EcdsaP256)
    }

    pub(super) fn of_kind(kind: KeyKind) -> Result<Self, Refusal> {
        let failed = |_| Refusal::internal("no randomness");
        let pair = match kind {
            KeyKind::EcdsaP256 => Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?),
            KeyKind::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            KeyKind::Rsa2048 => Pair::Rsa(aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
        };
        let public = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        };
        Ok(Self { pair, public })
    }

    pub(super) fn kind(&self) -> KeyKind {
        match self.pair {
            Pair::Ecdsa(_) => KeyKind::EcdsaP256,
            Pair::Ed25519(_) => KeyKind::Ed25519,
            Pair::Rsa(_) => KeyKind::Rsa2048,
        }
    }

    /// How trusted roots name the key's form and algorithm (protobuf-specs, `sigstore_common.proto`, `PublicKeyDetails`).
    pub(super) fn details(&self) -> &'static str {
        match self.kind() {
            KeyKind::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
            KeyKind::Ed25519 => "PKIX_ED25519",
            KeyKind::Rsa2048 => "PKIX_RSA_PKCS1V15_2048_SHA256",
        }
    }

    /// Signature over `message`: of ECDSA in ASN.1 DER, over its SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let failed = |_| Refusal::internal("signing failed");
        match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|it| it.as_ref().to_vec()).map_err(failed)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    /// The 64-byte form of ECDSA that JSON Web Signatures use (RFC 7518, section 3.4).
    pub(super) fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let failed = |_| Refusal::internal("signing failed");
        let Pair::Ecdsa(pair) = &self.pair else { return Err(Refusal::internal("tokens are signed with ECDSA")) };
        let document = pair.to_pkcs8v1().map_err(failed)?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
            .map_err(|_| Refusal::internal("signing failed"))?
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(failed)
    }

    /// The bare public key: the uncompressed point of ECDSA, 32 bytes of Ed25519, an RSAPublicKey of RSA.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// DER of the SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        self.subject_public_key_info()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: a log's identity (RFC 6962, section 3.2).
    pub(super) fn id(&self) -> Digest {
        Digest::of(&self.spki())
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.public()
    }

    fn algorithm(&self) -> &'static Algorithm {
        match self.kind() {
            KeyKind::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            KeyKind::Ed25519 => &PKCS_ED25519,
            KeyKind::Rsa2048 => &PKCS_RSA_SHA256,
        }
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Key::sign(self, message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// The public key of somebody else, for a certificate.
pub(super) struct PublicPoint(pub(super) Vec<u8>);

impl PublicKeyData for PublicPoint {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static Algorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
