//! What was attested: the predicates of in-toto statements that decisions need, as types.

use std::collections::BTreeMap;

use assay_model::{BuildLevel, Digest, FindingCounts, Timestamp, VulnerabilityId};
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
    /// The result of tests.
    Test(TestSummary),
    /// A verification summary: what somebody else's verifier found.
    Summary(Box<VerificationSummary>),
    /// The name and version under which it was released.
    Release(ReleaseSummary),
    /// Attributes of the artifact or of how it was made (SCAI).
    Attributes(AttributeReport),
    /// A step of a supply chain (in-toto link).
    Link(LinkSummary),
    /// Any other predicate type, as it was written.
    Other(RawPredicate),
}

/// A predicate of a type that is not read here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawPredicate {
    /// SHA-256 of its bytes as they stand in the statement; none where the statement has no predicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Those bytes, up to 64 KiB. Of a larger predicate only the digest is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// SLSA provenance, versions 0.1, 0.2 and 1.0 brought to one form (slsa.dev/spec/v1.0/provenance, "Model").
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
    /// Repository whose workflow asked for the build, without `git+` and without `@ref`. A builder that is called by
    /// another repository's workflow makes it differ from the source.
    pub trigger_repository: Option<String>,
    /// Ref of that workflow.
    pub trigger_ref: Option<String>,
    /// The branch that was built, by name. For a tag only where the event says from which branch it was made.
    pub branch: Option<String>,
    /// The tag that was built, by name.
    pub tag: Option<String>,
    /// Inputs of the workflow that somebody started by hand.
    pub inputs: BTreeMap<String, String>,
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

/// The result of a run of tests (in-toto/attestation, `spec/predicates/test-result.md`, v0.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestSummary {
    /// What came out.
    pub result: TestResult,
    /// Where the run can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many tests passed.
    pub passed: u64,
    /// How many passed with a warning.
    pub warned: u64,
    /// How many failed.
    pub failed: u64,
    /// What was run: name or URI of each configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<String>,
}

/// The result of tests. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TestResult {
    /// All passed.
    Passed,
    /// All passed, some with a warning.
    Warned,
    /// Some failed.
    Failed,
}

/// A verification summary, versions 0.2 and 1 (slsa.dev/spec/v1.0/verification_summary).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationSummary {
    /// `verifier.id`: who verified.
    pub verifier: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// What was verified, by the name under which it is fetched.
    pub resource: String,
    /// The policy's URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The policy's digest, `sha256:...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// Levels that it reached, as written: `SLSA_BUILD_LEVEL_3`.
    pub levels: Vec<String>,
    /// The attestations that the verifier looked at.
    pub inputs: Vec<Material>,
}

impl VerificationSummary {
    /// The level of the SLSA Build track that it states, the highest of several. The four-level wording of version 0.2 is
    /// mapped to the v1 Build track.
    pub fn build_level(&self) -> Option<BuildLevel> {
        let level = |word: &String| BuildLevel::from_word(word).or_else(|| BuildLevel::from_older_word(word));
        self.levels.iter().filter_map(level).max()
    }
}

/// A release (in-toto/attestation, `spec/predicates/release.md`, v0.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSummary {
    /// The purl under which it was released.
    pub purl: String,
    /// The registry's own identifier of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_id: Option<String>,
}

/// Attributes of an artifact (in-toto/attestation, `spec/predicates/scai.md`, v0.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttributeReport {
    /// Names of the attributes that it has without conditions.
    pub attributes: Vec<String>,
    /// Names of those that hold only under conditions, or of another target than the subject.
    pub conditional: Vec<String>,
    /// What made it: URI or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
}

/// A step of a supply chain (in-toto/attestation, `spec/predicates/link.md`, v0.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkSummary {
    /// Name of the step.
    pub name: String,
    /// The command that was run.
    pub command: Vec<String>,
    /// What it used.
    pub materials: Vec<Material>,
}
