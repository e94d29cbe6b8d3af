//! Referrers -> Evidence, and the claims that did not verify.

use std::sync::Arc;

use assay_case::{Cause, EvidenceSet, RejectedClaim};
use assay_model::{Digest, Explain as _, Timestamp};
use assay_oci::{Attachment, Descriptor, Manifest, OciError, RawManifest, Source};
use assay_store::Store;
use assay_trust::{
    Artifact, CosignLayer, Evidence, EvidenceKind, TrustMaterial, VerifyError, verify_bundle,
    verify_cosign_attestation, verify_cosign_signature,
};
use bytes::Bytes;

use crate::contents::keep;
use crate::resolve::Image;
use crate::revocation::RevocationFetcher;

mod notation;

/// Largest bundle that is read, 32 MiB: an SBOM of a large image is attested in one piece.
const BUNDLE_MAX: u64 = 32 << 20;
/// Bytes of all bundles of one image that are read (CVE-2023-46737, CVE-2024-29902: endless attachments).
const BUNDLES_MAX: u64 = 128 << 20;
/// Code of a claim that nobody signed.
const UNSIGNED: &str = "referrer-unsigned";
/// Beginning of the artifact types of Sigstore bundles (sigstore/cosign, specs/BUNDLE_SPEC.md).
const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// Notation's signatures (notaryproject/specifications, signature-specification.md).
const NOTATION: &str = "application/vnd.cncf.notary.signature";

/// Everything that refers to an image, or to the index it came through, and what of it verifies.
pub(crate) async fn evidence(
    source: Source,
    image: Arc<Image>,
    materials: Vec<TrustMaterial>,
    authorities: Option<Arc<RevocationFetcher>>,
    store: Option<Arc<Store>>,
    limit: usize,
    now: Timestamp,
) -> Result<EvidenceSet, Cause> {
    let mut collector = Collector {
        source,
        image: Arc::clone(&image),
        materials,
        authorities,
        store,
        now,
        limit,
        bytes: 0,
        set: EvidenceSet::default(),
    };
    for digest in image.subject.covering_digests() {
        // Asked for together: what cosign kept under tags costs no round trip of its own.
        let source = collector.source.clone();
        let (referrers, signatures, attestations, sbom) = tokio::try_join!(
            source.referrers(digest, None, limit),
            source.attachment(digest, Attachment::Signatures),
            source.attachment(digest, Attachment::Attestations),
            source.attachment(digest, Attachment::Sbom),
        )
        .map_err(|error| Cause::from_error(&error))?;
        collector.set.truncated |= referrers.left_out > 0;
        for source in referrers.foreign {
            let message = "it is listed as a referrer, but does not refer to this image";
            collector.reject(source, None, "referrer-foreign", message.to_owned());
        }
        let known = collector.restored(digest);
        for manifest in referrers.manifests {
            collector.referrer(digest, &manifest, &known).await?;
        }
        for (kind, tagged) in [(Attachment::Signatures, signatures), (Attachment::Attestations, attestations)] {
            if let Some(tagged) = tagged {
                collector.cosign(digest, kind, &tagged).await?;
            }
        }
        if let Some(sbom) = sbom {
            let message = "an SBOM under a tag, without a signature".to_owned();
            collector.reject(sbom.digest, Some(EvidenceKind::Sbom), UNSIGNED, message);
        }
    }
    Ok(collector.set)
}

struct Collector {
    source: Source,
    image: Arc<Image>,
    materials: Vec<TrustMaterial>,
    authorities: Option<Arc<RevocationFetcher>>,
    store: Option<Arc<Store>>,
    now: Timestamp,
    /// Claims about one digest that are looked at.
    limit: usize,
    bytes: u64,
    set: EvidenceSet,
}

impl Collector {
    fn restored(&self, digest: Digest) -> Vec<Arc<Evidence>> {
        let Some(store) = &self.store else { return Vec::new() };
        let of = |material: &TrustMaterial| {
            store.evidence(digest, material.hash()).unwrap_or_else(|error| {
                tracing::warn!(%error, "stored evidence cannot be read; it is verified again");
                Vec::new()
            })
        };
        self.materials.iter().flat_map(of).collect()
    }

    fn reject(&mut self, source: Digest, kind: Option<EvidenceKind>, code: &str, message: String) {
        self.set.rejected.push(RejectedClaim { source, kind, code: code.to_owned(), message });
    }

    async fn referrer(
        &mut self,
        subject: Digest,
        referrer: &RawManifest,
        known: &[Arc<Evidence>],
    ) -> Result<(), Cause> {
        let Manifest::Image(manifest) = &referrer.manifest else { return Ok(()) };
        let kind = manifest.effective_artifact_type().to_owned();
        if kind == NOTATION && self.materials.iter().any(|material| material.notation().is_some()) {
            return self.notation(subject, referrer.digest, &manifest.layers).await;
        }
        if !kind.starts_with(SIGSTORE_BUNDLE) {
            if let Some((claims, code, message)) = unverifiable(&kind) {
                self.reject(referrer.digest, claims, code, message);
            }
            return Ok(());
        }
        for layer in manifest.layers.iter().filter(|layer| layer.media_type.starts_with(SIGSTORE_BUNDLE)) {
            // What the store has of all trust roots needs no second look; what fails a root is tried again each time.
            let stored = known.iter().filter(|evidence| evidence.source() == layer.digest).cloned();
            let stored: Vec<_> = stored.collect();
            if !stored.is_empty() && stored.len() == self.materials.len() {
                self.set.verified.extend(stored);
                continue;
            }
            self.bundle(subject, referrer.digest, layer).await?;
        }
        Ok(())
    }

    async fn bundle(&mut self, subject: Digest, source: Digest, layer: &Descriptor) -> Result<(), Cause> {
        let Some(bytes) = self.read(source, layer).await? else { return Ok(()) };
        let now = self.now;
        self.verify(source, move |material| verify_bundle(&bytes, Artifact::Digest(subject), material, now)).await
    }

    /// The documents under one of cosign's tags, the newest first: cosign adds at the end.
    async fn cosign(&mut self, subject: Digest, kind: Attachment, tagged: &RawManifest) -> Result<(), Cause> {
        let Manifest::Image(manifest) = &tagged.manifest else { return Ok(()) };
        self.set.truncated |= manifest.layers.len() > self.limit;
        for layer in manifest.layers.iter().rev().take(self.limit) {
            let Some(payload) = self.read(layer.digest, layer).await? else { continue };
            let (annotations, now) = (layer.annotations.clone(), self.now);
            let verify = move |material: &TrustMaterial| {
                let layer = CosignLayer { payload: &payload, annotations: &annotations };
                match kind {
                    Attachment::Attestations => verify_cosign_attestation(layer, subject, material, now),
                    Attachment::Signatures | Attachment::Sbom => verify_cosign_signature(layer, subject, material, now),
                }
            };
            self.verify(layer.digest, verify).await?;
        }
        Ok(())
    }

    /// The bytes of a claim; none if it is rejected for its size, or is not what the registry said.
    async fn read(&mut self, source: Digest, layer: &Descriptor) -> Result<Option<Bytes>, Cause> {
        self.bytes = self.bytes.saturating_add(layer.size);
        if layer.size > BUNDLE_MAX || self.bytes > BUNDLES_MAX {
            self.set.truncated = true;
            self.reject(source, None, "bundle-too-large", format!("it has {} bytes", layer.size));
            return Ok(None);
        }
        let blob = self.source.blob(layer).await;
        let bytes = match blob {
            Ok(blob) => blob.bytes(BUNDLE_MAX).await,
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(Some(bytes)),
            // What is wrong with this one claim does not hide the others; what is wrong with the registry does.
            Err(
                error @ (OciError::DigestMismatch { .. } | OciError::SizeMismatch { .. } | OciError::NotFound { .. }),
            ) => {
                self.reject(source, None, error.code(), error.to_string());
                Ok(None)
            }
            Err(error) => Err(Cause::from_error(&error)),
        }
    }

    /// Verifies a claim against every root, and notes what came of it.
    async fn verify(
        &mut self,
        source: Digest,
        verify: impl Fn(&TrustMaterial) -> Result<Evidence, VerifyError> + Send + 'static,
    ) -> Result<(), Cause> {
        let materials = self.materials.clone();
        let verified = tokio::task::spawn_blocking(move || materials.iter().map(verify).collect::<Vec<_>>());
        let verified =
            verified.await.map_err(|error| Cause::new("verification-failed", format!("it ended early: {error}")))?;
        if verified.is_empty() {
            self.reject(source, None, "no-trust-root", "nothing is trusted here to verify it against".to_owned());
        } else if verified.iter().all(Result::is_err) {
            // With several roots, the failure that got furthest says most; an unknown authority says least.
            let telling = |error: &VerifyError| {
                !matches!(error.code(), "certificate-authority-unknown" | "trust-material-missing" | "key-unknown")
            };
            let errors: Vec<_> = verified.into_iter().filter_map(Result::err).collect();
            let error = errors.iter().find(|error| telling(error)).or(errors.first());
            if let Some(error) = error {
                self.reject(source, None, error.code(), error.to_string());
            }
        } else {
            for evidence in verified.into_iter().flatten() {
                keep(self.store.as_deref(), |store| store.put_evidence(&evidence));
                self.set.verified.push(Arc::new(evidence));
            }
        }
        Ok(())
    }
}

/// Referrers that say something which nobody signed in a form that is verified here.
fn unverifiable(artifact_type: &str) -> Option<(Option<EvidenceKind>, &'static str, String)> {
    let is = |word: &str| artifact_type.contains(word);
    if artifact_type == NOTATION {
        let message = "a Notation signature, and no trust root has a Notation trust policy".to_owned();
        Some((Some(EvidenceKind::Signature), "no-trust-policy", message))
    } else if is("cyclonedx") || is("spdx") || is("syft") {
        Some((Some(EvidenceKind::Sbom), UNSIGNED, format!("{artifact_type} without a signature")))
    } else if is("in-toto") || is("openvex") || is("sarif") {
        Some((None, UNSIGNED, format!("{artifact_type} without a signature")))
    } else {
        None
    }
}
