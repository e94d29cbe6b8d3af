//! Metrics with bounded labels: no image, digest, vulnerability, namespace or Pod ever becomes one.

mod age;
mod audit;

use std::sync::atomic::AtomicU64;

use assay_model::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use self::age::AgeMetrics;
pub(crate) use self::audit::AuditMetrics;

/// Upper bounds in seconds: a warm answer takes tenths of a millisecond, the API server waits for ten seconds at most.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 10.0];

/// Labels of an answered request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Answered {
    /// `create`, `update`, `delete`, `connect` or `unknown`.
    pub(crate) operation: &'static str,
    /// `allowed`, `denied`, `passed` (nothing new would run) or `error`.
    pub(crate) decision: &'static str,
    /// `live` or `dry-run`.
    pub(crate) mode: &'static str,
}

/// Label of a trusted root: the name of an instance that a TrustRoot names, so that there are a handful.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RootLabel {
    root: String,
}

/// How it stands with a trusted root that is renewed over TUF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRootStatus {
    /// The name of its instance.
    pub name: String,
    /// When its metadata expires; none before the first refresh of all.
    pub expires: Option<Timestamp>,
    /// When a refresh succeeded last; none if none has since the start.
    pub refreshed_at: Option<Timestamp>,
    /// Refreshes that failed since.
    pub failures: u32,
}

/// All metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Family<Answered, Counter>,
    pub(crate) duration: Histogram,
    pub(crate) in_flight: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) policy_loaded: Gauge,
    pub(crate) unrecorded: Counter,
    pub(crate) certificate_errors: Counter<u64, AtomicU64>,
    root_expiry: Family<RootLabel, Gauge>,
    root_refreshed: Family<RootLabel, Gauge>,
    root_failures: Family<RootLabel, Gauge>,
    pub(crate) objects_refused: Gauge,
    pub(crate) webhook_writes: Counter,
    pub(crate) watch_failures: Counter,
    pub(crate) audit: AuditMetrics,
    pub(crate) warming: WarmingMetrics,
    pub(crate) age: AgeMetrics,
}

/// What is kept warm.
#[derive(Clone, Debug, Default)]
pub(crate) struct WarmingMetrics {
    /// Images whose facts are gathered ahead.
    pub(crate) images: Gauge,
    /// Times that the facts of one were.
    pub(crate) gathered: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("assay");
        let metrics = Self {
            requests: Family::default(),
            duration: Histogram::new(BUCKETS),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            policy_loaded: Gauge::default(),
            unrecorded: Counter::default(),
            certificate_errors: Counter::default(),
            root_expiry: Family::default(),
            root_refreshed: Family::default(),
            root_failures: Family::default(),
            objects_refused: Gauge::default(),
            webhook_writes: Counter::default(),
            watch_failures: Counter::default(),
            audit: AuditMetrics::new(&mut registry),
            warming: WarmingMetrics::default(),
            age: AgeMetrics::new(&mut registry),
            registry: Registry::default(),
        };
        registry.register("admission_requests", "Admission requests answered", metrics.requests.clone());
        registry.register(
            "admission_duration_seconds",
            "Time from the whole body to the answer",
            metrics.duration.clone(),
        );
        registry.register("admission_in_flight", "Admission requests being judged", metrics.in_flight.clone());
        registry.register("decisions_waiting", "Decisions that the store has not taken yet", metrics.waiting.clone());
        registry.register("policy_loaded", "1 when a policy is compiled and in use", metrics.policy_loaded.clone());
        registry.register(
            "decisions_unrecorded",
            "Answers withheld because they could not be recorded",
            metrics.unrecorded.clone(),
        );
        registry.register(
            "certificate_reload_errors",
            "Certificate files that could not be used",
            metrics.certificate_errors.clone(),
        );
        registry.register(
            "trust_root_expiry_timestamp_seconds",
            "When the metadata of a trusted root expires: by then a refresh must have succeeded",
            metrics.root_expiry.clone(),
        );
        registry.register(
            "trust_root_refresh_timestamp_seconds",
            "When a trusted root was refreshed last, 0 if not since the start",
            metrics.root_refreshed.clone(),
        );
        registry.register(
            "trust_root_refresh_failures",
            "Refreshes of a trusted root that failed since the last that succeeded",
            metrics.root_failures.clone(),
        );
        registry.register(
            "cluster_objects_refused",
            "Objects of the cluster that are not in force as they are written",
            metrics.objects_refused.clone(),
        );
        registry.register(
            "cluster_webhook_writes",
            "Webhook configurations made or repaired",
            metrics.webhook_writes.clone(),
        );
        registry.register("cluster_watch_failures", "Watches that were lost", metrics.watch_failures.clone());
        registry.register("warm_images", "Images whose facts are gathered ahead", metrics.warming.images.clone());
        registry.register("warmed", "Images whose facts were gathered ahead", metrics.warming.gathered.clone());
        registry.register("build", "Version of Assay", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, ..metrics }
    }

    /// Shows these trusted roots and no others.
    pub(crate) fn set_trust_roots(&self, roots: &[TrustRootStatus]) {
        let families = [&self.root_expiry, &self.root_refreshed, &self.root_failures];
        for family in families {
            family.clear();
        }
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        for root in roots {
            let figures =
                [seconds(root.expires), Some(seconds(root.refreshed_at).unwrap_or(0)), Some(i64::from(root.failures))];
            for (family, figure) in families.iter().zip(figures) {
                if let Some(figure) = figure {
                    family.get_or_create(&RootLabel { root: root.name.clone() }).set(figure);
                }
            }
        }
    }

    /// OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_documented() {
        let metrics = Metrics::new();
        metrics.requests.get_or_create(&Answered { operation: "create", decision: "denied", mode: "live" }).inc();
        metrics.duration.observe(0.0004);
        let text = metrics.encode();
        for line in [
            r#"assay_admission_requests_total{operation="create",decision="denied",mode="live"} 1"#,
            r#"assay_admission_duration_seconds_bucket{le="0.0005"} 1"#,
            "assay_build_info{version=",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn trusted_roots_are_shown_as_long_as_somebody_names_them() {
        let metrics = Metrics::new();
        let at = |text: &str| Some(text.parse().unwrap());
        let good = TrustRootStatus {
            name: "public-good".into(),
            expires: at("2026-12-01T00:00:00Z"),
            refreshed_at: at("2026-11-21T00:00:00Z"),
            failures: 0,
        };
        let never = TrustRootStatus { name: "custom".into(), expires: None, refreshed_at: None, failures: 3 };
        metrics.set_trust_roots(&[good.clone(), never]);
        let text = metrics.encode();
        for line in [
            r#"assay_trust_root_expiry_timestamp_seconds{root="public-good"} 1796083200"#,
            r#"assay_trust_root_refresh_timestamp_seconds{root="public-good"} 1795219200"#,
            r#"assay_trust_root_refresh_failures{root="public-good"} 0"#,
            r#"assay_trust_root_refresh_timestamp_seconds{root="custom"} 0"#,
            r#"assay_trust_root_refresh_failures{root="custom"} 3"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains(r#"expiry_timestamp_seconds{root="custom"}"#), "what is not known is not shown");
        metrics.set_trust_roots(&[good]);
        assert!(!metrics.encode().contains("custom"));
    }

    /// Every metric, with a sample each.
    fn all() -> String {
        let metrics = Metrics::new();
        let at: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        metrics.requests.get_or_create(&Answered { operation: "create", decision: "denied", mode: "live" }).inc();
        let root =
            TrustRootStatus { name: "public-good".into(), expires: Some(at), refreshed_at: Some(at), failures: 0 };
        metrics.set_trust_roots(&[root]);
        metrics.audit.set_findings(std::iter::empty());
        metrics.audit.set_exceptions(std::iter::empty());
        let digest = assay_model::Digest::of(b"");
        metrics.audit.set_running(&[assay_store::RunningRisk { environment: None, digest, counts: None }]);
        metrics.age.set_outbox(None);
        metrics.age.set_inventory("default", at);
        metrics.age.set_drill(Some(at), Some(at));
        metrics.age.tell(at, Some(at));
        metrics.encode()
    }

    /// The names in a text that look like metrics of ours.
    fn named(text: &str) -> std::collections::BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let starts = text.match_indices("assay_").map(|(at, _)| &text[at..]);
        starts.map(|rest| rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())].to_owned()).collect()
    }

    #[test]
    fn the_dashboard_the_alerts_and_the_guides_name_metrics_that_there_are() {
        let mut told: std::collections::BTreeSet<String> =
            all().lines().filter(|line| !line.starts_with('#')).flat_map(named).collect();
        // A histogram goes by the name that its parts have in common.
        let whole: Vec<String> =
            told.iter().filter_map(|name| name.strip_suffix("_bucket").map(str::to_owned)).collect();
        told.extend(whole);
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        let dashboard = read("deploy/chart/dashboard.json");
        let json: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
        let panels = json["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
        for panel in panels {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty() && panel["description"].is_string(), "{panel}");
            assert!(targets.iter().all(|own| own["expr"].as_str().is_some_and(|text| text.contains("assay_"))));
        }
        let mut shown = std::collections::BTreeSet::new();
        for file in ["deploy/chart/dashboard.json", "deploy/chart/templates/monitoring.yaml", "docs/guide/operate.md"] {
            let own = named(&read(file));
            assert!(!own.is_empty(), "{file}");
            for name in &own {
                assert!(told.contains(name), "{file}: there is no metric {name}");
            }
            shown.extend(own);
        }
        // And what is told can be looked up.
        let documented = named(&read("docs/guide/operate.md"));
        for name in told.iter().filter(|name| !["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end))) {
            assert!(documented.contains(name), "docs/guide/operate.md does not say what {name} is");
        }
    }
}
