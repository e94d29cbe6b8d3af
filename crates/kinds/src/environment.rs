//! `Environment`: which namespaces, and for each control an action with its parameters.

mod check;
mod constraints;
mod signers;

use std::collections::BTreeMap;
use std::fmt;

use assay_model::{Action, ControlId};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use self::constraints::{
    AttributeConstraint, Constraints, CountLimits, LinkConstraint, MaterialConstraint, ProvenanceConstraint,
    ReleaseConstraint, SbomConstraint, SbomFormatName, ScanConstraint, TestConstraint, TimeConstraint,
};
pub use self::signers::{
    CertificateIdentity, KeylessIdentity, Quorum, SignerPurpose, SignerSpec, SummaryRules, TrustedBuilder,
};
use crate::{Problem, Span, Spec};

/// What an Environment says. What it does not say comes from its tier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// The column of the control catalogue that this Environment starts from.
    pub tier: Tier,
    /// The namespaces it judges. Without a selector it is reached by name only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<NamespaceSelector>,
    /// Registries and repository prefixes that images may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// Names of the TrustRoots whose evidence counts; one name may stand alone.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "OneOrMany"))]
    pub trust_root: Vec<String>,
    /// Repository prefixes of approved base images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_images: Vec<String>,
    /// Who may sign what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<SignerSpec>,
    /// How many of several signers are needed for a kind of evidence. Without it one is enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Quorum>"))]
    pub require: BTreeMap<SignerPurpose, Quorum>,
    /// The builders that are trusted, and the level of the SLSA Build track that each of them reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builders: Vec<TrustedBuilder>,
    /// What evidence must say to count, by its kind.
    #[serde(default, skip_serializing_if = "Constraints::is_empty")]
    pub constraints: Constraints,
    /// When a verification summary stands in for the evidence behind it. Without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vsa: Option<SummaryRules>,
    /// What differs from the tier, by control.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, ControlSetting>"))]
    pub controls: BTreeMap<ControlId, ControlSetting>,
    /// What a check that could not be made does.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Who may except what, and for how long.
    #[serde(default)]
    pub exceptions: ExceptionRules,
}

impl Spec for EnvironmentSpec {
    const KIND: &'static str = "Environment";

    fn problem(&self) -> Option<Problem> {
        check::problem(self)
    }
}

/// The column of the control catalogue that an Environment starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Development: most controls warn or record.
    Dev,
    /// Staging: as strict as production but for what a promotion proves.
    Staging,
    /// Production.
    #[default]
    Prod,
    /// The cluster's own namespaces: everything is recorded, nothing denied.
    System,
}

impl Tier {
    /// The lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
            Self::System => "system",
        }
    }
}

/// Which namespaces an Environment judges: those named, and those whose labels satisfy all that is asked. A selector that
/// asks nothing selects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NamespaceSelector {
    /// Names; a `*` stands for any characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Labels that must have these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements as in Kubernetes' label selectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement of a label selector (Kubernetes meta/v1, LabelSelectorRequirement).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    /// Label key.
    pub key: String,
    /// How its value relates to `values`.
    pub operator: LabelOperator,
    /// Values for `In` and `NotIn`; none for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// The operators of a label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LabelOperator {
    /// The label exists with one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label exists.
    Exists,
    /// The label is missing.
    DoesNotExist,
}

/// What an Environment does with one control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ControlSetting {
    /// The action, where it differs from the tier's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The control's own parameters, checked when the Policy is compiled.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Value>"))]
    pub parameters: BTreeMap<String, Value>,
}

/// What a check that could not be made does, by what the control protects. It is never a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FailurePolicy {
    /// Registry, digest, signature, signer, malice: who made it.
    pub identity: ErrorPolicy,
    /// Vulnerabilities, scans, releases: what is known of it.
    pub risk: ErrorPolicy,
    /// How it is set up to run.
    pub configuration: ErrorPolicy,
}

/// What a check that could not be made does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ErrorPolicy {
    /// The same as a check that failed.
    #[default]
    Deny,
    /// A warning, whatever the control's action.
    Warn,
}

/// Who may except what, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExceptionRules {
    /// Longest time between approval and expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_duration: Option<Span>,
    /// The same for break-glass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_glass_maximum_duration: Option<Span>,
    /// Who may approve: `group:NAME` or a user name. Nobody, where it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
}

/// For the schema: one name or a list of names.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrManyVisitor;
    impl<'de> Visitor<'de> for OneOrManyVisitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name or a list of names")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = access.next_element()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    deserializer.deserialize_any(OneOrManyVisitor)
}
