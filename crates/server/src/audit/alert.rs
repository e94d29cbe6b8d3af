//! What of the audit somebody has to be told who does not look at the console: one alert for each owner and matter, which
//! ends by itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use assay_model::Severity;
use assay_store::{Alert, AlertKey, FindingKind, FindingRecord, PLATFORM_OWNER};

/// Which part of Assay raises and resolves these: the audit of one cluster. Several may share a store.
pub fn source(cluster: &str) -> String {
    format!("audit/{cluster}")
}

/// Alerts of the audit that are open at once; beyond that the worst stay.
const OPEN_MAX: usize = 1_000;
/// Workloads that a sentence names.
const NAMED: usize = 5;
/// Controls that mean that somebody is, or may be, attacking.
const CRITICAL: [&str; 5] =
    ["known-exploited", "no-malicious-packages", "require-signature", "runtime-match", "trusted-signer"];

/// A break-glass Exception that lifts something for Pods that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Pods that run by it.
    pub pods: u64,
}

/// The alerts that stand by what is open, in the order of their keys.
///
/// - What would be denied: one alert for each owner, control and Environment, however many workloads it is about. That is
///   how a revoked signer, a new KEV entry and an Exception that has ended are told.
/// - An Exception that has ended while Pods need it, and a break-glass one that Pods run by.
/// - An edit of Assay's own registration and definitions.
pub fn standing<'f>(
    cluster: &str,
    open: impl Iterator<Item = &'f FindingRecord>,
    break_glass: &[BreakGlass],
) -> BTreeMap<AlertKey, Alert> {
    let mut alerts = BTreeMap::new();
    let mut not_met: BTreeMap<AlertKey, BTreeSet<String>> = BTreeMap::new();
    let owner = |owner: Option<&String>| owner.map_or_else(|| PLATFORM_OWNER.to_owned(), Clone::clone);
    let mut raise = |key: AlertKey, severity, summary| {
        let alert = Alert { key: key.clone(), source: source(cluster), severity, summary };
        alerts.insert(key, alert);
    };
    for finding in open {
        let environment = finding.environment.as_ref().map(ToString::to_string).unwrap_or_default();
        match (finding.kind, &finding.control) {
            (FindingKind::ControlNotMet, Some(control)) if finding.denies => {
                let key = AlertKey { owner: owner(finding.owner.as_ref()), subject: control.to_string(), environment };
                not_met.entry(key).or_default().insert(format!("{}/{}", finding.namespace, finding.workload));
            }
            (FindingKind::ExceptionEnds, _) if finding.denies => {
                let key =
                    AlertKey { owner: owner(finding.owner.as_ref()), subject: finding.workload.clone(), environment };
                raise(key, Severity::High, finding.message.clone());
            }
            (FindingKind::Tampering, _) => {
                let key = AlertKey { owner: PLATFORM_OWNER.to_owned(), subject: finding.workload.clone(), environment };
                raise(key, Severity::Critical, finding.message.clone());
            }
            _ => {}
        }
    }
    for (key, workloads) in not_met {
        let critical = CRITICAL.contains(&key.subject.as_str());
        let severity = if critical { Severity::Critical } else { Severity::High };
        let summary = format!(
            "{} in {} would be denied by {}: {}",
            if workloads.len() == 1 {
                "1 running workload".to_owned()
            } else {
                format!("{} running workloads", workloads.len())
            },
            if key.environment.is_empty() { "the cluster" } else { &key.environment },
            key.subject,
            listed(&workloads)
        );
        raise(key, severity, summary);
    }
    for BreakGlass { name, owner: whose, pods } in break_glass.iter().filter(|own| own.pods > 0) {
        let subject = format!("BreakGlass/{name}");
        let key = AlertKey { owner: owner(whose.as_ref()), subject, environment: String::new() };
        let run = if *pods == 1 { "1 Pod runs".to_owned() } else { format!("{pods} Pods run") };
        raise(key, Severity::Critical, format!("{run} by the break-glass Exception {name}, past what is enforced"));
    }
    if alerts.len() > OPEN_MAX {
        let mut worst: Vec<_> = alerts.into_iter().collect();
        worst.sort_by_key(|(_, alert)| Reverse(alert.severity));
        worst.truncate(OPEN_MAX);
        alerts = worst.into_iter().collect();
    }
    alerts
}

fn listed(workloads: &BTreeSet<String>) -> String {
    let named: Vec<&str> = workloads.iter().take(NAMED).map(String::as_str).collect();
    let more = workloads.len().saturating_sub(NAMED);
    if more == 0 { named.join(", ") } else { format!("{}, and {more} more", named.join(", ")) }
}

/// What has been told to the store already.
#[derive(Debug, Default)]
pub struct Told {
    alerts: BTreeMap<AlertKey, Alert>,
    /// Whether what an earlier leader raised, and what is over, has been resolved.
    is_settled: bool,
}

impl Told {
    /// What has to be raised or said otherwise, and whether others have to be resolved, so that the store holds these.
    pub fn news(&self, standing: &BTreeMap<AlertKey, Alert>) -> (Vec<Alert>, bool) {
        let raised = standing.iter().filter(|(key, alert)| self.alerts.get(key) != Some(alert));
        let over = !self.is_settled || self.alerts.keys().any(|key| !standing.contains_key(key));
        (raised.map(|(_, alert)| alert.clone()).collect(), over)
    }

    /// The store holds these now, and no others where what is over was resolved.
    pub fn kept(&mut self, standing: BTreeMap<AlertKey, Alert>, resolved: bool) {
        let is_less = self.alerts.keys().any(|key| !standing.contains_key(key));
        self.is_settled = resolved || self.is_settled && !is_less;
        self.alerts = standing;
    }
}

#[cfg(test)]
mod tests {
    use assay_model::Timestamp;

    use super::*;

    fn finding(kind: FindingKind, workload: &str, control: Option<&str>, owner: Option<&str>) -> FindingRecord {
        FindingRecord {
            id: format!("{workload}{control:?}"),
            cluster: "default".into(),
            kind,
            namespace: "shop".into(),
            workload: workload.into(),
            container: "api".into(),
            control: control.map(|id| id.parse().unwrap()),
            environment: control.map(|_| "prod".parse().unwrap()),
            owner: owner.map(Into::into),
            denies: true,
            message: format!("{workload}: it is so"),
            fix: None,
            digest: None,
            pods: 3,
            opened: Timestamp::UNIX_EPOCH,
            closed: None,
        }
    }

    #[test]
    fn one_alert_for_an_owner_and_a_control_however_many_workloads() {
        let mut open: Vec<FindingRecord> = (0..7)
            .map(|number| {
                let workload = format!("Deployment/api-{number}");
                finding(FindingKind::ControlNotMet, &workload, Some("known-exploited"), Some("team-shop"))
            })
            .collect();
        open.push(finding(FindingKind::ControlNotMet, "Deployment/web", Some("trusted-signer"), None));
        let recorded =
            FindingRecord { denies: false, ..finding(FindingKind::ControlNotMet, "Pod/a", Some("high-cve"), None) };
        open.push(recorded);
        let alerts = standing("default", open.iter(), &[]);
        let said: Vec<_> =
            alerts.values().map(|own| (own.key.owner.as_str(), own.severity, own.summary.as_str())).collect();
        assert_eq!(
            said,
            [
                (
                    "platform",
                    Severity::Critical,
                    "1 running workload in prod would be denied by trusted-signer: shop/Deployment/web"
                ),
                (
                    "team-shop",
                    Severity::Critical,
                    "7 running workloads in prod would be denied by known-exploited: shop/Deployment/api-0, shop/Deployment/api-1, \
                 shop/Deployment/api-2, shop/Deployment/api-3, shop/Deployment/api-4, and 2 more"
                ),
            ]
        );
    }

    #[test]
    fn break_glass_ended_exceptions_and_edits_are_told() {
        let ended = finding(FindingKind::ExceptionEnds, "Exception/zlib", None, Some("team-shop"));
        let ends_soon =
            FindingRecord { denies: false, ..finding(FindingKind::ExceptionEnds, "Exception/other", None, None) };
        let edited = finding(FindingKind::Tampering, "CustomResourceDefinition/exceptions.assay.dev", None, None);
        let glass = |name: &str, pods| BreakGlass { name: name.into(), owner: None, pods };
        let alerts =
            standing("default", [&ended, &ends_soon, &edited].into_iter(), &[glass("night", 2), glass("unused", 0)]);
        let subjects: Vec<_> = alerts.keys().map(|key| key.subject.as_str()).collect();
        assert_eq!(subjects, ["BreakGlass/night", "CustomResourceDefinition/exceptions.assay.dev", "Exception/zlib"]);
    }

    #[test]
    fn only_news_is_told() {
        let open = [finding(FindingKind::ControlNotMet, "Deployment/api", Some("known-exploited"), None)];
        let (alerts, mut told) = (standing("default", open.iter(), &[]), Told::default());
        assert_eq!(
            (told.news(&alerts).0.len(), told.news(&alerts).1),
            (1, true),
            "an earlier leader may have raised others"
        );
        told.kept(alerts.clone(), false);
        assert_eq!(told.news(&alerts), (Vec::new(), true), "nothing was resolved yet");
        told.kept(alerts.clone(), true);
        assert_eq!(told.news(&alerts), (Vec::new(), false));
        assert_eq!(told.news(&BTreeMap::new()), (Vec::new(), true));
    }

    #[test]
    fn alerts_are_bounded_and_the_worst_stay() {
        let mut open: Vec<FindingRecord> = (0..OPEN_MAX)
            .map(|number| {
                finding(FindingKind::ControlNotMet, "Pod/a", Some("high-cve"), Some(&format!("team-{number}")))
            })
            .collect();
        open.push(finding(FindingKind::ControlNotMet, "Pod/a", Some("known-exploited"), Some("zoo")));
        let alerts = standing("default", open.iter(), &[]);
        assert_eq!(alerts.len(), OPEN_MAX);
        assert!(alerts.keys().any(|key| key.owner == "zoo"));
    }
}
