//! When the drill of the chart passed last, as its CronJob says: the API server keeps that, so that every replica knows it
//! whatever store it has, and nothing has to be written by the drill. Who could forge it may also delete the CronJob.

use std::sync::Arc;
use std::time::Duration;

use assay_kube::{CRON_JOBS, StoredObject};
use assay_model::Timestamp;

use super::controller::Shared;

/// The CronJob of the chart, in Assay's own namespace.
const NAME: &str = "assay-drill";
/// How often it is looked at.
const LOOK: Duration = Duration::from_mins(1);

/// Looks at it from time to time.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let metrics = &shared.admissions.metrics.age;
        match shared.options.client.get(CRON_JOBS, Some(&shared.options.namespace), NAME).await {
            Ok(job) => metrics.set_drill(stamp(&job, "lastScheduleTime"), stamp(&job, "lastSuccessfulTime")),
            Err(error) if error.is_not_found() => metrics.set_drill(None, None),
            // Where it may not be looked at there is none to look at: the chart gives the right with the CronJob.
            Err(error) => tracing::debug!(%error, "the drill cannot be looked at"),
        }
    }
}

fn stamp(job: &StoredObject, field: &str) -> Option<Timestamp> {
    job.0["status"][field].as_str()?.parse().ok()
}
