//! The good path: one service after the other from build to running, each link real.

mod build;
mod deploy;
mod describe;
mod promote;
mod vouch;
mod zero_day;

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::Facts;
use assay_kinds::ReleaseEvidence;
use serde::Serialize;

use super::narrator::Narrator;
use super::services::Service;
use super::stage::{Published, Stage};
use crate::Result;

/// A service on its way.
pub(crate) struct Shipment {
    /// What is shipped.
    pub(crate) service: Service,
    /// The image where the build pushed it.
    pub(crate) image: Published,
    /// What was found out about it, once it was.
    pub(crate) facts: Option<Arc<Facts>>,
    /// Where its evidence is, once it has some.
    pub(crate) evidence: ReleaseEvidence,
    /// Where it was promoted to, by environment.
    pub(crate) places: BTreeMap<&'static str, Published>,
}

impl Shipment {
    /// `payments/api 1.18.3`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.service.path, self.service.version)
    }

    /// Name of its release.
    pub(crate) fn release(&self) -> String {
        format!("{}-{}-{}", self.service.team, self.service.name, self.service.version.replace('.', "-"))
    }
}

/// A deployment that should run, and whether it does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deploy {
    /// `namespace/Deployment/name`.
    pub(crate) workload: String,
    /// The environment that judged.
    pub(crate) environment: String,
    /// What runs.
    pub(crate) image: String,
    /// Whether it was admitted.
    pub(crate) admitted: bool,
    /// Id of the decision record.
    pub(crate) decision: String,
    /// Why not, where it was not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
}

/// Walks the path. A deployment that is refused is part of the result, anything else that fails ends the walk.
pub(crate) async fn walk(
    stage: &Stage,
    narrator: &Narrator<'_>,
    program: Option<&[u8]>,
) -> Result<(Vec<Shipment>, Vec<Deploy>)> {
    let mut shipments = build::build(stage, narrator, program).await?;
    describe::resolve(stage, narrator, &shipments).await?;
    describe::describe(stage, narrator, &mut shipments).await?;
    vouch::vouch(stage, narrator, &mut shipments).await?;
    promote::promote(stage, narrator, &mut shipments).await?;
    let deploys = deploy::deploy(stage, narrator, &shipments).await?;
    deploy::record(stage, narrator, &shipments)?;
    zero_day::ask(stage, narrator, &shipments).await?;
    Ok((shipments, deploys))
}
