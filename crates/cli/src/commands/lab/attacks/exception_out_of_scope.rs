//! An Exception for another namespace.

use super::fixture::exception;
use super::{Attack, Fixture};
use crate::Result;
use crate::commands::lab::recipe::Recipe;
use crate::commands::lab::services::vulnerable_base;
use crate::commands::lab::stage::Stage;
use crate::commands::lab::stage::namespace;

pub(super) const ATTACK: Attack = Attack {
    name: "exception-out-of-scope",
    title: "exception out of scope",
    story: "An exception that was approved for staging is used in production.",
    control: "exception-expiry",
    also: &["critical-cve"],
    prepare: |stage| Box::pin(prepare(stage)),
};

async fn prepare(stage: &Stage) -> Result<Fixture> {
    let layers = vulnerable_base().layer([("opt/exception-out-of-scope/README", "vulnerable\n", 0o644)]);
    let image = Recipe::built("exception-out-of-scope", &layers)?.publish(stage).await?;
    let exception = exception(stage.clock.now(), "zlib-exception-out-of-scope", &image, |spec| {
        spec.scope.namespaces = vec![namespace("payments", "staging")];
    })?;
    Ok(Fixture::deployment(&image.pinned()).with_exception(exception))
}
