//! Claims in, Evidence out.

use assay_model::{Digest, Timestamp};

use crate::crypto::HashAlgorithm;
use crate::evidence::Content;
use crate::sigstore::document::{self, Document};
use crate::sigstore::entry::LogEntry;
use crate::sigstore::proof::{self, Proven};
use crate::sigstore::{self, Parts, body, bundle, cosign, envelope};
use crate::statement::Statement;
use crate::{
    Check, CheckName, CosignLayer, Evidence, EvidenceKind, IN_TOTO_PAYLOAD_TYPE, Predicate, TrustMaterial, VerifyError,
    predicates,
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

    /// Its hash of this algorithm, where that is known or can be computed.
    pub(crate) fn hash(&self, algorithm: HashAlgorithm) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(algorithm.of(bytes)),
            Self::Digest(digest) => {
                let same = match digest.algorithm() {
                    assay_model::Algorithm::Sha256 => algorithm == HashAlgorithm::Sha256,
                    assay_model::Algorithm::Sha512 => algorithm == HashAlgorithm::Sha512,
                };
                same.then(|| digest.as_bytes().to_vec())
            }
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
    let parts = bundle::read(bundle, artifact)?;
    evidence(&parts, bundle, artifact, material, now)
}

/// Verifies a DSSE envelope by itself (a line of an `*.intoto.jsonl` file) about `artifact`.
///
/// An envelope carries no proof of its time. With a certificate (or with nothing that names its signer) it is
/// [`VerifyError::Unverifiable`], unless `rekor_entry` supplies its log entry: a bundle's `tlogEntries` item, or what Rekor's API answers
/// (`/api/v1/log/entries`). Several entries may be supplied; those of other envelopes are passed over. Signed with a
/// trusted key it needs neither.
///
/// # Errors
/// See [`verify_bundle`]. With several signatures, the cause of the first.
pub fn verify_envelope(
    envelope: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    rekor_entry: Option<&[u8]>,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let supplied = rekor_entry.map(LogEntry::read).transpose()?.unwrap_or_default();
    let mut first = None;
    for entries in one_by_one(&supplied) {
        let logged = entries.first().and_then(body::certificate);
        for parts in envelope::read(envelope, logged.as_deref(), entries, &[])? {
            match evidence(&parts, envelope, artifact, material, now) {
                Ok(evidence) => return Ok(evidence),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
    }
    Err(first.unwrap_or(VerifyError::NoTime))
}

/// Supplied entries are tried one after the other, since each may be of another envelope; without any, none is.
fn one_by_one(entries: &[LogEntry]) -> Vec<&[LogEntry]> {
    if entries.is_empty() { vec![&[]] } else { entries.chunks(1).collect() }
}

/// Verifies whatever signed documents a file holds about `artifact`: Sigstore bundles, DSSE envelopes and cosign's older
/// blob bundles, by themselves, one a line, or listed under `attestations` as GitHub and npm answer.
///
/// Gives one result for each document, in the order written. `rekor_entry` is for envelopes, see [`verify_envelope`], and
/// for blob bundles without an entry of their own.
///
/// # Errors
/// The file as a whole cannot be read: [`VerifyError::Malformed`], [`VerifyError::TooLarge`].
pub fn verify_file(
    file: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    rekor_entry: Option<&[u8]>,
    now: Timestamp,
) -> Result<Vec<Result<Evidence, VerifyError>>, VerifyError> {
    let verify = |document: Document<'_>| match document {
        Document::Bundle(bytes) => verify_bundle(bytes, artifact, material, now),
        Document::Envelope(bytes) => verify_envelope(bytes, artifact, material, rekor_entry, now),
        Document::Blob(bytes) => verify_blob(bytes, artifact, material, rekor_entry, now),
    };
    Ok(document::documents(file)?.into_iter().map(verify).collect())
}

fn verify_blob(
    bytes: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    rekor_entry: Option<&[u8]>,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let mut parts = cosign::read_blob(bytes, artifact)?;
    if let Some(supplied) = rekor_entry.filter(|_| parts.entries.is_empty()) {
        parts.entries = LogEntry::read(supplied)?;
        parts.proof = sigstore::ProofRule::Either;
    }
    evidence(&parts, bytes, artifact, material, now)
}

/// Verifies a layer of cosign's older signature images (`sha256-....sig`) about `subject`, an image digest.
///
/// The payload's `critical.image.docker-manifest-digest` must be the subject; its `docker-reference` is whatever the
/// signer wrote and is not looked at. Certificate, chain, log entry and timestamp come from the layer's annotations.
///
/// # Errors
/// See [`verify_bundle`]; a payload about another image is [`VerifyError::WrongDigest`].
pub fn verify_cosign_signature(
    layer: CosignLayer<'_>,
    subject: Digest,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let parts = cosign::read_signature(layer, &subject)?;
    evidence(&parts, layer.payload, Artifact::Digest(subject), material, now)
}

/// Verifies a layer of cosign's older attestation images (`sha256-....att`) about `subject`, an image digest: a DSSE
/// envelope whose certificate, chain, log entry and timestamp come from the layer's annotations.
///
/// # Errors
/// See [`verify_bundle`]. With several signatures, the cause of the first.
pub fn verify_cosign_attestation(
    layer: CosignLayer<'_>,
    subject: Digest,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let mut first = None;
    for parts in cosign::read_attestation(layer)? {
        match evidence(&parts, layer.payload, Artifact::Digest(subject), material, now) {
            Ok(evidence) => return Ok(evidence),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or(VerifyError::NoTime))
}

/// Verifies the parts of a document and reads what it states.
fn evidence(
    parts: &Parts<'_>,
    document: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Evidence, VerifyError> {
    let proven = proof::verify(parts, material, now)?;
    let (predicate_type, kind, predicate) = match &parts.content {
        sigstore::Content::Message { .. } => (None, EvidenceKind::Signature, Predicate::Signature),
        sigstore::Content::Envelope { payload_type, payload, .. } => {
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
            // takes it back.
            valid_until: proven.valid_until,
            checks: checks(&proven),
            signer: proven.signer,
            trust_root: material.hash(),
            source: Digest::of(document),
            inputs: None,
            reuse_until: None,
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
