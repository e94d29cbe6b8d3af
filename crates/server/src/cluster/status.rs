//! What is said of each object in its status (Kubernetes "API conventions", "Typical status properties").

use assay_gate::ExceptionProblem;
use assay_model::{Digest, Timestamp};
use serde_json::{Value, json};

use super::book::{Entry, Id, Sort};

/// Characters of a message: a status is read by people.
const MESSAGE_MAX: usize = 1_024;

/// A status that has to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Writing {
    pub(super) sort: Sort,
    pub(super) name: String,
    pub(super) status: Value,
}

struct Condition {
    kind: &'static str,
    is_true: bool,
    reason: &'static str,
    message: String,
}

/// The status that an entry should have, if it has another one.
pub(super) fn writing(
    id: &Id,
    entry: &Entry,
    standing: Option<Result<(), ExceptionProblem>>,
    policy: Digest,
    now: Timestamp,
) -> Option<Writing> {
    let held = entry.held.as_ref()?;
    let shown = held.status();
    let mut conditions = vec![match entry.problem() {
        None => Condition {
            kind: "Ready",
            is_true: true,
            reason: "InForce",
            message: "it is in force as it is written".to_owned(),
        },
        Some((why, true)) => Condition {
            kind: "Ready",
            is_true: false,
            reason: "LastGoodInForce",
            message: format!("{why}. What it said before stays in force"),
        },
        Some((why, false)) => {
            Condition { kind: "Ready", is_true: false, reason: "NotInForce", message: why.to_owned() }
        }
    }];
    if let Some(standing) = standing {
        conditions.push(active(standing));
    }
    let status = json!({
        "observedGeneration": held.generation,
        "policy": policy.to_string(),
        "conditions": conditions.into_iter().map(|own| condition(own, held.generation, &shown, now)).collect::<Vec<_>>(),
    });
    // Another object changes the policy's digest: no reason to write all of them again.
    let is_same =
        shown["conditions"] == status["conditions"] && shown["observedGeneration"] == status["observedGeneration"];
    (!is_same).then(|| Writing { sort: id.sort, name: id.name.clone(), status })
}

fn active(standing: Result<(), ExceptionProblem>) -> Condition {
    let (is_true, reason, message) = match standing {
        Ok(()) => (true, "Approved", "it counts".to_owned()),
        Err(problem) => (false, word(&problem), problem.to_string()),
    };
    Condition { kind: "Active", is_true, reason, message }
}

fn word(problem: &ExceptionProblem) -> &'static str {
    match problem {
        ExceptionProblem::Missing { field: "approval" } | ExceptionProblem::NotAuthenticated => "NotApproved",
        ExceptionProblem::Missing { .. } => "Incomplete",
        ExceptionProblem::Expired { .. } => "Expired",
        ExceptionProblem::BeyondCap { .. } => "TooLong",
        ExceptionProblem::ApprovedByAuthor { .. } => "ApprovedByAuthor",
        ExceptionProblem::NotAnApprover { .. } => "NotAnApprover",
        _ => "ApprovalRefused",
    }
}

/// Keeps the time of the last change where nothing changed.
fn condition(own: Condition, generation: i64, shown: &Value, now: Timestamp) -> Value {
    let mut shown = shown["conditions"].as_array().into_iter().flatten();
    let shown = shown.find(|shown| shown["type"] == own.kind);
    let status = if own.is_true { "True" } else { "False" };
    let since = shown.filter(|shown| shown["status"] == status).and_then(|shown| shown["lastTransitionTime"].as_str());
    let since = since.map_or_else(|| format!("{}Z", now.strftime("%Y-%m-%dT%H:%M:%S")), str::to_owned);
    json!({
        "type": own.kind,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": own.reason,
        "message": own.message.chars().take(MESSAGE_MAX).collect::<String>(),
    })
}
