//! Promotion and rollback: the same digest, judged, copied with everything that refers to it, and entered in the ledger.

use super::{APPROVER, Published, Stage};
use crate::Result;
use crate::commands::release::{Approved, Change, moved};
use assay_case::{Operation, PromotionApproval, Verdict};
use assay_model::{EnvironmentName, Reference, Repository};
use assay_oci::{CopyReport, ImageSource, copy};
use assay_sandbox::sigstore::Identity;
use assay_store::LedgerEvent;

/// Who says which people are who they are.
const PERSONS: &str = "https://accounts.example.com";

/// A digest that is to move to an environment.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Name of the release.
    pub(crate) release: String,
    /// Its service.
    pub(crate) service: String,
    /// Where it is now.
    pub(crate) image: Published,
    /// Where it is to be, without the environment's folder: `payments/api`.
    pub(crate) path: String,
    /// The environment.
    pub(crate) environment: &'static str,
    /// Who asks.
    pub(crate) by: String,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Moved {
    /// What the Gate says.
    pub(crate) verdict: Verdict,
    /// Id of the decision record.
    pub(crate) decision: String,
    /// The image in its new place; none where it was refused.
    pub(crate) image: Option<Published>,
    /// What was copied.
    pub(crate) copied: Option<CopyReport>,
    /// Its number in the ledger.
    pub(crate) entry: Option<u64>,
}

impl Stage {
    /// Promotes a digest, if the target environment's policy agrees.
    pub(crate) async fn promote(&self, candidate: &Candidate) -> Result<Moved> {
        self.move_release(Operation::Promote, candidate).await
    }

    /// Goes back to a digest, if it may still run by what is known today.
    pub(crate) async fn roll_back(&self, candidate: &Candidate) -> Result<Moved> {
        self.move_release(Operation::Rollback, candidate).await
    }

    async fn move_release(&self, operation: Operation, candidate: &Candidate) -> Result<Moved> {
        let repository: Repository = format!("{}/{}/{}", self.host(), candidate.environment, candidate.path).parse()?;
        let target = Published { repository, ..candidate.image.clone() };
        let known = moved(self.facts.of(&candidate.image.reference()?, None).await, &target.repository);
        let (image, environment) = (target.reference()?, candidate.environment.parse()?);
        let approval = self.approve(operation, candidate, &environment).await?;
        let change = Change {
            approval: Some(&approval),
            operation,
            release: &candidate.release,
            service: &candidate.service,
            environment: &environment,
            by: &candidate.by,
            image: &image,
            digest: target.digest(),
        };
        let judged = change.judge(known, &self.policy(), &self.store, &self.next_uid(), self.clock.now())?;
        self.store.put_decisions(std::slice::from_ref(&judged.record))?;
        let (verdict, decision) = (judged.record.verdict.clone(), judged.record.id.clone());
        if !verdict.allowed {
            return Ok(Moved { verdict, decision, image: None, copied: None, entry: None });
        }
        let copied = if target.repository == candidate.image.repository {
            None
        } else {
            let to: Reference = format!("{}@{}", target.tagged(), target.digest()).parse()?;
            let from = ImageSource::Registry(candidate.image.reference()?);
            Some(copy(&self.client, &from, &ImageSource::Registry(to)).await?)
        };
        let entry = change.enter(&judged, &self.store)?.number;
        self.webhook.refresh_world();
        Ok(Moved { verdict, decision, image: Some(target), copied, entry: Some(entry) })
    }

    /// Has the lead approve a change, as `assay release approve` does: signed, and read again by the lab's trust root.
    async fn approve(
        &self,
        operation: Operation,
        candidate: &Candidate,
        environment: &EnvironmentName,
    ) -> Result<PromotionApproval> {
        let digest = candidate.image.digest();
        let approved = Approved { release: &candidate.release, digest, environment, operation };
        let bundle = self.sign(&Identity::person(PERSONS, APPROVER), &approved.statement()?).await?;
        let now = self.clock.now();
        approved.read(bundle.bytes(), std::iter::once(("lab", &self.material)), now)
    }

    /// Enters an image as promoted everywhere without asking anybody: what somebody with access to the ledger would do,
    /// and what an attack that is about something else starts from.
    pub(crate) fn enter_as_promoted(&self, service: &str, image: &Published) -> Result<()> {
        let (release, reference) = (format!("{service}-{}", image.tag), image.reference()?);
        for environment in super::ENVIRONMENTS {
            let approval = PromotionApproval { by: APPROVER.to_owned(), bundle: image.digest() };
            let change = Change {
                approval: Some(&approval),
                operation: Operation::Promote,
                release: &release,
                service,
                environment: &environment.parse()?,
                by: "lab",
                image: &reference,
                digest: image.digest(),
            };
            self.store.append_ledger(LedgerEvent::Promotion {
                promotion: Box::new(change.promotion(self.clock.now())),
                rollback: false,
                findings: None,
                pack: None,
                exceptions: Vec::new(),
                decision: None,
            })?;
        }
        self.webhook.refresh_world();
        Ok(())
    }
}
