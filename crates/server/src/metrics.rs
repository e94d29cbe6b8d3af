//! Metrics with bounded labels: no image, digest, vulnerability, namespace or Pod ever becomes one.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

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
    pub(crate) objects_refused: Gauge,
    pub(crate) webhook_writes: Counter,
    pub(crate) watch_failures: Counter,
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
            objects_refused: Gauge::default(),
            webhook_writes: Counter::default(),
            watch_failures: Counter::default(),
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
        registry.register("build", "Version of Assay", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, ..metrics }
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
}
