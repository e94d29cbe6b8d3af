//! Promotion and rollback: the same digest, judged, copied with everything that refers to it, and entered in the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::{
    Case, ContainerRole, Document, Facts, ImageUse, Known, Namespace, Operation, Promotion, Request, User, Verdict,
    Workload, World,
};
use assay_gate::decide;
use assay_model::{Digest, EnvironmentName, FindingCounts, Reference, Repository};
use assay_oci::{CopyReport, ImageSource, copy};
use assay_store::{DecisionRecord, LedgerEvent, RequestProjection, decision_id};
use serde_json::json;

use super::{Published, Stage};
use crate::Result;
use crate::commands::lab::error::LabError;

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
        let environment: EnvironmentName = candidate.environment.parse()?;
        let repository: Repository = format!("{}/{environment}/{}", self.host(), candidate.path).parse()?;
        let target = Published { repository, ..candidate.image.clone() };
        let known = self.facts.of(&candidate.image.reference()?, None).await;
        let (verdict, decision) = self.judge(operation, candidate, &environment, &target, known.clone())?;
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
        let facts = known.get().ok().and_then(|facts| facts.first().cloned());
        let entry = self.enter(operation, candidate, &environment, &target, facts.as_deref(), &verdict, &decision)?;
        Ok(Moved { verdict, decision, image: Some(target), copied, entry: Some(entry) })
    }

    /// Asks the Gate about the image where it is to be, by the facts of where it is: the digest is the same. Keeps the
    /// decision and gives its id.
    fn judge(
        &self,
        operation: Operation,
        candidate: &Candidate,
        environment: &EnvironmentName,
        target: &Published,
        known: Known<Vec<Arc<Facts>>>,
    ) -> Result<(Verdict, String)> {
        let written = target.pinned();
        let release = json!({
            "apiVersion": "assay.dev/v1", "kind": "ReleaseArtifact", "metadata": {"name": candidate.release},
            "spec": {"service": candidate.service, "image": {"repository": target.repository, "digest": target.digest()}},
        })
        .to_string();
        let request = Request {
            operation,
            workload: Workload { kind: "ReleaseArtifact".into(), name: candidate.release.clone(), owner: None },
            namespace: Namespace { name: environment.to_string(), labels: None },
            environment: Some(environment.clone()),
            service_account: None,
            user: User { name: candidate.by.clone(), groups: Vec::new() },
            images: vec![ImageUse {
                role: ContainerRole::Release,
                name: candidate.service.clone(),
                field: "spec.image".into(),
                reference: written.parse(),
                written: written.clone(),
                pull_policy: None,
            }],
            document: Document::from_json(release.as_bytes()).map_err(LabError::fixture("release"))?,
            pod_spec: None,
            pod_metadata: None,
        };
        let promotions = Known::new(self.store.promotions()?, self.clock.now());
        let world = Arc::new(World { promotions, ..World::unknown() });
        let case = Case { request, facts: BTreeMap::from([(written, known)]), world };
        let now = self.clock.now();
        let verdict = decide(&self.policy(), &case, now);
        let uid = self.next_uid();
        let id = decision_id(&uid, now, 0);
        let request = RequestProjection::of(&case);
        let (dry_run, microseconds) = (false, 0);
        let record =
            DecisionRecord { id: id.clone(), at: now, uid, dry_run, request, verdict: verdict.clone(), microseconds };
        self.store.put_decisions(&[record])?;
        Ok((verdict, id))
    }

    fn enter(
        &self,
        operation: Operation,
        candidate: &Candidate,
        environment: &EnvironmentName,
        target: &Published,
        facts: Option<&Facts>,
        verdict: &Verdict,
        decision: &str,
    ) -> Result<u64> {
        let findings = facts.and_then(|facts| facts.findings.get().ok());
        let used = verdict.exceptions.iter().filter(|note| note.ignored.is_none());
        let entry = self.store.append_ledger(LedgerEvent::Promotion {
            promotion: Box::new(Promotion {
                number: 0,
                release: candidate.release.clone(),
                service: candidate.service.clone(),
                digest: target.digest(),
                repository: target.repository.clone(),
                environment: environment.clone(),
                at: self.clock.now(),
                by: candidate.by.clone(),
                retired: None,
                counts: findings.map_or_else(FindingCounts::default, |findings| findings.counts()),
            }),
            rollback: operation == Operation::Rollback,
            findings: match findings {
                Some(findings) => {
                    Some(Digest::of(&serde_json::to_vec(&**findings).map_err(LabError::fixture("findings"))?))
                }
                None => None,
            },
            pack: findings.map(|findings| findings.pack.digest),
            exceptions: used.map(|note| note.name.clone()).collect(),
            approved_by: None,
            decision: Some(decision.to_owned()),
        })?;
        self.webhook.refresh_world();
        Ok(entry.number)
    }

    /// Enters an image as promoted everywhere without asking anybody: what somebody with access to the ledger would do,
    /// and what an attack that is about something else starts from.
    pub(crate) fn enter_as_promoted(&self, service: &str, image: &Published) -> Result<()> {
        for environment in super::ENVIRONMENTS {
            self.store.append_ledger(LedgerEvent::Promotion {
                promotion: Box::new(Promotion {
                    number: 0,
                    release: format!("{service}-{}", image.tag),
                    service: service.to_owned(),
                    digest: image.digest(),
                    repository: image.repository.clone(),
                    environment: environment.parse()?,
                    at: self.clock.now(),
                    by: "lab".into(),
                    retired: None,
                    counts: FindingCounts::default(),
                }),
                rollback: false,
                findings: None,
                pack: None,
                exceptions: Vec::new(),
                approved_by: None,
                decision: None,
            })?;
        }
        self.webhook.refresh_world();
        Ok(())
    }
}
