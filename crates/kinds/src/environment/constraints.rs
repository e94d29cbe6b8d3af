//! What evidence must say to count. Everything that is given must hold, of one and the same piece of evidence; a value that
//! the evidence does not state is not met. Lists are alternatives.

use std::collections::BTreeMap;

use assay_model::{BuildLevel, Timestamp};
use serde::{Deserialize, Serialize};

use super::SignerPurpose;
use crate::{PatternSpec, Span};

/// Constraints by kind of evidence. A kind with constraints must be attested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Constraints {
    /// Signatures on the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<TimeConstraint>,
    /// SLSA provenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<ProvenanceConstraint>>,
    /// SBOMs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbom: Option<SbomConstraint>,
    /// Vulnerability scans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanConstraint>,
    /// Results of tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestConstraint>,
    /// Release statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseConstraint>,
    /// Attribute reports (SCAI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributeConstraint>,
    /// Links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkConstraint>,
}

impl Constraints {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.purposes().next().is_none()
    }

    /// The kinds of evidence that something is asked of.
    pub fn purposes(&self) -> impl Iterator<Item = SignerPurpose> {
        let asked = [
            (SignerPurpose::Signature, self.signature.is_some()),
            (SignerPurpose::Provenance, self.provenance.is_some()),
            (SignerPurpose::Sbom, self.sbom.is_some()),
            (SignerPurpose::Scan, self.scan.is_some()),
            (SignerPurpose::Test, self.test.is_some()),
            (SignerPurpose::Release, self.release.is_some()),
            (SignerPurpose::Attributes, self.attributes.is_some()),
            (SignerPurpose::Link, self.link.is_some()),
        ];
        asked.into_iter().filter(|(_, asked)| *asked).map(|(purpose, _)| purpose)
    }
}

/// When it was made: the earlier of the time that it states and the time that is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TimeConstraint {
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The day before which it does not count: after a key was lost, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
}

/// What provenance must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProvenanceConstraint {
    /// The lowest level of the SLSA Build track that is enough. It follows from `builders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub minimum_level: Option<BuildLevel>,
    /// Builder identities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub builders: Vec<PatternSpec>,
    /// Build types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_types: Vec<PatternSpec>,
    /// Source repositories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<PatternSpec>,
    /// Source refs, for example `refs/heads/main`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<PatternSpec>,
    /// Branches, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<PatternSpec>,
    /// Tags, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<PatternSpec>,
    /// Source commits, hexadecimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<PatternSpec>,
    /// Paths of workflow files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<PatternSpec>,
    /// External parameters by dotted name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, PatternSpec>,
    /// Inputs of a workflow that was started by hand.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, PatternSpec>,
    /// What the build may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub materials: Option<MaterialConstraint>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The day before which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
}

/// What a build or step may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MaterialConstraint {
    /// Whether each of them must have a digest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The only URIs that are allowed. Empty = all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<PatternSpec>,
}

/// What an SBOM must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SbomConstraint {
    /// Formats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<SbomFormatName>,
    /// The fewest packages that are believable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_packages: Option<u64>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The day before which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
}

/// The formats of SBOMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SbomFormatName {
    /// CycloneDX.
    Cyclonedx,
    /// SPDX.
    Spdx,
}

/// What a scan must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ScanConstraint {
    /// Scanners, by name or URI with version as the scan has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scanners: Vec<PatternSpec>,
    /// Most findings by severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<CountLimits>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The day before which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
}

/// Most findings by severity. What is not given may be any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CountLimits {
    /// Critical findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<u32>,
    /// High findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<u32>,
    /// Medium findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<u32>,
    /// Low findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<u32>,
    /// Findings without a rating.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u32>,
}

/// What a result of tests must say. It must have passed in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TestConstraint {
    /// Whether a result with warnings is enough.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_warnings: bool,
    /// The fewest tests that must have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_passed: Option<u64>,
    /// Configurations, of which one must have been run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<PatternSpec>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The day before which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
}

/// What a release statement must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ReleaseConstraint {
    /// Purls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purls: Vec<PatternSpec>,
}

/// What an attribute report must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AttributeConstraint {
    /// Attributes, all of which the subject must have, without conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// Tools that made it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub producers: Vec<PatternSpec>,
}

/// What a link must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LinkConstraint {
    /// Names of steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<PatternSpec>,
    /// What the step may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub materials: Option<MaterialConstraint>,
}
