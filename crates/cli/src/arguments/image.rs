//! `scan`, `sbom`: what is in it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What `scan` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScannerArgument {
    /// Known vulnerabilities of packages
    Vulnerabilities,
    /// Keys, tokens and passwords in files
    Secrets,
}

/// `assay scan`
#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, dir:PATH, rootfs:PATH, archive:FILE, git:URL[#REVISION],
    /// sbom:FILE, or a path
    pub(crate) target: String,
    /// What to look for; all where missing
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) scanners: Vec<ScannerArgument>,
    /// Severities to show; all where missing
    #[arg(long, value_delimiter = ',')]
    pub(crate) severity: Vec<String>,
    /// Exit 1 if anything reaches this: a severity, kev, fixable, risk:70, age:30d, joined by + where all must hold
    #[arg(long, value_name = "THRESHOLD", value_delimiter = ',')]
    pub(crate) fail_on: Vec<String>,
    /// Leave out what has no fix
    #[arg(long)]
    pub(crate) only_fixed: bool,
    /// Platform to choose of an image index
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// Vulnerability pack instead of the embedded sample
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
    /// VEX document whose statements count (OpenVEX, CSAF or CycloneDX)
    #[arg(long, value_name = "FILE")]
    pub(crate) vex: Vec<PathBuf>,
    /// Findings to leave out, each with owner, reason and expiry (YAML)
    #[arg(long, value_name = "FILE")]
    pub(crate) ignore_file: Option<PathBuf>,
    /// Rules for secrets instead of the built-in ones: a gitleaks configuration (with them: extend.useDefault)
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_rules: Option<PathBuf>,
    /// Secrets that are known: an earlier result with -o json, or a JSON list of fingerprints
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_baseline: Option<PathBuf>,
    /// Say why this vulnerability was matched, or why packages of this name are listed or not
    #[arg(long, value_name = "ID")]
    pub(crate) explain: Option<String>,
}

/// `assay sbom`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SbomArguments {
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, dir:PATH, or a path
    #[arg(required = true)]
    pub(crate) target: Option<String>,
    /// Platform to choose of an image index
    #[arg(long)]
    pub(crate) platform: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<SbomCommand>,
}

/// `assay sbom ...`
#[derive(Debug, Subcommand)]
pub(crate) enum SbomCommand {
    /// Write an SBOM in another format: -o cyclonedx or -o spdx
    Convert {
        /// CycloneDX or SPDX JSON file, - for standard input
        file: PathBuf,
    },
}
