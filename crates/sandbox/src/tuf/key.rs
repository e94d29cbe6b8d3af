//! Keys of the types that the specification names (section 4.2).
#![expect(clippy::expect_used, reason = "a test double that cannot make keys has no test to serve")]

use std::sync::Arc;

use assay_model::Digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PSS_SHA256,
};
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use x509_cert::der::pem::{LineEnding, encode_string};

use super::canonical::canonical;

/// Type and scheme of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `ed25519`.
    Ed25519,
    /// `ecdsa`, `ecdsa-sha2-nistp256`.
    Ecdsa,
    /// `rsa`, `rsassa-pss-sha256`, 2048 bits.
    Rsa,
}

/// A key that signs metadata. Clones share it.
#[derive(Clone)]
pub struct Key {
    pair: Arc<Pair>,
    id: String,
    public: Value,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(aws_lc_rs::rsa::KeyPair),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// A new key.
    ///
    /// # Panics
    /// If the system gives no randomness.
    pub fn generate(kind: KeyType) -> Self {
        let (pair, public) = match kind {
            KeyType::Ed25519 => {
                let pair = Ed25519KeyPair::generate().expect("a key");
                let public = hex::encode(pair.public_key());
                (Pair::Ed25519(pair), described("ed25519", "ed25519", &public))
            }
            KeyType::Ecdsa => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
                let public = pem(&Spki(pair.public_key().as_ref(), &rcgen::PKCS_ECDSA_P256_SHA256));
                (Pair::Ecdsa(pair), described("ecdsa", "ecdsa-sha2-nistp256", &public))
            }
            KeyType::Rsa => {
                let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key");
                let public = pem(&Spki(pair.public_key().as_ref(), &rcgen::PKCS_RSA_SHA256));
                (Pair::Rsa(pair), described("rsa", "rsassa-pss-sha256", &public))
            }
        };
        Self { pair: Arc::new(pair), id: identity(&public), public }
    }

    /// Its identity: the SHA-256 of its description (section 4.2).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its description in metadata.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// The same key under another identity.
    #[must_use]
    pub fn called(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// The same key with a further field in its description, and so with another identity.
    #[must_use]
    pub fn with_field(&self, name: &str, value: Value) -> Self {
        let mut public = self.public.clone();
        public[name] = value;
        Self { pair: self.pair.clone(), id: identity(&public), public }
    }

    /// A signature in hexadecimal digits.
    ///
    /// # Panics
    /// If the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> String {
        let random = SystemRandom::new();
        let bytes = match &*self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
        };
        hex::encode(bytes)
    }
}

fn described(kind: &str, scheme: &str, public: &str) -> Value {
    json!({"keytype": kind, "scheme": scheme, "keyval": {"public": public}})
}

fn identity(public: &Value) -> String {
    Digest::of(&canonical(public)).hex()
}

struct Spki<'a>(&'a [u8], &'static rcgen::SignatureAlgorithm);

impl PublicKeyData for Spki<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.1
    }
}

fn pem(key: &Spki<'_>) -> String {
    encode_string("PUBLIC KEY", LineEnding::LF, &key.subject_public_key_info()).expect("a PEM block")
}
