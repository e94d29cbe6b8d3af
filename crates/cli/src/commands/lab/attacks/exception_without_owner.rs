//! An Exception without an owner.

use super::fixture::exception;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::services::vulnerable_base;
use crate::commands::lab::stage::Stage;

pub(super) const ATTACK: Attack = Attack {
    name: "exception-without-owner",
    title: "exception without an owner",
    story: "An exception for a critical finding that nobody answers for.",
    control: "exception-expiry",
    also: &["critical-cve"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let layers = vulnerable_base().layer([("opt/exception-without-owner/README", "vulnerable\n", 0o644)]);
    let image = Recipe::built("exception-without-owner", &layers)?.publish(stage).await?;
    let exception = exception(stage.clock.now(), "zlib-exception-without-owner", &image, |spec| {
        spec.owner = None;
    })?;
    Ok(Fixture::deployment(&image.pinned()).with_exception(exception))
}
