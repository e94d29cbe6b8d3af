//! An Exception that has ended.

use super::fixture::exception;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::services::vulnerable_base;
use crate::commands::lab::stage::Stage;
use jiff::SignedDuration;

pub(super) const ATTACK: Attack = Attack {
    name: "expired-exception",
    title: "expired exception",
    story: "An exception for a critical finding ran out yesterday.",
    control: "exception-expiry",
    also: &["critical-cve"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let layers = vulnerable_base().layer([("opt/expired-exception/README", "vulnerable\n", 0o644)]);
    let image = Recipe::built("expired-exception", &layers)?.publish(stage).await?;
    let exception = exception(stage.clock.now(), "zlib-expired-exception", &image, |spec| {
        spec.expires_at = spec.approval.as_ref().map(|approval| approval.at + SignedDuration::from_hours(24));
    })?;
    Ok(Fixture::deployment(&image.pinned()).with_exception(exception))
}
