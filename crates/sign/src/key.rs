//! Private keys in memory: PKCS#8 (RFC 5208), SEC1 (RFC 5915) and PKCS#1 (RFC 8017) in PEM, and cosign's encrypted form.

mod algorithm;
mod cosign;
pub(crate) mod ecdsa;

use assay_model::{Digest, Secret};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use der::pem::{LineEnding, decode_vec, encode_string};

pub(crate) use self::algorithm::Hash;
pub use self::algorithm::{KeyAlgorithm, PublicKey, SignatureScheme};
use crate::SignError;

const PRIVATE_LABEL: &str = "PRIVATE KEY";
/// Longest PEM text that is looked at, in bytes; an RSA key of 4096 bits has 3 KiB.
const PEM_MAX: usize = 64 << 10;

/// A private key in memory.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
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
        let rsa = |size| RsaKeyPair::generate(size).map(|pair| Pair::Rsa(Box::new(pair))).map_err(failed);
        Self::of(match algorithm {
            KeyAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096)?,
            KeyAlgorithm::EcdsaP256 => elliptic(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeyAlgorithm::EcdsaP384 => elliptic(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeyAlgorithm::EcdsaP521 => elliptic(&ECDSA_P521_SHA512_ASN1_SIGNING)?,
        })
    }

    fn of(pair: Pair) -> Result<Self, SignError> {
        let failed = |_| SignError::Crypto { what: "encode a public key" };
        let der: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der().map_err(failed)?,
            Pair::Ed25519(pair) => pair.public_key().as_der().map_err(failed)?,
            Pair::Rsa(pair) => pair.public_key().as_der().map_err(failed)?,
        };
        let public = PublicKey::from_der(der.as_ref())?;
        Ok(Self { pair, public })
    }

    /// Reads a key that is not encrypted: PEM text with the label `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        Self::from_pem_with(pem, || Err(SignError::KeyEncrypted { label: cosign::LABEL.to_owned() }))
    }

    /// Reads a key that may be encrypted as cosign does it; only then the password is asked for.
    pub fn from_pem_with(
        pem: &str,
        password: impl FnOnce() -> Result<Secret<String>, SignError>,
    ) -> Result<Self, SignError> {
        let refuse = |reason: &str| SignError::Key { reason: reason.to_owned() };
        if pem.len() > PEM_MAX {
            return Err(refuse("it is longer than 64 KiB"));
        }
        let (label, der) = decode_vec(private_block(pem).as_bytes()).map_err(|_| refuse("it is not PEM text"))?;
        match label {
            PRIVATE_LABEL => Self::from_pkcs8(&der),
            "EC PRIVATE KEY" => CURVES
                .iter()
                .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, &der).ok())
                .map(Pair::Ecdsa)
                .ok_or_else(|| refuse("it is no ECDSA key on P-256, P-384 or P-521"))
                .and_then(Self::of),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der)
                .map(|pair| Pair::Rsa(Box::new(pair)))
                .map_err(|_| refuse("it is no RSA key of 2048 bits or more"))
                .and_then(Self::of),
            label if cosign::LABELS.contains(&label) => Self::from_pkcs8(cosign::open(&der, &password()?)?.expose()),
            label if label.starts_with("ENCRYPTED") => Err(SignError::KeyEncrypted { label: label.to_owned() }),
            label => Err(SignError::Key { reason: format!("its PEM label is `{label}`, not `{PRIVATE_LABEL}`") }),
        }
    }

    /// Reads PKCS#8 in DER form.
    fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        CURVES
            .iter()
            .find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, der).ok())
            .map(Pair::Ecdsa)
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519).ok())
            .or_else(|| RsaKeyPair::from_pkcs8(der).map(|pair| Pair::Rsa(Box::new(pair))).ok())
            .ok_or_else(|| SignError::Key {
                reason: "it is none of ECDSA on P-256, P-384 or P-521, Ed25519, and RSA of 2048 bits or more"
                    .to_owned(),
            })
            .and_then(Self::of)
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm()
    }

    /// Its public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PEM text, PKCS#8. Write it to a file that only its owner may read (mode 0600).
    pub fn private_key_pem(&self) -> Result<Secret<String>, SignError> {
        pem(PRIVATE_LABEL, self.pkcs8()?.expose()).map(Secret::new)
    }

    /// The key as PEM text, encrypted as cosign does it.
    pub fn encrypted_pem(&self, password: &Secret<String>) -> Result<String, SignError> {
        pem(cosign::LABEL, &cosign::seal(self.pkcs8()?.expose(), password)?)
    }

    fn pkcs8(&self) -> Result<Secret<Vec<u8>>, SignError> {
        let failed = |_| SignError::Crypto { what: "encode a private key" };
        // Version 1 without the public key: OpenSSL reads no other.
        Ok(Secret::new(match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair.as_ref()).map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// The public key as PEM text of a SubjectPublicKeyInfo (RFC 5280, section 4.1).
    pub fn public_key_pem(&self) -> Result<String, SignError> {
        self.public.pem()
    }

    /// SHA-256 of the public key's DER: what [`assay_trust::Signer::Key`] carries.
    pub fn fingerprint(&self) -> Result<Digest, SignError> {
        Ok(self.public.fingerprint())
    }

    /// Signs `message` as Sigstore does with such a key.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign_with(self.algorithm().scheme(), message)
    }

    /// Signs `message` with a scheme of this key.
    pub(crate) fn sign_with(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::Crypto { what: "sign" };
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) if scheme == self.algorithm().scheme() => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Pair::Ed25519(pair) if scheme == SignatureScheme::Ed25519 => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match scheme {
                    SignatureScheme::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
                    SignatureScheme::RsaPssSha256 => &RSA_PSS_SHA256,
                    SignatureScheme::RsaPssSha384 => &RSA_PSS_SHA384,
                    SignatureScheme::RsaPssSha512 => &RSA_PSS_SHA512,
                    _ => return Err(SignError::Crypto { what: "sign with another kind of key" }),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            _ => Err(SignError::Crypto { what: "sign with another kind of key" }),
        }
    }
}

const CURVES: [&EcdsaSigningAlgorithm; 3] =
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];

fn elliptic(curve: &'static EcdsaSigningAlgorithm) -> Result<Pair, SignError> {
    EcdsaKeyPair::generate(curve).map(Pair::Ecdsa).map_err(|_| SignError::Crypto { what: "generate a key" })
}

/// The block that holds a private key: OpenSSL writes `EC PARAMETERS` in front of it.
fn private_block(pem: &str) -> &str {
    const BEGIN: &str = "-----BEGIN ";
    pem.match_indices(BEGIN)
        .filter_map(|(start, _)| pem.get(start..))
        .find(|block| block.lines().next().is_some_and(|line| line.trim_end().ends_with("PRIVATE KEY-----")))
        .map_or(pem, |block| {
            let end = block
                .find("-----END ")
                .and_then(|end| Some(end + block.get(end..)?.find('\n').unwrap_or(block.len() - end)));
            end.and_then(|end| block.get(..end)).unwrap_or(block)
        })
}

fn pem(label: &str, der: &[u8]) -> Result<String, SignError> {
    encode_string(label, LineEnding::LF, der).map_err(|error| SignError::Encode { reason: error.to_string() })
}

#[cfg(test)]
mod tests;
