//! Notation signatures among the referrers.

use std::sync::Arc;

use assay_case::Cause;
use assay_model::{Digest, Explain as _};
use assay_oci::Descriptor;
use assay_trust::EvidenceKind;
use assay_trust::notation::{EnvelopeFormat, Level, NotationOutcome, SignedArtifact};

use super::Collector;

const KIND: Option<EvidenceKind> = Some(EvidenceKind::Signature);

impl Collector {
    /// Verifies a signature under each trust root that has a trust policy, by the statement for this repository. The
    /// result is not kept in the store: which statement applies depends on where the image lies, and what authorities say
    /// today they may not say tomorrow.
    pub(super) async fn notation(
        &mut self,
        subject: Digest,
        source: Digest,
        layers: &[Descriptor],
    ) -> Result<(), Cause> {
        let [layer] = layers else {
            let message = format!("a Notation signature has one layer, this one has {}", layers.len());
            self.reject(source, KIND, "notation-malformed", message);
            return Ok(());
        };
        let format = match EnvelopeFormat::from_media_type(&layer.media_type) {
            Ok(format) => format,
            Err(error) => {
                self.reject(source, KIND, error.code(), error.to_string());
                return Ok(());
            }
        };
        let Some(bytes) = self.read(source, layer).await? else { return Ok(()) };
        let image = Arc::clone(&self.image);
        // Of an index only the digest is at hand here, and nothing else has that digest.
        let own = subject == image.subject.digest;
        let artifact = SignedArtifact::Manifest {
            digest: subject,
            media_type: own.then_some(image.media_type.as_str()),
            size: own.then_some(image.size),
        };
        let repository = image.subject.repository.to_string();
        let materials = self.materials.clone();
        let policies: Vec<_> = materials.iter().filter_map(|material| material.notation()).collect();
        let mut refused = Vec::new();
        let mut verified = false;
        for trust in &policies {
            let Some(statement) = trust.for_repository(&repository) else { continue };
            let judge = |data: &_| statement.verify(&bytes, format, artifact, data, self.now);
            let mut outcome = match &self.authorities {
                Some(authorities) => authorities.settle(self.now, judge).await,
                None => judge(&assay_trust::RevocationData::new()),
            };
            match outcome.evidence.take() {
                Some(evidence) => {
                    verified = true;
                    self.set.verified.push(Arc::new(evidence));
                }
                None => refused.push(why(&outcome)),
            }
        }
        if !verified {
            let nobody = || {
                let message = format!("no statement of a trust policy is for {repository}");
                ("no-trust-policy".to_owned(), message)
            };
            let (code, message) = refused.into_iter().next().unwrap_or_else(nobody);
            self.reject(source, KIND, &code, message);
        }
        Ok(())
    }
}

/// Why a signature is no evidence.
fn why(outcome: &NotationOutcome) -> (String, String) {
    if outcome.level == Level::Skip {
        let message = format!("the trust policy skips it (statement {}): nothing was verified", outcome.statement);
        return ("trust-policy-skips".to_owned(), message);
    }
    match outcome.refusal().or_else(|| outcome.logged().next()) {
        Some(error) => (error.code().to_owned(), error.to_string()),
        None => ("notation-malformed".to_owned(), "it could not be judged".to_owned()),
    }
}
