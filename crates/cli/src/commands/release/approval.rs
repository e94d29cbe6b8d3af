//! `assay release approve`: a signature of somebody else over what is to be promoted, and how it is read again.

use std::path::PathBuf;

use assay_case::{Operation, PromotionApproval};
use assay_model::{Digest, EnvironmentName, Timestamp};
use assay_sign::Statement;
use assay_trust::TrustMaterial;
use assay_trust::predicates::ASSAY_PROMOTION_APPROVAL_V1;
use serde::Serialize;

use crate::Result;
use crate::commands::policies::{self, Signed};
use crate::commands::sign::signer::SignerOptions;
use crate::failure::{CliError, read_file, write_file};
use crate::session::Session;

/// What to approve.
pub(crate) struct ApproveOptions {
    /// The release.
    pub(crate) name: String,
    /// Where it may go.
    pub(crate) to: EnvironmentName,
    /// Whether it is a way back that is approved.
    pub(crate) rollback: bool,
    /// The file that takes the signature.
    pub(crate) out: PathBuf,
    /// Who approves.
    pub(crate) signer: SignerOptions,
}

/// What was approved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApproveOutcome {
    /// The release.
    pub(crate) release: String,
    /// The digest.
    pub(crate) digest: Digest,
    /// Where it may go.
    pub(crate) environment: EnvironmentName,
    /// Promote or roll back.
    pub(crate) operation: Operation,
    /// By whom, as the trust roots know them.
    pub(crate) by: String,
    /// The file with the signature.
    pub(crate) file: PathBuf,
}

/// What an approval is about: another digest, another environment, or a way back instead of a promotion is another matter.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Approved<'a> {
    /// Name of the release.
    pub(crate) release: &'a str,
    /// What is promoted.
    pub(crate) digest: Digest,
    /// Where to.
    pub(crate) environment: &'a EnvironmentName,
    /// Promote or roll back.
    pub(crate) operation: Operation,
}

impl Approved<'_> {
    /// The statement that is signed: about the SHA-256 of the JSON of what is approved, without content of its own.
    pub(crate) fn statement(&self) -> Result<Statement> {
        Ok(Statement::attestation(&self.subject()?, ASSAY_PROMOTION_APPROVAL_V1, b"{}")?)
    }

    fn subject(&self) -> Result<Digest> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| CliError::Malformed { what: "the approval".to_owned(), message: error.to_string() })?;
        Ok(Digest::of(&bytes))
    }

    /// Who signed it, by these trust roots; the error says why it counts for nothing.
    pub(crate) fn read<'m>(
        &self,
        bundle: &[u8],
        materials: impl Iterator<Item = (&'m str, &'m TrustMaterial)>,
        now: Timestamp,
    ) -> Result<PromotionApproval> {
        match policies::signed_by(bundle, self.subject()?, ASSAY_PROMOTION_APPROVAL_V1, materials, now) {
            Signed::By(by) => Ok(PromotionApproval { by, bundle: Digest::of(bundle) }),
            Signed::Refused(why) => Err(CliError::Usage {
                message: format!(
                    "the approval does not hold for release {} to {}: {why}",
                    self.release, self.environment
                ),
                next: format!("assay release approve {} --to {} --out FILE", self.release, self.environment),
            }
            .into()),
        }
    }
}

/// Signs that a release may go to an environment. One that no trust root would believe is not written.
pub(crate) fn approve(options: &ApproveOptions, session: &Session<'_>) -> Result<ApproveOutcome> {
    let policies = policies::load(session.settings)?;
    crate::commands::check::exists(&policies, &options.to)?;
    let store = session.asked_store("assay release create NAME --service S --image IMAGE@DIGEST ...")?;
    let release = super::known(&store, &options.name)?;
    let operation = if options.rollback { Operation::Rollback } else { Operation::Promote };
    let approved = Approved { release: &release.name, digest: release.digest, environment: &options.to, operation };
    let signer = session.run(options.signer.ready(session))?;
    let bundle = session.run(signer.sign(&approved.statement()?))?;
    let approval = approved.read(bundle.bytes(), policies.named_materials(), Timestamp::now())?;
    write_file(&options.out, bundle.bytes())?;
    Ok(ApproveOutcome {
        release: release.name.clone(),
        digest: release.digest,
        environment: options.to.clone(),
        operation,
        by: approval.by,
        file: options.out.clone(),
    })
}

/// The approval in a file, for a promotion that is about to be judged.
pub(super) fn from_file(
    path: &std::path::Path,
    approved: &Approved<'_>,
    policies: &policies::Policies,
) -> Result<PromotionApproval> {
    approved.read(&read_file(path)?, policies.named_materials(), Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_what_is_approved_is_another_matter() {
        let (prod, staging): (EnvironmentName, EnvironmentName) = ("prod".parse().unwrap(), "staging".parse().unwrap());
        let own = Approved {
            release: "api-1",
            digest: Digest::of(b"api"),
            environment: &prod,
            operation: Operation::Promote,
        };
        let others = [
            Approved { release: "api-2", ..own },
            Approved { digest: Digest::of(b"other"), ..own },
            Approved { environment: &staging, ..own },
            Approved { operation: Operation::Rollback, ..own },
        ];
        for other in others {
            assert_ne!(own.subject().unwrap(), other.subject().unwrap(), "{other:?}");
        }
        assert_eq!(own.subject().unwrap(), Approved { ..own }.subject().unwrap());
    }
}
