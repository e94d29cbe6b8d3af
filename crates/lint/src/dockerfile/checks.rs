//! The rules for Dockerfiles, by what they look at.

mod base;
mod fetch;
mod packages;
mod runtime;
mod secrets;

use super::DockerCheck;

/// Every rule, in the order of the reference.
pub(super) fn all() -> impl Iterator<Item = &'static DockerCheck> {
    base::CHECKS.iter().chain(secrets::CHECKS).chain(fetch::CHECKS).chain(packages::CHECKS).chain(runtime::CHECKS)
}
