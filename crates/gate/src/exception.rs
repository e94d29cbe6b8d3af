//! Exceptions: when one is alive, and what it covers.
//!
//! [`is_live`] is the only place where an Exception meets the clock: an expired one does nothing, at every place, at once.

use std::fmt;

use assay_case::{Action, Outcome, Request};
use assay_kinds::{Exception, ExceptionSubject};
use assay_model::{Digest, Purl, Reference, Repository, Timestamp};
use jiff::SignedDuration;

use crate::evidence::Prefix;
use crate::policy::{ApprovalState, CompiledEnvironment, ExceptionInput};
use crate::report::Draft;

/// Why an Exception does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExceptionProblem {
    /// A field that every Exception needs is missing or empty.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// It has ended.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It lasts longer than the Environment allows.
    BeyondCap {
        /// From approval to expiry.
        lasts: SignedDuration,
        /// The longest that is allowed.
        cap: SignedDuration,
    },
    /// The approval lies in the future.
    ApprovedInFuture {
        /// When it says it was approved.
        at: Timestamp,
    },
    /// Nobody vouches for the approval: whoever wrote the file wrote that, too.
    NotAuthenticated,
    /// What was signed as its approval does not hold.
    ApprovalRefused {
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else approved than the Exception says.
    OtherApprover {
        /// Whom the Exception names.
        named: String,
        /// Who it was.
        found: String,
    },
    /// The approver asked for it, too.
    ApprovedByAuthor {
        /// Who.
        by: String,
    },
    /// The Environment does not let the approver approve.
    NotAnApprover {
        /// Who.
        by: String,
        /// The Environment.
        environment: String,
    },
}

impl fmt::Display for ExceptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { field } => write!(f, "it has no {field}"),
            Self::Expired { at } => write!(f, "it expired at {at}"),
            Self::BeyondCap { lasts, cap } => {
                write!(f, "it lasts {} h from its approval, at most {} h are allowed", lasts.as_hours(), cap.as_hours())
            }
            Self::ApprovedInFuture { at } => write!(f, "its approval is dated in the future, {at}"),
            Self::ApprovalRefused { why } => write!(f, "its approval does not hold: {why}"),
            Self::NotAuthenticated => f.write_str("its approval is not authenticated"),
            Self::OtherApprover { named, found } => write!(f, "it names {named} as approver, but {found} approved it"),
            Self::ApprovedByAuthor { by } => write!(f, "{by} approved what {by} asked for"),
            Self::NotAnApprover { by, environment } => write!(f, "{by} is no approver of {environment}"),
        }
    }
}

/// Whether an Exception counts in an Environment now. Everything that can be wrong with it is looked at in a fixed order.
pub(crate) fn is_live(
    input: &ExceptionInput,
    environment: &CompiledEnvironment,
    now: Timestamp,
) -> Result<(), ExceptionProblem> {
    let spec = &input.exception.spec;
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    let required = [
        ("owner", filled(&spec.owner)),
        ("reason", filled(&spec.reason)),
        ("controls", !spec.controls.is_empty()),
        ("subjects", !spec.subjects.is_empty()),
        ("scope.namespaces", !spec.scope.namespaces.is_empty()),
        ("compensatingControl", filled(&spec.compensating_control)),
    ];
    if let Some((field, _)) = required.iter().find(|(_, present)| !present) {
        return Err(ExceptionProblem::Missing { field });
    }
    let expires = spec.expires_at.ok_or(ExceptionProblem::Missing { field: "expiresAt" })?;
    let approval = spec.approval.as_ref().ok_or(ExceptionProblem::Missing { field: "approval" })?;
    if expires <= now {
        return Err(ExceptionProblem::Expired { at: expires });
    }
    if approval.at > now {
        return Err(ExceptionProblem::ApprovedInFuture { at: approval.at });
    }
    let cap = if spec.break_glass { environment.break_glass_cap } else { environment.exception_cap };
    let lasts = expires.duration_since(approval.at);
    if lasts > cap {
        return Err(ExceptionProblem::BeyondCap { lasts, cap });
    }
    let (by, groups) = match &input.approval {
        ApprovalState::Authenticated { by, groups } => (by, groups),
        ApprovalState::Unauthenticated => return Err(ExceptionProblem::NotAuthenticated),
        ApprovalState::Refused { why } => return Err(ExceptionProblem::ApprovalRefused { why: why.clone() }),
    };
    if *by != approval.by {
        return Err(ExceptionProblem::OtherApprover { named: approval.by.clone(), found: by.clone() });
    }
    let authors = [&spec.owner, &spec.requested_by, &input.author];
    if authors.into_iter().flatten().any(|author| author.trim().eq_ignore_ascii_case(by.trim())) {
        return Err(ExceptionProblem::ApprovedByAuthor { by: by.clone() });
    }
    if !environment.may_approve(by, groups) {
        return Err(ExceptionProblem::NotAnApprover { by: by.clone(), environment: environment.name.to_string() });
    }
    Ok(())
}

/// What an Exception has to do with an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// It is about something else.
    Unrelated,
    /// It names this, but not here; or it may not lift this.
    Outside(String),
    /// It names this, here.
    Covers,
}

/// Whether an Exception names what an outcome is about. It lifts an outcome only if it covers all of it: two Exceptions
/// never cover one outcome together.
pub(crate) fn covers(exception: &Exception, request: &Request<'_>, draft: &Draft<'_>) -> Cover {
    let spec = &exception.spec;
    let outcome = &draft.statement;
    if !spec.controls.contains(&outcome.control) || !subjects_fit(&spec.subjects, request, draft) {
        return Cover::Unrelated;
    }
    if !spec.scope.namespaces.is_empty() && !spec.scope.namespaces.contains(&request.namespace.name) {
        let namespaces = spec.scope.namespaces.join(", ");
        return Cover::Outside(format!("it applies in {namespaces}, not in {}", request.namespace.name));
    }
    let workload = format!("{}/{}", request.workload.kind, request.workload.name);
    let is_workload = |name: &String| *name == workload || request.workload.owner.as_ref() == Some(name);
    if !spec.scope.workloads.is_empty() && !spec.scope.workloads.iter().any(is_workload) {
        let workloads = spec.scope.workloads.join(", ");
        return Cover::Outside(format!("it applies to {workloads}, not to {workload}"));
    }
    match outcome.action {
        Action::EnforceAlways => Cover::Outside("nothing lifts this control here".to_owned()),
        Action::Enforce if !spec.break_glass => Cover::Outside("only break-glass lifts this control here".to_owned()),
        _ => Cover::Covers,
    }
}

/// Subjects of one sort are alternatives; different sorts must all fit.
fn subjects_fit(subjects: &[ExceptionSubject], request: &Request<'_>, draft: &Draft<'_>) -> bool {
    let outcome = &draft.statement;
    let mut sorts = [None; 4];
    for subject in subjects {
        let (sort, fits) = match subject {
            ExceptionSubject::Digest(digest) => {
                (0, every_image(request, draft, |image| image.digests.contains(digest)))
            }
            ExceptionSubject::Repository(name) => {
                (1, every_image(request, draft, |image| image.repository.is_some_and(|own| is_repository(name, own))))
            }
            ExceptionSubject::Package(name) => (2, {
                // An error tells of no package: what could not be looked at cannot be excepted by name.
                outcome.outcome == Outcome::Fail
                    && !outcome.packages.is_empty()
                    && outcome.packages.iter().all(|package| is_package(name, package))
            }),
            ExceptionSubject::Vulnerability(name) => {
                (3, outcome.vulnerabilities.iter().any(|own| own.eq_ignore_ascii_case(name)))
            }
        };
        if let Some(slot) = sorts.get_mut(sort) {
            *slot = Some(slot.unwrap_or(false) || fits);
        }
    }
    !subjects.is_empty() && sorts.into_iter().flatten().all(|fits| fits)
}

/// What an Exception can name of an image.
struct Named<'a> {
    digests: Vec<Digest>,
    repository: Option<&'a Repository>,
}

/// An outcome about one image is about that; one about the whole object is about every image in it.
fn every_image(request: &Request<'_>, draft: &Draft<'_>, fits: impl Fn(&Named<'_>) -> bool) -> bool {
    let written = |image: &assay_case::ImageUse| image.reference.as_ref().ok().and_then(Reference::digest);
    if let Some(facts) = draft.facts {
        let digests = facts.subject.covering_digests().collect();
        return fits(&Named { digests, repository: Some(&facts.subject.repository) });
    }
    let named = |image: &'_ assay_case::ImageUse| {
        let repository = image.reference.as_ref().ok().map(Reference::repository);
        fits(&Named { digests: written(image).into_iter().collect(), repository })
    };
    match draft.image {
        Some(image) => named(image),
        None => !request.images.is_empty() && request.images.iter().all(named),
    }
}

/// A repository is named exactly, or by a prefix that ends with `/`.
fn is_repository(name: &str, own: &Repository) -> bool {
    if name.ends_with('/') {
        Prefix::parse(name).is_some_and(|prefix| prefix.holds(own))
    } else {
        name.parse::<Repository>().is_ok_and(|named| named == *own)
    }
}

/// A purl names that package, with its version if it has one; a bare name names any package so called.
fn is_package(name: &str, package: &str) -> bool {
    let Ok(own) = package.parse::<Purl>() else { return name == package };
    match name.parse::<Purl>() {
        Ok(named) if named.version.is_some() => {
            named.without_version() == own.without_version() && named.version == own.version
        }
        Ok(named) => named.without_version() == own.without_version(),
        Err(_) => name == own.name,
    }
}
