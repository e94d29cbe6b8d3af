//! `sign`, `attest`, `verify`, `tree`, `copy`: who made it.

use std::path::{Path, PathBuf};

use assay_oci::ImageSource;
use clap::{Args, ValueEnum};

use super::{BuildArguments, SummaryArguments};

/// `assay sign`
#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Image with its digest, registry/repository@sha256:...; with --bundle a file
    pub(crate) artifact: String,
    /// Sign a file, and write its bundle here
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resolve", "recursive", "legacy_sig", "output_bundle"])]
    pub(crate) bundle: Option<PathBuf>,
    /// Whose signature it is to be: sigstore, or notation (with --key and --certificate-chain)
    #[arg(long, value_enum, default_value_t = SignatureFormatArgument::Sigstore, requires_ifs = [("notation", "key"), ("notation", "certificate_chain")])]
    pub(crate) format: SignatureFormatArgument,
    /// Envelope of a notation signature
    #[arg(long, value_enum, default_value_t = EnvelopeArgument::Jws)]
    pub(crate) envelope: EnvelopeArgument,
    /// Certificates (PEM) of a notation signature, the key's own first, the root last
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate_chain: Option<PathBuf>,
    /// How long a notation signature is good, for example 90d
    #[arg(long, value_name = "DURATION")]
    pub(crate) expires: Option<String>,
    #[command(flatten)]
    pub(crate) signer: SignerArguments,
    #[command(flatten)]
    pub(crate) attach: AttachArguments,
}

/// Formats of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureFormatArgument {
    /// A Sigstore bundle
    Sigstore,
    /// A Notary Project signature
    Notation,
}

/// Envelopes of Notary Project signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvelopeArgument {
    /// JSON Web Signature
    Jws,
    /// CBOR Object Signing and Encryption
    Cose,
}

/// What beside the signer is to witness a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WitnessArgument {
    /// Nothing: only for keys
    None,
    /// The transparency log
    Rekor,
    /// The timestamp authority
    Tsa,
    /// Both
    Both,
}

/// Who signs, for `sign` and `attest`.
#[derive(Debug, Default, Args)]
pub(crate) struct SignerArguments {
    /// Private key: a file (PEM), env://NAME, pkcs11:..., hashivault://KEY, awskms:///KEY, azurekms://VAULT/KEY or
    /// gcpkms://projects/...; keyless where missing
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Read the password of an encrypted key from standard input
    #[arg(long, requires = "key")]
    pub(crate) password_stdin: bool,
    /// File with an OIDC identity token, for keyless signing; else the CI system's own
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) identity_token: Option<PathBuf>,
    /// Confirm a code in a browser, on any machine, instead of looking for a token
    #[arg(long, conflicts_with_all = ["key", "identity_token"])]
    pub(crate) device_flow: bool,
    /// Issuer of identity tokens for people
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) oidc_issuer: Option<String>,
    /// Signing configuration (JSON): where the services are, and how many of them to use
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fulcio_url", "rekor_url", "timestamp_url"])]
    pub(crate) use_signing_config: Option<PathBuf>,
    /// Certificate authority for keyless signing
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) fulcio_url: Option<String>,
    /// Transparency log
    #[arg(long, value_name = "URL")]
    pub(crate) rekor_url: Option<String>,
    /// Version of the transparency log
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) rekor_version: Option<u8>,
    /// Timestamp authority
    #[arg(long, value_name = "URL")]
    pub(crate) timestamp_url: Option<String>,
    /// What is to witness the signature; with a key nothing, keyless both where missing
    #[arg(long, value_enum, value_name = "WITNESS")]
    pub(crate) tlog: Option<WitnessArgument>,
}

/// What is done with a signature on an image, for `sign` and `attest`.
#[derive(Debug, Args)]
pub(crate) struct AttachArguments {
    /// Take a tag, and sign the digest that it means now
    #[arg(long)]
    pub(crate) resolve: bool,
    /// Sign every manifest of an index too
    #[arg(long)]
    pub(crate) recursive: bool,
    /// Write the older form too: the tags .sig and .att, for verifiers that know no referrers
    #[arg(long)]
    pub(crate) legacy_sig: bool,
    /// Write the bundle to a file too
    #[arg(long, value_name = "FILE", conflicts_with = "recursive")]
    pub(crate) output_bundle: Option<PathBuf>,
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
    #[command(flatten)]
    pub(crate) attach: AttachArguments,
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
    #[command(flatten)]
    pub(crate) who: IdentityArguments,
    #[command(flatten)]
    pub(crate) notation: NotationArguments,
    /// Kind of evidence that must be there; a signature where missing
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) predicate_type: Option<String>,
    /// Sigstore instance to trust: publicGood (default), github, staging, or its trusted root (JSON file)
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
    #[command(flatten)]
    pub(crate) summary: SummaryArguments,
}

/// Who must have signed, for `verify` and `pin --verify`.
#[derive(Debug, Args)]
pub(crate) struct IdentityArguments {
    /// Certificates (PEM) of your own authority, which must have issued the signer's certificate
    #[arg(
        long,
        visible_alias = "certificate-chain",
        value_name = "FILE",
        conflicts_with_all = ["key", "certificate_oidc_issuer", "certificate_oidc_issuer_regexp"]
    )]
    pub(crate) ca_roots: Option<PathBuf>,
    /// Public key (PEM) that must have signed; for a package of npm also the registry's keys.json
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
}

/// Notation, for `verify`.
#[derive(Debug, Args)]
pub(crate) struct NotationArguments {
    /// Notation's trust policy (trustpolicy.json; with --signature trustpolicy.blob.json)
    #[arg(long, value_name = "FILE", requires = "trust_store", conflicts_with_all = ["key", "bundle", "certificate_identity", "certificate_identity_regexp", "predicate_type"])]
    pub(crate) notation_policy: Option<PathBuf>,
    /// Notation's trust stores: the folder with x509/{ca,signingAuthority,tsa}/NAME, or x509 itself
    #[arg(long, value_name = "DIR", requires = "notation_policy")]
    pub(crate) trust_store: Option<PathBuf>,
    /// Notation signature of a file (JWS or COSE)
    #[arg(long, value_name = "FILE", requires = "notation_policy")]
    pub(crate) signature: Option<PathBuf>,
    /// Statement of the trust policy for files; the global one where missing
    #[arg(long, value_name = "NAME", requires = "signature")]
    pub(crate) notation_statement: Option<String>,
}

/// An image by its name, or by the path where it lies.
pub(crate) fn existing_image(text: &str) -> Result<ImageSource, assay_oci::OciError> {
    ImageSource::at(Path::new(text)).map_or_else(|| text.parse(), Ok)
}

/// `assay tree`
#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, or the path of one of these
    #[arg(value_parser = existing_image)]
    pub(crate) image: ImageSource,
}

/// `assay copy`
#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// Image, oci:DIR, oci-archive:FILE, docker-archive:FILE, or the path of one of these
    #[arg(value_parser = existing_image)]
    pub(crate) from: ImageSource,
    /// Image or oci:DIR
    pub(crate) to: ImageSource,
}
