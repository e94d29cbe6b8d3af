//! `assay lab`: a private supply chain on this machine, walked from build to running and then attacked.
//!
//! Nothing in it is pretended: images are pushed to a registry, signed with certificates that an authority issued, judged
//! by the Gate behind an HTTPS webhook, and recorded in a store. Only the clock is the lab's own.

mod arena;
mod attacks;
mod error;
mod keep;
mod narrator;
mod path;
mod recipe;
mod serve;
mod services;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_model::Timestamp;
use jiff::SignedDuration;
use serde::Serialize;

use crate::output::{Format, emit};
use crate::printer::Printer;
use crate::settings::Settings;
use crate::{Result, Status};

pub use arena::Arena;
pub(crate) use attacks::AttackResult;
pub use attacks::{ATTACKS, Attack};
pub(crate) use path::Deploy;

use error::LabError;
use narrator::Narrator;
use path::Shipment;
use stage::Stage;

/// How far back the lab's clock begins: its story takes a day and some hours, and ends in the past, since signatures of
/// the future are refused.
const BEGINS: SignedDuration = SignedDuration::from_hours(36);

/// What the lab is to do beside its tour.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabOptions {
    /// Where to leave everything.
    pub(crate) keep: Option<PathBuf>,
    /// Whether to wait before each step.
    pub(crate) step: bool,
    /// Whether to leave the servers up.
    pub(crate) serve: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabOutcome {
    /// The deployments that should run.
    pub(crate) deploys: Vec<Deploy>,
    /// The attacks that should be stopped.
    pub(crate) attacks: Vec<AttackResult>,
    /// How long it took, in milliseconds.
    pub(crate) milliseconds: u64,
    /// Where everything was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<PathBuf>,
}

impl LabOutcome {
    /// Passes only if everything good ran and everything bad was stopped.
    pub(crate) fn status(&self) -> Status {
        let good = !self.deploys.is_empty() && self.deploys.iter().all(|deploy| deploy.admitted);
        let bad = self.attacks.len() == ATTACKS.len() && self.attacks.iter().all(|attack| attack.stopped);
        if good && bad { Status::Pass } else { Status::Denied }
    }
}

/// Gives the tour, writes the table, and serves if asked to.
pub(crate) fn run(options: &LabOptions, settings: &Settings, printer: &Printer) -> Result<Status> {
    let narrator = Narrator::new(printer, options.step);
    let folder = Folder::new(options)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let started = Instant::now();
        let (stage, shipments, mut outcome) = tour(&narrator, folder.path()).await?;
        outcome.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if options.serve || options.keep.is_some() {
            keep::keep(&stage, &shipments, &outcome.attacks).await?;
        }
        outcome.kept.clone_from(&options.keep);
        emit(&outcome, &settings.outputs, Format::Text, printer)?;
        if options.serve {
            serve::serve(&stage, &shipments, printer).await?;
        }
        Ok(outcome.status())
    })
}

/// Walks the path, then breaks it.
async fn tour(narrator: &Narrator<'_>, folder: &Path) -> Result<(Stage, Vec<Shipment>, LabOutcome)> {
    let begins = Timestamp::now().saturating_sub(BEGINS).unwrap_or(Timestamp::UNIX_EPOCH);
    let stage = Stage::start(begins, folder).await?;
    let program = services::program();
    let (shipments, deploys) = path::walk(&stage, narrator, program.as_deref()).await?;
    narrator.step(
        "Now break it on purpose",
        "Each attack is in order in everything but one thing, so that one control must stop it.",
    );
    let attacks = attacks::run(&stage, narrator).await?;
    let outcome = LabOutcome { deploys, attacks, milliseconds: 0, kept: None };
    Ok((stage, shipments, outcome))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(LabError::start("the runtime"))?)
}

/// Where the lab's files are: a folder that stays, or one that goes with the lab.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn new(options: &LabOptions) -> Result<Self> {
        use crate::failure::CliError;
        let Some(path) = &options.keep else {
            let folder = tempfile::Builder::new().prefix("assay-lab-").tempdir();
            return Ok(Self::Temporary(folder.map_err(LabError::start("a temporary folder"))?));
        };
        std::fs::create_dir_all(path).map_err(CliError::unwritable(path))?;
        let mut entries = std::fs::read_dir(path).map_err(CliError::unreadable(path))?;
        if entries.next().is_some() {
            let message = format!("{} is not empty", path.display());
            return Err(CliError::Usage { message, next: "--keep with a new folder".to_owned() }.into());
        }
        Ok(Self::Kept(path.clone()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
