//! Digest -> Claims: what refers to it, read and not judged yet.
//!
//! The list of referrers comes first, and beside it what cosign kept under tags, so that no form costs a round trip that
//! another one waits for. After that everything is fetched side by side: the manifests, then the documents whose judgement
//! is not known yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use assay_case::{Cause, RejectedClaim};
use assay_model::{Algorithm, Digest, Explain as _, Hasher, Repository};
use assay_oci::{Attachment, Descriptor, Manifest, OciError, RawManifest, Source};
use assay_trust::notation::EnvelopeFormat;
use assay_trust::{Evidence, EvidenceKind, TrustMaterial};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::Judge;
use super::judgement::{Judgement, Key};

/// Largest bundle that is read, 32 MiB: an SBOM of a large image is attested in one piece.
const BUNDLE_MAX: u64 = 32 << 20;
/// Bytes of all documents about one digest that are read (CVE-2023-46737, CVE-2024-29902: endless attachments).
const BUNDLES_MAX: u64 = 128 << 20;
/// Documents that are fetched at the same time.
const FETCHES: usize = 8;
/// Code of a claim that nobody signed.
const UNSIGNED: &str = "referrer-unsigned";
/// Beginning of the artifact types of Sigstore bundles (sigstore/cosign, specs/BUNDLE_SPEC.md).
const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// Notation's signatures (notaryproject/specifications, signature-specification.md).
const NOTATION: &str = "application/vnd.cncf.notary.signature";

/// What somebody claims about one digest.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// In the order in which they count: referrers, the newest first, then what stands under tags.
    pub(super) claims: Vec<Claim>,
    /// What cannot be evidence.
    pub(super) rejected: Vec<RejectedClaim>,
    /// Whether there is more than was read.
    pub(super) truncated: bool,
}

/// A document that may be evidence.
#[derive(Debug)]
pub(super) struct Claim {
    /// What a rejection names: the referrer's manifest, or the layer under a tag.
    pub(super) source: Digest,
    pub(super) form: Form,
    /// Digest of everything that a judgement depends on beside the subject and the trust material.
    pub(super) inputs: Digest,
    /// The judgement by each trust root, where it is known.
    pub(super) known: Vec<Option<Judgement>>,
    /// The document, where a judgement is missing.
    pub(super) bytes: Option<Bytes>,
}

/// What form a claim has.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Bundle,
    Notation(EnvelopeFormat),
    /// A layer under one of cosign's tags. Its signature stands in the annotations.
    Cosign {
        kind: Attachment,
        annotations: BTreeMap<String, String>,
    },
}

impl Form {
    /// What it claims to be, as far as its form says.
    pub(super) fn kind(&self) -> Option<EvidenceKind> {
        matches!(self, Self::Notation(_)).then_some(EvidenceKind::Signature)
    }

    /// Whether this trust root may have an opinion about it.
    pub(super) fn concerns(&self, material: &TrustMaterial) -> bool {
        !matches!(self, Self::Notation(_)) || material.notation().is_some()
    }

    /// See [`Evidence::inputs`]. A bundle is whole by itself; a layer's signature stands beside it, and which statement of
    /// a Notation trust policy applies depends on the repository.
    fn inputs(&self, layer: &Descriptor, repository: &Repository) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        match self {
            Self::Bundle => return layer.digest,
            Self::Notation(_) => {
                part(b"notation");
                part(layer.media_type.as_bytes());
                part(repository.to_string().as_bytes());
            }
            Self::Cosign { kind, annotations } => {
                part(match kind {
                    Attachment::Signatures => b"cosign signature",
                    Attachment::Attestations => b"cosign attestation",
                    Attachment::Sbom => b"cosign sbom",
                });
                for (name, value) in annotations {
                    part(name.as_bytes());
                    part(value.as_bytes());
                }
            }
        }
        part(layer.digest.to_string().as_bytes());
        hasher.finish()
    }
}

/// Everything that refers to `subject`; what stands under the tags for attestations and SBOMs only where `attested`.
pub(crate) async fn claims(
    source: Source,
    subject: Digest,
    repository: Repository,
    judge: Arc<Judge>,
    attested: bool,
) -> Result<Claims, Cause> {
    let failed = |error: OciError| Cause::from_error(&error);
    let mut reader = Reader { repository, judge: &judge, found: Vec::new(), claims: Claims::default() };
    // Where nobody could verify what stands under the tags, they are asked for only where there is nothing else, so that it
    // can be said what is there.
    let beside = judge.materials.iter().any(TrustMaterial::has_sigstore);
    let tagged = async |asked: bool, kind| if asked { source.attachment(subject, kind).await } else { Ok(None) };
    let (referrers, signatures, attestations) = tokio::try_join!(
        source.referrers(subject, None, judge.limit),
        tagged(beside, Attachment::Signatures),
        tagged(beside && attested, Attachment::Attestations),
    )
    .map_err(failed)?;
    let listed = reader.referrers(&referrers.manifests, &referrers.foreign);
    reader.claims.truncated |= referrers.left_out > 0;
    let late = !beside && !listed.documents;
    let (late_signatures, late_attestations) =
        tokio::try_join!(tagged(late, Attachment::Signatures), tagged(late && attested, Attachment::Attestations))
            .map_err(failed)?;
    reader.tagged(Attachment::Signatures, signatures.or(late_signatures).as_ref());
    reader.tagged(Attachment::Attestations, attestations.or(late_attestations).as_ref());
    let Reader { found, mut claims, .. } = reader;
    // Nobody signs what is under `.sbom`: it is asked for where no referrer is an SBOM, while the documents come.
    let (read, sbom) =
        tokio::join!(documents(&source, subject, found, &judge), tagged(attested && !listed.sbom, Attachment::Sbom));
    for found in read? {
        match found {
            Ok(claim) => claims.claims.push(claim),
            Err(rejected) => {
                claims.truncated |= rejected.code == TOO_LARGE;
                claims.rejected.push(rejected);
            }
        }
    }
    match sbom {
        Ok(Some(sbom)) => {
            let message = "an SBOM under a tag, without a signature".to_owned();
            claims.rejected.push(rejected(sbom.digest, Some(EvidenceKind::Sbom), UNSIGNED, message));
        }
        Ok(None) => {}
        // It could not have been evidence.
        Err(error) => tracing::debug!(%error, %subject, "the tag for an SBOM cannot be read"),
    }
    Ok(claims)
}

/// Code of a claim that is not read for its size.
const TOO_LARGE: &str = "bundle-too-large";

fn rejected(source: Digest, kind: Option<EvidenceKind>, code: &str, message: String) -> RejectedClaim {
    RejectedClaim { source, kind, code: code.to_owned(), message }
}

/// A document that is not read yet.
struct Found {
    source: Digest,
    form: Form,
    layer: Descriptor,
    inputs: Digest,
    known: Vec<Option<Judgement>>,
}

/// What the list of referrers has.
struct Listed {
    /// Something that may be evidence.
    documents: bool,
    /// An SBOM, signed or not.
    sbom: bool,
}

struct Reader<'j> {
    repository: Repository,
    judge: &'j Judge,
    found: Vec<Found>,
    claims: Claims,
}

impl Reader<'_> {
    fn find(&mut self, source: Digest, form: Form, layer: &Descriptor) {
        let inputs = form.inputs(layer, &self.repository);
        self.found.push(Found { source, form, layer: layer.clone(), inputs, known: Vec::new() });
    }

    fn reject(&mut self, source: Digest, kind: Option<EvidenceKind>, code: &str, message: String) {
        self.claims.rejected.push(rejected(source, kind, code, message));
    }

    fn referrers(&mut self, manifests: &[RawManifest], foreign: &[Digest]) -> Listed {
        for source in foreign {
            let message = "it is listed as a referrer, but does not refer to this image";
            self.reject(*source, None, "referrer-foreign", message.to_owned());
        }
        let mut sbom = false;
        for referrer in manifests {
            let Manifest::Image(manifest) = &referrer.manifest else { continue };
            let artifact_type = manifest.effective_artifact_type();
            let predicate = manifest.annotations.get("dev.sigstore.bundle.predicateType");
            sbom |= is_sbom(artifact_type) || predicate.is_some_and(|predicate| is_sbom(predicate));
            if artifact_type == NOTATION && self.judge.materials.iter().any(|material| material.notation().is_some()) {
                self.notation(referrer.digest, &manifest.layers);
            } else if artifact_type.starts_with(SIGSTORE_BUNDLE) {
                for layer in manifest.layers.iter().filter(|layer| layer.media_type.starts_with(SIGSTORE_BUNDLE)) {
                    self.find(referrer.digest, Form::Bundle, layer);
                }
            } else if let Some((kind, code, message)) = unverifiable(artifact_type) {
                self.reject(referrer.digest, kind, code, message);
            }
        }
        Listed { documents: !self.found.is_empty(), sbom }
    }

    fn notation(&mut self, source: Digest, layers: &[Descriptor]) {
        let kind = Some(EvidenceKind::Signature);
        let [layer] = layers else {
            let message = format!("a Notation signature has one layer, this one has {}", layers.len());
            return self.reject(source, kind, "notation-malformed", message);
        };
        match EnvelopeFormat::from_media_type(&layer.media_type) {
            Ok(format) => self.find(source, Form::Notation(format), layer),
            Err(error) => self.reject(source, kind, error.code(), error.to_string()),
        }
    }

    /// The documents under one of cosign's tags, the newest first: cosign adds at the end.
    fn tagged(&mut self, kind: Attachment, tagged: Option<&RawManifest>) {
        let Some(Manifest::Image(manifest)) = tagged.map(|raw| &raw.manifest) else { return };
        self.claims.truncated |= manifest.layers.len() > self.judge.limit;
        for layer in manifest.layers.iter().rev().take(self.judge.limit) {
            self.find(layer.digest, Form::Cosign { kind, annotations: layer.annotations.clone() }, layer);
        }
    }
}

/// Reads the documents of which a judgement is missing, within the bounds. One result for each, in the same order.
async fn documents(
    source: &Source,
    subject: Digest,
    mut found: Vec<Found>,
    judge: &Judge,
) -> Result<Vec<Result<Claim, RejectedClaim>>, Cause> {
    recall(subject, &mut found, judge);
    let mut total = 0_u64;
    let mut reads = Vec::with_capacity(found.len());
    for found in found {
        let wanted = judge.materials.iter().zip(&found.known);
        let wanted = wanted.into_iter().any(|(material, known)| known.is_none() && found.form.concerns(material));
        total = total.saturating_add(if wanted { found.layer.size } else { 0 });
        let too_large = wanted && (found.layer.size > BUNDLE_MAX || total > BUNDLES_MAX);
        reads.push(async move {
            let Found { source: named, form, layer, inputs, known } = found;
            if too_large {
                return Ok(Err(rejected(named, form.kind(), TOO_LARGE, format!("it has {} bytes", layer.size))));
            }
            let bytes = if wanted { read(source, named, &form, &layer).await? } else { Ok(None) };
            Ok(bytes.map(|bytes| Claim { source: named, form, inputs, known, bytes }))
        });
    }
    let mut reads = stream::iter(reads).buffered(FETCHES);
    let mut claims = Vec::new();
    while let Some(read) = reads.next().await {
        claims.push(read?);
    }
    Ok(claims)
}

/// Fills in the judgements that are known: those of this process, then those in the store.
fn recall(subject: Digest, found: &mut [Found], judge: &Judge) {
    let key = |inputs, material: &TrustMaterial| Key { subject, inputs, trust_root: material.hash() };
    for found in found.iter_mut() {
        let known = |material| judge.judgements.get(&key(found.inputs, material), judge.now);
        found.known = judge.materials.iter().map(known).collect();
    }
    let Some(store) = &judge.store else { return };
    for (place, material) in judge.materials.iter().enumerate() {
        let missing = |found: &Found| matches!(found.known.get(place), Some(None)) && found.form.concerns(material);
        if !found.iter().any(missing) {
            continue;
        }
        let stored = store.evidence(subject, material.hash()).unwrap_or_else(|error| {
            tracing::warn!(%error, "stored evidence cannot be read; it is verified again");
            Vec::new()
        });
        let stored = stored.into_iter().filter(|evidence| evidence.is_reusable(judge.now));
        let stored: HashMap<Digest, Arc<Evidence>> = stored.map(|evidence| (evidence.inputs(), evidence)).collect();
        for found in found.iter_mut() {
            if let (Some(known @ None), Some(evidence)) = (found.known.get_mut(place), stored.get(&found.inputs)) {
                let judgement = Judgement::Verified(Arc::clone(evidence));
                judge.judgements.put(key(found.inputs, material), judgement.clone(), judge.now);
                *known = Some(judgement);
            }
        }
    }
}

/// The bytes of a claim; a rejection if it is not what the registry said.
async fn read(
    source: &Source,
    named: Digest,
    form: &Form,
    layer: &Descriptor,
) -> Result<Result<Option<Bytes>, RejectedClaim>, Cause> {
    let bytes = match source.blob(layer).await {
        Ok(blob) => blob.bytes(BUNDLE_MAX).await,
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => Ok(Ok(Some(bytes))),
        // What is wrong with this one claim does not hide the others; what is wrong with the registry does.
        Err(error @ (OciError::DigestMismatch { .. } | OciError::SizeMismatch { .. } | OciError::NotFound { .. })) => {
            Ok(Err(rejected(named, form.kind(), error.code(), error.to_string())))
        }
        Err(error) => Err(Cause::from_error(&error)),
    }
}

/// Whether a media type or predicate type is that of an SBOM.
fn is_sbom(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    ["cyclonedx", "spdx", "syft"].iter().any(|word| kind.contains(word))
}

/// Referrers that say something which nobody signed in a form that is verified here.
fn unverifiable(artifact_type: &str) -> Option<(Option<EvidenceKind>, &'static str, String)> {
    let is = |word: &str| artifact_type.contains(word);
    if artifact_type == NOTATION {
        let message = "a Notation signature, and no trust root has a Notation trust policy".to_owned();
        Some((Some(EvidenceKind::Signature), "no-trust-policy", message))
    } else if is_sbom(artifact_type) {
        Some((Some(EvidenceKind::Sbom), UNSIGNED, format!("{artifact_type} without a signature")))
    } else if is("in-toto") || is("openvex") || is("sarif") {
        Some((None, UNSIGNED, format!("{artifact_type} without a signature")))
    } else {
        None
    }
}
