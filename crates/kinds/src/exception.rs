//! `Exception`: a permission to fail named controls, within its scope and until it expires.
//!
//! Every field may be missing in a file: such an Exception does nothing, and the Verdict says which field it lacks. That
//! is better than a folder that does not load because somebody forgot an owner.

use assay_model::{ControlId, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Spec;

/// What an Exception says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExceptionSpec {
    /// The team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who asked for it, and so cannot approve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Why it is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The controls that may fail.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub controls: Vec<ControlId>,
    /// What it is about. Subjects of one sort are alternatives, different sorts must all fit: a repository and a
    /// vulnerability mean that vulnerability in that repository.
    pub subjects: Vec<ExceptionSubject>,
    /// Where it applies.
    pub scope: ExceptionScope,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<Timestamp>,
    /// What protects instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensating_control: Option<String>,
    /// Who accepted the risk. It counts only if it is authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// An emergency: lifts enforced controls too, for a shorter time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

impl Spec for ExceptionSpec {
    const KIND: &'static str = "Exception";
}

/// What an Exception is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ExceptionSubject {
    /// One digest (manifest or index).
    Digest(#[cfg_attr(feature = "schema", schemars(with = "String"))] Digest),
    /// A repository, or all below a prefix that ends with `/`.
    Repository(String),
    /// A package: a purl (with version: that one only) or a bare name.
    Package(String),
    /// A vulnerability, for example `CVE-2026-1234`.
    Vulnerability(String),
}

/// Where an Exception applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExceptionScope {
    /// Namespaces, by name.
    pub namespaces: Vec<String>,
    /// Workloads, `Kind/name`. Empty = all of those namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
}

/// Who accepted the risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The approver.
    pub by: String,
    /// A ticket or record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub at: Timestamp,
}
