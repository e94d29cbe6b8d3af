//! Public keys and signatures: which algorithms are known, and the one place that checks a signature.
//!
//! Known are ECDSA on P-256, P-384 and P-521, RSA of 2048 to 8192 bits (PKCS #1 v1.5 and PSS) and Ed25519, with SHA-256,
//! SHA-384 or SHA-512. SHA-1 and shorter keys are not known on purpose. The arithmetic is aws-lc's.

use assay_model::Digest;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as aws, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// A hash function of the SHA-2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// By its object identifier (RFC 5754, section 2).
    pub(crate) fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        match *oid {
            oid::SHA_256 => Some(Self::Sha256),
            oid::SHA_384 => Some(Self::Sha384),
            oid::SHA_512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The hash of some bytes.
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        digest::digest(self.backend(), bytes).as_ref().to_vec()
    }

    fn backend(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA, with the length of its modulus in bits.
    Rsa {
        /// Bits of the modulus, 2048 to 8192.
        bits: usize,
    },
}

impl KeyAlgorithm {
    /// Sigstore's algorithm registry: P-256 and RSA (PKCS #1 v1.5) with SHA-256, P-384 with SHA-384, P-521 with SHA-512.
    fn default_scheme(self) -> Scheme {
        match self {
            Self::EcdsaP256 => Scheme::Ecdsa(HashAlgorithm::Sha256),
            Self::EcdsaP384 => Scheme::Ecdsa(HashAlgorithm::Sha384),
            Self::EcdsaP521 => Scheme::Ecdsa(HashAlgorithm::Sha512),
            Self::Ed25519 => Scheme::Ed25519,
            Self::Rsa { .. } => Scheme::RsaPkcs1(HashAlgorithm::Sha256),
        }
    }

    fn backend(self, scheme: Scheme) -> Result<&'static dyn VerificationAlgorithm, SignatureError> {
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        use KeyAlgorithm::{EcdsaP256, EcdsaP384, EcdsaP521, Rsa};
        Ok(match (self, scheme) {
            (EcdsaP256, Scheme::Ecdsa(Sha256)) => &aws::ECDSA_P256_SHA256_ASN1,
            (EcdsaP256, Scheme::Ecdsa(Sha384)) => &aws::ECDSA_P256_SHA384_ASN1,
            (EcdsaP256, Scheme::Ecdsa(Sha512)) => &aws::ECDSA_P256_SHA512_ASN1,
            (EcdsaP384, Scheme::Ecdsa(Sha256)) => &aws::ECDSA_P384_SHA256_ASN1,
            (EcdsaP384, Scheme::Ecdsa(Sha384)) => &aws::ECDSA_P384_SHA384_ASN1,
            (EcdsaP384, Scheme::Ecdsa(Sha512)) => &aws::ECDSA_P384_SHA512_ASN1,
            (EcdsaP521, Scheme::Ecdsa(Sha256)) => &aws::ECDSA_P521_SHA256_ASN1,
            (EcdsaP521, Scheme::Ecdsa(Sha384)) => &aws::ECDSA_P521_SHA384_ASN1,
            (EcdsaP521, Scheme::Ecdsa(Sha512)) => &aws::ECDSA_P521_SHA512_ASN1,
            (KeyAlgorithm::Ed25519, Scheme::Ed25519) => &aws::ED25519,
            (Rsa { .. }, Scheme::RsaPkcs1(Sha256)) => &aws::RSA_PKCS1_2048_8192_SHA256,
            (Rsa { .. }, Scheme::RsaPkcs1(Sha384)) => &aws::RSA_PKCS1_2048_8192_SHA384,
            (Rsa { .. }, Scheme::RsaPkcs1(Sha512)) => &aws::RSA_PKCS1_2048_8192_SHA512,
            (Rsa { .. }, Scheme::RsaPss(Sha256)) => &aws::RSA_PSS_2048_8192_SHA256,
            (Rsa { .. }, Scheme::RsaPss(Sha384)) => &aws::RSA_PSS_2048_8192_SHA384,
            (Rsa { .. }, Scheme::RsaPss(Sha512)) => &aws::RSA_PSS_2048_8192_SHA512,
            (key, scheme) => {
                return Err(SignatureError::Unsupported { what: format!("a {scheme:?} signature of a {key:?} key") });
            }
        })
    }
}

/// How a signature was made, apart from the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// ECDSA over this hash, the signature as an ASN.1 sequence of two integers.
    Ecdsa(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5 over this hash.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS over this hash, the mask with the same hash, the salt as long as the hash.
    RsaPss(HashAlgorithm),
    /// Ed25519 over the message itself.
    Ed25519,
}

impl Scheme {
    /// The hash that is signed; none where the message itself is.
    pub(crate) fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) | Self::RsaPss(hash) => Some(hash),
            Self::Ed25519 => None,
        }
    }

    /// The scheme that an algorithm identifier of a certificate or of CMS names. In CMS it may name the key's kind alone
    /// (RFC 5652, section 10.1.2); the hash is then `hash`.
    pub(crate) fn from_identifier(
        identifier: &AlgorithmIdentifierOwned,
        hash: Option<HashAlgorithm>,
    ) -> Result<Self, SignatureError> {
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        let unsupported = || SignatureError::Unsupported { what: format!("signature algorithm {}", identifier.oid) };
        Ok(match identifier.oid {
            oid::ECDSA_SHA_256 => Self::Ecdsa(Sha256),
            oid::ECDSA_SHA_384 => Self::Ecdsa(Sha384),
            oid::ECDSA_SHA_512 => Self::Ecdsa(Sha512),
            oid::RSA_SHA_256 => Self::RsaPkcs1(Sha256),
            oid::RSA_SHA_384 => Self::RsaPkcs1(Sha384),
            oid::RSA_SHA_512 => Self::RsaPkcs1(Sha512),
            oid::RSA_PSS => Self::RsaPss(pss_hash(identifier).ok_or_else(unsupported)?),
            oid::ED25519 => Self::Ed25519,
            oid::RSA => Self::RsaPkcs1(hash.ok_or_else(unsupported)?),
            oid::EC_KEY => Self::Ecdsa(hash.ok_or_else(unsupported)?),
            _ => return Err(unsupported()),
        })
    }
}

/// The hash of RSASSA-PSS parameters (RFC 4055, section 3.1), if mask and salt are the usual ones for it.
fn pss_hash(identifier: &AlgorithmIdentifierOwned) -> Option<HashAlgorithm> {
    let parameters = identifier.parameters.as_ref()?.to_der().ok()?;
    let mut reader = SliceReader::new(&parameters).ok()?;
    let (mut hash, mut mask, mut salt) = (None, None, 20_u32);
    reader
        .sequence(|fields| {
            while !fields.is_finished() {
                let header = fields.peek_header()?;
                let field = fields.tlv_bytes()?;
                let inner = field.get(usize::try_from(header.encoded_len()?)?..).unwrap_or_default();
                match header.tag.octet() {
                    0xa0 => hash = HashAlgorithm::from_oid(&AlgorithmIdentifierOwned::from_der(inner)?.oid),
                    0xa1 => {
                        let generator = AlgorithmIdentifierOwned::from_der(inner)?;
                        let below = generator.parameters.map(|any| any.to_der()).transpose()?.unwrap_or_default();
                        if generator.oid == oid::MGF1 {
                            mask = HashAlgorithm::from_oid(&AlgorithmIdentifierOwned::from_der(&below)?.oid);
                        }
                    }
                    0xa2 => salt = u32::from_der(inner)?,
                    _ => {}
                }
            }
            Ok(())
        })
        .ok()?;
    let length = match hash? {
        HashAlgorithm::Sha256 => 32,
        HashAlgorithm::Sha384 => 48,
        HashAlgorithm::Sha512 => 64,
    };
    hash.filter(|_| mask == hash && salt == length)
}

/// A public key whose algorithm is known.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
    /// Ready for its default scheme.
    parsed: ParsedPublicKey,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl PublicKey {
    /// From a DER SubjectPublicKeyInfo, without anything behind it.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, SignatureError> {
        let malformed = |reason: String| SignatureError::MalformedKey { reason };
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|error| malformed(error.to_string()))?;
        let curve = || info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let unsupported = |what: String| SignatureError::Unsupported { what };
        let algorithm = match info.algorithm.oid {
            oid::EC_KEY => match curve() {
                Some(oid::P_256) => KeyAlgorithm::EcdsaP256,
                Some(oid::P_384) => KeyAlgorithm::EcdsaP384,
                Some(oid::P_521) => KeyAlgorithm::EcdsaP521,
                Some(other) => return Err(unsupported(format!("the curve {other}"))),
                None => return Err(malformed("it names no curve".to_owned())),
            },
            oid::ED25519 => KeyAlgorithm::Ed25519,
            oid::RSA | oid::RSA_PSS => {
                let bits = modulus_bits(info.subject_public_key.raw_bytes())
                    .ok_or_else(|| malformed("it has no RSA modulus".to_owned()))?;
                if !(2048..=8192).contains(&bits) {
                    return Err(unsupported(format!("an RSA key of {bits} bits (2048 to 8192 are accepted)")));
                }
                KeyAlgorithm::Rsa { bits }
            }
            other => return Err(unsupported(format!("the key algorithm {other}"))),
        };
        // A point off its curve or an impossible modulus is told now, not as a signature that does not fit.
        let backend = algorithm.backend(algorithm.default_scheme())?;
        let parsed = ParsedPublicKey::new(backend, der).map_err(|error| malformed(error.to_string()))?;
        Ok(Self { spki: der.to_vec(), algorithm, parsed })
    }

    /// From a DER RSAPublicKey (RFC 8017, appendix A.1.1), the older form without an algorithm's name.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, SignatureError> {
        let info = BitString::from_bytes(der).and_then(|key| {
            let algorithm = AlgorithmIdentifierOwned { oid: oid::RSA, parameters: Some(Any::null()) };
            SubjectPublicKeyInfoOwned { algorithm, subject_public_key: key }.to_der()
        });
        Self::from_spki(&info.map_err(|error| SignatureError::MalformedKey { reason: error.to_string() })?)
    }

    /// From PEM text: `PUBLIC KEY` (SubjectPublicKeyInfo), as cosign and OpenSSL write it, or
    /// `RSA PUBLIC KEY`.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, SignatureError> {
        let (label, der) =
            crate::pem::only(pem).map_err(|reason| SignatureError::MalformedKey { reason: reason.to_owned() })?;
        match label {
            "PUBLIC KEY" => Self::from_spki(&der),
            "RSA PUBLIC KEY" => Self::from_pkcs1(&der),
            other => Err(SignatureError::MalformedKey { reason: format!("it is a PEM `{other}`") }),
        }
    }

    /// Its DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub(crate) fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// The scheme that this key signs with where nothing else is said.
    pub(crate) fn default_scheme(&self) -> Scheme {
        self.algorithm.default_scheme()
    }

    /// Its scheme over this hash.
    pub(crate) fn scheme_with(&self, hash: HashAlgorithm) -> Scheme {
        match self.algorithm {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => Scheme::Ecdsa(hash),
            KeyAlgorithm::Ed25519 => Scheme::Ed25519,
            KeyAlgorithm::Rsa { .. } => Scheme::RsaPkcs1(hash),
        }
    }

    /// Checks a signature over `message`.
    pub(crate) fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let fits = if scheme == self.default_scheme() {
            self.parsed.verify_sig(message, signature)
        } else {
            UnparsedPublicKey::new(self.algorithm.backend(scheme)?, &self.spki).verify(message, signature)
        };
        fits.map_err(|_| SignatureError::Invalid)
    }

    /// Checks a signature over a message of which only the hash is known, made with the scheme's hash.
    pub(crate) fn verify_digest(&self, scheme: Scheme, hash: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let unsupported = |what: &str| SignatureError::Unsupported { what: what.to_owned() };
        let algorithm = scheme
            .hash()
            .ok_or_else(|| unsupported("an Ed25519 signature over bytes of which only a digest is known"))?;
        let digest = digest::Digest::import_less_safe(hash, algorithm.backend())
            .map_err(|_| unsupported("a signature over a digest of another algorithm than the known one"))?;
        let fits = if scheme == self.default_scheme() {
            self.parsed.verify_digest_sig(&digest, signature)
        } else {
            UnparsedPublicKey::new(self.algorithm.backend(scheme)?, &self.spki).verify_digest(&digest, signature)
        };
        fits.map_err(|_| SignatureError::Invalid)
    }
}

/// Bits of the modulus of an RSAPublicKey (RFC 8017, appendix A.1.1).
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(key).ok()?;
    let modulus = reader
        .sequence(|fields| {
            let modulus = fields.decode::<x509_cert::der::asn1::UintRef<'_>>()?;
            fields.decode::<x509_cert::der::asn1::UintRef<'_>>()?;
            Ok(modulus.as_bytes())
        })
        .ok()?;
    let first = modulus.first()?;
    Some(modulus.len() * 8 - first.leading_zeros() as usize)
}

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// The key cannot be read.
    #[error("the public key cannot be read: {reason}")]
    MalformedKey {
        /// What the parser says.
        reason: String,
    },
    /// An algorithm that is not verified here.
    #[error("{what} is not supported")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Invalid,
}

/// Object identifiers of algorithms (RFC 5480, 5754, 8017, 8410).
mod oid {
    use x509_cert::der::asn1::ObjectIdentifier as Oid;

    pub(super) const SHA_256: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.1");
    pub(super) const SHA_384: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.2");
    pub(super) const SHA_512: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.3");
    pub(super) const EC_KEY: Oid = Oid::new_unwrap("1.2.840.10045.2.1");
    pub(super) const P_256: Oid = Oid::new_unwrap("1.2.840.10045.3.1.7");
    pub(super) const P_384: Oid = Oid::new_unwrap("1.3.132.0.34");
    pub(super) const P_521: Oid = Oid::new_unwrap("1.3.132.0.35");
    pub(super) const ECDSA_SHA_256: Oid = Oid::new_unwrap("1.2.840.10045.4.3.2");
    pub(super) const ECDSA_SHA_384: Oid = Oid::new_unwrap("1.2.840.10045.4.3.3");
    pub(super) const ECDSA_SHA_512: Oid = Oid::new_unwrap("1.2.840.10045.4.3.4");
    pub(super) const RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.1");
    pub(super) const MGF1: Oid = Oid::new_unwrap("1.2.840.113549.1.1.8");
    pub(super) const RSA_PSS: Oid = Oid::new_unwrap("1.2.840.113549.1.1.10");
    pub(super) const RSA_SHA_256: Oid = Oid::new_unwrap("1.2.840.113549.1.1.11");
    pub(super) const RSA_SHA_384: Oid = Oid::new_unwrap("1.2.840.113549.1.1.12");
    pub(super) const RSA_SHA_512: Oid = Oid::new_unwrap("1.2.840.113549.1.1.13");
    pub(super) const ED25519: Oid = Oid::new_unwrap("1.3.101.112");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_too_short_or_not_keys_are_refused() {
        assert!(matches!(PublicKey::from_spki(b""), Err(SignatureError::MalformedKey { .. })));
        assert!(matches!(PublicKey::from_pem("none"), Err(SignatureError::MalformedKey { .. })));
        // RFC 8410, section 10.1: a real key under the label of something else.
        let other = "-----BEGIN CERTIFICATE-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END CERTIFICATE-----\n";
        assert!(matches!(PublicKey::from_pem(other), Err(SignatureError::MalformedKey { .. })));
        let right = other.replace("CERTIFICATE", "PUBLIC KEY");
        assert_eq!(PublicKey::from_pem(&right).unwrap().algorithm(), KeyAlgorithm::Ed25519);
    }

    #[test]
    fn a_scheme_of_another_kind_of_key_is_unsupported() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let key = PublicKey::from_pem(pem).unwrap();
        let error = key.verify(Scheme::Ecdsa(HashAlgorithm::Sha256), b"m", b"s");
        assert!(matches!(error, Err(SignatureError::Unsupported { .. })));
        assert!(matches!(key.verify_digest(Scheme::Ed25519, &[0; 32], b"s"), Err(SignatureError::Unsupported { .. })));
        assert_eq!(key.verify(Scheme::Ed25519, b"m", &[0; 64]), Err(SignatureError::Invalid));
    }
}
