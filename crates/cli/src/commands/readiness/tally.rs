//! Counting decisions: of each control in each Environment and namespace what it would have denied, whose that is, and
//! when it happened last.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Action, Operation};
use assay_model::{ControlId, EnvironmentName, Timestamp};
use assay_store::{DecisionRecord, FindingKind, FindingRecord};
use jiff::SignedDuration;
use serde::Serialize;

/// Fixes, owners and workloads that are named.
const NAMED: usize = 3;
/// What workloads are counted under that name nobody.
const NOBODY: &str = "nobody named";

/// A control in an Environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ControlRow {
    /// The Environment.
    pub(crate) environment: EnvironmentName,
    /// The control.
    pub(crate) control: ControlId,
    /// What is done with it now, by the newest decision.
    pub(crate) action: Action,
    /// Decisions in which it was judged.
    pub(crate) judged: u64,
    /// Of these, how many enforcing would have denied, or did.
    pub(crate) would_block: u64,
    /// Running Pods that do not meet it today.
    pub(crate) running: u64,
    /// Since when nothing would have been denied; none = something runs that does not meet it, or is denied still.
    pub(crate) clean_since: Option<Timestamp>,
    /// When it can be enforced.
    pub(crate) flips: Flips,
    /// Whose, most first.
    pub(crate) owners: Vec<Count>,
    /// What would help most.
    pub(crate) fixes: Vec<Count>,
    /// Where, the namespace with most first. Those where nothing stands against it are left out.
    pub(crate) namespaces: Vec<NamespaceRow>,
}

/// The same in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamespaceRow {
    /// The namespace.
    pub(crate) namespace: String,
    /// Decisions in which it was judged.
    pub(crate) judged: u64,
    /// Of these, how many enforcing would have denied.
    pub(crate) would_block: u64,
    /// Running Pods that do not meet it today.
    pub(crate) running: u64,
    /// Workloads that it is about.
    pub(crate) workloads: Vec<String>,
    /// When it would have denied something last.
    pub(crate) last: Option<Timestamp>,
}

/// How often something was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    /// What.
    pub(crate) what: String,
    /// How often.
    pub(crate) count: u64,
}

/// When a control can be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "when")]
pub(crate) enum Flips {
    /// It is.
    Enforced,
    /// Today: nothing would have been denied in all the time that was looked at, and nothing that runs is against it.
    Now,
    /// On that day, if nothing comes in between.
    On {
        /// The day.
        at: jiff::civil::Date,
    },
    /// Not before what runs is mended.
    Blocked,
}

#[derive(Debug, Default)]
struct Place {
    judged: u64,
    blocked: u64,
    running: u64,
    workloads: BTreeSet<String>,
    last: Option<Timestamp>,
}

#[derive(Debug)]
struct Control {
    action: Action,
    action_at: Timestamp,
    first: Timestamp,
    owners: BTreeMap<String, u64>,
    fixes: BTreeMap<String, u64>,
    places: BTreeMap<String, Place>,
}

/// What is counted.
#[derive(Debug)]
pub(super) struct Tally {
    since: Timestamp,
    until: Timestamp,
    environment: Option<EnvironmentName>,
    namespace: Option<String>,
    decisions: u64,
    controls: BTreeMap<(EnvironmentName, ControlId), Control>,
}

impl Tally {
    pub(super) fn new(
        since: Timestamp,
        until: Timestamp,
        environment: Option<EnvironmentName>,
        namespace: Option<String>,
    ) -> Self {
        Self { since, until, environment, namespace, decisions: 0, controls: BTreeMap::new() }
    }

    /// Decisions that were counted.
    pub(super) fn decisions(&self) -> u64 {
        self.decisions
    }

    fn is_asked(&self, environment: &EnvironmentName, namespace: &str) -> bool {
        self.environment.as_ref().is_none_or(|own| own == environment)
            && self.namespace.as_ref().is_none_or(|own| own == namespace)
    }

    /// Counts a decision. A dry run asks for nothing, and what is only looked at is counted as what runs.
    pub(super) fn decision(&mut self, record: &DecisionRecord) {
        let (verdict, request) = (&record.verdict, &record.request);
        let is_asked = self.is_asked(&verdict.environment, &request.namespace);
        if record.dry_run || request.operation == Operation::Audit || record.at < self.since || !is_asked {
            return;
        }
        self.decisions += 1;
        let mut counted: BTreeMap<&ControlId, (bool, Option<&str>)> = BTreeMap::new();
        for outcome in &verdict.outcomes {
            let stands = !outcome.outcome.is_met() && outcome.excepted_by.is_none();
            let (blocks, fix) = counted.entry(&outcome.control).or_default();
            if stands && !*blocks {
                (*blocks, *fix) = (true, outcome.fix.as_deref());
            }
        }
        let object: serde_json::Value = serde_json::from_str(request.object.text()).unwrap_or_default();
        let (kind, name) = assay_kube::workload_of(&request.workload.kind, &request.workload.name, &object);
        let owner = assay_kube::owner_of(&object).unwrap_or_else(|| NOBODY.to_owned());
        for (control, (blocks, fix)) in counted {
            let actions = verdict.outcomes.iter().filter(|outcome| outcome.control == *control);
            let action = actions.map(|outcome| outcome.action).max().unwrap_or(Action::Off);
            let own = self.control(&verdict.environment, control, record.at);
            if own.action_at <= record.at {
                (own.action, own.action_at) = (action, record.at);
            }
            own.first = own.first.min(record.at);
            let place = own.places.entry(request.namespace.clone()).or_default();
            place.judged += 1;
            if blocks {
                place.blocked += 1;
                place.last = place.last.max(Some(record.at));
                place.workloads.insert(format!("{kind}/{name}"));
                *own.owners.entry(owner.clone()).or_default() += 1;
                if let Some(fix) = fix {
                    *own.fixes.entry(fix.to_owned()).or_default() += 1;
                }
            }
        }
    }

    /// Counts what was found about what runs.
    pub(super) fn running(&mut self, finding: &FindingRecord) {
        let (Some(control), Some(environment)) = (&finding.control, &finding.environment) else { return };
        if finding.kind != FindingKind::ControlNotMet || !self.is_asked(environment, &finding.namespace) {
            return;
        }
        let until = self.until;
        let own = self.control(environment, control, until);
        let place = own.places.entry(finding.namespace.clone()).or_default();
        place.running += finding.pods;
        place.workloads.insert(finding.workload.clone());
        *own.owners.entry(finding.owner.clone().unwrap_or_else(|| NOBODY.to_owned())).or_default() += finding.pods;
        if let Some(fix) = &finding.fix {
            *own.fixes.entry(fix.clone()).or_default() += finding.pods;
        }
    }

    fn control(&mut self, environment: &EnvironmentName, control: &ControlId, at: Timestamp) -> &mut Control {
        self.controls.entry((environment.clone(), control.clone())).or_insert_with(|| Control {
            action: Action::Audit,
            action_at: Timestamp::MIN,
            first: at,
            owners: BTreeMap::new(),
            fixes: BTreeMap::new(),
            places: BTreeMap::new(),
        })
    }

    /// Each control in each Environment, by name.
    pub(super) fn rows(self, days: u16) -> Vec<ControlRow> {
        let (until, since) = (self.until, self.since);
        let controls = self.controls.into_iter();
        controls.map(|((environment, control), own)| own.row(environment, control, days, since, until)).collect()
    }
}

impl Control {
    fn row(
        self,
        environment: EnvironmentName,
        control: ControlId,
        days: u16,
        since: Timestamp,
        until: Timestamp,
    ) -> ControlRow {
        let sum = |of: fn(&Place) -> u64| self.places.values().map(of).sum();
        let last = self.places.values().filter_map(|place| place.last).max();
        let running: u64 = sum(|place| place.running);
        let clean_since = (running == 0).then(|| last.unwrap_or(self.first));
        let wait = SignedDuration::from_hours(24 * i64::from(days));
        let day = |from: Timestamp| {
            let at = from.checked_add(wait).unwrap_or(until);
            at.to_zoned(jiff::tz::TimeZone::UTC).date()
        };
        // What has never been against it was seen from the first decision on; a day is little next to two weeks.
        let is_seen = self.first <= since.checked_add(SignedDuration::from_hours(24)).unwrap_or(since);
        let flips = match (self.action.denies(), clean_since) {
            (true, _) => Flips::Enforced,
            (false, None) => Flips::Blocked,
            (false, Some(_)) if last.is_none() && is_seen => Flips::Now,
            (false, Some(from)) => Flips::On { at: day(from) },
        };
        let mut namespaces: Vec<NamespaceRow> = self
            .places
            .iter()
            .filter(|(_, place)| place.blocked + place.running > 0)
            .map(|(namespace, place)| NamespaceRow {
                namespace: namespace.clone(),
                judged: place.judged,
                would_block: place.blocked,
                running: place.running,
                workloads: place.workloads.iter().cloned().collect(),
                last: place.last,
            })
            .collect();
        namespaces.sort_by(|a, b| {
            (b.would_block + b.running).cmp(&(a.would_block + a.running)).then_with(|| a.namespace.cmp(&b.namespace))
        });
        ControlRow {
            environment,
            control,
            action: self.action,
            judged: sum(|place| place.judged),
            would_block: sum(|place| place.blocked),
            running,
            clean_since,
            flips,
            owners: most(&self.owners),
            fixes: most(&self.fixes),
            namespaces,
        }
    }
}

/// What was said most often.
fn most(counts: &BTreeMap<String, u64>) -> Vec<Count> {
    let mut counts: Vec<Count> =
        counts.iter().map(|(what, count)| Count { what: what.clone(), count: *count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
    counts.truncate(NAMED);
    counts
}

#[cfg(test)]
mod tests;
