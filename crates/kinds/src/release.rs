//! `ReleaseArtifact`: the one contract a product team sees.

use std::collections::BTreeMap;

use assay_model::{Digest, Repository};
use serde::{Deserialize, Serialize};

use crate::Spec;

/// What a release is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseArtifactSpec {
    /// The service it belongs to.
    pub service: String,
    /// Where it was built from.
    pub source: ReleaseSource,
    /// What runs.
    pub image: ReleaseImage,
    /// Where its evidence is.
    #[serde(default)]
    pub evidence: ReleaseEvidence,
    /// How its risk is judged.
    #[serde(default)]
    pub risk: ReleaseRisk,
}

impl Spec for ReleaseArtifactSpec {
    const KIND: &'static str = "ReleaseArtifact";
}

/// Source of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseSource {
    /// Repository, for example `github.com/company/payments`.
    pub repository: String,
    /// Commit, hexadecimal.
    pub commit: String,
}

/// Image of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseImage {
    /// Registry and path.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub repository: Repository,
    /// The digest that is promoted, never a tag.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub digest: Digest,
}

/// Where the evidence of a release is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ReleaseEvidence {
    /// SBOM, `oci://repository@digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    /// Provenance, `oci://repository@digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,
    /// Signature, `oci://repository@digest`, or how it is signed, for example `sigstore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Vulnerability scan, `oci://repository@digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<String>,
    /// Who signed each of them when the release was made, by `signature`, `sbom`, `provenance`, `scan`. A record, no
    /// permission: whose word counts is said by Environments.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, String>,
}

/// How the risk of a release is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ReleaseRisk {
    /// Name of the vulnerability policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vulnerability_policy: Option<String>,
    /// Names of the Exceptions it was released with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}
