//! `assay verify --source-uri`: whether the build was what it should be, asked as `slsa-verifier` asks.

use std::path::Path;

use assay_model::{BuildLevel, Digest, Explain as _, Timestamp};
use assay_trust::{
    Artifact, BuildExpectation, Evidence, NpmError, Predicate, Provenance, TrustMaterial, VerifyError, verify_npm,
};
use serde::Serialize;

use super::verify::{RejectedEvidence, VerifyOutcome};
use crate::Result;
use crate::failure::Failure;

/// What is asked of a build.
#[derive(Debug)]
pub(crate) struct BuildOptions {
    /// What must hold.
    pub(crate) expected: BuildExpectation,
    /// Whether the provenance is to be shown.
    pub(crate) print: bool,
}

/// A build that is what it should be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifiedBuild {
    /// Builder.
    pub(crate) builder: String,
    /// Level of the SLSA Build track that the builder is known for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<BuildLevel>,
    /// What the next level asks, or how the level of an unknown builder is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<&'static str>,
    /// Source commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    /// What the provenance says, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provenance: Option<Provenance>,
}

impl BuildOptions {
    /// Judges one piece of evidence: the build, or why it is another.
    pub(crate) fn judge(&self, evidence: &Evidence) -> std::result::Result<VerifiedBuild, RejectedEvidence> {
        let reject = |code: &str, message: String| RejectedEvidence {
            source: Some(evidence.source()),
            code: code.to_owned(),
            message,
        };
        let Predicate::Provenance(provenance) = evidence.predicate() else {
            let kind = evidence.kind().title();
            return Err(reject("kind-mismatch", format!("a {kind}, where provenance is wanted")));
        };
        let build = self
            .expected
            .check(evidence.signer(), provenance)
            .map_err(|error| reject(error.code(), error.to_string()))?;
        let unknown = "its level is not known here; an Environment can name it in `builders`";
        Ok(VerifiedBuild {
            builder: build.builder,
            level: build.level,
            missing: build.level.map_or(Some(unknown), BuildLevel::missing),
            commit: build.commit,
            provenance: self.print.then(|| Provenance::clone(provenance)),
        })
    }

    /// Judges the attestations of an npm package, which have the provenance beside the registry's own word.
    pub(crate) fn judge_package(
        &self,
        file: &Path,
        bytes: &[u8],
        artifact: Artifact<'_>,
        material: &TrustMaterial,
        outcome: &mut VerifyOutcome,
    ) -> Result<()> {
        let rejected = |error: &NpmError| RejectedEvidence {
            source: Some(Digest::of(bytes)),
            code: error.code().to_owned(),
            message: error.to_string(),
        };
        match verify_npm(bytes, artifact, material, Timestamp::now()) {
            Ok(package) => {
                let agreed = package.check_build(&self.expected);
                let answer = agreed.map_err(|error| RejectedEvidence {
                    source: Some(package.provenance.source()),
                    code: error.code().to_owned(),
                    message: error.to_string(),
                });
                let build = answer.and_then(|_| self.judge(&package.provenance));
                outcome.judge(&package.provenance, build.map(Some));
            }
            Err(error @ (NpmError::Malformed { .. } | NpmError::Bundle(VerifyError::NoMaterial { .. }))) => {
                return Err(Failure::from(error).about(file.display()));
            }
            Err(error) => outcome.rejected.push(rejected(&error)),
        }
        Ok(())
    }
}

/// Whether a file holds the attestations of an npm package, as the registry serves them.
pub(crate) fn is_npm(bytes: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Shape {
        #[serde(rename = "attestations")]
        _attestations: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Shape>(bytes).is_ok()
}
