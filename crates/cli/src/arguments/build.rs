//! The questions of `assay verify` about a build, and the summary that it writes.

use std::path::PathBuf;

use clap::Args;

/// What a build must have been.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Build (SLSA provenance)")]
pub(crate) struct BuildArguments {
    /// Source repository that it must be built from, github.com/owner/name
    #[arg(long, value_name = "URI")]
    pub(crate) source_uri: Option<String>,
    /// Branch that it must be built from
    #[arg(long, value_name = "NAME", requires = "source_uri")]
    pub(crate) source_branch: Option<String>,
    /// Tag that it must be built from
    #[arg(long, value_name = "NAME", requires = "source_uri", conflicts_with = "source_versioned_tag")]
    pub(crate) source_tag: Option<String>,
    /// Version that its tag must have: v1 is every v1.x.y
    #[arg(long, value_name = "VERSION", requires = "source_uri")]
    pub(crate) source_versioned_tag: Option<String>,
    /// Builder, NAME[@VERSION]; the builders of slsa-framework where missing
    #[arg(long, value_name = "ID", requires = "source_uri")]
    pub(crate) builder_id: Option<String>,
    /// Input of the workflow that somebody started by hand; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "source_uri")]
    pub(crate) workflow_input: Vec<String>,
    /// Print what the provenance says
    #[arg(long, requires = "source_uri")]
    pub(crate) print_provenance: bool,
}

/// A verification summary of what the policy says about an image.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Verification summary (VSA)")]
pub(crate) struct SummaryArguments {
    /// Judge the image by the policy and, if it is allowed, sign a summary of that, attach it and write it to FILE
    #[arg(long, value_name = "FILE", requires = "verifier_id", conflicts_with_all = ["bundle", "source_uri", "predicate_type"])]
    pub(crate) emit_vsa: Option<PathBuf>,
    /// Environment that judges; the default one where missing
    #[arg(long, value_name = "NAME", requires = "emit_vsa")]
    pub(crate) env: Option<String>,
    /// Platform of an index to judge
    #[arg(long, value_name = "OS/ARCH", requires = "emit_vsa")]
    pub(crate) platform: Option<String>,
    /// Vulnerability pack to judge by
    #[arg(long, value_name = "FILE", requires = "emit_vsa")]
    pub(crate) pack: Option<PathBuf>,
    /// Who verifies, a URI that admission asks for
    #[arg(long, value_name = "URI", requires = "emit_vsa")]
    pub(crate) verifier_id: Option<String>,
    /// Where the policy can be read
    #[arg(long, value_name = "URI", requires = "emit_vsa")]
    pub(crate) policy_uri: Option<String>,
    /// File with an OIDC identity token to sign the summary with; --key is a private key here
    #[arg(long, value_name = "FILE", requires = "emit_vsa", conflicts_with = "key")]
    pub(crate) identity_token: Option<PathBuf>,
    /// Certificate authority for keyless signing
    #[arg(long, value_name = "URL", requires = "emit_vsa", conflicts_with = "key")]
    pub(crate) fulcio_url: Option<String>,
    /// Transparency log for keyless signing
    #[arg(long, value_name = "URL", requires = "emit_vsa", conflicts_with = "key")]
    pub(crate) rekor_url: Option<String>,
    /// Timestamp authority for keyless signing
    #[arg(long, value_name = "URL", requires = "emit_vsa", conflicts_with = "key")]
    pub(crate) timestamp_url: Option<String>,
}
