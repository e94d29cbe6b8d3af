//! What controls see, and how they say what they found.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use assay_case::{Action, Case, Cause, Facts, ImageUse, Operation, Outcome, Promotions, Statement, Target};
use assay_model::{Severity, Timestamp};

use crate::clock::Clock;
use crate::policy::{CompiledControl, CompiledEnvironment};

/// What a control may look at. It notes what is looked at, so that what was said of an image can be said again where
/// nothing of that is different ([`crate::memory`]).
pub(crate) struct Context<'c> {
    case: &'c Case<'c>,
    pub(crate) environment: &'c CompiledEnvironment,
    pub(crate) clock: Clock,
    /// Whether something was read that another request may hold otherwise.
    particular: Cell<bool>,
}

impl<'c> Context<'c> {
    pub(crate) fn new(case: &'c Case<'c>, environment: &'c CompiledEnvironment, now: Timestamp) -> Self {
        Self { case, environment, clock: Clock::new(now), particular: Cell::new(false) }
    }

    /// Everything. What a control says after a look at it is about this request alone.
    pub(crate) fn case(&self) -> &'c Case<'c> {
        self.particular.set(true);
        self.case
    }

    /// What is being done.
    pub(crate) fn operation(&self) -> Operation {
        self.case.request.operation
    }

    /// The promotion ledger.
    pub(crate) fn promotions(&self) -> Result<&'c Promotions, &'c Cause> {
        self.case.world.promotions.get()
    }

    /// Runs a control, and tells until when it will say the same about the same image and facts, by the same ledger and
    /// for the same operation. None where that cannot be told.
    pub(crate) fn lasting(&self, judge: impl FnOnce()) -> Option<Timestamp> {
        self.particular.set(false);
        let until = self.clock.lasting(judge);
        until.filter(|_| !self.particular.get())
    }
}

/// What a control says: a clause, and whatever else is known of it.
#[derive(Default)]
pub(crate) struct Said {
    message: Cow<'static, str>,
    fix: Option<Cow<'static, str>>,
    severity: Option<Severity>,
    vulnerabilities: Vec<String>,
    packages: Vec<String>,
    target: Option<Target>,
}

impl<T: Into<Cow<'static, str>>> From<T> for Said {
    fn from(message: T) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

impl Said {
    /// What to do about it.
    pub(crate) fn fix(mut self, fix: impl Into<Cow<'static, str>>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The vulnerability it is about.
    pub(crate) fn vulnerability(mut self, severity: Severity, names: Vec<String>, packages: Vec<String>) -> Self {
        self.severity = Some(severity);
        self.vulnerabilities = names;
        self.packages = packages;
        self
    }

    /// How bad it is, where it is no vulnerability.
    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The container or field it is about, for controls that judge the whole object.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }
}

/// An outcome before Exceptions, and what it is about.
pub(crate) struct Draft<'c> {
    pub(crate) statement: Statement,
    pub(crate) target: Arc<Target>,
    pub(crate) image: Option<&'c ImageUse>,
    pub(crate) facts: Option<&'c Facts>,
}

/// Where a control says what it found.
pub(crate) struct Report<'c> {
    pub(crate) drafts: Vec<Draft<'c>>,
    pub(crate) control: &'c CompiledControl,
    pub(crate) action: Action,
    pub(crate) images: &'c [ImageUse],
    pub(crate) image: Option<&'c ImageUse>,
    pub(crate) facts: Option<&'c Facts>,
    /// What outcomes are about that do not say so themselves.
    pub(crate) target: &'c Arc<Target>,
}

impl<'c> Report<'c> {
    pub(crate) fn new(
        control: &'c CompiledControl,
        action: Action,
        images: &'c [ImageUse],
        target: &'c Arc<Target>,
        drafts: Vec<Draft<'c>>,
    ) -> Self {
        Self { drafts, control, action, images, image: None, facts: None, target }
    }

    /// It does not apply here.
    pub(crate) fn skip(&mut self, why: impl Into<Said>) {
        self.add(Outcome::Skip, why.into());
    }

    /// The requirement is met.
    pub(crate) fn pass(&mut self, how: impl Into<Said>) {
        self.add(Outcome::Pass, how.into());
    }

    /// The requirement is met, with something to look at.
    pub(crate) fn warn(&mut self, what: impl Into<Said>) {
        self.add(Outcome::Warn, what.into());
    }

    /// The requirement is not met.
    pub(crate) fn fail(&mut self, why: impl Into<Said>) {
        self.add(Outcome::Fail, why.into());
    }

    /// The check could not be made.
    pub(crate) fn error(&mut self, why: impl Into<Said>) {
        self.add(Outcome::Error, why.into());
    }

    /// The check could not be made, because something is not known.
    pub(crate) fn unknown(&mut self, what: &str, cause: &Cause) {
        self.error(format!("{what} could not be found out: {} ({})", cause.message, cause.code));
    }

    fn add(&mut self, outcome: Outcome, said: Said) {
        let image = match (&self.image, &said.target) {
            (Some(image), _) => Some(*image),
            // A container of the object: its image is what an Exception can name.
            (None, Some(target)) => {
                self.images.iter().find(|image| Some(image.role) == target.role && image.name == target.name)
            }
            (None, None) => None,
        };
        let target = said.target.map_or_else(|| Arc::clone(self.target), Arc::new);
        self.drafts.push(Draft {
            statement: Statement {
                control: self.control.id.clone(),
                action: self.action,
                outcome,
                message: said.message,
                fix: said.fix,
                severity: said.severity,
                vulnerabilities: said.vulnerabilities,
                packages: said.packages,
                excepted_by: None,
            },
            target,
            image,
            facts: self.facts,
        });
    }
}
