//! Which keys sign, and how (sigstore/protobuf-specs, `sigstore_common.proto`, `PublicKeyDetails`; Notary Project,
//! `signature-specification.md`, "Algorithm Selection").

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{AnyRef, BitString, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::SignError;

/// Algorithms of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256: what every Sigstore client reads.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA of 2048 bits.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// ECDSA on P-256 over SHA-256, ASN.1 DER.
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384, ASN.1 DER.
    EcdsaP384Sha384,
    /// ECDSA on P-521 over SHA-512, ASN.1 DER.
    EcdsaP521Sha512,
    /// Ed25519, over the message itself.
    Ed25519,
    /// RSA PKCS#1 v1.5 over SHA-256: what cosign makes with an RSA key.
    RsaPkcs1Sha256,
    /// RSA-PSS over SHA-256, salt as long as the hash.
    RsaPssSha256,
    /// RSA-PSS over SHA-384.
    RsaPssSha384,
    /// RSA-PSS over SHA-512.
    RsaPssSha512,
}

/// Hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn of(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    pub(crate) fn identifier(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => const_oid::db::rfc5912::ID_SHA_256,
            Self::Sha384 => const_oid::db::rfc5912::ID_SHA_384,
            Self::Sha512 => const_oid::db::rfc5912::ID_SHA_512,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::EcdsaP521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
        })
    }
}

impl KeyAlgorithm {
    /// How Sigstore signs with such a key.
    pub fn scheme(self) -> SignatureScheme {
        match self {
            Self::EcdsaP256 => SignatureScheme::EcdsaP256Sha256,
            Self::EcdsaP384 => SignatureScheme::EcdsaP384Sha384,
            Self::EcdsaP521 => SignatureScheme::EcdsaP521Sha512,
            Self::Ed25519 => SignatureScheme::Ed25519,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureScheme::RsaPkcs1Sha256,
        }
    }

    /// How the Notary Project signs with such a key; it knows no Ed25519.
    pub fn notation_scheme(self) -> Option<SignatureScheme> {
        Some(match self {
            Self::Rsa2048 => SignatureScheme::RsaPssSha256,
            Self::Rsa3072 => SignatureScheme::RsaPssSha384,
            Self::Rsa4096 => SignatureScheme::RsaPssSha512,
            Self::Ed25519 => return None,
            elliptic => elliptic.scheme(),
        })
    }

    /// The name in a transparency log of version 2, or none where the log cannot verify a signature over a hash.
    pub(crate) fn log_name(self) -> Option<&'static str> {
        Some(match self {
            Self::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
            Self::EcdsaP384 => "PKIX_ECDSA_P384_SHA_384",
            Self::EcdsaP521 => "PKIX_ECDSA_P521_SHA_512",
            Self::Rsa2048 => "PKIX_RSA_PKCS1V15_2048_SHA256",
            Self::Rsa3072 => "PKIX_RSA_PKCS1V15_3072_SHA256",
            Self::Rsa4096 => "PKIX_RSA_PKCS1V15_4096_SHA256",
            Self::Ed25519 => return None,
        })
    }

    /// Bytes of each half of an ECDSA signature.
    pub(crate) fn coordinate(self) -> Option<usize> {
        match self {
            Self::EcdsaP256 => Some(32),
            Self::EcdsaP384 => Some(48),
            Self::EcdsaP521 => Some(66),
            _ => None,
        }
    }
}

impl SignatureScheme {
    /// The hash function; none where the message itself is signed.
    pub(crate) fn hash(self) -> Option<Hash> {
        match self {
            Self::EcdsaP256Sha256 | Self::RsaPkcs1Sha256 | Self::RsaPssSha256 => Some(Hash::Sha256),
            Self::EcdsaP384Sha384 | Self::RsaPssSha384 => Some(Hash::Sha384),
            Self::EcdsaP521Sha512 | Self::RsaPssSha512 => Some(Hash::Sha512),
            Self::Ed25519 => None,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
            Self::EcdsaP521Sha512 => &ECDSA_P521_SHA512_ASN1,
            Self::Ed25519 => &ED25519,
            Self::RsaPkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
            Self::RsaPssSha384 => &RSA_PSS_2048_8192_SHA384,
            Self::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        }
    }
}

/// A public key: a SubjectPublicKeyInfo (RFC 5280, section 4.1) of an algorithm that signs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
    /// The content of the bit string: a point, an RSAPublicKey, or 32 bytes.
    content: Vec<u8>,
    algorithm: KeyAlgorithm,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<Self, SignError> {
        let refuse = |reason: String| SignError::Key { reason };
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|error| refuse(error.to_string()))?;
        let content = info.subject_public_key.raw_bytes().to_vec();
        let curve = || info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let algorithm = match info.algorithm.oid {
            ID_EC_PUBLIC_KEY => match curve() {
                Some(SECP_256_R_1) => KeyAlgorithm::EcdsaP256,
                Some(SECP_384_R_1) => KeyAlgorithm::EcdsaP384,
                Some(SECP_521_R_1) => KeyAlgorithm::EcdsaP521,
                _ => return Err(refuse("its curve is none of P-256, P-384 and P-521".to_owned())),
            },
            ID_ED_25519 => KeyAlgorithm::Ed25519,
            RSA_ENCRYPTION => {
                let key = RsaPublicKey::from_der(&content).map_err(|error| refuse(error.to_string()))?;
                match key.modulus.as_bytes().len() {
                    256 => KeyAlgorithm::Rsa2048,
                    384 => KeyAlgorithm::Rsa3072,
                    512 => KeyAlgorithm::Rsa4096,
                    other => {
                        return Err(refuse(format!(
                            "RSA of {} bits is not 2048, 3072 or 4096",
                            other.saturating_mul(8)
                        )));
                    }
                }
            }
            other => return Err(refuse(format!("its algorithm {other} is none of ECDSA, Ed25519 and RSA"))),
        };
        Ok(Self { der: der.to_vec(), content, algorithm })
    }

    /// Reads a key in PEM form, label `PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        match der::pem::decode_vec(pem.trim().as_bytes()) {
            Ok(("PUBLIC KEY", der)) => Self::from_der(&der),
            _ => Err(SignError::Key { reason: "it is no PEM text with the label PUBLIC KEY".to_owned() }),
        }
    }

    /// A key on a curve, from its uncompressed point.
    pub(crate) fn from_point(algorithm: KeyAlgorithm, point: &[u8]) -> Result<Self, SignError> {
        let curve = match algorithm {
            KeyAlgorithm::EcdsaP256 => SECP_256_R_1,
            KeyAlgorithm::EcdsaP384 => SECP_384_R_1,
            KeyAlgorithm::EcdsaP521 => SECP_521_R_1,
            other => return Err(SignError::Key { reason: format!("{other} has no point") }),
        };
        Self::encode(ID_EC_PUBLIC_KEY, AnyRef::from(&curve), point)
    }

    /// An RSA key, from its modulus and exponent, big-endian.
    pub(crate) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, SignError> {
        let refuse = |error: der::Error| SignError::Key { reason: error.to_string() };
        let key = RsaPublicKey {
            modulus: UintRef::new(modulus).map_err(refuse)?,
            exponent: UintRef::new(exponent).map_err(refuse)?,
        };
        Self::encode(RSA_ENCRYPTION, AnyRef::NULL, &key.to_der().map_err(refuse)?)
    }

    /// An Ed25519 key, from its 32 bytes.
    pub(crate) fn from_ed25519(bytes: &[u8]) -> Result<Self, SignError> {
        let refuse = |error: der::Error| SignError::Key { reason: error.to_string() };
        let info = SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: ID_ED_25519, parameters: None },
            subject_public_key: BitString::from_bytes(bytes).map_err(refuse)?,
        };
        Self::from_der(&info.to_der().map_err(refuse)?)
    }

    fn encode(oid: ObjectIdentifier, parameters: AnyRef<'_>, content: &[u8]) -> Result<Self, SignError> {
        let refuse = |error: der::Error| SignError::Key { reason: error.to_string() };
        let info = SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid, parameters: Some(parameters.into()) },
            subject_public_key: BitString::from_bytes(content).map_err(refuse)?,
        };
        Self::from_der(&info.to_der().map_err(refuse)?)
    }

    /// Its DER form.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its PEM form.
    pub fn pem(&self) -> Result<String, SignError> {
        super::pem("PUBLIC KEY", &self.der)
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-256 of its DER form: what [`assay_trust::Signer::Key`] carries.
    pub fn fingerprint(&self) -> assay_model::Digest {
        assay_model::Digest::of(&self.der)
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verifies(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(scheme.verification(), &self.content).verify(message, signature).is_ok()
    }
}
