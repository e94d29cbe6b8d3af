//! `assay lab`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::lab::LabOptions;

/// `assay lab`
#[derive(Debug, Args)]
pub(crate) struct LabArguments {
    /// Keep registry content, keys, manifests, policy and store in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Wait for Enter before each step
    #[arg(long)]
    step: bool,
    /// Leave the servers up and print what to try next
    #[arg(long)]
    serve: bool,
}

impl LabArguments {
    /// What the lab is to do.
    pub(crate) fn resolve(self) -> LabOptions {
        LabOptions { keep: self.keep, step: self.step, serve: self.serve }
    }
}
