//! Promotion and rollback: the same digest, judged, copied with everything that refers to it, and entered in the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::moved;
use super::{Published, Stage};
use crate::Result;
use crate::commands::lab::error::LabError;
use assay_case::{
    Case, ContainerRole, Document, Facts, ImageUse, Known, Namespace, Operation, Promotion, Request, User, Verdict,
    Workload, World,
};
use assay_gate::decide;
use assay_model::{Digest, EnvironmentName, FindingCounts, Reference, Repository};
use assay_oci::{CopyReport, ImageSource, copy};
use assay_store::{DecisionRecord, LedgerEvent, RequestProjection, decision_id};

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

/// A candidate, judged.
struct Judged {
    verdict: Verdict,
    /// Id of the decision record.
    decision: String,
    /// What was known of the image.
    facts: Option<Arc<Facts>>,
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
        let judged = self.judge(operation, candidate, &target, known)?;
        if !judged.verdict.allowed {
            let Judged { verdict, decision, .. } = judged;
            return Ok(Moved { verdict, decision, image: None, copied: None, entry: None });
        }
        let copied = if target.repository == candidate.image.repository {
            None
        } else {
            let to: Reference = format!("{}@{}", target.tagged(), target.digest()).parse()?;
            let from = ImageSource::Registry(candidate.image.reference()?);
            Some(copy(&self.client, &from, &ImageSource::Registry(to)).await?)
        };
        let entry = self.enter(operation, candidate, &target, &judged)?;
        let Judged { verdict, decision, .. } = judged;
        Ok(Moved { verdict, decision, image: Some(target), copied, entry: Some(entry) })
    }

    /// Asks the Gate about the image where it is to be, by the facts of where it is: the digest is the same. Keeps the
    /// decision.
    fn judge(
        &self,
        operation: Operation,
        candidate: &Candidate,
        target: &Published,
        known: Known<Vec<Arc<Facts>>>,
    ) -> Result<Judged> {
        let environment: EnvironmentName = candidate.environment.parse()?;
        let written = target.pinned();
        let request = Request {
            operation,
            workload: Workload { kind: "ReleaseArtifact".into(), name: candidate.release.clone(), owner: None },
            namespace: Namespace { name: environment.to_string(), labels: None },
            environment: Some(environment),
            service_account: None,
            user: User { name: candidate.by.clone(), groups: Vec::new() },
            images: vec![ImageUse {
                role: ContainerRole::Release,
                name: candidate.service.clone(),
                field: String::new(),
                reference: written.parse(),
                written: written.clone(),
                pull_policy: None,
            }],
            document: Document::empty(),
            pod_spec: None,
            pod_metadata: None,
        };
        let now = self.clock.now();
        let facts = known.get().ok().and_then(|facts| facts.first().cloned());
        let world =
            Arc::new(World { promotions: Known::new(self.store.promotions()?.into(), now), ..World::unknown() });
        let case = Case { request, facts: BTreeMap::from([(written, known)]), world };
        let verdict = decide(&self.policy(), &case, now);
        let uid = self.next_uid();
        let decision = decision_id(&uid, now, 0);
        self.store.put_decisions(&[DecisionRecord {
            id: decision.clone(),
            at: now,
            uid,
            dry_run: false,
            request: RequestProjection::of(&case),
            verdict: verdict.clone(),
            microseconds: 0,
        }])?;
        Ok(Judged { verdict, decision, facts })
    }

    /// Enters a promotion in the ledger, with what was known at that moment. Gives its number.
    fn enter(&self, operation: Operation, candidate: &Candidate, target: &Published, judged: &Judged) -> Result<u64> {
        let findings = judged.facts.as_ref().and_then(|facts| facts.findings.get().ok());
        let bytes = findings.map(|findings| serde_json::to_vec(&**findings)).transpose();
        let used = judged.verdict.exceptions.iter().filter(|note| note.ignored.is_none());
        let promotion = Promotion {
            by: candidate.by.clone(),
            counts: findings.map_or_else(FindingCounts::default, |findings| findings.counts()),
            ..self.promotion(&candidate.release, &candidate.service, target, candidate.environment)?
        };
        let entry = self.store.append_ledger(LedgerEvent::Promotion {
            promotion: Box::new(promotion),
            rollback: operation == Operation::Rollback,
            findings: bytes.map_err(LabError::fixture("findings"))?.map(|bytes| Digest::of(&bytes)),
            pack: findings.map(|findings| findings.pack.digest),
            exceptions: used.map(|note| note.name.clone()).collect(),
            decision: Some(judged.decision.clone()),
        })?;
        self.webhook.refresh_world();
        Ok(entry.number)
    }

    /// Enters an image as promoted everywhere without asking anybody: what somebody with access to the ledger would do,
    /// and what an attack that is about something else starts from.
    pub(crate) fn enter_as_promoted(&self, service: &str, image: &Published) -> Result<()> {
        for environment in super::ENVIRONMENTS {
            let release = format!("{service}-{}", image.tag);
            self.store.append_ledger(LedgerEvent::Promotion {
                promotion: Box::new(self.promotion(&release, service, image, environment)?),
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

    fn promotion(&self, release: &str, service: &str, image: &Published, environment: &str) -> Result<Promotion> {
        Ok(Promotion {
            number: 0,
            release: release.to_owned(),
            service: service.to_owned(),
            digest: image.digest(),
            repository: image.repository.clone(),
            environment: environment.parse()?,
            at: self.clock.now(),
            by: "lab".to_owned(),
            retired: None,
            counts: FindingCounts::default(),
        })
    }
}
