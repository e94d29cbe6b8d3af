//! `check`, `pin`, `policy`, `exception`.

use std::path::PathBuf;

use assay_kinds::Span;
use assay_model::{ControlId, Digest, Timestamp};
use clap::{Args, Subcommand};

/// `assay exception`
#[derive(Debug, Subcommand)]
pub(crate) enum ExceptionCommand {
    /// Write a new Exception to fill in and have approved
    New(Box<ExceptionNewArguments>),
}

/// `assay exception new`
#[derive(Debug, Args)]
pub(crate) struct ExceptionNewArguments {
    /// Control that may fail; may be repeated
    #[arg(long, value_name = "ID", required = true)]
    pub(crate) control: Vec<ControlId>,
    /// Name of the Exception; made from control and subject where missing
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Vulnerability it is about; may be repeated
    #[arg(long, value_name = "CVE")]
    pub(crate) vulnerability: Vec<String>,
    /// Package it is about, a purl or a name; may be repeated
    #[arg(long)]
    pub(crate) package: Vec<String>,
    /// Repository it is about; may be repeated
    #[arg(long)]
    pub(crate) repository: Vec<String>,
    /// Digest it is about; may be repeated
    #[arg(long)]
    pub(crate) digest: Vec<Digest>,
    /// Namespace it applies in; may be repeated
    #[arg(long)]
    pub(crate) namespace: Vec<String>,
    /// Workload it applies to, Kind/name; may be repeated
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) workload: Vec<String>,
    /// Team that answers for it
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Who asks for it
    #[arg(long, value_name = "WHO")]
    pub(crate) requested_by: Option<String>,
    /// Why it is needed
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// How long it lasts, for example 14d
    #[arg(long, value_name = "TIME", default_value = "14d", conflicts_with = "expires_at")]
    pub(crate) expires_in: Span,
    /// When it ends
    #[arg(long, value_name = "RFC3339")]
    pub(crate) expires_at: Option<Timestamp>,
    /// What protects instead
    #[arg(long, value_name = "TEXT")]
    pub(crate) compensating_control: Option<String>,
    /// An emergency: lifts enforced controls too, for a shorter time
    #[arg(long)]
    pub(crate) break_glass: bool,
    /// File to write; standard output where missing
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}
