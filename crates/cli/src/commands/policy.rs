//! `assay policy` and `assay exception check`: what is in force.

use assay_case::Action;
use assay_gate::{ApprovalState, ControlEntry, ExceptionInput, catalogue};
use assay_kinds::Place;
use assay_model::{EnvironmentName, Timestamp};
use serde::Serialize;

use super::policies::{self, Policies};
use crate::failure::CliError;
use crate::session::Session;
use crate::{Result, Status};

/// The controls and what is done with them.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyListOutcome {
    /// Hash of the policy.
    pub(crate) policy: String,
    /// Environments, sorted.
    pub(crate) environments: Vec<String>,
    /// Controls, in the order of the catalogue.
    pub(crate) controls: Vec<PolicyRow>,
}

/// One control.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyRow {
    /// Its identifier.
    pub(crate) id: String,
    /// What it wants.
    pub(crate) title: String,
    /// What each environment does with it, in their order.
    pub(crate) actions: Vec<Option<Action>>,
}

/// One control in full.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyExplainOutcome {
    /// Its identifier.
    pub(crate) id: String,
    /// What it wants.
    pub(crate) title: String,
    /// What it protects.
    pub(crate) protects: &'static str,
    /// What it checks.
    pub(crate) checks: String,
    /// Why.
    pub(crate) why: String,
    /// How to meet it.
    pub(crate) fix: String,
    /// Where it comes from.
    pub(crate) source: String,
    /// Parameters and what each sets.
    pub(crate) parameters: Vec<(String, String)>,
    /// What each environment does with it.
    pub(crate) actions: Vec<(String, Option<Action>)>,
}

/// Whether Exceptions count.
#[derive(Debug, Serialize)]
pub(crate) struct ExceptionCheckOutcome {
    /// Each Exception in each Environment.
    pub(crate) exceptions: Vec<ExceptionRow>,
}

/// One Exception in one Environment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExceptionRow {
    /// Where it is written.
    pub(crate) place: String,
    /// Its name.
    pub(crate) name: String,
    /// The Environment.
    pub(crate) environment: String,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// Who approved it, by a signature that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approved_by: Option<String>,
    /// Why it does nothing; none = it counts.
    pub(crate) problem: Option<String>,
}

impl ExceptionCheckOutcome {
    /// Denied where an Exception counts nowhere: somebody relies on it in vain.
    pub(crate) fn status(&self) -> Status {
        let counts = |name: &str| self.exceptions.iter().any(|row| row.name == name && row.problem.is_none());
        if self.exceptions.iter().all(|row| counts(&row.name)) { Status::Pass } else { Status::Denied }
    }
}

/// Lists the controls.
pub(crate) fn list(session: &Session<'_>) -> Result<PolicyListOutcome> {
    let policies = policies::load(session.settings)?;
    let environments: Vec<String> = policies.policy.environments().map(ToString::to_string).collect();
    let controls = catalogue().iter().map(|entry| PolicyRow {
        id: entry.id.to_string(),
        title: entry.title.clone(),
        actions: environments.iter().map(|name| policies.policy.action(name, entry.id.as_str())).collect(),
    });
    let (policy, controls) = (policies.policy.digest().to_string(), controls.collect());
    Ok(PolicyListOutcome { policy, environments, controls })
}

/// Explains one control.
pub(crate) fn explain(id: &str, session: &Session<'_>) -> Result<PolicyExplainOutcome> {
    let policies = policies::load(session.settings)?;
    let known = |entry: &&ControlEntry| entry.id.as_str() == id;
    let entry = catalogue().iter().find(known).ok_or_else(|| CliError::NotFound {
        what: format!("control {id}"),
        suggestion: assay_kinds::suggestion(id, catalogue().iter().map(|entry| entry.id.as_str())).map(str::to_owned),
        next: "assay policy list".to_owned(),
    })?;
    let action = |name: &assay_model::EnvironmentName| (name.to_string(), policies.policy.action(name.as_str(), id));
    Ok(PolicyExplainOutcome {
        id: entry.id.to_string(),
        title: entry.title.clone(),
        protects: entry.protects.name(),
        checks: entry.checks.clone(),
        why: entry.why.clone(),
        fix: entry.fix.clone(),
        source: entry.source.clone(),
        parameters: entry.parameters.iter().map(|own| (own.name.clone(), own.what.clone())).collect(),
        actions: policies.policy.environments().map(action).collect(),
    })
}

/// Checks every Exception against the Environment named, or against all.
pub(crate) fn check_exceptions(session: &Session<'_>) -> Result<ExceptionCheckOutcome> {
    let policies = policies::load(session.settings)?;
    super::check::known_environment(&policies, session)?;
    let now = Timestamp::now();
    let each = policies.exceptions.iter();
    let rows = each.flat_map(|(place, exception)| exception_rows(&policies, place, exception, session, now));
    Ok(ExceptionCheckOutcome { exceptions: rows.collect() })
}

/// One Exception in the Environment named, or in all.
pub(crate) fn exception_rows(
    policies: &Policies,
    place: &Place,
    exception: &ExceptionInput,
    session: &Session<'_>,
    now: Timestamp,
) -> Vec<ExceptionRow> {
    let wanted = session.settings.environment.value.as_ref();
    let approved_by = match &exception.approval {
        ApprovalState::Authenticated { by, .. } => Some(by.clone()),
        ApprovalState::Unauthenticated | ApprovalState::Refused { .. } => None,
    };
    let environments = policies.policy.environments().filter(|name| wanted.is_none_or(|wanted| wanted == *name));
    let row = |environment: &EnvironmentName| {
        let answer = policies.policy.check_exception(environment.as_str(), exception, now);
        ExceptionRow {
            place: format!("{}:{}", place.source, place.line),
            name: exception.exception.metadata.name.clone(),
            environment: environment.to_string(),
            expires_at: exception.exception.spec.expires_at,
            approved_by: approved_by.clone(),
            problem: answer.and_then(std::result::Result::err).map(|problem| problem.to_string()),
        }
    };
    environments.map(row).collect()
}
