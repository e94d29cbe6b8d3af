//! Metrics of the background audit. Environments become a label, as many as there may be; names of Pods never do.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::FindingCounts;
use assay_store::{FindingKind, FindingRecord, RunningRisk};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds of one round: twenty thousand Pods take less than one.
const BUCKETS: [f64; 8] = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Environments that become a label; all others are one.
const ENVIRONMENTS_MAX: usize = 50;
/// What those others are called, and what has none.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct FindingLabel {
    kind: &'static str,
    environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExceptionLabel {
    state: &'static str,
    environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct ImageLabel {
    environment: String,
    severity: &'static str,
}

/// Names that become labels: the first so many, and one for all others.
#[derive(Default)]
struct Names<'n>(BTreeSet<&'n str>);

impl<'n> Names<'n> {
    fn label(&mut self, name: &'n str) -> String {
        if self.0.contains(name) || self.0.len() < ENVIRONMENTS_MAX {
            self.0.insert(name);
            return name.to_owned();
        }
        OTHER.to_owned()
    }
}

/// What the audit counts.
#[derive(Clone, Debug)]
pub(crate) struct AuditMetrics {
    /// 1 on the replica that holds the Lease.
    pub(crate) leader: Gauge,
    pub(crate) pods: Gauge,
    pub(crate) groups: Gauge,
    pub(crate) judged: Counter,
    pub(crate) duration: Histogram,
    pub(crate) findings_left_out: Gauge,
    pub(crate) inventory_at: Gauge,
    pub(crate) events_dropped: Counter,
    pub(crate) tampering: Counter,
    findings: Family<FindingLabel, Gauge>,
    exceptions: Family<ExceptionLabel, Gauge>,
    running: Family<ImageLabel, Gauge>,
}

impl AuditMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let own = Self {
            leader: Gauge::default(),
            pods: Gauge::default(),
            groups: Gauge::default(),
            judged: Counter::default(),
            duration: Histogram::new(BUCKETS),
            findings_left_out: Gauge::default(),
            inventory_at: Gauge::default(),
            events_dropped: Counter::default(),
            tampering: Counter::default(),
            findings: Family::default(),
            exceptions: Family::default(),
            running: Family::default(),
        };
        registry.register("leader", "1 on the replica that audits what runs", own.leader.clone());
        registry.register("audit_pods", "Pods that the audit knows", own.pods.clone());
        registry.register("audit_templates", "Different templates and images among them", own.groups.clone());
        registry.register("audit_judged", "Templates that were judged again", own.judged.clone());
        registry.register("audit_duration_seconds", "Time of one round of judging", own.duration.clone());
        registry.register("findings", "Open findings about what runs", own.findings.clone());
        registry.register("findings_left_out", "Findings that there was no room for", own.findings_left_out.clone());
        registry.register("exceptions", "Exceptions by what they do, once an Environment", own.exceptions.clone());
        registry.register(
            "running_images",
            "Different images that run, by the worst that is known of them",
            own.running.clone(),
        );
        registry.register(
            "inventory_timestamp_seconds",
            "When the inventory of what runs was written last",
            own.inventory_at.clone(),
        );
        registry.register("events_dropped", "Events that could not be written", own.events_dropped.clone());
        registry.register(
            "tampering",
            "Edits by others of the webhook configurations, which were repaired",
            own.tampering.clone(),
        );
        own
    }

    /// Shows what is open, and nothing else.
    pub(crate) fn set_findings<'f>(&self, open: impl Iterator<Item = &'f FindingRecord>) {
        let mut names = Names::default();
        let mut counts: BTreeMap<FindingLabel, i64> = BTreeMap::new();
        for finding in open {
            let environment = names.label(finding.environment.as_ref().map_or(OTHER, |own| own.as_str()));
            *counts.entry(FindingLabel { kind: finding.kind.name(), environment }).or_default() += 1;
        }
        self.findings.clear();
        for kind in FindingKind::ALL {
            counts.entry(FindingLabel { kind: kind.name(), environment: OTHER.to_owned() }).or_default();
        }
        for (label, count) in counts {
            self.findings.get_or_create(&label).set(count);
        }
    }

    /// Shows how many Exceptions are in which state where: one entry for each and its Environments.
    pub(crate) fn set_exceptions<'e>(&self, each: impl Iterator<Item = (&'static str, &'e str)>) {
        let mut names = Names::default();
        let mut counts: BTreeMap<(&'static str, String), i64> = BTreeMap::new();
        for (state, environment) in each {
            *counts.entry((state, names.label(environment))).or_default() += 1;
        }
        self.exceptions.clear();
        for state in ["active", "ending", "expired", "inactive"] {
            counts.entry((state, OTHER.to_owned())).or_default();
        }
        for ((state, environment), count) in counts {
            self.exceptions.get_or_create(&ExceptionLabel { state, environment }).set(count);
        }
    }

    /// Shows how many different images run where, by the worst that is known of each.
    pub(crate) fn set_running(&self, running: &[RunningRisk]) {
        let mut names = Names::default();
        let mut counts: BTreeMap<ImageLabel, i64> = BTreeMap::new();
        for image in running {
            let environment = names.label(image.environment.as_ref().map_or(OTHER, |own| own.as_str()));
            let severity = image.counts.as_ref().map_or("unscanned", worst);
            *counts.entry(ImageLabel { environment, severity }).or_default() += 1;
        }
        self.running.clear();
        for (label, count) in counts {
            self.running.get_or_create(&label).set(count);
        }
    }
}

/// The worst of an image's findings, in a word.
fn worst(counts: &FindingCounts) -> &'static str {
    let of = [
        (counts.known_exploited, "exploited"),
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
        (counts.unknown, "unknown"),
    ];
    of.into_iter().find(|(count, _)| *count > 0).map_or("none", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use assay_model::Timestamp;
    use prometheus_client::encoding::text;

    use super::*;

    fn finding(number: usize) -> FindingRecord {
        FindingRecord {
            id: number.to_string(),
            cluster: "default".into(),
            kind: FindingKind::ControlNotMet,
            namespace: format!("team-{number}"),
            workload: "Deployment/api".into(),
            container: "api".into(),
            control: "require-digest".parse().ok(),
            environment: format!("e{number}").parse().ok(),
            owner: None,
            denies: true,
            message: "no digest".into(),
            fix: None,
            digest: None,
            pods: 1,
            opened: Timestamp::UNIX_EPOCH,
            closed: None,
        }
    }

    #[test]
    fn a_thousand_environments_are_fifty_labels() {
        let mut registry = Registry::with_prefix("assay");
        let metrics = AuditMetrics::new(&mut registry);
        let findings: Vec<FindingRecord> = (0..1_000).map(finding).collect();
        metrics.set_findings(findings.iter());
        let encoded = |registry: &Registry| {
            let mut out = String::new();
            text::encode(&mut out, registry).unwrap();
            out
        };
        let out = encoded(&registry);
        let shown = out.lines().filter(|line| line.starts_with("assay_findings{kind=\"control-not-met\"")).count();
        assert_eq!(shown, ENVIRONMENTS_MAX + 1, "{out}");
        assert!(out.contains("assay_findings{kind=\"control-not-met\",environment=\"other\"} 950"), "{out}");
        assert!(!out.contains("team-1") && out.contains("environment=\"e0\"} 1"));
        // What is closed is not shown any more.
        metrics.set_findings(std::iter::empty());
        assert!(!encoded(&registry).contains("environment=\"e0\""));
    }

    #[test]
    fn an_image_counts_once_by_the_worst_of_it() {
        let mut registry = Registry::with_prefix("assay");
        let metrics = AuditMetrics::new(&mut registry);
        let image = |number: u8, counts: Option<FindingCounts>| RunningRisk {
            environment: "prod".parse().ok(),
            digest: assay_model::Digest::of(&[number]),
            counts,
        };
        let bad = FindingCounts { critical: 1, low: 7, ..FindingCounts::default() };
        let worse = FindingCounts { known_exploited: 1, high: 1, ..FindingCounts::default() };
        metrics.set_running(&[
            image(1, Some(bad)),
            image(2, Some(bad)),
            image(3, Some(worse)),
            image(4, Some(FindingCounts::default())),
            image(5, None),
        ]);
        metrics.set_exceptions([("active", "prod"), ("active", "prod"), ("expired", "dev")].into_iter());
        let mut out = String::new();
        text::encode(&mut out, &registry).unwrap();
        for line in [
            r#"assay_running_images{environment="prod",severity="critical"} 2"#,
            r#"assay_running_images{environment="prod",severity="exploited"} 1"#,
            r#"assay_running_images{environment="prod",severity="none"} 1"#,
            r#"assay_running_images{environment="prod",severity="unscanned"} 1"#,
            r#"assay_exceptions{state="active",environment="prod"} 2"#,
            r#"assay_exceptions{state="expired",environment="dev"} 1"#,
        ] {
            assert!(out.contains(line), "{line}\n{out}");
        }
    }
}
