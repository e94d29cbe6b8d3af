//! The Policy: what was written, compiled once into an immutable snapshot with a hash.

mod compile;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use assay_case::{Action, Namespace, Request};
use assay_kinds::{
    Environment, ErrorPolicy, Exception, FailurePolicy, NamespaceSelector, SignerPurpose, SummaryRules, Tier,
    TrustedBuilder,
};
use assay_model::{ControlId, Digest, EnvironmentName, Explain, Timestamp};
use jiff::SignedDuration;

use crate::catalogue::{ControlEntry, Protects};
use crate::constraints::Rules;
use crate::controls::Control;
use crate::evidence::{Prefix, TrustedSigner};
use crate::exception::{ExceptionProblem, is_live};
use crate::select;
use crate::vouched::CompiledQuorum;

/// Everything that a Policy is compiled from.
#[derive(Clone, Debug, Default)]
pub struct PolicyInput {
    /// The Environments; at least one.
    pub environments: Vec<Environment>,
    /// The Exceptions, with who vouches for their approval.
    pub exceptions: Vec<Arc<ExceptionInput>>,
    /// The trust roots that Environments name, by what they hold.
    pub trust_roots: Vec<TrustRootInput>,
    /// The Environment for namespaces that no other one selects. Without it the strictest tier's, `prod` first.
    pub default_environment: Option<EnvironmentName>,
}

/// An Exception and what is known of its approval.
#[derive(Clone, Debug)]
pub struct ExceptionInput {
    /// As written.
    pub exception: Exception,
    /// Whether the approval is authenticated.
    pub approval: ApprovalState,
    /// Who wrote it, where that is known: the user that the API server recorded, the signer of a commit.
    pub author: Option<String>,
}

/// Whether an approval is authenticated. What an Exception says of itself is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody vouches for it.
    #[default]
    Unauthenticated,
    /// By the API server (user and groups of the request), or by a signature over the Exception's
    /// [`spec_digest`](assay_kinds::Object::spec_digest).
    Authenticated {
        /// The approver.
        by: String,
        /// The approver's groups.
        groups: Vec<String>,
    },
    /// Somebody meant to, but what they signed does not hold: it is about another text, or nobody here knows the signer.
    Refused {
        /// What is wrong with it.
        why: String,
    },
}

/// A trust root as verification knows it.
#[derive(Clone, Debug)]
pub struct TrustRootInput {
    /// The name that Environments use.
    pub name: String,
    /// The hash of its material, as [`Evidence::trust_root`](assay_trust::Evidence::trust_root) gives it.
    pub material: Digest,
    /// Its keys: the name that signers use, and the fingerprint (SHA-256 of the SubjectPublicKeyInfo).
    pub keys: BTreeMap<String, Digest>,
}

/// That a namespace would be judged less strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loosening {
    /// The Environment that judges it.
    pub from: EnvironmentName,
    /// The Environment that would.
    pub to: EnvironmentName,
    /// A control that would not deny as it does now.
    pub control: ControlId,
}

/// A compiled, immutable snapshot of everything that decides.
pub struct Policy {
    pub(crate) digest: Digest,
    pub(crate) environments: Vec<CompiledEnvironment>,
    pub(crate) strictest: usize,
    pub(crate) exceptions: Vec<Arc<ExceptionInput>>,
}

/// One Environment, compiled.
pub(crate) struct CompiledEnvironment {
    pub(crate) name: EnvironmentName,
    pub(crate) tier: Tier,
    pub(crate) namespaces: Option<NamespaceSelector>,
    pub(crate) registries: Vec<Prefix>,
    pub(crate) base_images: Vec<Prefix>,
    pub(crate) trust_roots: Vec<Digest>,
    pub(crate) signers: Vec<TrustedSigner>,
    pub(crate) quorums: Vec<CompiledQuorum>,
    pub(crate) trusted_builders: Vec<TrustedBuilder>,
    pub(crate) rules: Rules,
    /// The kinds of evidence that must be attested because something is asked of them.
    pub(crate) asked: Vec<SignerPurpose>,
    pub(crate) vsa: Option<SummaryRules>,
    pub(crate) failure_policy: FailurePolicy,
    pub(crate) exception_cap: SignedDuration,
    pub(crate) break_glass_cap: SignedDuration,
    pub(crate) approvers: Vec<String>,
    /// One for each row of the catalogue, in its order.
    pub(crate) controls: Vec<CompiledControl>,
}

/// One control of an Environment, compiled.
pub(crate) struct CompiledControl {
    pub(crate) id: ControlId,
    pub(crate) entry: &'static ControlEntry,
    pub(crate) action: Action,
    pub(crate) when_internet_facing: Option<Action>,
    pub(crate) when_rescheduled: Action,
    pub(crate) when_unknown: Option<ErrorPolicy>,
    pub(crate) control: Control,
}

impl CompiledControl {
    fn looks_at_facts(&self) -> bool {
        matches!(self.control, Control::Subject(_))
    }
}

impl CompiledEnvironment {
    /// How strict it is: by tier, then by what its controls do, then by name so that the order never depends on input.
    pub(crate) fn strictness(&self) -> (u8, u32, std::cmp::Reverse<&EnvironmentName>) {
        let tier = match self.tier {
            Tier::Prod => 3,
            Tier::Staging => 2,
            Tier::Dev => 1,
            Tier::System => 0,
        };
        let actions = self.controls.iter().map(|control| control.action as u32).sum();
        (tier, actions, std::cmp::Reverse(&self.name))
    }

    /// Whether somebody may approve an Exception here.
    pub(crate) fn may_approve(&self, user: &str, groups: &[String]) -> bool {
        self.approvers.iter().any(|approver| match approver.strip_prefix("group:") {
            Some(group) => groups.iter().any(|name| name == group),
            None => approver == user,
        })
    }

    /// What a check of a control that could not be made does.
    pub(crate) fn on_error(&self, control: &CompiledControl) -> ErrorPolicy {
        control.when_unknown.or(control.entry.errors).unwrap_or(match control.entry.protects {
            Protects::Identity => self.failure_policy.identity,
            Protects::Risk => self.failure_policy.risk,
            Protects::Configuration => self.failure_policy.configuration,
        })
    }
}

impl Policy {
    /// Compiles what was written. Anything that would not be done as it is written is refused here.
    pub fn compile(input: PolicyInput) -> Result<Self, PolicyError> {
        compile::compile(input)
    }

    /// The hash of everything it was compiled from. Equal hashes decide alike.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The names of its Environments, in the order that a release goes through their tiers, then by name.
    pub fn environments(&self) -> impl Iterator<Item = &EnvironmentName> {
        let mut ordered: Vec<_> = self.environments.iter().map(|own| (own.tier, &own.name)).collect();
        ordered.sort_unstable();
        ordered.into_iter().map(|(_, name)| name)
    }

    /// The Environment that judges where none is selected.
    pub fn default_environment(&self) -> &EnvironmentName {
        &self.strictest().name
    }

    /// The one Environment that judges a namespace. `None` where none or several select it, or where that depends on labels
    /// that are not known: requests are then judged by the strictest.
    pub fn environment_of(&self, namespace: &Namespace) -> Option<&EnvironmentName> {
        select::environment_of(self, namespace)
    }

    /// Whether anything that judges a request looks at what its images hold or who vouches for them. Where nothing does,
    /// nothing need be gathered: no registry is asked, and none can be missed.
    pub fn asks_for_facts(&self, request: &Request<'_>) -> bool {
        let is_asked = |own: &CompiledControl| own.action != Action::Off && own.looks_at_facts();
        select::select(self, request).environments.iter().any(|environment| environment.controls.iter().any(is_asked))
    }

    /// Whether a control looks at what images hold or who vouches for them, and not only at the object.
    pub fn looks_at_facts(&self, control: &ControlId) -> bool {
        // Every Environment has all controls.
        let own = self.strictest().controls.iter().find(|own| own.id == *control);
        own.is_some_and(CompiledControl::looks_at_facts)
    }

    /// Whether something in a namespace is denied where it cannot be judged at all: a control that enforces, whose errors
    /// count as failures, in an Environment that judges the namespace.
    pub fn fails_closed(&self, namespace: &Namespace) -> bool {
        select::judging(self, namespace).into_iter().any(|environment| {
            environment
                .controls
                .iter()
                .any(|control| control.action.denies() && environment.on_error(control) == ErrorPolicy::Deny)
        })
    }

    /// Whether a namespace would be judged less strictly with other labels: the Environment that judges it now, one of those
    /// that would, and a control that denies now and would not any more.
    pub fn loosening(&self, before: &Namespace, after: &Namespace) -> Option<Loosening> {
        let (judging, would) = (select::judging(self, before), select::judging(self, after));
        let (from, to) = (judging.first()?, would.first()?);
        let strictest = |environments: &[&CompiledEnvironment], index: usize| {
            environments.iter().filter_map(|own| own.controls.get(index)).map(|control| control.action).max()
        };
        // Every Environment has all controls, in the catalogue's order.
        let (_, control) = from.controls.iter().enumerate().find(|(index, _)| {
            let now = strictest(&judging, *index);
            now.is_some_and(Action::denies) && strictest(&would, *index) < now
        })?;
        Some(Loosening { from: from.name.clone(), to: to.name.clone(), control: control.id.clone() })
    }

    /// Whether somebody approves Exceptions of an Environment.
    pub fn is_approver(&self, environment: &EnvironmentName, user: &str, groups: &[String]) -> bool {
        let environment = self.environments.iter().find(|own| own.name == *environment);
        environment.is_some_and(|own| own.may_approve(user, groups))
    }

    /// What an Environment does with a control, before exposure and rescheduling are looked at.
    pub fn action(&self, environment: &str, control: &str) -> Option<Action> {
        let environment = self.environments.iter().find(|own| own.name.as_str() == environment)?;
        let control = environment.controls.iter().find(|own| own.id.as_str() == control)?;
        Some(control.action)
    }

    /// Whether an Exception would count in an Environment, for `assay exception check`. `None`: there is no such
    /// Environment.
    pub fn check_exception(
        &self,
        environment: &str,
        exception: &ExceptionInput,
        now: Timestamp,
    ) -> Option<Result<(), ExceptionProblem>> {
        let environment = self.environments.iter().find(|own| own.name.as_str() == environment)?;
        Some(is_live(exception, environment, now))
    }

    pub(crate) fn strictest(&self) -> &CompiledEnvironment {
        // `compile` refuses a Policy without Environments and sets the index to one of them.
        &self.environments[self.strictest]
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Why a Policy was refused. Nothing is decided by half a Policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is no Environment. Load one, or use the starter Environments.
    #[error("there is no Environment, so that nothing could be decided")]
    NoEnvironment,
    /// Two objects of one kind have the same name. Rename one.
    #[error("there are two objects of kind {kind} called {name}")]
    Duplicate {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The default Environment does not exist.
    #[error("the default environment {name} does not exist")]
    UnknownDefault {
        /// Its name.
        name: EnvironmentName,
    },
    /// A control, parameter, trust root or key that does not exist is named.
    #[error("{place}: there is no {what} `{name}`{}", suggestion.as_ref().map(|word| format!(", did you mean `{word}`?")).unwrap_or_default())]
    Unknown {
        /// Where, `Environment prod: spec.controls`.
        place: String,
        /// What it should be.
        what: &'static str,
        /// What is written.
        name: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// Something is written that cannot be meant.
    #[error("{place}: {message}")]
    Invalid {
        /// Where.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The built-in catalogue does not fit the built-in controls: a defect of this build.
    #[error("the control catalogue of this build is damaged: {message}")]
    Catalogue {
        /// What does not fit.
        message: String,
    },
}

impl Explain for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoEnvironment => "policy-empty",
            Self::Duplicate { .. } => "policy-duplicate",
            Self::UnknownDefault { .. } => "policy-default-unknown",
            Self::Unknown { .. } => "policy-name-unknown",
            Self::Invalid { .. } => "policy-invalid",
            Self::Catalogue { .. } => "policy-catalogue-damaged",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::NoEnvironment => Some("name a folder with Environments: --config DIR".to_owned()),
            Self::Unknown { what: "control" | "parameter", .. } => Some("assay policy list".to_owned()),
            _ => None,
        }
    }
}
