//! The lab as the tests use it: one stage, on which any attack can be tried with any controls off.

use std::path::Path;

use assay_case::Verdict;
use assay_model::Timestamp;

use super::attacks::{Attack, Fixture};
use super::error::LabError;
use super::stage::{Advisories, Stage};
use super::{path, runtime};
use crate::commands::lab::narrator::Narrator;
use crate::failure::Failure;

/// A stage with nothing on it but what an attack brings. Not for parallel use: an attack changes policy and registry
/// while it is made.
pub struct Arena {
    runtime: tokio::runtime::Runtime,
    stage: Stage,
    // The stage's files are deleted when both are gone.
    _folder: tempfile::TempDir,
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena").finish_non_exhaustive()
    }
}

/// An attack that is ready to be made, as often as wanted.
#[derive(Debug)]
pub struct Prepared(Fixture);

impl Arena {
    /// Starts a stage whose clock shows `now`. An error says what did not start.
    pub fn start(now: Timestamp) -> Result<Self, String> {
        let start = || -> crate::Result<Self> {
            let folder = tempfile::tempdir().map_err(LabError::start("a temporary folder"))?;
            let runtime = runtime()?;
            let stage = runtime.block_on(Stage::start(now, folder.path()))?;
            stage.set_advisories(Advisories::WithNews)?;
            Ok(Self { runtime, stage, _folder: folder })
        };
        start().map_err(words)
    }

    /// Builds what an attack needs.
    pub fn prepare(&self, attack: &Attack) -> Result<Prepared, String> {
        self.runtime.block_on((attack.prepare)(&self.stage)).map(Prepared).map_err(words)
    }

    /// Makes an attack, with the controls in `off` switched off in every Environment.
    pub fn attempt(&self, prepared: &Prepared, off: &[&str]) -> Result<Verdict, String> {
        self.runtime.block_on(prepared.0.attempt(&self.stage, off)).map(|(verdict, _)| verdict).map_err(words)
    }

    /// Walks the good path and gives the deployments that were refused, with the reason.
    pub fn walk(&self) -> Result<Vec<String>, String> {
        let narrator = Narrator::silent();
        let walk = async {
            // The news comes at the end of the path.
            self.stage.set_advisories(Advisories::Published)?;
            path::walk(&self.stage, &narrator, None).await
        };
        let (_, deploys) = self.runtime.block_on(walk).map_err(words)?;
        let refused = deploys.into_iter().filter(|deploy| !deploy.admitted);
        Ok(refused.map(|deploy| format!("{}: {}", deploy.workload, deploy.message)).collect())
    }

    /// Where the stage's files are.
    pub fn folder(&self) -> &Path {
        self.stage.folder()
    }
}

fn words(failure: Failure) -> String {
    format!("{}: {} {}", failure.code, failure.what, failure.causes.join("; "))
}
