//! How old things are, told when somebody asks: an age that is written down grows wrong.
//!
//! What is not known is not shown: an alert on an age that is missing is written with `absent`.

use std::sync::{Mutex, PoisonError};

use assay_model::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabel {
    cluster: String,
}

/// A gauge that may be absent: a family with no label at all.
type Optional = Family<[(&'static str, &'static str); 0], Gauge>;

/// Ages, and the times of the last drill.
#[derive(Debug)]
pub(crate) struct AgeMetrics {
    feed: Optional,
    outbox: Optional,
    inventory: Family<ClusterLabel, Gauge>,
    drill_passed: Optional,
    drill_begun: Optional,
    known: Mutex<Known>,
}

/// Since when.
#[derive(Clone, Debug, Default)]
struct Known {
    outbox: Option<Timestamp>,
    inventory: Option<(String, Timestamp)>,
}

impl AgeMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let own = Self {
            feed: Family::default(),
            outbox: Family::default(),
            inventory: Family::default(),
            drill_passed: Family::default(),
            drill_begun: Family::default(),
            known: Mutex::default(),
        };
        registry.register("feed_age_seconds", "Age of the vulnerability data", own.feed.clone());
        registry.register(
            "outbox_oldest_seconds",
            "How long the oldest alert waits that is to be delivered, 0 where none does",
            own.outbox.clone(),
        );
        registry.register(
            "inventory_lag_seconds",
            "Age of the inventory of what runs, on the replica that keeps it",
            own.inventory.clone(),
        );
        registry.register(
            "drill_passed_timestamp_seconds",
            "When the drill of the chart passed last",
            own.drill_passed.clone(),
        );
        registry.register(
            "drill_begun_timestamp_seconds",
            "When the drill of the chart was begun last",
            own.drill_begun.clone(),
        );
        own
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the oldest alert waits.
    pub(crate) fn set_outbox(&self, oldest: Option<Timestamp>) {
        self.known().outbox = oldest;
        drop(self.outbox.get_or_create(&[]));
    }

    /// When the inventory of a cluster was written.
    pub(crate) fn set_inventory(&self, cluster: &str, at: Timestamp) {
        self.known().inventory = Some((cluster.to_owned(), at));
    }

    /// Another replica keeps it from now on.
    pub(crate) fn drop_inventory(&self) {
        self.known().inventory = None;
        self.inventory.clear();
    }

    /// What the CronJob of the drill says of itself: neither, where there is none.
    pub(crate) fn set_drill(&self, begun: Option<Timestamp>, passed: Option<Timestamp>) {
        for (gauge, at) in [(&self.drill_begun, begun), (&self.drill_passed, passed)] {
            gauge.clear();
            if let Some(at) = at {
                gauge.get_or_create(&[]).set(at.as_second());
            }
        }
    }

    /// Writes the ages as of `now`; `data` is until when the vulnerability data reaches.
    pub(crate) fn tell(&self, now: Timestamp, data: Option<Timestamp>) {
        let age = |since: Timestamp| now.duration_since(since).as_secs().max(0);
        self.feed.clear();
        if let Some(data) = data {
            self.feed.get_or_create(&[]).set(age(data));
        }
        let Known { outbox, inventory } = self.known().clone();
        if let Some(gauge) = self.outbox.get(&[]) {
            gauge.set(outbox.map_or(0, age));
        }
        if let Some((cluster, at)) = inventory {
            self.inventory.get_or_create(&ClusterLabel { cluster }).set(age(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn ages_grow_by_themselves_and_what_is_not_known_is_not_shown() {
        let mut registry = Registry::with_prefix("assay");
        let metrics = AgeMetrics::new(&mut registry);
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let told = |second: i64, data: Option<Timestamp>| {
            metrics.tell(at(second), data);
            let mut out = String::new();
            text::encode(&mut out, &registry).unwrap();
            out
        };
        let nothing = told(100, None);
        assert!(nothing.lines().all(|line| line.starts_with('#')), "{nothing}");
        metrics.set_outbox(Some(at(90)));
        metrics.set_inventory("east", at(95));
        metrics.set_drill(Some(at(50)), None);
        let out = told(100, Some(at(40)));
        for line in [
            "assay_feed_age_seconds{} 60",
            "assay_outbox_oldest_seconds{} 10",
            r#"assay_inventory_lag_seconds{cluster="east"} 5"#,
            "assay_drill_begun_timestamp_seconds{} 50",
        ] {
            assert!(out.contains(line), "{line}\n{out}");
        }
        assert!(!out.contains("\nassay_drill_passed"), "{out}");
        metrics.set_outbox(None);
        metrics.drop_inventory();
        let out = told(200, Some(at(40)));
        assert!(
            out.contains("assay_outbox_oldest_seconds{} 0") && out.contains("assay_feed_age_seconds{} 160"),
            "{out}"
        );
        assert!(!out.contains("east"), "{out}");
    }
}
