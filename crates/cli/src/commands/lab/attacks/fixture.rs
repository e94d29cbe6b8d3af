//! What an attack is tried with, and trying it.

use assay_case::Verdict;
use assay_gate::{ApprovalState, ExceptionInput};
use assay_kinds::{Approval, Exception, ExceptionScope, ExceptionSpec, ExceptionSubject};
use assay_model::Timestamp;
use assay_sandbox::Fault;
use jiff::SignedDuration;
use serde_json::Value;

use crate::Result;
use crate::commands::lab::stage::{APPROVER, Advisories, Candidate, Published, Stage, Submission, namespace};

/// How an attack is made.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    /// Something is to run.
    Admit(Box<Submission>),
    /// A digest is to be promoted.
    Promote(Box<Candidate>),
    /// A digest is to come back.
    RollBack(Box<Candidate>),
}

/// Everything that an attack needs. It can be tried again and again.
#[derive(Debug)]
pub(crate) struct Fixture {
    attempt: Attempt,
    faults: Vec<Fault>,
    exceptions: Vec<ExceptionInput>,
    advisories: Advisories,
}

impl From<Attempt> for Fixture {
    fn from(attempt: Attempt) -> Self {
        Self { attempt, faults: Vec::new(), exceptions: Vec::new(), advisories: Advisories::WithNews }
    }
}

impl From<Submission> for Fixture {
    fn from(submission: Submission) -> Self {
        Attempt::Admit(Box::new(submission)).into()
    }
}

impl Fixture {
    /// A Deployment in production that names an image so.
    pub(super) fn deployment(image: &str) -> Self {
        Submission::deployment(&production(), "api", image).into()
    }

    /// While the registry does this.
    #[must_use]
    pub(super) fn while_registry(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// With this Exception in force.
    #[must_use]
    pub(super) fn with_exception(mut self, exception: ExceptionInput) -> Self {
        self.exceptions.push(exception);
        self
    }

    /// With vulnerability data that nobody has fetched for days.
    #[must_use]
    pub(super) fn with_stale_advisories(mut self) -> Self {
        self.advisories = Advisories::Stale;
        self
    }

    /// The AdmissionReview of this attack, if it is one.
    pub(crate) fn review(&self, uid: &str) -> Option<Value> {
        match &self.attempt {
            Attempt::Admit(submission) => Some(submission.review(uid)),
            Attempt::Promote(_) | Attempt::RollBack(_) => None,
        }
    }

    /// Tries it by the lab's policy without the controls in `off`. Gives the verdict and what the attacker reads.
    pub(crate) async fn attempt(&self, stage: &Stage, off: &[&str]) -> Result<(Verdict, String)> {
        stage.set_policy(&self.exceptions, off)?;
        let unusual = self.advisories != Advisories::WithNews;
        if unusual {
            stage.set_advisories(self.advisories)?;
        }
        for fault in &self.faults {
            stage.registry.set_fault(fault.clone());
        }
        let tried = self.make(stage).await;
        stage.registry.clear_faults();
        if unusual {
            stage.set_advisories(Advisories::WithNews)?;
        }
        stage.set_policy(&[], &[])?;
        tried
    }

    async fn make(&self, stage: &Stage) -> Result<(Verdict, String)> {
        let moved = match &self.attempt {
            Attempt::Admit(submission) => {
                let ruling = stage.admit(submission).await?;
                return Ok((ruling.verdict, ruling.message));
            }
            Attempt::Promote(candidate) => stage.promote(candidate).await?,
            Attempt::RollBack(candidate) => stage.roll_back(candidate).await?,
        };
        let message = if moved.verdict.allowed {
            String::new()
        } else {
            assay_server::denial(&moved.verdict, Some(&moved.decision))
        };
        Ok((moved.verdict, message))
    }
}

/// Where the attacks aim.
pub(super) fn production() -> String {
    namespace("payments", "prod")
}

/// A release that is to move to production.
pub(super) fn to_production(service: &str, image: &Published) -> Candidate {
    Candidate {
        release: format!("{service}-{}", image.tag),
        service: service.to_owned(),
        image: image.clone(),
        path: format!("payments/{service}"),
        environment: "prod",
        by: "developer@example.com".to_owned(),
    }
}

/// An Exception for critical findings in an image that is in order in everything, until `change` changes it.
pub(super) fn exception(
    now: Timestamp,
    name: &str,
    image: &Published,
    change: impl FnOnce(&mut ExceptionSpec),
) -> Result<ExceptionInput> {
    let days = |count: i64| now.saturating_add(SignedDuration::from_hours(24 * count)).unwrap_or(now);
    let mut spec = ExceptionSpec {
        owner: Some("team-payments".into()),
        requested_by: Some("developer@example.com".into()),
        reason: Some("no fix exists, and the service never decompresses what users send".into()),
        controls: vec!["critical-cve".parse()?],
        subjects: vec![ExceptionSubject::Digest(image.digest())],
        scope: ExceptionScope { namespaces: vec![production()], workloads: Vec::new() },
        expires_at: Some(days(10)),
        compensating_control: Some("egress blocked by NetworkPolicy deny-egress".into()),
        approval: Some(Approval { by: APPROVER.into(), reference: Some("RISK-4711".into()), at: days(-2) }),
        break_glass: false,
    };
    change(&mut spec);
    Ok(ExceptionInput {
        exception: Exception::new(name, spec),
        approval: ApprovalState::Authenticated { by: APPROVER.into(), groups: Vec::new() },
        author: Some("developer@example.com".into()),
    })
}
