//! `assay readiness`: what enforcing would have blocked, and since when nothing would have been.

mod tally;

use assay_case::Action;
use assay_gate::catalogue;
use assay_kinds::Tier;
use assay_kube::ENVIRONMENTS;
use assay_model::{ControlId, EnvironmentName, Timestamp};
use assay_store::{ChangeState, PolicyChange, Store, StoreError};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::json;

use super::cluster::ClusterTarget;
use super::policies;
use crate::failure::CliError;
use crate::session::Session;
use crate::{Result, Status};

use self::tally::Tally;
pub(crate) use self::tally::{ControlRow, Flips};

/// What is asked.
#[derive(Debug)]
pub(crate) struct ReadinessOptions {
    /// How far back decisions are looked at.
    pub(crate) days: u16,
    /// One Environment only.
    pub(crate) environment: Option<EnvironmentName>,
    /// One namespace only.
    pub(crate) namespace: Option<String>,
    /// What the cluster is called in the findings.
    pub(crate) cluster: String,
    /// What is to be enforced from now on.
    pub(crate) flip: Option<FlipOptions>,
}

/// A control that is to be enforced.
#[derive(Debug)]
pub(crate) struct FlipOptions {
    /// The control.
    pub(crate) control: ControlId,
    /// The Environment.
    pub(crate) environment: EnvironmentName,
    /// Who answers for it.
    pub(crate) by: String,
    /// Why, where something would be blocked and it is done all the same.
    pub(crate) reason: Option<String>,
    /// The cluster whose Environment is changed; none = the change is printed.
    pub(crate) target: Option<ClusterTarget>,
}

/// What enforcing would have blocked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadinessOutcome {
    /// From when on decisions were looked at.
    pub(crate) since: Timestamp,
    /// Until when.
    pub(crate) until: Timestamp,
    /// How many days without anything to block a control needs.
    pub(crate) days: u16,
    /// Decisions that were looked at.
    pub(crate) decisions: u64,
    /// Each control in each Environment.
    pub(crate) controls: Vec<ControlRow>,
    /// What became of the flip that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flip: Option<FlipOutcome>,
}

/// What became of a flip.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlipOutcome {
    /// The control.
    pub(crate) control: ControlId,
    /// The Environment.
    pub(crate) environment: EnvironmentName,
    /// Whether it was done.
    pub(crate) done: bool,
    /// The action from then on.
    pub(crate) action: &'static str,
    /// Decisions that would have been denied.
    pub(crate) would_block: u64,
    /// Running Pods that do not meet it.
    pub(crate) running: u64,
    /// What stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<String>,
    /// Where it was written; none = it has to be written into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) written: Option<String>,
}

impl ReadinessOutcome {
    /// A flip that was refused is a no.
    pub(crate) fn status(&self) -> Status {
        if self.flip.as_ref().is_some_and(|flip| !flip.done) { Status::Denied } else { Status::Pass }
    }
}

/// Looks at the decision log and at what is found about what runs.
pub(crate) fn readiness(options: ReadinessOptions, session: &Session<'_>) -> Result<ReadinessOutcome> {
    let store = session.asked_store("decisions are kept where assay serve runs: --store sqlite:FILE")?;
    let until = Timestamp::now();
    let window = SignedDuration::from_hours(24 * i64::from(options.days));
    let since = until.checked_sub(window).unwrap_or(Timestamp::MIN);
    let mut tally = Tally::new(since, until, options.environment.clone(), options.namespace.clone());
    store.each_decision(since, Timestamp::MAX, |record| {
        tally.decision(&record);
        Ok::<(), StoreError>(())
    })?;
    for finding in store.open_findings(&options.cluster)?.values() {
        tally.running(finding);
    }
    let decisions = tally.decisions();
    let controls = tally.rows(options.days);
    let flip = match options.flip {
        Some(flip) => Some(self::flip(flip, &controls, &store, session, until)?),
        None => None,
    };
    Ok(ReadinessOutcome { since, until, days: options.days, decisions, controls, flip })
}

fn flip(
    options: FlipOptions,
    controls: &[ControlRow],
    store: &Store,
    session: &Session<'_>,
    now: Timestamp,
) -> Result<FlipOutcome> {
    let FlipOptions { control, environment, by, reason, target } = options;
    let Some(entry) = catalogue().iter().find(|entry| entry.id == control) else {
        return Err(CliError::NotFound {
            what: format!("a control {control}"),
            suggestion: None,
            next: "assay policy list".to_owned(),
        }
        .into());
    };
    // As strict as production starts with: an Exception lifts it where it does there.
    let action = match entry.action(Tier::Prod) {
        own if own.denies() => own,
        _ => Action::Enforce,
    };
    let row = controls.iter().find(|row| row.control == control && row.environment == environment);
    let against = against(row);
    let (would_block, running) = row.map_or((0, 0), |row| (row.would_block, row.running));
    let mut outcome = FlipOutcome {
        control,
        environment,
        done: against.is_none() || reason.is_some(),
        action: action.name(),
        would_block,
        running,
        against,
        written: None,
    };
    if !outcome.done {
        return Ok(outcome);
    }
    if target.is_none() {
        // The Environment has to be one that is known.
        let policies = policies::load(session.settings)?;
        if !policies.policy.environments().any(|own| *own == outcome.environment) {
            return Err(CliError::NotFound {
                what: format!("an Environment {}", outcome.environment),
                suggestion: None,
                next: "assay policy list, or --context of the cluster that has it".to_owned(),
            }
            .into());
        }
    }
    let mut change = PolicyChange {
        at: now,
        by,
        environment: outcome.environment.clone(),
        control: outcome.control.clone(),
        action: outcome.action.to_owned(),
        would_block,
        reason: reason.filter(|_| outcome.against.is_some()),
        outcome: ChangeState::Made,
    };
    let Some(target) = target else {
        store.put_policy_change(&change)?;
        return Ok(outcome);
    };
    // On record before it is made: nothing is ever enforced that nobody answers for.
    change.outcome = ChangeState::Intended;
    let number = store.put_policy_change(&change)?;
    let written = write(&target, &change, session);
    change.outcome = match &written {
        Ok(_) => ChangeState::Made,
        Err(failure) => ChangeState::Failed(failure.what.clone()),
    };
    if let Err(error) = store.settle_policy_change(number, &change) {
        session.printer.note(&format!(
            "the store no longer answers: that the change was {} is not on record, that it was intended is ({error})",
            if written.is_ok() { "made" } else { "not made" },
        ));
    }
    outcome.written = Some(written?);
    Ok(outcome)
}

/// What stands against enforcing a control.
fn against(row: Option<&ControlRow>) -> Option<String> {
    let Some(row) = row else {
        return Some("nothing was decided about it in this time, so that nobody knows what it would block".to_owned());
    };
    match row.flips {
        Flips::Now | Flips::Enforced => None,
        Flips::On { at } => Some(match (row.would_block, row.running) {
            (0, 0) => format!("it has been seen for too short a time: until {at}"),
            (0, running) => format!("{running} running Pods do not meet it"),
            (blocked, 0) => format!("{blocked} decisions of this time would have been denied"),
            (blocked, running) => {
                format!(
                    "{blocked} decisions of this time would have been denied, and {running} running Pods do not meet it"
                )
            }
        }),
        Flips::Blocked => Some(format!("{} running Pods do not meet it", row.running)),
    }
}

/// Writes the action into the Environment of a cluster. Says what was written.
fn write(target: &ClusterTarget, change: &PolicyChange, session: &Session<'_>) -> Result<String> {
    let client = target.client()?;
    let (name, PolicyChange { control, action, by, at, reason, .. }) = (change.environment.as_str(), change);
    let record = json!({"control": control, "action": action, "by": by, "at": at, "reason": reason});
    let patch = json!({
        "metadata": {"annotations": {format!("assay.dev/flipped-{control}"): record.to_string()}},
        "spec": {"controls": {control.as_str(): {"action": action}}},
    });
    session.run(async { Ok(client.merge(ENVIRONMENTS, None, name, &patch).await?) })?;
    Ok(format!("environment/{name} in {}", client.server()))
}
