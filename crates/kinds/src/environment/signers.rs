//! Who may say what: signers, how many of them are needed, builders, and verification summaries.

use assay_model::BuildLevel;
use serde::{Deserialize, Serialize};

use crate::{PatternSpec, Span};

/// A trusted signer, for some kinds of evidence and some repositories: one of `keyless`, `key` and `certificate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignerSpec {
    /// A name for messages, for example `release-workflow`.
    pub name: String,
    /// The kinds of evidence that this signer is believed for.
    #[serde(rename = "for")]
    pub purposes: Vec<SignerPurpose>,
    /// Repository prefixes that it is believed about. Empty = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// A certificate identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyless: Option<KeylessIdentity>,
    /// The name of a key in one of the Environment's TrustRoots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A certificate of an authority in one of the Environment's TrustRoots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateIdentity>,
}

/// The kinds of evidence that signers are named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SignerPurpose {
    /// A signature on the image.
    Signature,
    /// An SBOM.
    Sbom,
    /// SLSA provenance.
    Provenance,
    /// A vulnerability scan.
    Scan,
    /// Exploitability statements.
    Vex,
    /// The result of tests.
    Test,
    /// A verification summary.
    Vsa,
    /// The name and version of a release.
    Release,
    /// Attributes (SCAI).
    Attributes,
    /// A step of a supply chain (in-toto link).
    Link,
}

impl SignerPurpose {
    /// All of them, in the order of their names here.
    pub const ALL: [Self; 10] = [
        Self::Signature,
        Self::Sbom,
        Self::Provenance,
        Self::Scan,
        Self::Vex,
        Self::Test,
        Self::Vsa,
        Self::Release,
        Self::Attributes,
        Self::Link,
    ];

    /// The word as files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Sbom => "sbom",
            Self::Provenance => "provenance",
            Self::Scan => "scan",
            Self::Vex => "vex",
            Self::Test => "test",
            Self::Vsa => "vsa",
            Self::Release => "release",
            Self::Attributes => "attributes",
            Self::Link => "link",
        }
    }
}

/// A certificate identity: all that is given must match. The claims are those of a Fulcio certificate (sigstore/fulcio,
/// `docs/oid-info.md`); one that the certificate does not have does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeylessIdentity {
    /// OIDC issuer.
    pub issuer: PatternSpec,
    /// Subject: a workflow URI or an email address.
    pub subject: PatternSpec,
    /// Workflow file that signed, with its ref (the build signer URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<PatternSpec>,
    /// Source ref, for example `refs/heads/main`.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<PatternSpec>,
    /// Source repository URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<PatternSpec>,
    /// Build trigger, for example `push`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<PatternSpec>,
    /// Runner environment: `github-hosted` or `self-hosted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_environment: Option<PatternSpec>,
    /// Source commit, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<PatternSpec>,
    /// Owner of the source repository, a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PatternSpec>,
    /// Visibility of the source repository: `public`, `private` or `internal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<PatternSpec>,
    /// Top-level workflow file of the build, with its ref (the build config URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_config: Option<PatternSpec>,
    /// The run, a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_invocation: Option<PatternSpec>,
}

/// A certificate of an X.509 authority: a signer of Notation, or of cosign with a pinned authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateIdentity {
    /// Subject of the certificate, as RFC 4514 writes it: `CN=release,O=Company,C=US`.
    pub subject: PatternSpec,
    /// Its issuer, in the same form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<PatternSpec>,
    /// Name of the authority or trust store that its chain must end in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// How many of several signers are needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quorum {
    /// Names of signers.
    pub of: Vec<String>,
    /// How many of them. Missing = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
}

/// A builder that is trusted, by its exact name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedBuilder {
    /// `builder.id` as its provenance has it, version and all.
    pub id: String,
    /// The level of the SLSA Build track that its operator states.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub level: BuildLevel,
    /// Name of the signer that this builder's provenance comes from.
    pub signer: String,
}

/// When a verification summary stands in for the evidence behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SummaryRules {
    /// `verifier.id` that the summary must have.
    pub verifier: String,
    /// How old the verification may be.
    pub max_age: Span,
    /// Digest of the policy by which it was verified, `sha256:...`. Missing = any policy of that verifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}
