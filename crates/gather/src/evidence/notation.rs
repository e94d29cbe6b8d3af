//! Notation signatures, judged by the statement of a trust policy for the repository.

use std::sync::Arc;

use assay_model::{Digest, Explain as _};
use assay_trust::notation::{EnvelopeFormat, Level, NotationOutcome, SignedArtifact};
use assay_trust::{RevocationData, TrustMaterial};

use super::Judge;
use super::claims::Claim;
use super::judgement::{Judgement, Refusal};
use crate::resolve::Image;

impl Judge {
    /// One judgement for each trust root that has a trust policy.
    pub(super) async fn notation(
        &self,
        image: &Image,
        subject: Digest,
        claim: &Claim,
        format: EnvelopeFormat,
    ) -> Vec<Judgement> {
        let mut judged = Vec::new();
        for (material, known) in self.materials.iter().zip(&claim.known) {
            match known {
                Some(known) => judged.push(known.clone()),
                None => judged.extend(self.notation_by(material, image, subject, claim, format).await),
            }
        }
        judged
    }

    /// None where the root has no trust policy.
    async fn notation_by(
        &self,
        material: &TrustMaterial,
        image: &Image,
        subject: Digest,
        claim: &Claim,
        format: EnvelopeFormat,
    ) -> Option<Judgement> {
        material.notation()?;
        let repository = image.subject.repository.to_string();
        let Some(statement) = material.notation_for(&repository) else {
            let message = format!("no statement of a trust policy is for {repository}");
            return Some(Judgement::Refused(Refusal { code: "no-trust-policy".to_owned(), message }));
        };
        let Some(bytes) = &claim.bytes else { return Some(Judgement::Refused(Refusal::unread())) };
        // Of an index only the digest is at hand here, and nothing else has that digest.
        let own = subject == image.subject.digest;
        let artifact = SignedArtifact::Manifest {
            digest: subject,
            media_type: own.then_some(image.media_type.as_str()),
            size: own.then_some(image.size),
        };
        let judge = |data: &RevocationData| statement.verify(bytes, format, artifact, data, self.now);
        let mut outcome = judge(&RevocationData::new());
        // What authorities say, or do not say, today they may say otherwise tomorrow.
        let definitive = outcome.wanted.is_empty();
        if let Some(authorities) = self.authorities.as_ref().filter(|_| !definitive) {
            outcome = authorities.settle(self.now, judge).await;
        }
        let judgement = match outcome.evidence.take() {
            Some(evidence) => Judgement::Verified(Arc::new(evidence.with_inputs(claim.inputs))),
            None => Judgement::Refused(why(&outcome)),
        };
        // Good evidence says itself until when its answers hold.
        if definitive || matches!(judgement, Judgement::Verified(_)) {
            self.remember(subject, claim, material, &judgement);
        }
        Some(judgement)
    }
}

/// Why a signature is no evidence.
fn why(outcome: &NotationOutcome) -> Refusal {
    if outcome.level == Level::Skip {
        let message = format!("the trust policy skips it (statement {}): nothing was verified", outcome.statement);
        return Refusal { code: "trust-policy-skips".to_owned(), message };
    }
    match outcome.refusal().or_else(|| outcome.logged().next()) {
        Some(error) => Refusal { code: error.code().to_owned(), message: error.to_string() },
        None => Refusal { code: "notation-malformed".to_owned(), message: "it could not be judged".to_owned() },
    }
}
