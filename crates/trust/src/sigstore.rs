//! The only place that knows the `sigstore-*` crates: their types go no further than this module, and their errors are
//! turned into causes here.

use assay_model::{Digest, Timestamp};
use sigstore_crypto::{
    KeyAlgorithm, SigningScheme, SubjectAltName, VerificationKey, verify_signature, verify_signature_prehashed,
};
use sigstore_trust_root::TrustedRoot;
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{ArtifactDigest, DerCertificate, DerPublicKey, HashAlgorithm, SignatureBytes, SignatureContent};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TimestampError, TransparencyLogError, VerificationPolicy,
    VerificationResult, Verifier,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::{Artifact, MaterialError, Signer, VerifyError, certificate};

/// The trusted root of Sigstore's public-good instance, compiled in.
pub(crate) const PUBLIC_GOOD: &str = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;

/// Largest bundle read: attested SBOMs reach some ten megabytes.
const BUNDLE_MAX: usize = 32 << 20;
/// Log entries, timestamps and certificates of one bundle: each costs one or more signature checks.
const ENTRIES_MAX: usize = 8;
/// Hashes of one inclusion proof: a tree of 2^64 leaves has 64 levels.
const PROOF_MAX: usize = 64;

const VERSIONS: [&str; 4] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];

/// A parsed trusted root with its keys and certificates prepared.
pub(crate) struct Root {
    verifier: Verifier,
    digest: Digest,
    /// Names of all its certificate authorities, DER.
    authorities: Vec<Vec<u8>>,
    has_logs: bool,
    has_certificate_logs: bool,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Root {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, MaterialError> {
        let refuse = |reason: String| MaterialError::Root { reason };
        let text = std::str::from_utf8(json).map_err(|error| refuse(error.to_string()))?;
        let root = TrustedRoot::from_json(text).map_err(|error| refuse(error.to_string()))?;
        if !root.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            return Err(refuse(format!("its media type is `{}`", root.media_type)));
        }
        let verifier = Verifier::new(&root).map_err(|error| refuse(error.to_string()))?;
        let mut authorities = Vec::new();
        for entry in root.certificate_authorities.iter().flat_map(|authority| &authority.cert_chain.certificates) {
            let certificate =
                Certificate::from_der(entry.raw_bytes.as_bytes()).map_err(|error| refuse(error.to_string()))?;
            let name = certificate.tbs_certificate.subject.to_der().map_err(|error| refuse(error.to_string()))?;
            authorities.push(name);
        }
        Ok(Self {
            verifier,
            digest: Digest::of(json),
            authorities,
            has_logs: !root.tlogs.is_empty(),
            has_certificate_logs: !root.ctlogs.is_empty(),
        })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it names the issuer of one of these certificates.
    fn issued(&self, issuers: &[Vec<u8>]) -> bool {
        issuers.iter().any(|issuer| self.authorities.contains(issuer))
    }

    /// Verifies a bundle with a certificate: chain, SCT, log entries, timestamps, signature, and that they belong
    /// together.
    ///
    /// A root without transparency logs is that of an instance that keeps none (GitHub's for private repositories): there
    /// is nothing to prove inclusion in, and the signed timestamp must carry the time. It cannot be used to get around a
    /// log, since such a root knows no entry, and an entry of an unknown log is refused.
    pub(crate) fn verify_certificate(&self, artifact: Artifact<'_>, bundle: &Bundle) -> Result<Proven, VerifyError> {
        let mut policy = VerificationPolicy::any_identity();
        if !self.has_logs {
            refuse_entries(bundle)?;
            policy = policy.skip_tlog_unsafe();
        } else if bundle.log_entries() == 0 {
            return Err(VerifyError::LogProof { reason: "the bundle has no log entry".to_owned() });
        }
        if !self.has_certificate_logs {
            policy = policy.skip_sct();
        }
        let result = self
            .verifier
            .verify(sigstore_artifact(artifact)?, &bundle.inner, &policy)
            .map_err(|error| self.explain_time(cause(error, artifact), artifact, bundle))?;
        let certificate = result.certificate().ok_or(VerifyError::UnknownAuthority)?;
        let (Some(identity), Some(issuer)) = (certificate.identity.as_ref(), certificate.issuer.as_ref()) else {
            let missing = if certificate.identity.is_none() { "subject alternative name" } else { "OIDC issuer" };
            return Err(VerifyError::NoIdentity { missing });
        };
        let subject = match identity {
            SubjectAltName::Email(text) | SubjectAltName::Uri(text) => text.clone(),
            other => other.as_str().to_owned(),
        };
        let claims = Box::new(certificate::claims(&certificate.ci_claims));
        Ok(Proven {
            signer: Signer::Keyless { issuer: issuer.clone(), subject, claims },
            times: result.verified_timestamps().to_vec(),
            certificate: result.certificate_verified(),
            certificate_log: result.sct_verified(),
            log: result.tlog_verified() && bundle.log_entries() > 0,
            timestamp: bundle.timestamps() > 0,
        })
    }

    /// The path builder reports a certificate outside its validity as any other broken chain. The proven times, taken
    /// without chain and log, tell which it was. This only words a refusal.
    fn explain_time(&self, refused: VerifyError, artifact: Artifact<'_>, bundle: &Bundle) -> VerifyError {
        if !matches!(refused, VerifyError::CertificateChain { .. }) {
            return refused;
        }
        let policy = VerificationPolicy::any_identity().skip_certificate_chain().skip_tlog_unsafe();
        let times = sigstore_artifact(artifact)
            .ok()
            .and_then(|artifact| self.verifier.verify(artifact, &bundle.inner, &policy).ok());
        let Some((result, certificate)) = times.as_ref().and_then(|result| Some((result, result.certificate()?)))
        else {
            return refused;
        };
        let (not_before, not_after) = (certificate.not_before, certificate.not_after);
        let outside = result.verified_timestamps().iter().find(|at| **at < not_before || **at > not_after);
        match outside {
            Some(at) if *at > not_after => VerifyError::CertificateExpired { at: *at, not_after },
            Some(at) => VerifyError::CertificateNotYetValid { at: *at, not_before },
            None => refused,
        }
    }

    /// Verifies log entries and timestamps of a bundle that was signed with `key`.
    pub(crate) fn verify_key(
        &self,
        artifact: Artifact<'_>,
        bundle: &Bundle,
        key: &PublicKey,
    ) -> Result<Proven, VerifyError> {
        let mut policy = PublicKeyVerificationPolicy::new(key.der.clone());
        if !self.has_logs {
            refuse_entries(bundle)?;
        }
        if bundle.log_entries() == 0 {
            policy = policy.skip_tlog_unsafe();
        }
        let result: VerificationResult = self
            .verifier
            .verify(sigstore_artifact(artifact)?, &bundle.inner, &policy)
            .map_err(|error| cause(error, artifact))?;
        Ok(Proven {
            signer: Signer::Key { fingerprint: key.fingerprint() },
            times: result.verified_timestamps().to_vec(),
            certificate: false,
            certificate_log: false,
            log: result.tlog_verified(),
            timestamp: bundle.timestamps() > 0,
        })
    }
}

fn refuse_entries(bundle: &Bundle) -> Result<(), VerifyError> {
    match bundle.inner.verification_material.tlog_entries.first() {
        None => Ok(()),
        Some(entry) => Err(VerifyError::UnknownLog { log_id: entry.log_id.key_id.to_string() }),
    }
}

/// What a verification established.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) signer: Signer,
    /// All times that the log or a timestamp authority vouch for.
    pub(crate) times: Vec<Timestamp>,
    pub(crate) certificate: bool,
    pub(crate) certificate_log: bool,
    pub(crate) log: bool,
    pub(crate) timestamp: bool,
}

/// A bundle within bounds, parsed and not verified.
#[derive(Debug)]
pub(crate) struct Bundle {
    inner: sigstore_types::Bundle,
}

/// What a bundle's signature covers.
pub(crate) enum Signed<'a> {
    /// The artifact itself.
    Message,
    /// A DSSE envelope's payload.
    Envelope {
        /// The payload type.
        payload_type: &'a str,
        /// The payload.
        payload: &'a [u8],
    },
}

impl Bundle {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        #[derive(serde::Deserialize)]
        struct Head {
            #[serde(rename = "mediaType")]
            media_type: String,
        }
        bound("bytes of the bundle", bytes.len(), BUNDLE_MAX)?;
        let malformed = |reason: String| VerifyError::Malformed { part: "bundle", reason };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if !VERSIONS.contains(&head.media_type.as_str()) {
            return Err(VerifyError::UnsupportedVersion { media_type: head.media_type });
        }
        let inner: sigstore_types::Bundle =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        let material = &inner.verification_material;
        bound("log entries of the bundle", material.tlog_entries.len(), ENTRIES_MAX)?;
        let timestamps = material.timestamp_verification_data.rfc3161_timestamps.len();
        bound("timestamps of the bundle", timestamps, ENTRIES_MAX)?;
        for proof in material.tlog_entries.iter().filter_map(|entry| entry.inclusion_proof.as_ref()) {
            bound("hashes of an inclusion proof", proof.hashes.len(), PROOF_MAX)?;
            if let Some(checkpoint) = proof.checkpoint.checkpoint() {
                bound("signatures of a checkpoint", checkpoint.signatures().len(), PROOF_MAX)?;
            }
        }
        if let VerificationMaterialContent::X509CertificateChain { certificates } = &material.content {
            bound("certificates of the bundle", certificates.len(), ENTRIES_MAX)?;
            if certificates.is_empty() {
                return Err(malformed("its certificate chain is empty".to_owned()));
            }
        }
        Ok(Self { inner })
    }

    /// The key hint, if the bundle names a key and carries no certificate.
    pub(crate) fn key_hint(&self) -> Option<&str> {
        match &self.inner.verification_material.content {
            VerificationMaterialContent::PublicKey(key) => Some(&key.hint),
            _ => None,
        }
    }

    pub(crate) fn log_entries(&self) -> usize {
        self.inner.verification_material.tlog_entries.len()
    }

    pub(crate) fn timestamps(&self) -> usize {
        self.inner.verification_material.timestamp_verification_data.rfc3161_timestamps.len()
    }

    pub(crate) fn signed(&self) -> Result<Signed<'_>, VerifyError> {
        match &self.inner.content {
            SignatureContent::MessageSignature(_) => Ok(Signed::Message),
            SignatureContent::DsseEnvelope(envelope) => {
                Ok(Signed::Envelope { payload_type: &envelope.payload_type, payload: envelope.payload.as_bytes() })
            }
            _ => Err(VerifyError::Unsupported { what: "its signature content".to_owned() }),
        }
    }

    /// The roots that name the issuer of one of its certificates.
    pub(crate) fn roots<'a>(&self, roots: impl Iterator<Item = &'a Root>) -> Result<Vec<&'a Root>, VerifyError> {
        let certificates: Vec<&DerCertificate> = match &self.inner.verification_material.content {
            VerificationMaterialContent::Certificate(certificate) => vec![&certificate.raw_bytes],
            VerificationMaterialContent::X509CertificateChain { certificates } => {
                certificates.iter().map(|certificate| &certificate.raw_bytes).collect()
            }
            _ => Vec::new(),
        };
        let issuer = |der: &&DerCertificate| {
            Certificate::from_der(der.as_bytes())
                .and_then(|certificate| certificate.tbs_certificate.issuer.to_der())
                .map_err(|error| VerifyError::Malformed { part: "certificate", reason: error.to_string() })
        };
        let issuers = certificates.iter().map(issuer).collect::<Result<Vec<_>, _>>()?;
        Ok(roots.filter(|root| root.issued(&issuers)).collect())
    }

    /// Whether `key` made the signature: over the envelope's pre-authentication encoding, or over the artifact.
    pub(crate) fn check_signature(&self, key: &PublicKey, artifact: Artifact<'_>) -> Result<(), VerifyError> {
        let (signature, verified) = match &self.inner.content {
            SignatureContent::DsseEnvelope(envelope) => {
                let scheme = key.algorithm.default_signing_scheme();
                let signed = crate::pae(&envelope.payload_type, envelope.payload.as_bytes());
                (&envelope.signature.sig, verify_signature(&key.der, &signed, &envelope.signature.sig, scheme))
            }
            SignatureContent::MessageSignature(message) => {
                let scheme = match &message.message_digest {
                    Some(digest) => key.algorithm.resolve_signing_scheme(digest.algorithm),
                    None => Ok(key.algorithm.default_signing_scheme()),
                };
                let scheme = scheme.map_err(|error| VerifyError::Unsupported { what: error.to_string() })?;
                (&message.signature, check_message(key, scheme, &message.signature, artifact)?)
            }
            _ => return Err(VerifyError::Unsupported { what: "its signature content".to_owned() }),
        };
        if signature.as_bytes().is_empty() {
            return Err(VerifyError::SignatureInvalid);
        }
        verified.map_err(|_| VerifyError::SignatureInvalid)
    }

    /// The digest that a message signature names beside itself must be the artifact's: it is only a hint, but one that
    /// differs means that the bundle belongs to something else.
    pub(crate) fn check_message_digest(&self, artifact: Artifact<'_>) -> Result<(), VerifyError> {
        let SignatureContent::MessageSignature(message) = &self.inner.content else { return Ok(()) };
        let Some(stated) = &message.message_digest else { return Ok(()) };
        let same = artifact_digest(artifact, stated.algorithm)
            .is_some_and(|digest| digest.as_bytes() == stated.digest.as_bytes());
        if same { Ok(()) } else { Err(VerifyError::WrongDigest { artifact: Box::new(artifact.digest()) }) }
    }
}

fn check_message(
    key: &PublicKey,
    scheme: SigningScheme,
    signature: &SignatureBytes,
    artifact: Artifact<'_>,
) -> Result<sigstore_crypto::Result<()>, VerifyError> {
    match (artifact, scheme.hash_algorithm()) {
        (Artifact::Bytes(bytes), _) => Ok(verify_signature(&key.der, bytes, signature, scheme)),
        (Artifact::Digest(_), Some(algorithm)) => {
            let digest = artifact_digest(artifact, algorithm).ok_or_else(|| VerifyError::Unsupported {
                what: format!("a signature over a {algorithm:?} digest, and only {} is known", artifact.digest()),
            })?;
            Ok(verify_signature_prehashed(&key.der, digest.as_bytes(), signature, scheme))
        }
        (Artifact::Digest(_), None) => Err(VerifyError::Unsupported {
            what: format!("a {} message signature, which needs the artifact's bytes", scheme.name()),
        }),
    }
}

/// The artifact's digest of this algorithm, where it is known or can be computed.
fn artifact_digest(artifact: Artifact<'_>, algorithm: HashAlgorithm) -> Option<ArtifactDigest> {
    match artifact {
        Artifact::Digest(digest) => sigstore_digest(&digest).filter(|digest| digest.algorithm() == algorithm),
        Artifact::Bytes(bytes) => {
            let mut hasher = sigstore_crypto::ArtifactHasher::new(algorithm).ok()?;
            hasher.update(bytes);
            Some(hasher.finalize())
        }
    }
}

fn sigstore_digest(digest: &Digest) -> Option<ArtifactDigest> {
    let algorithm = match digest.algorithm() {
        assay_model::Algorithm::Sha256 => HashAlgorithm::Sha2256,
        assay_model::Algorithm::Sha512 => HashAlgorithm::Sha2512,
    };
    ArtifactDigest::new(algorithm, digest.as_bytes().to_vec()).ok()
}

fn sigstore_artifact(artifact: Artifact<'_>) -> Result<sigstore_types::Artifact<'_>, VerifyError> {
    match artifact {
        Artifact::Bytes(bytes) => Ok(bytes.into()),
        Artifact::Digest(digest) => sigstore_digest(&digest)
            .map(sigstore_types::Artifact::Digest)
            .ok_or_else(|| VerifyError::Unsupported { what: format!("the digest {digest}") }),
    }
}

/// A public key and its algorithm.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    der: DerPublicKey,
    algorithm: KeyAlgorithm,
}

impl PublicKey {
    pub(crate) fn from_pem(pem: &str) -> Result<Self, MaterialError> {
        let refuse = |reason: String| MaterialError::Key { reason };
        let der = DerPublicKey::from_pem(pem).map_err(|error| refuse(error.to_string()))?;
        let algorithm = KeyAlgorithm::from_spki(&der).map_err(|error| refuse(error.to_string()))?;
        VerificationKey::from_der(&der, algorithm.default_signing_scheme())
            .map_err(|error| refuse(error.to_string()))?;
        Ok(Self { der, algorithm })
    }

    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(self.der.as_bytes())
    }
}

fn bound(what: &'static str, found: usize, limit: usize) -> Result<(), VerifyError> {
    if found > limit { Err(VerifyError::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// The library's error as a cause.
fn cause(error: Error, artifact: Artifact<'_>) -> VerifyError {
    match error {
        Error::SignatureInvalid(_) => VerifyError::SignatureInvalid,
        Error::ArtifactMismatch(_) => VerifyError::WrongDigest { artifact: Box::new(artifact.digest()) },
        Error::UnsupportedArtifact(what) | Error::UnsupportedBundle(what) => VerifyError::Unsupported { what },
        Error::Certificate(error) => match error {
            CertificateError::Malformed(reason) => VerifyError::Malformed { part: "certificate", reason },
            CertificateError::ChainInvalid(reason) => VerifyError::CertificateChain { reason },
            CertificateError::NoValidAuthority { time } => VerifyError::AuthorityNotValid { at: time },
            CertificateError::NotYetValid { time, not_before } => {
                VerifyError::CertificateNotYetValid { at: time, not_before }
            }
            CertificateError::Expired { time, not_after } => VerifyError::CertificateExpired { at: time, not_after },
            CertificateError::Sct(reason) => VerifyError::CertificateTransparency { reason },
            other => VerifyError::CertificateChain { reason: other.to_string() },
        },
        Error::TransparencyLog(error) => match error {
            TransparencyLogError::UnknownLog { log_id } => VerifyError::UnknownLog { log_id },
            TransparencyLogError::EntryMismatch(reason) => VerifyError::LogEntryMismatch { reason },
            TransparencyLogError::IntegratedTime(reason) => VerifyError::LogTime { reason },
            TransparencyLogError::MalformedEntry(reason) => VerifyError::Malformed { part: "log entry", reason },
            TransparencyLogError::InclusionProof(reason)
            | TransparencyLogError::Checkpoint(reason)
            | TransparencyLogError::InclusionPromise(reason) => VerifyError::LogProof { reason },
            other => VerifyError::LogProof { reason: other.to_string() },
        },
        Error::Timestamp(error) => match error {
            TimestampError::Invalid(reason) => VerifyError::TimestampInvalid { reason },
            TimestampError::OutsideAuthorityValidity { time } => VerifyError::TimestampOutsideAuthority { at: time },
            TimestampError::NoVerifiedTimestamp(_) => VerifyError::NoTime,
            other => VerifyError::TimestampInvalid { reason: other.to_string() },
        },
        Error::Bundle(error) => structure(&error),
        Error::InvalidBundle(reason) => VerifyError::Malformed { part: "bundle", reason },
        Error::Types(error) => VerifyError::Malformed { part: "bundle", reason: error.to_string() },
        Error::Crypto(error) => VerifyError::Malformed { part: "bundle", reason: error.to_string() },
        Error::InvalidTrustRoot(reason) => VerifyError::Material { reason },
        Error::TrustRoot(error) => VerifyError::Material { reason: error.to_string() },
        Error::TrustedCertificate(error) => VerifyError::Material { reason: error.to_string() },
        // Identity is not asked of the library, artifacts are not read by it.
        other => VerifyError::Malformed { part: "bundle", reason: other.to_string() },
    }
}

fn structure(error: &sigstore_verify::bundle::Error) -> VerifyError {
    use sigstore_verify::bundle::Error as Structure;
    let reason = error.to_string();
    match error {
        Structure::UnsupportedMediaType(version) => {
            VerifyError::UnsupportedVersion { media_type: version.as_str().to_owned() }
        }
        Structure::MissingInclusionPromise(_)
        | Structure::MissingInclusionProof(_)
        | Structure::MissingCheckpoint
        | Structure::LogIndexOutOfRange { .. }
        | Structure::CheckpointRootMismatch => VerifyError::LogProof { reason },
        Structure::MissingSigningTimeEvidence | Structure::MissingTimestamp => VerifyError::NoTime,
        _ => VerifyError::Malformed { part: "bundle", reason },
    }
}
