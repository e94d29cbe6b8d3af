//! Signature envelopes: what both formats hold, and whether it is whole.

use assay_model::{Digest, Timestamp};
use serde::Deserialize;

use super::chain::{self, CHAIN_MAX, Purpose};
use super::error::NotationError;
use super::{cose, jws};
use crate::crypto::{HashAlgorithm, KeyAlgorithm, Scheme};
use crate::x509::{Certificate, X509Error};

/// Largest envelope that is read, bytes; real ones have 2 to 12 KiB.
pub(super) const ENVELOPE_MAX: usize = 1 << 20;
/// Most extended attributes, and most entries of the critical list.
pub(super) const ATTRIBUTES_MAX: usize = 64;
/// The payload type (notaryproject/specifications, signature-specification.md, payload).
const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

/// Names of protected headers, the same in both formats.
pub(super) mod header {
    pub(in crate::notation) const SCHEME: &str = "io.cncf.notary.signingScheme";
    pub(in crate::notation) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
    pub(in crate::notation) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
    pub(in crate::notation) const EXPIRY: &str = "io.cncf.notary.expiry";
    pub(in crate::notation) const PLUGIN: &str = "io.cncf.notary.verificationPlugin";
    pub(in crate::notation) const PLUGIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";
    pub(in crate::notation) const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
    pub(in crate::notation) const AGENT: &str = "io.cncf.notary.signingAgent";
}

/// How an envelope is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvelopeFormat {
    /// JWS, flattened JSON (RFC 7515 section 7.2.2): `application/jose+json`.
    Jws,
    /// COSE_Sign1, tagged (RFC 9052 section 4.2): `application/cose`.
    Cose,
}

impl EnvelopeFormat {
    /// By a layer's media type.
    ///
    /// # Errors
    /// [`NotationError::UnknownFormat`] for any other.
    pub fn from_media_type(media_type: &str) -> Result<Self, NotationError> {
        match media_type {
            "application/jose+json" => Ok(Self::Jws),
            "application/cose" => Ok(Self::Cose),
            other => Err(NotationError::UnknownFormat { media_type: other.chars().take(128).collect() }),
        }
    }

    /// By the first byte of a detached signature: JSON begins with `{` (perhaps behind white space), a tagged
    /// COSE_Sign1 with 0xd2.
    pub fn guess(bytes: &[u8]) -> Option<Self> {
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace())? {
            b'{' => Some(Self::Jws),
            0xd2 => Some(Self::Cose),
            _ => None,
        }
    }
}

/// Who vouches for the time (notaryproject/specifications, signing-scheme.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningScheme {
    /// `notary.x509`: the signer's own word; a timestamp authority may countersign.
    X509,
    /// `notary.x509.signingAuthority`: the signing authority's word.
    SigningAuthority,
}

impl SigningScheme {
    /// As envelopes write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::X509 => "notary.x509",
            Self::SigningAuthority => "notary.x509.signingAuthority",
        }
    }
}

/// The six algorithms that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureAlgorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

impl SignatureAlgorithm {
    pub(super) const ALL: [Self; 6] = [Self::Ps256, Self::Ps384, Self::Ps512, Self::Es256, Self::Es384, Self::Es512];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    /// The one algorithm that goes with a key (signature-specification.md, signature algorithm requirements).
    fn of(key: KeyAlgorithm) -> Option<Self> {
        match key {
            KeyAlgorithm::Rsa { bits: 2048 } => Some(Self::Ps256),
            KeyAlgorithm::Rsa { bits: 3072 } => Some(Self::Ps384),
            KeyAlgorithm::Rsa { bits: 4096 } => Some(Self::Ps512),
            KeyAlgorithm::EcdsaP256 => Some(Self::Es256),
            KeyAlgorithm::EcdsaP384 => Some(Self::Es384),
            KeyAlgorithm::EcdsaP521 => Some(Self::Es512),
            _ => None,
        }
    }

    pub(super) fn hash(self) -> HashAlgorithm {
        match self {
            Self::Ps256 | Self::Es256 => HashAlgorithm::Sha256,
            Self::Ps384 | Self::Es384 => HashAlgorithm::Sha384,
            Self::Ps512 | Self::Es512 => HashAlgorithm::Sha512,
        }
    }

    /// The scheme, and for ECDSA the length of each half of the signature.
    fn scheme(self) -> (Scheme, Option<usize>) {
        let half = match self {
            Self::Es256 => Some(32),
            Self::Es384 => Some(48),
            Self::Es512 => Some(66),
            _ => None,
        };
        let scheme = if half.is_some() { Scheme::Ecdsa(self.hash()) } else { Scheme::RsaPss(self.hash()) };
        (scheme, half)
    }
}

/// An extended attribute of the protected header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) critical: bool,
    /// Its value where it is text.
    pub(super) text: Option<String>,
}

/// What the protected header says, before the rules of the signing scheme are checked.
#[derive(Debug, Default)]
pub(super) struct Protected {
    pub(super) algorithm: Option<SignatureAlgorithm>,
    pub(super) content_type: Option<String>,
    pub(super) critical: Vec<String>,
    pub(super) scheme: Option<String>,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) extended: Vec<Attribute>,
}

/// What an envelope holds.
pub(super) struct Parts {
    pub(super) protected: Protected,
    pub(super) payload: Vec<u8>,
    /// The very bytes that are signed.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) agent: Option<String>,
}

/// A parsed envelope whose integrity holds: its headers keep the rules, its certificates too, and its signature fits.
/// Nothing says yet that anybody trusts the signer.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) scheme: SigningScheme,
    pub(super) signing_time: Timestamp,
    pub(super) expiry: Option<Timestamp>,
    pub(super) target: Target,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) chain: Vec<Certificate>,
    pub(super) signature: Vec<u8>,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) agent: Option<String>,
}

/// The descriptor that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub(super) media_type: String,
    /// As written: a file's may be a SHA-384.
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Target,
}

/// What a signature is asked about.
#[derive(Clone, Copy, Debug)]
pub enum SignedArtifact<'a> {
    /// A manifest, by its descriptor.
    Manifest {
        /// Its digest.
        digest: Digest,
        /// Its media type, where it is known.
        media_type: Option<&'a str>,
        /// Its size in bytes, where it is known.
        size: Option<u64>,
    },
    /// The bytes of a file.
    Blob {
        /// The bytes.
        bytes: &'a [u8],
        /// The media type that it must have been signed with, if that counts.
        media_type: Option<&'a str>,
    },
}

impl Envelope {
    /// Parses an envelope and checks everything that the specification counts as integrity but the artifact, see
    /// [`Envelope::check_artifact`]. `known` gives certificates that have been read before, by their DER.
    pub(super) fn verify(
        bytes: &[u8],
        format: EnvelopeFormat,
        known: impl Fn(&[u8]) -> Option<Certificate>,
    ) -> Result<Self, NotationError> {
        if bytes.len() > ENVELOPE_MAX {
            return Err(NotationError::TooLarge {
                what: "bytes of the envelope",
                found: bytes.len(),
                limit: ENVELOPE_MAX,
            });
        }
        let parts = match format {
            EnvelopeFormat::Jws => jws::parse(bytes)?,
            EnvelopeFormat::Cose => cose::parse(bytes)?,
        };
        let protected = &parts.protected;
        let (scheme, signing_time) = protected.check()?;
        let algorithm = protected.algorithm.ok_or(NotationError::MissingHeader { header: "alg" })?;
        match protected.content_type.as_deref() {
            Some(PAYLOAD_TYPE) => {}
            Some(found) => return Err(NotationError::ContentType { found: found.chars().take(128).collect() }),
            None => return Err(NotationError::MissingHeader { header: "content type" }),
        }
        let chain = certificates(&parts.chain, known)?;
        chain::check(&chain, Purpose::CodeSigning)?;
        let leaf = chain.first().ok_or(chain::ChainError::Empty)?;
        let wanted = SignatureAlgorithm::of(leaf.key().algorithm()).ok_or(NotationError::UnsupportedKey)?;
        if wanted != algorithm {
            return Err(NotationError::AlgorithmMismatch { stated: algorithm.word(), key: wanted.word() });
        }
        check_signature(leaf, algorithm, &parts)?;
        let payload: Payload =
            serde_json::from_slice(&parts.payload).map_err(|error| NotationError::malformed("payload", error))?;
        Ok(Self {
            scheme,
            signing_time,
            expiry: protected.expiry,
            target: payload.target_artifact,
            algorithm,
            signature: parts.signature,
            timestamp: parts.timestamp.filter(|token| !token.is_empty()),
            agent: parts.agent,
            chain,
        })
    }

    /// Whether the artifact is the one that was signed: digest, size and media type. Gives the digest that evidence is
    /// about: a manifest's own, the SHA-256 of a file.
    pub(super) fn check_artifact(&self, artifact: SignedArtifact<'_>) -> Result<Digest, NotationError> {
        let (subject, digest, size, media_type) = match artifact {
            SignedArtifact::Manifest { digest, media_type, size } => (digest, digest.to_string(), size, media_type),
            SignedArtifact::Blob { bytes, media_type } => {
                // The hash goes with the signer's key (signature-specification.md, algorithm selection).
                let hash = self.algorithm.hash();
                let digest = format!("{}:{}", hash_word(hash), hex::encode(hash.of(bytes)));
                (Digest::of(bytes), digest, Some(bytes.len() as u64), media_type)
            }
        };
        let signed = &self.target;
        let differs = |what, signed: &str, artifact: String| {
            let signed = signed.chars().take(128).collect();
            Err(NotationError::WrongArtifact { what, signed, artifact })
        };
        if signed.digest != digest {
            return differs("digest", &signed.digest, digest);
        }
        if let Some(size) = size.filter(|size| *size != signed.size) {
            return differs("size", &signed.size.to_string(), size.to_string());
        }
        if let Some(wanted) = media_type.filter(|wanted| *wanted != signed.media_type) {
            return differs("media type", &signed.media_type, wanted.to_owned());
        }
        Ok(subject)
    }
}

fn hash_word(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha256 => "sha256",
        HashAlgorithm::Sha384 => "sha384",
        HashAlgorithm::Sha512 => "sha512",
    }
}

fn certificates(
    ders: &[Vec<u8>],
    known: impl Fn(&[u8]) -> Option<Certificate>,
) -> Result<Vec<Certificate>, NotationError> {
    if ders.len() > CHAIN_MAX {
        return Err(chain::ChainError::TooLong { found: ders.len() }.into());
    }
    let read = |der: &Vec<u8>| match known(der) {
        Some(certificate) => Ok(certificate),
        None => Certificate::parse(der).map_err(|error| match error {
            X509Error::Unsupported { .. } => NotationError::UnsupportedKey,
            other => NotationError::malformed("certificate", other),
        }),
    };
    ders.iter().map(read).collect()
}

fn check_signature(leaf: &Certificate, algorithm: SignatureAlgorithm, parts: &Parts) -> Result<(), NotationError> {
    if parts.signature.is_empty() {
        return Err(NotationError::MissingHeader { header: "signature" });
    }
    let (scheme, half) = algorithm.scheme();
    let joined = match half {
        None => None,
        Some(half) if parts.signature.len() == 2 * half => Some(join(&parts.signature, half)?),
        Some(_) => return Err(NotationError::SignatureInvalid),
    };
    let signature = joined.as_deref().unwrap_or(&parts.signature);
    leaf.key().verify(scheme, &parts.signed, signature).map_err(|_| NotationError::SignatureInvalid)
}

/// JOSE and COSE write an ECDSA signature as two numbers of fixed length; here they become an ASN.1 sequence.
fn join(signature: &[u8], half: usize) -> Result<Vec<u8>, NotationError> {
    use der::Encode as _;
    let (first, second) = signature.split_at_checked(half).ok_or(NotationError::SignatureInvalid)?;
    let number = |bytes| der::asn1::Uint::new(bytes).map_err(|_| NotationError::SignatureInvalid);
    vec![number(first)?, number(second)?].to_der().map_err(|_| NotationError::SignatureInvalid)
}

impl Protected {
    /// Marks the extended attributes that the critical list names.
    pub(super) fn mark_critical(&mut self) {
        for attribute in &mut self.extended {
            attribute.critical = self.critical.contains(&attribute.name);
        }
    }

    /// The rules of the signing scheme (signature-specification.md, signed attributes). Gives the scheme and its time.
    fn check(&self) -> Result<(SigningScheme, Timestamp), NotationError> {
        let scheme = match self.scheme.as_deref() {
            Some("notary.x509") => SigningScheme::X509,
            Some("notary.x509.signingAuthority") => SigningScheme::SigningAuthority,
            Some(other) => {
                return Err(NotationError::UnsupportedScheme { scheme: other.chars().take(128).collect() });
            }
            None => return Err(NotationError::MissingHeader { header: header::SCHEME }),
        };
        let (own, name, other, other_name) = match scheme {
            SigningScheme::X509 => {
                (self.signing_time, header::SIGNING_TIME, self.authentic_time, header::AUTHENTIC_TIME)
            }
            SigningScheme::SigningAuthority => {
                (self.authentic_time, header::AUTHENTIC_TIME, self.signing_time, header::SIGNING_TIME)
            }
        };
        if other.is_some() {
            return Err(NotationError::HeaderOfOtherScheme { header: other_name, scheme: scheme.word() });
        }
        let signed = own.ok_or(NotationError::MissingHeader { header: name })?;
        self.check_critical(scheme)?;
        if let Some(expiry) = self.expiry.filter(|expiry| *expiry <= signed) {
            return Err(NotationError::ExpiryBeforeSigning { expiry, signed });
        }
        Ok((scheme, signed))
    }

    fn check_critical(&self, scheme: SigningScheme) -> Result<(), NotationError> {
        let listed = |name: &str| self.critical.iter().any(|critical| critical == name);
        let wanted = [
            (header::SCHEME, true),
            (header::AUTHENTIC_TIME, scheme == SigningScheme::SigningAuthority),
            (header::EXPIRY, self.expiry.is_some()),
        ];
        for (header, needed) in wanted {
            match (needed, listed(header)) {
                (true, false) => return Err(NotationError::NotCritical { header }),
                (false, true) => return Err(NotationError::CriticalAbsent { header: header.to_owned() }),
                _ => {}
            }
        }
        for name in &self.critical {
            let known = wanted.iter().any(|(header, _)| header == name);
            if !known && !self.extended.iter().any(|attribute| attribute.name == *name) {
                return Err(NotationError::CriticalAbsent { header: name.chars().take(128).collect() });
            }
        }
        // A plugin's part of a verification is not made here. Its headers count even where they are not critical: a
        // signer who asks for more than is looked at is refused.
        let plugin = |name: &str| self.extended.iter().find(|attribute| attribute.name == name);
        if let Some(attribute) = plugin(header::PLUGIN).or_else(|| plugin(header::PLUGIN_VERSION)) {
            let name = attribute.text.as_deref().unwrap_or_default();
            return Err(NotationError::Plugin { name: name.chars().take(128).collect() });
        }
        match self.extended.iter().find(|attribute| attribute.critical) {
            Some(attribute) => {
                Err(NotationError::UnknownCritical { header: attribute.name.chars().take(128).collect() })
            }
            None => Ok(()),
        }
    }
}
