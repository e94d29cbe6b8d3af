//! What was attested: the predicates of in-toto statements that decisions need, as types.

use std::collections::BTreeMap;

use assay_model::{Digest, FindingCounts, Timestamp, VulnerabilityId};
use serde::{Deserialize, Serialize};

/// The content of a verified statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "predicate")]
pub enum Predicate {
    /// A plain signature on the artifact: nothing is stated but "this digest".
    Signature,
    /// SLSA provenance, any version.
    Provenance(Box<Provenance>),
    /// A software bill of materials.
    Sbom(SbomSummary),
    /// A vulnerability scan.
    Scan(ScanSummary),
    /// Exploitability statements.
    Vex {
        /// The statements, in document order.
        statements: Vec<VexStatement>,
    },
    /// Any other predicate type: known by its type only.
    Other,
}

/// SLSA provenance, versions 0.2 and 1.0 brought to one form (slsa.dev/spec/v1.0/provenance, "Model").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Provenance {
    /// `builder.id`.
    pub builder_id: String,
    /// `buildType`.
    pub build_type: String,
    /// Source repository, without `git+` and without `@ref`.
    pub source_repository: Option<String>,
    /// Source ref, for example `refs/heads/main`.
    pub source_ref: Option<String>,
    /// Source commit, hexadecimal.
    pub source_digest: Option<String>,
    /// Path of the workflow file in the source repository.
    pub workflow: Option<String>,
    /// External parameters, scalar ones only, by dotted name.
    pub parameters: BTreeMap<String, String>,
    /// Resolved dependencies or materials.
    pub materials: Vec<Material>,
    /// When the build started.
    pub started_at: Option<Timestamp>,
    /// When the build finished.
    pub finished_at: Option<Timestamp>,
}

/// Something that a build used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Where it came from.
    pub uri: String,
    /// Its digest as written, `algorithm:value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The format of an SBOM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SbomFormat {
    /// CycloneDX.
    Cyclonedx,
    /// SPDX.
    Spdx,
}

/// What a decision needs to know of an attested SBOM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SbomSummary {
    /// Its format.
    pub format: SbomFormat,
    /// Components or packages listed.
    pub packages: u64,
    /// SHA-256 of the predicate bytes.
    pub document: Digest,
}

/// What a decision needs to know of an attested scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanSummary {
    /// Name or URI of the scanner.
    pub scanner: String,
    /// Scanner database: version or digest, as written.
    pub database: Option<String>,
    /// When the scan finished.
    pub finished_at: Option<Timestamp>,
    /// Counts by severity; none where the scanner's result has a form that is not read (not the same as zero).
    pub counts: Option<FindingCounts>,
}

/// OpenVEX status words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// The product is not affected.
    NotAffected,
    /// The product is affected.
    Affected,
    /// The product holds a fix.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// One OpenVEX statement (OpenVEX specification 0.2.0, "Statement").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VexStatement {
    /// The vulnerability and its aliases.
    pub vulnerabilities: Vec<VulnerabilityId>,
    /// Product identifiers (purls), empty = the statement's subject itself.
    pub products: Vec<String>,
    /// Subcomponent identifiers (purls), empty = the whole product.
    pub subcomponents: Vec<String>,
    /// What is said.
    pub status: VexStatus,
    /// Why, for `not_affected`: the label, or the impact statement.
    pub justification: Option<String>,
}
