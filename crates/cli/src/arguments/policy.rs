//! `check`, `lint`, `pin`, `policy`, `exception`.

use std::path::PathBuf;

use assay_kinds::Span;
use assay_model::{ControlId, Digest, Platform, Severity, Timestamp};
use clap::{Args, Subcommand};

use super::{IdentityArguments, SignerArguments};

/// `assay check`
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Manifest file or folder, - for standard input (helm template, kustomize build); may be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Environment that judges; the namespace selects one where missing
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Namespace of objects that name none
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
    /// Platform that nodes of the cluster run; may be repeated
    #[arg(long)]
    pub(crate) platform: Vec<Platform>,
    /// Vulnerability pack instead of the embedded sample
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
}

/// `assay lint`
#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Dockerfile, pipeline, manifest, or a folder of them; - for manifests on standard input
    #[arg(value_name = "PATH", required = true)]
    pub(crate) path: Vec<PathBuf>,
    /// Lowest severity that exits with 1
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    pub(crate) fail_on: Severity,
    /// Environment whose parameters the Gate's controls have
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

/// `assay pin`
#[derive(Debug, Args)]
pub(crate) struct PinArguments {
    /// Manifest, kustomization, Helm values, Dockerfile or pipeline, or a folder of them; may be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Show what would change and change nothing; exit 1 if anything would
    #[arg(long)]
    pub(crate) diff: bool,
    /// List what is not pinned, ask no registry and change nothing; exit 1 if there is any
    #[arg(long, conflicts_with = "diff")]
    pub(crate) check: bool,
    /// Verify who signed each image, as verify does, those with a digest included; an image that is not signed so is not
    /// pinned, exit 1
    #[arg(long, conflicts_with = "check")]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) who: IdentityArguments,
    /// Sigstore instance to trust: publicGood (default), github, staging, or its trusted root (JSON file)
    #[arg(long, value_name = "NAME|FILE", requires = "verify")]
    pub(crate) trusted_root: Option<PathBuf>,
}

/// `assay policy`
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the controls and what each Environment does with them
    List,
    /// Say what a control checks, why, and how to meet it
    Explain {
        /// The control
        control: String,
    },
    /// Write what the API server can refuse by itself: one merged ValidatingAdmissionPolicy and binding an Environment
    Backstop {
        /// Assay's own namespace, which is not judged
        #[arg(long, value_name = "NAME", default_value = "assay-system")]
        own_namespace: String,
    },
}

/// `assay exception`
#[derive(Debug, Subcommand)]
pub(crate) enum ExceptionCommand {
    /// Write a new Exception to fill in and have approved
    New(Box<ExceptionNewArguments>),
    /// Approve an Exception: sign what it says, and write the signature beside its file
    Approve(Box<ExceptionApproveArguments>),
    /// Say of each Exception whether it counts, and if not why
    Check {
        /// File or folder with Exceptions, besides --config; may be repeated
        #[arg(short, long = "file", value_name = "PATH")]
        file: Vec<PathBuf>,
        /// Environment to check for; all where missing
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
    },
}

/// `assay exception approve`
#[derive(Debug, Args)]
pub(crate) struct ExceptionApproveArguments {
    /// File with the Exception
    pub(crate) file: PathBuf,
    /// Name of the Exception, where the file holds several
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Ticket or record of the decision
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// Environment to approve it for; any where missing
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    #[command(flatten)]
    pub(crate) signer: SignerArguments,
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
