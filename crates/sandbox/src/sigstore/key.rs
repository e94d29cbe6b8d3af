//! Keys of the stand-ins: ECDSA P-256, made for one run.

use assay_model::Digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};

use super::Refusal;

/// A key that signs certificates, log entries and tokens.
pub(super) struct Key {
    pair: EcdsaKeyPair,
}

impl Key {
    pub(super) fn generate() -> Result<Self, Refusal> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map(|pair| Self { pair })
            .map_err(|_| Refusal::internal("no randomness"))
    }

    /// ASN.1 DER signature over the SHA-256 of `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| Refusal::internal("signing failed"))
    }

    /// The 64-byte form that JSON Web Signatures use (RFC 7518, section 3.4).
    pub(super) fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let failed = |_| Refusal::internal("signing failed");
        let document = self.pair.to_pkcs8v1().map_err(failed)?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
            .map_err(|_| Refusal::internal("signing failed"))?
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(failed)
    }

    /// The uncompressed point.
    pub(super) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
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
        self.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
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

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
