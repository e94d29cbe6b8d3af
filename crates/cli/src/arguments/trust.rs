//! `sign`, `attest`, `verify`, `tree`, `copy`: who made it.

use std::path::PathBuf;

use assay_oci::ImageSource;
use clap::Args;

/// `assay sign`
#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Image with its digest, registry/repository@sha256:...
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) signer: SignerArguments,
    /// Take a tag, and sign the digest that it means now
    #[arg(long)]
    pub(crate) resolve: bool,
}

/// Who signs, for `sign` and `attest`.
#[derive(Debug, Args)]
pub(crate) struct SignerArguments {
    /// Private key (PEM); keyless where missing
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// File with an OIDC identity token, for keyless signing
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) identity_token: Option<PathBuf>,
    /// Certificate authority for keyless signing
    #[arg(long, value_name = "URL", default_value = "https://fulcio.sigstore.dev", conflicts_with = "key")]
    pub(crate) fulcio_url: String,
    /// Transparency log for keyless signing
    #[arg(long, value_name = "URL", default_value = "https://rekor.sigstore.dev", conflicts_with = "key")]
    pub(crate) rekor_url: String,
    /// Timestamp authority for keyless signing
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) timestamp_url: Option<String>,
}

/// `assay attest`
#[derive(Debug, Args)]
pub(crate) struct AttestArguments {
    /// Image with its digest, registry/repository@sha256:...
    pub(crate) image: String,
    /// spdx, cyclonedx, slsaprovenance1, vuln, openvex, or the URI of a predicate type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) predicate_type: Option<String>,
    /// File with the predicate, - for standard input
    #[arg(long, value_name = "FILE", required_unless_present_any = ["from_scan", "from_sbom"])]
    pub(crate) predicate: Option<PathBuf>,
    /// Scan the image and attest the result
    #[arg(long, conflicts_with_all = ["predicate", "predicate_type"])]
    pub(crate) from_scan: bool,
    /// Write the image's SBOM and attest it (--type spdx or cyclonedx)
    #[arg(long, conflicts_with_all = ["predicate", "from_scan"])]
    pub(crate) from_sbom: bool,
    #[command(flatten)]
    pub(crate) signer: SignerArguments,
    /// Take a tag, and sign the digest that it means now
    #[arg(long)]
    pub(crate) resolve: bool,
}

/// `assay verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Image; with --bundle a file or sha256:HEX
    pub(crate) artifact: String,
    /// What was signed about a file: Sigstore or cosign bundle, *.intoto.jsonl, answer of GitHub or npm
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Log entry (JSON of Rekor's API, or of a bundle) of an envelope that carries none
    #[arg(long, value_name = "FILE", requires = "bundle")]
    pub(crate) rekor_entry: Option<PathBuf>,
    /// Certificates (PEM) of your own authority, which must have issued the signer's certificate
    #[arg(
        long,
        visible_alias = "certificate-chain",
        value_name = "FILE",
        conflicts_with_all = ["key", "certificate_oidc_issuer", "certificate_oidc_issuer_regexp"]
    )]
    pub(crate) ca_roots: Option<PathBuf>,
    /// Public key (PEM) that must have signed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["certificate_identity", "certificate_identity_regexp"])]
    pub(crate) key: Option<PathBuf>,
    /// Identity that must have signed: a workflow URI or an email address; with --ca-roots the certificate's subject
    #[arg(long, value_name = "TEXT", conflicts_with = "certificate_identity_regexp")]
    pub(crate) certificate_identity: Option<String>,
    /// The same as a regular expression, ^...$
    #[arg(long, value_name = "REGEXP")]
    pub(crate) certificate_identity_regexp: Option<String>,
    /// OIDC issuer that vouched for the identity
    #[arg(long, value_name = "URL", conflicts_with = "certificate_oidc_issuer_regexp")]
    pub(crate) certificate_oidc_issuer: Option<String>,
    /// The same as a regular expression, ^...$
    #[arg(long, value_name = "REGEXP")]
    pub(crate) certificate_oidc_issuer_regexp: Option<String>,
    /// Trigger that the certificate must name, for example push
    #[arg(long, value_name = "TEXT")]
    pub(crate) certificate_github_workflow_trigger: Option<String>,
    /// Commit that the certificate must name
    #[arg(long, value_name = "SHA")]
    pub(crate) certificate_github_workflow_sha: Option<String>,
    /// Workflow name that the certificate must name
    #[arg(long, value_name = "TEXT")]
    pub(crate) certificate_github_workflow_name: Option<String>,
    /// Repository that the certificate must name
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) certificate_github_workflow_repository: Option<String>,
    /// Ref that the certificate must name
    #[arg(long, value_name = "REF")]
    pub(crate) certificate_github_workflow_ref: Option<String>,
    /// Kind of evidence that must be there; a signature where missing
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) predicate_type: Option<String>,
    /// Sigstore instance to trust: publicGood (default), github, staging, or its trusted root (JSON file)
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
}

/// `assay tree`
#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    /// Image, oci:DIR, oci-archive:FILE, or docker-archive:FILE
    pub(crate) image: ImageSource,
}

/// `assay copy`
#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// Image, oci:DIR, oci-archive:FILE, or docker-archive:FILE
    pub(crate) from: ImageSource,
    /// Image or oci:DIR
    pub(crate) to: ImageSource,
}
