//! `scan`, `sbom`: what is in it.

use std::path::PathBuf;

use assay_sbom::Standard;
use clap::{Args, Subcommand, ValueEnum};

use crate::commands::sbom::SpecVersion;

/// What `scan` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScannerArgument {
    /// Known vulnerabilities of packages
    Vulnerabilities,
    /// Keys, tokens and passwords in files
    Secrets,
}

/// Whose word about findings counts
#[derive(Debug, Args)]
pub(crate) struct SaidArguments {
    /// VEX document whose statements count (OpenVEX, CSAF or CycloneDX)
    #[arg(long, value_name = "FILE")]
    pub(crate) vex: Vec<PathBuf>,
    /// Public key (PEM) whose VEX counts of what is attached to the image
    #[arg(long, value_name = "FILE", conflicts_with = "vex_identity")]
    pub(crate) vex_key: Option<PathBuf>,
    /// Identity whose VEX counts of what is attached to the image: a workflow URI or an email address
    #[arg(long, value_name = "TEXT", requires = "vex_oidc_issuer")]
    pub(crate) vex_identity: Option<String>,
    /// OIDC issuer that vouched for that identity
    #[arg(long, value_name = "URL", requires = "vex_identity")]
    pub(crate) vex_oidc_issuer: Option<String>,
    /// Findings to leave out, each with owner, reason and expiry (YAML)
    #[arg(long, value_name = "FILE")]
    pub(crate) ignore_file: Option<PathBuf>,
}

/// `assay scan`
#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, docker:NAME, podman:NAME, containerd:DIGEST, dir:PATH,
    /// rootfs:PATH, archive:FILE, git:URL[#REVISION], sbom:FILE, or a path
    pub(crate) target: String,
    /// What to look for; all where missing
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) scanners: Vec<ScannerArgument>,
    /// Severities to show; all where missing
    #[arg(long, value_delimiter = ',')]
    pub(crate) severity: Vec<String>,
    /// Exit 1 if anything reaches this: a severity, kev, fixable, risk:70, age:30d, joined by + where all must hold; or
    /// licence, where a rule denies one
    #[arg(long, value_name = "THRESHOLD", value_delimiter = ',')]
    pub(crate) fail_on: Vec<String>,
    /// Rules for licences: deny GPL-3.0-*, review LGPL-2.1-only, allow MIT (any allow denies the rest)
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) licences: Vec<String>,
    /// Leave out what has no fix
    #[arg(long)]
    pub(crate) only_fixed: bool,
    /// Platform to choose of an image index; all of them: all
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// Of eStargz and zstd:chunked layers fetch only what says something of packages; the result is incomplete and says so
    #[arg(long)]
    pub(crate) by_table: bool,
    /// Vulnerability pack instead of the embedded sample
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) said: SaidArguments,
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
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, docker:NAME, podman:NAME, containerd:DIGEST, dir:PATH, or a
    /// path
    #[arg(required = true)]
    pub(crate) target: Option<String>,
    /// Platform to choose of an image index; all of them: all
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// Of eStargz and zstd:chunked layers fetch only what says something of packages; the result is incomplete and says so
    #[arg(long)]
    pub(crate) by_table: bool,
    #[command(flatten)]
    pub(crate) written: WrittenArguments,
    #[command(subcommand)]
    pub(crate) command: Option<SbomCommand>,
}

/// How a document is written.
#[derive(Debug, Args)]
pub(crate) struct WrittenArguments {
    /// Version of the format: 1.4 to 1.7 of CycloneDX (1.6), 2.3 or 3.0.1 of SPDX (2.3)
    #[arg(long, value_name = "VERSION", value_parser = SpecVersion::parse)]
    pub(crate) spec_version: Option<SpecVersion>,
}

/// What a document is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StandardArgument {
    /// NTIA minimum elements, 2021
    Ntia,
    /// CISA minimum elements, draft of 2025
    Cisa2025,
    /// BSI TR-03183-2
    Bsi,
}

impl From<StandardArgument> for Standard {
    fn from(argument: StandardArgument) -> Self {
        match argument {
            StandardArgument::Ntia => Self::Ntia,
            StandardArgument::Cisa2025 => Self::Cisa2025,
            StandardArgument::Bsi => Self::Bsi,
        }
    }
}

/// `assay sbom ...`
#[derive(Debug, Subcommand)]
pub(crate) enum SbomCommand {
    /// Write an SBOM in another format: -o cyclonedx, cyclonedx-xml, spdx, spdx-tag-value, syft-json or trivy-json
    Convert {
        /// SBOM in any of these formats, - for standard input
        file: PathBuf,
        #[command(flatten)]
        written: WrittenArguments,
    },
    /// Make one SBOM of several
    Merge {
        /// SBOMs in any format
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
        /// Name of what all of them are parts of
        #[arg(long, default_value = "merged")]
        name: String,
        #[command(flatten)]
        written: WrittenArguments,
    },
    /// Say what changed between two SBOMs, images or directories
    Diff {
        /// The older one
        before: String,
        /// The newer one
        after: String,
    },
    /// Fill in licences, suppliers and digests that an SBOM lacks
    Enrich {
        /// SBOM in any format, - for standard input
        file: PathBuf,
        /// What knows more: an image, a directory, another SBOM
        #[arg(long, required = true, value_name = "TARGET")]
        from: Vec<String>,
        #[command(flatten)]
        written: WrittenArguments,
    },
    /// List what a cluster itself is made of: control plane, nodes, add-ons
    Cluster {
        /// What kubectl get nodes,pods -A -o json and kubectl version -o json write, - for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Name of the cluster
        #[arg(long, default_value = "cluster")]
        name: String,
        #[command(flatten)]
        written: WrittenArguments,
    },
    /// Hold an SBOM against the minimum elements of NTIA, CISA and BSI
    Score {
        /// SBOM in any format, - for standard input
        file: PathBuf,
        /// What to hold it against; all where missing
        #[arg(long, value_delimiter = ',', value_name = "NAME")]
        standard: Vec<StandardArgument>,
        /// Exit 1 if a score is below this, in percent
        #[arg(long, value_name = "PERCENT")]
        fail_under: Option<u32>,
    },
}
