//! Claims in, Evidence out.

use assay_model::{Digest, Timestamp};

use crate::evidence::Content;
use crate::sigstore::{Bundle, Proven, Signed};
use crate::statement::Statement;
use crate::{
    Check, CheckName, Evidence, EvidenceKind, IN_TOTO_PAYLOAD_TYPE, Predicate, TrustMaterial, VerifyError, keyed,
    keyless, predicates,
};

/// What a signature is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Artifact<'a> {
    /// A digest that is already known, such as an image manifest's.
    Digest(Digest),
    /// The bytes themselves.
    Bytes(&'a [u8]),
}

impl Artifact<'_> {
    /// The artifact's digest: the given one, or the SHA-256 of the bytes.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Digest(digest) => *digest,
            Self::Bytes(bytes) => Digest::of(bytes),
        }
    }
}

/// Verifies a Sigstore bundle (versions 0.1 to 0.3, message signature or DSSE envelope) about `artifact`.
///
/// Everything that the bundle carries must hold: the signature over the very bytes that are read afterwards, the
/// certificate chain and its log at every proven time, every log entry and that it is of this signature, every signed
/// timestamp, and the subject's digest. Who signed is returned and not judged: see [`crate::IdentityPolicy`] and the
/// Gate.
///
/// A key's bundle needs no log entry and no timestamp; its [`Evidence::checks`] then say that none was made, and
/// [`Evidence::signed_at`] is none. Evidence of a certificate always has a proven time.
///
/// # Errors
/// The cause, see [`VerifyError`]. With several trusted roots that name the same authority, the cause of the first one.
pub fn verify_bundle(
    bundle: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let parsed = Bundle::parse(bundle)?;
    let proven = match parsed.key_hint() {
        Some(hint) => keyed::verify(&parsed, hint, artifact, material)?,
        None => keyless::verify(&parsed, artifact, material)?,
    };
    if let Some(at) = proven.times.iter().find(|at| **at > now) {
        return Err(VerifyError::InFuture { at: *at, now });
    }
    let (predicate_type, kind, predicate) = match parsed.signed()? {
        Signed::Message => (None, EvidenceKind::Signature, Predicate::Signature),
        Signed::Envelope { payload_type, payload } => {
            let statement = statement(payload_type, payload, artifact)?;
            let (kind, predicate) = predicates::read(&statement.predicate_type, statement.predicate)?;
            (Some(statement.predicate_type), kind, predicate)
        }
    };
    Ok(Evidence {
        content: Content {
            subject: artifact.digest(),
            kind,
            predicate_type,
            predicate,
            signed_at: proven.times.iter().min().copied(),
            // What was proven to be signed in time stays so: neither the certificate's nor the authority's later end
            // takes it back. Predicates that expire would set this.
            valid_until: None,
            checks: checks(&proven),
            signer: proven.signer,
            trust_root: material.hash(),
            source: Digest::of(bundle),
        },
    })
}

fn statement<'a>(payload_type: &str, payload: &'a [u8], artifact: Artifact<'_>) -> Result<Statement<'a>, VerifyError> {
    if payload_type != IN_TOTO_PAYLOAD_TYPE {
        return Err(VerifyError::Unsupported { what: format!("payload type `{payload_type}`") });
    }
    let statement = Statement::parse(payload)?;
    let about = match artifact {
        Artifact::Digest(digest) => statement.is_about(&digest),
        Artifact::Bytes(bytes) => [assay_model::Algorithm::Sha256, assay_model::Algorithm::Sha512]
            .into_iter()
            .any(|algorithm| statement.is_about(&hash(algorithm, bytes))),
    };
    if about { Ok(statement) } else { Err(VerifyError::WrongDigest { artifact: Box::new(artifact.digest()) }) }
}

fn hash(algorithm: assay_model::Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = assay_model::Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn checks(proven: &Proven) -> Vec<Check> {
    let made = [
        (CheckName::Signature, true),
        (CheckName::Subject, true),
        (CheckName::CertificateChain, proven.certificate),
        (CheckName::CertificateTransparency, proven.certificate_log),
        (CheckName::TransparencyLog, proven.log),
        (CheckName::Timestamp, proven.timestamp),
        // Fulcio's certificates live for minutes and are not revoked; keys are revoked by taking them out of the material.
        (CheckName::Revocation, false),
    ];
    made.into_iter().map(|(name, made)| Check { name, made, failed: None }).collect()
}
