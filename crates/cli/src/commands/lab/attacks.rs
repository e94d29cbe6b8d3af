//! The attacks: one file each. Each says which control stops it, builds a fixture that passes every other control, and
//! tries it for real.

mod fixture;

mod child_pod;
mod copied_signature;
mod critical_vulnerability;
mod exception_out_of_scope;
mod exception_without_owner;
mod expired_exception;
mod image_update;
mod latest_tag;
mod malicious_package;
mod moved_tag;
mod no_tag;
mod oversized_evidence;
mod privileged_builder;
mod public_registry;
mod rate_limited_registry;
mod rebuilt_digest;
mod registry_down;
mod replayed_provenance;
mod secret_in_deleted_file;
mod self_hosted_runner;
mod source_tampering;
mod stale_scan;
mod swapped_platform;
mod tag_only;
mod unlabelled_namespace;
mod unsigned_ephemeral_container;
mod unsigned_image;
mod unsigned_image_volume;
mod unsigned_init_container;
mod vulnerable_rollback;
mod wrong_bytes;
mod wrong_identity;
mod wrong_workflow;

use std::future::Future;
use std::pin::Pin;

use assay_case::Verdict;
use serde::Serialize;
use serde_json::Value;

use super::narrator::Narrator;
use super::stage::Stage;
use crate::Result;

pub(crate) use fixture::Fixture;

type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Fixture>> + Send + 'a>>;

/// An attack.
pub struct Attack {
    /// A stable name, kebab-case.
    pub name: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// What somebody does, in one sentence.
    pub story: &'static str,
    /// The control that stops it.
    pub control: &'static str,
    /// Controls that cannot hold where this one does not: an image without a signature has no trusted signer either.
    pub also: &'static [&'static str],
    pub(crate) prepare: for<'a> fn(&'a Stage) -> Preparing<'a>,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attack").field("name", &self.name).field("control", &self.control).finish_non_exhaustive()
    }
}

/// What else is judged from what the registry says: none of it can be known where the registry says nothing.
const FROM_THE_REGISTRY: [&str; 14] = [
    "trusted-signer",
    "require-sbom",
    "require-provenance",
    "critical-cve",
    "high-cve",
    "known-exploited",
    "no-malicious-packages",
    "dependency-source",
    "fresh-scan",
    "no-secrets-in-layers",
    "approved-base-image",
    "release-known",
    "change-approval",
    "rollback-risk",
];

/// Every attack, in the order of the way of an artifact: how it is named, who made it, what is in it, how it runs, how it
/// moves.
pub const ATTACKS: [Attack; 33] = [
    public_registry::ATTACK,
    latest_tag::ATTACK,
    no_tag::ATTACK,
    tag_only::ATTACK,
    moved_tag::ATTACK,
    unsigned_image::ATTACK,
    unsigned_init_container::ATTACK,
    unsigned_ephemeral_container::ATTACK,
    unsigned_image_volume::ATTACK,
    image_update::ATTACK,
    child_pod::ATTACK,
    unlabelled_namespace::ATTACK,
    copied_signature::ATTACK,
    swapped_platform::ATTACK,
    oversized_evidence::ATTACK,
    wrong_identity::ATTACK,
    wrong_workflow::ATTACK,
    self_hosted_runner::ATTACK,
    source_tampering::ATTACK,
    replayed_provenance::ATTACK,
    critical_vulnerability::ATTACK,
    malicious_package::ATTACK,
    secret_in_deleted_file::ATTACK,
    stale_scan::ATTACK,
    wrong_bytes::ATTACK,
    registry_down::ATTACK,
    rate_limited_registry::ATTACK,
    privileged_builder::ATTACK,
    expired_exception::ATTACK,
    exception_without_owner::ATTACK,
    exception_out_of_scope::ATTACK,
    rebuilt_digest::ATTACK,
    vulnerable_rollback::ATTACK,
];

/// What came of an attack.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttackResult {
    /// The attack's name.
    pub(crate) name: &'static str,
    /// The same for people.
    pub(crate) title: &'static str,
    /// The control that should stop it.
    pub(crate) control: &'static str,
    /// Whether it was denied, by that control.
    pub(crate) stopped: bool,
    /// What that control says, or what is wrong.
    pub(crate) message: String,
    /// The whole refusal, as the attacker reads it.
    pub(crate) refusal: String,
    /// The AdmissionReview it was tried with; none for promotions and rollbacks.
    #[serde(skip)]
    pub(crate) review: Option<Value>,
}

/// Tries every attack.
pub(crate) async fn run(stage: &Stage, narrator: &Narrator<'_>) -> Result<Vec<AttackResult>> {
    let mut results = Vec::new();
    for attack in &ATTACKS {
        let fixture = (attack.prepare)(stage).await.map_err(|failure| failure.about(attack.title))?;
        let (verdict, refusal) = fixture.attempt(stage, &[]).await?;
        let (stopped, message) = judge(attack, &verdict);
        narrator.attack(attack, stopped, &message);
        results.push(AttackResult {
            name: attack.name,
            title: attack.title,
            control: attack.control,
            stopped,
            message,
            refusal,
            review: fixture.review(attack.name),
        });
    }
    Ok(results)
}

/// Stopped means: denied, and by the control that is meant to.
fn judge(attack: &Attack, verdict: &Verdict) -> (bool, String) {
    let denial = verdict.denials().find(|outcome| outcome.control.as_str() == attack.control);
    match denial {
        Some(denial) => (true, denial.message.to_string()),
        None if verdict.allowed => (false, "it was allowed".to_owned()),
        None => (false, format!("it was denied, but not by {}", attack.control)),
    }
}

#[cfg(test)]
mod tests {
    use assay_case::{Action, ControlOutcome, Operation, Outcome, Statement, Target};
    use assay_model::Digest;

    use super::*;

    fn verdict(control: &str, action: Action, outcome: Outcome) -> Verdict {
        let statement = Statement {
            control: control.parse().unwrap(),
            action,
            outcome,
            message: "no signature".into(),
            fix: None,
            severity: None,
            vulnerabilities: Vec::new(),
            packages: Vec::new(),
            excepted_by: None,
        };
        let outcome = ControlOutcome::new(statement, Target::default());
        Verdict {
            allowed: !outcome.denies(),
            operation: Operation::Create,
            workload: "payments-prod/Deployment/api".into(),
            environment: "prod".parse().unwrap(),
            policy: Digest::of(b""),
            decided_at: assay_model::Timestamp::UNIX_EPOCH,
            outcomes: vec![outcome],
            exceptions: Vec::new(),
            unbound: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn only_a_denial_by_the_named_control_is_a_stop() {
        let attack = &unsigned_image::ATTACK;
        let stopped = |control, action, outcome| judge(attack, &verdict(control, action, outcome)).0;
        assert!(stopped("require-signature", Action::Enforce, Outcome::Fail));
        assert!(stopped("require-signature", Action::Enforce, Outcome::Error));
        assert!(!stopped("require-signature", Action::Warn, Outcome::Fail), "it was allowed");
        assert!(!stopped("require-signature", Action::Enforce, Outcome::Pass), "it was allowed");
        assert!(!stopped("require-digest", Action::Enforce, Outcome::Fail), "something else denied it");
    }
}
