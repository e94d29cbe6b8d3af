//! What comes out of a decision.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use assay_model::{Action, ControlId, Digest, EnvironmentName, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ContainerRole, Operation};

/// What one control says about one image or object. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The control does not apply here, and the message says why.
    Skip,
    /// The requirement is met.
    Pass,
    /// The requirement is met, with something to look at.
    Warn,
    /// The check could not be made. Never a pass.
    Error,
    /// The requirement is not met.
    Fail,
}

impl Outcome {
    /// Whether the requirement was seen to be met. `Error` is not, and nothing turns it into one that is.
    pub fn is_met(self) -> bool {
        matches!(self, Self::Skip | Self::Pass | Self::Warn)
    }

    /// The lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an outcome is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// How the image is used; none where the outcome is about the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<ContainerRole>,
    /// Container or volume name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The image as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// The digest that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The platform, where more than one was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The field of the object that is to be changed, for example `spec.containers[0].image`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// What one control says, without what it says it about. The same is said about image after image and in request after
/// request, so that it is shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The control.
    pub control: ControlId,
    /// What the Environment does with it.
    pub action: Action,
    /// What it says.
    pub outcome: Outcome,
    /// Why, one clause without a final period: `no digest: the tag can move after this check`.
    pub message: Cow<'static, str>,
    /// What to do, a command or a short instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Cow<'static, str>>,
    /// Severity of what was found, where it is a finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Names of the vulnerabilities behind it: what an Exception can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vulnerabilities: Vec<String>,
    /// Purls or names of the packages behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// The Exception that lifts it, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted_by: Option<String>,
}

impl Statement {
    /// Whether this denies the request.
    pub fn denies(&self) -> bool {
        self.action.denies() && !self.outcome.is_met() && self.excepted_by.is_none()
    }

    /// Whether the user should be shown it as a warning.
    pub fn warns(&self) -> bool {
        !self.denies() && (self.outcome == Outcome::Warn || (!self.outcome.is_met() && self.action >= Action::Warn))
    }
}

/// A statement about a target: some hundred of them come out of a decision, so that both are pointed to. It reads as the
/// statement with the target as one more field, and is written so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat", into = "Flat")]
pub struct ControlOutcome {
    /// What is said.
    pub statement: Arc<Statement>,
    /// What it is said about.
    pub target: Arc<Target>,
}

impl ControlOutcome {
    /// A statement about a target.
    pub fn new(statement: impl Into<Arc<Statement>>, target: impl Into<Arc<Target>>) -> Self {
        Self { statement: statement.into(), target: target.into() }
    }
}

impl std::ops::Deref for ControlOutcome {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        &self.statement
    }
}

/// An outcome as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flat {
    control: ControlId,
    action: Action,
    outcome: Outcome,
    #[serde(default)]
    target: Arc<Target>,
    message: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fix: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vulnerabilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    packages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    excepted_by: Option<String>,
}

impl From<Flat> for ControlOutcome {
    fn from(flat: Flat) -> Self {
        let Flat { control, action, outcome, target, message, fix, severity, vulnerabilities, packages, excepted_by } =
            flat;
        let statement =
            Statement { control, action, outcome, message, fix, severity, vulnerabilities, packages, excepted_by };
        Self::new(statement, target)
    }
}

impl From<ControlOutcome> for Flat {
    fn from(own: ControlOutcome) -> Self {
        let Statement { control, action, outcome, message, fix, severity, vulnerabilities, packages, excepted_by } =
            Arc::unwrap_or_clone(own.statement);
        let target = own.target;
        Self { control, action, outcome, target, message, fix, severity, vulnerabilities, packages, excepted_by }
    }
}

/// An Exception that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionNote {
    /// Its name.
    pub name: String,
    /// The control it was used for, or would have been.
    pub control: ControlId,
    /// Why it does nothing; none = it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// The answer, and everything behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether it may go ahead.
    pub allowed: bool,
    /// What was asked.
    pub operation: Operation,
    /// `namespace/Kind/name`.
    pub workload: String,
    /// The Environment that judged; where none or several matched, the name of the strictest with that said in a note.
    pub environment: EnvironmentName,
    /// Hash of the policy snapshot.
    pub policy: Digest,
    /// When.
    pub decided_at: Timestamp,
    /// All outcomes, worst first, then by container and control.
    pub outcomes: Vec<ControlOutcome>,
    /// The Exceptions that were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ExceptionNote>,
    /// Images that were judged by a tag which the kubelet will resolve again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unbound: Vec<String>,
    /// Anything else the reader should know, for example that no Environment selects this namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Verdict {
    /// The outcomes that deny.
    pub fn denials(&self) -> impl Iterator<Item = &ControlOutcome> {
        self.outcomes.iter().filter(|outcome| outcome.denies())
    }

    /// The outcomes to show as warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &ControlOutcome> {
        self.outcomes.iter().filter(|outcome| outcome.warns())
    }

    /// The outcomes of one control.
    pub fn of<'a>(&'a self, control: &'a str) -> impl Iterator<Item = &'a ControlOutcome> {
        self.outcomes.iter().filter(move |outcome| outcome.control.as_str() == control)
    }
}
