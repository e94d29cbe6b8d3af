//! What can be typed. Types only: nothing here reads a file or decides.

mod build;
mod decisions;
mod global;
mod image;
mod key;
#[cfg(feature = "lab")]
mod lab;
mod operate;
mod policy;
mod root;
mod trust;
mod vulnerability;

use clap::{Args, Parser, Subcommand};

use crate::settings::Flags;

pub(crate) use build::{BuildArguments, SummaryArguments};
pub(crate) use decisions::{
    DecisionsCommand, DecisionsExpireArguments, DecisionsExportArguments, RecordForm, RetentionArguments,
};
pub(crate) use global::Global;
pub(crate) use image::{SaidArguments, SbomArguments, SbomCommand, ScanArguments, ScannerArgument, WrittenArguments};
pub(crate) use key::{AlgorithmArgument, KeyCommand, KeyFormatArgument, KeyNewArguments};
#[cfg(feature = "lab")]
pub(crate) use lab::LabArguments;
#[cfg(feature = "lab")]
pub(crate) use operate::DrillArguments;
pub(crate) use operate::{
    ExplainArguments, InventoryCommand, MutationArgument, ReadinessArguments, RebuildListArguments,
    ReleaseApproveArguments, ReleaseCommand, ReleaseCreateArguments, ReleasePromoteArguments, ServeArguments,
    TraceArguments, WhoRunsArguments,
};
pub(crate) use policy::{
    CheckArguments, ExceptionApproveArguments, ExceptionCommand, ExceptionNewArguments, LintArguments, PinArguments,
    PolicyCommand,
};
pub(crate) use root::{RootCommand, TrustCommand};
pub(crate) use trust::{
    AttachArguments, AttestArguments, CopyArguments, EnvelopeArgument, IdentityArguments, NotationArguments,
    SignArguments, SignatureFormatArgument, SignerArguments, TreeArguments, VerifyArguments, WitnessArgument,
    existing_image,
};
pub(crate) use vulnerability::{
    DbBuildArguments, DbCommand, DbPullArguments, DbPushArguments, DbRollbackArguments, DbUpdateArguments,
    DbVerifyArguments, VexCommand, VexCreateArguments, VexStatusArgument,
};

/// Know what is in it. Prove who made it. Decide where it may run.
#[derive(Debug, Parser)]
#[command(
    name = "assay",
    bin_name = "assay",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "Exit codes: 0 pass, 1 the policy or a threshold says no, 2 it could not be decided.\n\
                  First steps: assay scan IMAGE, assay check -f deploy/ --env prod"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands, in the order of the way of an artifact.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find vulnerabilities and secrets in an image, a directory or an SBOM
    Scan(ScanArguments),
    /// Write a software bill of materials (-o cyclonedx, the default, or -o spdx)
    Sbom(SbomArguments),
    /// Keys to sign with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign an image
    Sign(Box<SignArguments>),
    /// State something about an image, signed: an SBOM, provenance, a scan
    Attest(Box<AttestArguments>),
    /// Verify who signed an image or a file
    Verify(Box<VerifyArguments>),
    /// What signatures are verified against
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Show what hangs on an image: platforms, signatures, attestations
    Tree(TreeArguments),
    /// Copy an image with everything that refers to it
    Copy(CopyArguments),
    /// Judge manifests as the cluster will
    Check(CheckArguments),
    /// Find what makes a build or a workload unsafe: Dockerfiles, pipelines, manifests
    Lint(LintArguments),
    /// Replace tags by digests in manifests, kustomizations, Dockerfiles and pipelines
    Pin(PinArguments),
    /// Carry one digest through the environments
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// What runs where
    #[command(subcommand)]
    Inventory(InventoryCommand),
    /// Ask who runs a package, a vulnerability or a digest
    WhoRuns(WhoRunsArguments),
    /// Say which images to build again, in which order and on what
    RebuildList(RebuildListArguments),
    /// Follow custody from source to Pod
    Trace(TraceArguments),
    /// Say why a decision fell so
    Explain(ExplainArguments),
    /// The decisions that were recorded
    #[command(subcommand)]
    Decisions(DecisionsCommand),
    /// Serve the admission webhook
    Serve(Box<ServeArguments>),
    /// Try the attacks of the catalogue against a cluster, as dry runs; exit 1 names each control that does not hold
    #[cfg(feature = "lab")]
    Drill(DrillArguments),
    /// Say what enforcing a control would have blocked, whose that is, and the day it can be enforced
    Readiness(ReadinessArguments),
    /// Write the CustomResourceDefinitions of Environment, Exception, ReleaseArtifact and TrustRoot
    Crds,
    /// Controls: what is checked, why, and what each Environment does with it
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Vulnerability data
    #[command(subcommand)]
    Db(DbCommand),
    /// Say which vulnerabilities matter in your product
    #[command(subcommand)]
    Vex(VexCommand),
    /// Scoped, owned, expiring permissions to fail a control
    #[command(subcommand)]
    Exception(ExceptionCommand),
    /// Walk the whole path on this machine, from build to running, then attack it
    #[cfg(feature = "lab")]
    Lab(LabArguments),
    /// Show the settings in force and where each comes from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a completion script for a shell
    Completions(CompletionsArguments),
    /// Write a man page for each command
    Man(ManArguments),
    /// Write the command reference of this repository
    #[command(hide = true)]
    Reference(ManArguments),
}

impl Command {
    /// Adds the values of this command's flags that are settings.
    pub(crate) fn add_flags(&self, flags: &mut Flags) {
        let mut set = |name, values: Vec<String>| {
            if !values.is_empty() {
                flags.insert(name, values);
            }
        };
        match self {
            Self::Scan(arguments) => {
                set("severity", arguments.severity.clone());
                set("fail-on", arguments.fail_on.clone());
                set("licences", arguments.licences.clone());
                set("by-table", arguments.by_table.then(|| "true".to_owned()).into_iter().collect());
                set("platform", arguments.platform.iter().cloned().collect());
                set("pack", arguments.pack.iter().map(|path| path.display().to_string()).collect());
            }
            Self::Pin(arguments) => {
                set("trusted-root", arguments.trusted_root.iter().map(|path| path.display().to_string()).collect());
            }
            Self::Verify(arguments) => {
                set("trusted-root", arguments.trusted_root.iter().map(|path| path.display().to_string()).collect());
                let summary = &arguments.summary;
                set("environment", summary.env.iter().cloned().collect());
                set("platform", summary.platform.iter().cloned().collect());
                set("pack", summary.pack.iter().map(|path| path.display().to_string()).collect());
            }
            Self::Check(arguments) => {
                set("environment", arguments.env.iter().cloned().collect());
                set("pack", arguments.pack.iter().map(|path| path.display().to_string()).collect());
            }
            Self::RebuildList(RebuildListArguments { pack, .. })
            | Self::Vex(VexCommand::Create(VexCreateArguments { pack, .. }))
            | Self::Inventory(InventoryCommand::Rescan { pack, .. }) => {
                set("pack", pack.iter().map(|path| path.display().to_string()).collect());
            }
            Self::Lint(arguments) => set("environment", arguments.env.iter().cloned().collect()),
            Self::Exception(ExceptionCommand::Check { file, env }) => {
                set("environment", env.iter().cloned().collect());
                let files = file.iter().map(|path| path.display().to_string());
                flags.entry("config").or_default().extend(files);
            }
            Self::Exception(ExceptionCommand::Approve(arguments)) => {
                set("environment", arguments.env.iter().cloned().collect());
            }
            Self::Sbom(arguments) => {
                set("platform", arguments.platform.iter().cloned().collect());
                set("by-table", arguments.by_table.then(|| "true".to_owned()).into_iter().collect());
            }
            _ => {}
        }
    }
}

/// `assay config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// `assay completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `assay man`, `assay reference`
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) to: std::path::PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
