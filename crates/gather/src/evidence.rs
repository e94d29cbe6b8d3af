//! Claims -> Evidence, and the claims that did not verify.

mod claims;
mod judgement;
mod notation;

use std::sync::Arc;

use assay_case::{Cause, EvidenceSet, RejectedClaim};
use assay_model::{Digest, Explain as _, Timestamp};
use assay_oci::Attachment;
use assay_store::Store;
use assay_trust::{
    Artifact, CosignLayer, Evidence, TrustMaterial, VerifyError, verify_bundle, verify_cosign_attestation,
    verify_cosign_signature,
};

use crate::contents::keep;
use crate::resolve::Image;
use crate::revocation::RevocationFetcher;

use claims::{Claim, Form};
pub(crate) use claims::{Claims, claims};
pub(crate) use judgement::Judgements;
use judgement::{Judgement, Key, Refusal};

/// What claims are judged with.
pub(crate) struct Judge {
    /// Each by itself, so that evidence names the one that it holds by.
    pub(crate) materials: Vec<TrustMaterial>,
    pub(crate) authorities: Option<Arc<RevocationFetcher>>,
    pub(crate) store: Option<Arc<Store>>,
    pub(crate) judgements: Arc<Judgements>,
    /// Claims of one sort about one digest that are looked at.
    pub(crate) limit: usize,
    pub(crate) now: Timestamp,
}

impl Judge {
    /// What of the claims about one digest is evidence.
    pub(crate) async fn judge(
        self: &Arc<Self>,
        image: &Image,
        subject: Digest,
        claims: Arc<Claims>,
        set: &mut EvidenceSet,
    ) -> Result<(), Cause> {
        set.truncated |= claims.truncated;
        set.rejected.extend(claims.rejected.iter().cloned());
        let (judge, all) = (Arc::clone(self), Arc::clone(&claims));
        // Cryptography and the store block.
        let judged = tokio::task::spawn_blocking(move || {
            let of = |claim: &Claim| match &claim.form {
                Form::Notation(_) => None,
                Form::Bundle | Form::Cosign { .. } => Some(judge.verify(subject, claim)),
            };
            all.claims.iter().map(of).collect::<Vec<_>>()
        });
        let judged =
            judged.await.map_err(|error| Cause::new("verification-failed", format!("it ended early: {error}")))?;
        for (claim, judged) in claims.claims.iter().zip(judged) {
            let judged = match (&claim.form, judged) {
                (Form::Notation(format), _) => self.notation(image, subject, claim, *format).await,
                (_, judged) => judged.unwrap_or_default(),
            };
            note(claim, judged, set);
        }
        Ok(())
    }

    /// One judgement for each trust root.
    fn verify(&self, subject: Digest, claim: &Claim) -> Vec<Judgement> {
        let now = self.now;
        let verify = |material: &TrustMaterial, bytes: &[u8]| match &claim.form {
            Form::Cosign { kind, annotations } => {
                let layer = CosignLayer { payload: bytes, annotations };
                match kind {
                    Attachment::Attestations => verify_cosign_attestation(layer, subject, material, now),
                    Attachment::Signatures | Attachment::Sbom => verify_cosign_signature(layer, subject, material, now),
                }
            }
            Form::Bundle | Form::Notation(_) => verify_bundle(bytes, Artifact::Digest(subject), material, now),
        };
        let judge = |(material, known): (&TrustMaterial, &Option<Judgement>)| {
            if let Some(known) = known {
                return known.clone();
            }
            let Some(bytes) = &claim.bytes else { return Judgement::Refused(Refusal::unread()) };
            let judgement = match verify(material, bytes) {
                Ok(evidence) => Judgement::Verified(Arc::new(evidence.with_inputs(claim.inputs))),
                Err(error) => Judgement::Refused(refusal(&error)),
            };
            self.remember(subject, claim, material, &judgement);
            judgement
        };
        self.materials.iter().zip(&claim.known).map(judge).collect()
    }

    /// Keeps a judgement that would come out the same way again.
    fn remember(&self, subject: Digest, claim: &Claim, material: &TrustMaterial, judgement: &Judgement) {
        if let Judgement::Verified(evidence) = judgement
            && evidence.is_reusable(self.now)
        {
            keep(self.store.as_deref(), |store| store.put_evidence(evidence));
        }
        let key = Key { subject, inputs: claim.inputs, trust_root: material.hash() };
        self.judgements.put(key, judgement.clone(), self.now);
    }
}

/// Notes what came of a claim: evidence by each root that it holds by, else why it holds by none.
fn note(claim: &Claim, judged: Vec<Judgement>, set: &mut EvidenceSet) {
    let mut verified: Vec<Arc<Evidence>> = Vec::new();
    let mut refused = Vec::new();
    for judgement in judged {
        match judgement {
            Judgement::Verified(evidence) => verified.push(evidence),
            Judgement::Refused(refusal) => refused.push(refusal),
        }
    }
    if !verified.is_empty() {
        set.verified.extend(verified);
        return;
    }
    // With several roots, the failure that got furthest says most; an unknown authority says least.
    let telling = |refusal: &&Refusal| {
        !matches!(
            refusal.code.as_str(),
            "certificate-authority-unknown" | "trust-material-missing" | "key-unknown" | "no-trust-policy"
        )
    };
    let why = refused.iter().find(telling).or(refused.first()).cloned();
    let Refusal { code, message } = why.unwrap_or_else(Refusal::no_root);
    set.rejected.push(RejectedClaim { source: claim.source, kind: claim.form.kind(), code, message });
}

fn refusal(error: &VerifyError) -> Refusal {
    Refusal { code: error.code().to_owned(), message: error.to_string() }
}
