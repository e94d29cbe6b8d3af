//! Verified statements. Nothing outside this module can make one.

use assay_model::{Digest, Explain, Timestamp};
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::{Predicate, Signer};

/// Which kind of evidence a statement is. Trusted signers are named per kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// A signature on the artifact.
    Signature,
    /// An SBOM.
    Sbom,
    /// SLSA provenance.
    Provenance,
    /// A vulnerability scan.
    Scan,
    /// Exploitability statements.
    Vex,
    /// The result of tests.
    Test,
    /// A verification summary.
    Vsa,
    /// The name and version of a release.
    Release,
    /// Attributes (SCAI).
    Attributes,
    /// A step of a supply chain.
    Link,
    /// Any other attestation.
    Other,
}

impl EvidenceKind {
    /// The word for people: `signature`, `SBOM`, ...
    pub fn title(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Sbom => "SBOM",
            Self::Provenance => "provenance",
            Self::Scan => "scan",
            Self::Vex => "VEX",
            Self::Test => "test result",
            Self::Vsa => "verification summary",
            Self::Release => "release statement",
            Self::Attributes => "attribute report",
            Self::Link => "link",
            Self::Other => "attestation",
        }
    }
}

/// What a verification looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// The signature over the very bytes that are used.
    Signature,
    /// The subject digest of the statement or message.
    Subject,
    /// The certificate chain at the proven time.
    CertificateChain,
    /// The signed certificate timestamp.
    CertificateTransparency,
    /// The transparency log entry, and that it holds this signature, key and digest.
    TransparencyLog,
    /// A signed timestamp.
    Timestamp,
    /// Revocation of certificates.
    Revocation,
    /// The end that the signer gave the signature.
    Expiry,
}

/// One check and whether it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: CheckName,
    /// False: not applicable to this form of evidence (a key has no certificate chain). A failed check makes no Evidence,
    /// unless a trust policy says so, see `failed`.
    pub made: bool,
    /// What it found wrong, where a trust policy only logs that: the evidence counts all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A Claim whose signature, identity, time and log were verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub(crate) content: Content,
}

/// What an Evidence holds. Private to this crate: building one is claiming that it was verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    pub(crate) subject: Digest,
    pub(crate) kind: EvidenceKind,
    pub(crate) predicate_type: Option<String>,
    pub(crate) predicate: Predicate,
    pub(crate) signer: Signer,
    pub(crate) signed_at: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) checks: Vec<Check>,
    pub(crate) trust_root: Digest,
    pub(crate) source: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reuse_until: Option<Timestamp>,
}

impl Evidence {
    /// The digest that the statement is about.
    pub fn subject(&self) -> Digest {
        self.content.subject
    }

    /// Which kind of evidence it is.
    pub fn kind(&self) -> EvidenceKind {
        self.content.kind
    }

    /// The predicate type URI, none for a plain message signature.
    pub fn predicate_type(&self) -> Option<&str> {
        self.content.predicate_type.as_deref()
    }

    /// What it states.
    pub fn predicate(&self) -> &Predicate {
        &self.content.predicate
    }

    /// Who signed.
    pub fn signer(&self) -> &Signer {
        &self.content.signer
    }

    /// The proven time of the signature: the log's or the timestamp authority's word. None for a key without either.
    pub fn signed_at(&self) -> Option<Timestamp> {
        self.content.signed_at
    }

    /// When it stops counting, if it does.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.content.valid_until
    }

    /// What the verification looked at.
    pub fn checks(&self) -> &[Check] {
        &self.content.checks
    }

    /// The hash of the trust material it was verified against.
    pub fn trust_root(&self) -> Digest {
        self.content.trust_root
    }

    /// Digest of the bundle or envelope it came from.
    pub fn source(&self) -> Digest {
        self.content.source
    }

    /// Digest of everything that it was verified from: the document's, unless [`Evidence::with_inputs`] said another one.
    /// A cache finds it again by this.
    pub fn inputs(&self) -> Digest {
        self.content.inputs.unwrap_or(self.content.source)
    }

    /// The same, verified from more than its document: annotations beside it, or the repository that a trust policy is
    /// about.
    #[must_use]
    pub fn with_inputs(mut self, inputs: Digest) -> Self {
        self.content.inputs = (inputs != self.content.source).then_some(inputs);
        self
    }

    /// Whether it may be used at `now` without being verified again. What an authority said about revocation holds for a
    /// while only, and what a trust policy merely logged may be another thing the next time.
    pub fn is_reusable(&self, now: Timestamp) -> bool {
        let ends = [self.content.valid_until, self.content.reuse_until];
        ends.into_iter().flatten().all(|end| now < end)
    }

    /// Seals it for the store.
    pub fn seal(&self, key: &SealingKey) -> SealedEvidence {
        // Content is plain data with string keys, so that its serialisation cannot fail; an empty body restores to nothing.
        let body = serde_json::to_string(&self.content).unwrap_or_default();
        let tag = hmac::sign(&key.0, body.as_bytes());
        SealedEvidence { seal: hex::encode(tag.as_ref()), body }
    }

    /// Takes back what [`Evidence::seal`] gave out, if the seal is right and the trust material is still the same.
    /// Anything else must be verified again.
    pub fn restore(sealed: &SealedEvidence, key: &SealingKey, trust_root: Digest) -> Result<Self, RestoreError> {
        let tag = hex::decode(&sealed.seal).map_err(|_| RestoreError::WrongSeal)?;
        hmac::verify(&key.0, sealed.body.as_bytes(), &tag).map_err(|_| RestoreError::WrongSeal)?;
        let content: Content = serde_json::from_str(&sealed.body).map_err(|_| RestoreError::OtherVersion)?;
        if content.trust_root != trust_root {
            return Err(RestoreError::OtherTrustRoot {
                sealed: Box::new(content.trust_root),
                current: Box::new(trust_root),
            });
        }
        Ok(Self { content })
    }
}

/// Evidence as the store keeps it: its content and a keyed hash over the very bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEvidence {
    body: String,
    seal: String,
}

/// The key of this installation's seals: HMAC-SHA-256, 32 random bytes kept beside the store.
pub struct SealingKey(hmac::Key);

impl SealingKey {
    /// Uses these 32 bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(***)")
    }
}

/// Why sealed evidence was not taken back. It must be verified again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The keyed hash does not fit the bytes: changed, or sealed by another installation.
    #[error("the seal of the stored evidence is wrong")]
    WrongSeal,
    /// The seal is right but the form is that of another version.
    #[error("the stored evidence was written by another version")]
    OtherVersion,
    /// The trust material has changed since.
    #[error("the stored evidence was verified against trust root {sealed}, now it is {current}")]
    OtherTrustRoot {
        /// Hash at verification.
        sealed: Box<Digest>,
        /// Hash now.
        current: Box<Digest>,
    },
}

impl Explain for RestoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongSeal => "evidence-seal-wrong",
            Self::OtherVersion => "evidence-version",
            Self::OtherTrustRoot { .. } => "evidence-trust-root-changed",
        }
    }
}
