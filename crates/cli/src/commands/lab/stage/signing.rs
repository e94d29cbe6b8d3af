//! Signing and attesting in the lab: the keyless way, through the lab's own Sigstore instance.

use std::collections::BTreeMap;

use assay_model::{Contents, Digest, Findings, Repository, Timestamp};
use assay_oci::{Artifact, ArtifactLayer, Descriptor};
use assay_sandbox::sigstore::Identity;
use assay_sbom::{Format, Generation, Lifecycle, Root};
use assay_sign::{BUNDLE_MEDIA_TYPE, KeylessSigner, SignedBundle, Signer as _, Statement};
use assay_trust::ScanSummary;
use assay_trust::predicates::{ASSAY_SCAN_V1, SLSA_PROVENANCE_V1};
use bytes::Bytes;
use serde_json::json;

use super::Stage;
use crate::Result;
use crate::commands::lab::error::LabError;

/// The branch that is released from.
const MAIN: &str = "refs/heads/main";
/// The reusable workflow that states provenance: it runs apart from the build that it describes.
const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/\
                         generator_container_slsa3.yml@refs/tags/v2.1.0";
/// What the generator calls its kind of build.
const BUILD_TYPE: &str = "https://github.com/slsa-framework/slsa-github-generator/container@v1";

/// A team's release workflow: who is meant to sign what it ships.
pub(crate) fn release_workflow(team: &str) -> Identity {
    Identity::github(&format!("company/{team}"), "release.yml", MAIN)
}

/// The provenance generator, called by a team's release workflow: its certificate names its own workflow, and the team's
/// repository as the source.
pub(crate) fn generator(team: &str) -> Identity {
    Identity { subject: GENERATOR.to_owned(), ..release_workflow(team) }
}

/// What provenance says about a build.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// Source repository, `owner/name`.
    pub(crate) source: String,
    /// Source ref.
    pub(crate) reference: String,
    /// Source commit.
    pub(crate) commit: String,
}

impl Build {
    /// A release of a team's main branch.
    pub(crate) fn of(team: &str) -> Self {
        let workflow = release_workflow(team);
        Self { source: format!("company/{team}"), reference: workflow.reference, commit: workflow.sha }
    }

    /// The statement that `subject` was built so.
    pub(crate) fn statement(&self, subject: &Digest, at: Timestamp) -> Result<Statement> {
        let source = format!("https://github.com/{}", self.source);
        let predicate = json!({
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "workflow": {"ref": self.reference, "repository": source, "path": ".github/workflows/release.yml"},
                },
                "resolvedDependencies": [
                    {"uri": format!("git+{source}@{}", self.reference), "digest": {"gitCommit": self.commit}},
                ],
            },
            "runDetails": {
                "builder": {"id": GENERATOR},
                "metadata": {"startedOn": at.to_string(), "finishedOn": at.to_string()},
            },
        });
        Ok(Statement::attestation(subject, SLSA_PROVENANCE_V1, predicate.to_string().as_bytes())?)
    }
}

/// The statement that these are the contents of `subject`.
pub(crate) fn sbom_statement(
    repository: &Repository,
    subject: &Digest,
    contents: &Contents,
    at: Timestamp,
) -> Result<Statement> {
    let generation =
        Generation { tool_version: env!("CARGO_PKG_VERSION"), created: at, lifecycle: Lifecycle::PostBuild };
    let mut document = Vec::new();
    assay_sbom::write(
        &mut document,
        contents,
        &Root::image(repository, *subject, None),
        &generation,
        Format::CYCLONEDX,
    )
    .map_err(LabError::fixture("SBOM"))?;
    Ok(Statement::attestation(subject, Format::CYCLONEDX.predicate_type(), &document)?)
}

/// The statement that this is what was found in `subject`.
pub(crate) fn scan_statement(subject: &Digest, findings: &Findings) -> Result<Statement> {
    let summary = ScanSummary {
        scanner: format!("assay@{}", env!("CARGO_PKG_VERSION")),
        database: Some(findings.pack.digest.to_string()),
        finished_at: Some(findings.matched_at),
        counts: Some(findings.counts()),
    };
    let predicate = serde_json::to_vec(&summary).map_err(LabError::fixture("scan"))?;
    Ok(Statement::attestation(subject, ASSAY_SCAN_V1, &predicate)?)
}

impl Stage {
    /// Signs a statement as `identity`: token, short-lived certificate, signature, timestamp, log entry.
    pub(crate) async fn sign(&self, identity: &Identity, statement: &Statement) -> Result<SignedBundle> {
        let token = self.authority.token(identity)?;
        Ok(KeylessSigner::new(self.services.clone(), token).sign(statement).await?)
    }

    /// Attaches a bundle to an image, whatever the bundle is about: a registry does not look.
    pub(crate) async fn attach(
        &self,
        repository: &Repository,
        image: &Descriptor,
        bundle: &SignedBundle,
    ) -> Result<Digest> {
        let artifact = Artifact {
            artifact_type: BUNDLE_MEDIA_TYPE.to_owned(),
            layers: vec![ArtifactLayer {
                media_type: BUNDLE_MEDIA_TYPE.to_owned(),
                bytes: Bytes::copy_from_slice(bundle.bytes()),
                annotations: BTreeMap::new(),
            }],
            annotations: BTreeMap::from([
                ("org.opencontainers.image.created".to_owned(), self.clock.now().to_string()),
                ("dev.sigstore.bundle.content".to_owned(), "dsse-envelope".to_owned()),
                ("dev.sigstore.bundle.predicateType".to_owned(), bundle.predicate_type().to_owned()),
            ]),
        };
        Ok(self.client.attach(repository, image, &artifact).await?.digest)
    }
}
