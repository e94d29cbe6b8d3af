//! The decision: every control on every image and platform, then Exceptions, then what comes of it.

use std::sync::Arc;

use assay_case::{
    Action, Case, ControlOutcome, ExceptionNote, Exposure, Facts, ImageUse, Known, Operation, Outcome, Request, Target,
    Verdict,
};
use assay_kinds::ErrorPolicy;
use assay_model::{Reference, Timestamp};

use crate::catalogue::Protects;
use crate::controls::Control;
use crate::exception::{Cover, covers, is_live};
use crate::policy::{CompiledControl, CompiledEnvironment, ExceptionInput, Policy};
use crate::report::{Context, Draft, Report};
use crate::select::select;

/// Decides a Case by a Policy at a time. The same inputs give the same Verdict.
pub fn decide(policy: &Policy, case: &Case<'_>, now: Timestamp) -> Verdict {
    let request = &case.request;
    let selection = select(policy, request);
    let admitted: Vec<bool> = request.images.iter().map(|image| admitted_before(case, image)).collect();
    let mut notes: Vec<String> = selection.note.iter().cloned().collect();
    if request.operation == Operation::Reschedule && admitted.contains(&false) {
        notes.push("not all images were admitted here before: those are judged like a new deployment".to_owned());
    }
    let (whole, images) = (Arc::default(), Image::all(case));
    // Nearly all controls say one thing about each image.
    let controls: usize = selection.environments.iter().map(|environment| environment.controls.len()).sum();
    let mut decision = Decision {
        policy,
        whole: &whole,
        images: &images,
        selected: &selection.environments,
        case,
        exposed: is_exposed(case),
        admitted,
        position: 0,
        outcomes: Vec::with_capacity(controls * (request.images.len() + 1)),
        drafts: Vec::new(),
        notes: Vec::new(),
    };
    for environment in &selection.environments {
        let context = Context { case, environment, now };
        // Where several Environments judge, each does so with its own parameters, and what any of them denies is denied.
        for (index, control) in environment.controls.iter().enumerate() {
            if control.action != Action::Off {
                decision.position = index as u64;
                decision.judge(&context, control);
            }
        }
    }
    let Decision { outcomes, notes: mut exceptions, .. } = decision;
    let outcomes = sorted(outcomes);
    exceptions.sort_by(|a, b| (&a.name, &a.control, &a.ignored).cmp(&(&b.name, &b.control, &b.ignored)));
    exceptions.dedup();
    Verdict {
        allowed: !outcomes.iter().any(ControlOutcome::denies),
        operation: request.operation,
        workload: format!("{}/{}/{}", request.namespace.name, request.workload.kind, request.workload.name),
        environment: selection.environments.first().copied().unwrap_or_else(|| policy.strictest()).name.clone(),
        policy: policy.digest,
        decided_at: now,
        outcomes,
        exceptions,
        unbound: unbound(request),
        notes,
    }
}

/// Worst first, then by container, control and message: the order in which people should read them.
fn sorted(outcomes: Vec<(u64, ControlOutcome)>) -> Vec<ControlOutcome> {
    // One number each: there are some hundred of them in every decision. A place has less than 56 bits.
    let rank = |(place, outcome): &(u64, ControlOutcome)| {
        let badness = (u64::from(outcome.denies()) << 3) | outcome.outcome as u64;
        ((15 - badness) << 56) | place
    };
    // Outcomes are large: their ranks are sorted, and each of them is moved once.
    let mut ranks: Vec<_> = outcomes.iter().enumerate().map(|(index, entry)| (rank(entry), index)).collect();
    let message = |index: usize| outcomes.get(index).map(|(_, outcome)| (&outcome.message, &outcome.target));
    ranks.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| message(a.1).cmp(&message(b.1))));
    let mut outcomes: Vec<Option<ControlOutcome>> = outcomes.into_iter().map(|(_, outcome)| Some(outcome)).collect();
    let taken = ranks.into_iter().filter_map(|(_, index)| outcomes.get_mut(index)?.take());
    let mut sorted: Vec<ControlOutcome> = taken.collect();
    sorted.dedup();
    sorted
}

/// A workload that nobody looked at may be reached from anywhere.
fn is_exposed(case: &Case<'_>) -> bool {
    let request = &case.request;
    let namespace = &request.namespace.name;
    let own = format!("{namespace}/{}/{}", request.workload.kind, request.workload.name);
    let owner = request.workload.owner.as_ref().map(|owner| format!("{namespace}/{owner}"));
    let exposure = [Some(own), owner].into_iter().flatten().find_map(|key| case.world.exposure.get(&key));
    exposure != Some(&Exposure::Internal)
}

/// Whether everything that an image may run was admitted here before, for this workload or its controller.
fn admitted_before(case: &Case<'_>, image: &ImageUse) -> bool {
    if case.world.admissions.is_empty() {
        return false;
    }
    let request = &case.request;
    let workload = format!("{}/{}", request.workload.kind, request.workload.name);
    let before = |digest| {
        case.world.admissions.iter().any(|admission| {
            admission.digest == digest
                && admission.namespace == request.namespace.name
                && (admission.workload == workload || request.workload.owner.as_ref() == Some(&admission.workload))
        })
    };
    match case.facts.get(&image.written) {
        Some(Known::Known { value, .. }) if !value.is_empty() => {
            value.iter().all(|facts| facts.subject.covering_digests().any(before))
        }
        _ => image.reference.as_ref().ok().and_then(Reference::digest).is_some_and(before),
    }
}

/// The images whose tag the kubelet will resolve again: what was judged need not be what runs.
fn unbound(request: &Request<'_>) -> Vec<String> {
    let is_tag = |image: &&ImageUse| image.reference.as_ref().is_ok_and(|reference| reference.digest().is_none());
    let mut written: Vec<String> = request.images.iter().filter(is_tag).map(|image| image.written.clone()).collect();
    written.sort();
    written.dedup();
    written
}

/// An image as controls see it, and what outcomes about it are about. Made once, and shared by all of them.
struct Image<'d> {
    target: Arc<Target>,
    /// Everything that may run, with the facts of each; nothing where that could not be found out.
    platforms: Vec<(&'d Facts, Arc<Target>)>,
}

impl<'d> Image<'d> {
    fn all(case: &'d Case<'_>) -> Vec<Self> {
        case.request.images.iter().map(|image| Self::of(case, image)).collect()
    }

    fn of(case: &'d Case<'_>, image: &'d ImageUse) -> Self {
        let of_image = Target {
            role: Some(image.role),
            name: image.name.clone(),
            image: image.written.clone(),
            digest: image.reference.as_ref().ok().and_then(Reference::digest),
            platform: None,
            field: image.field.clone(),
        };
        let target = Arc::new(of_image);
        let found: &[Arc<Facts>] = match case.facts.get(&image.written) {
            Some(Known::Known { value, .. }) if image.reference.is_ok() => value,
            _ => &[],
        };
        let several = found.len() > 1;
        let platforms = found.iter().map(|facts| {
            let subject = &facts.subject;
            if !several && target.digest == Some(subject.digest) {
                return (facts.as_ref(), Arc::clone(&target));
            }
            // More than one is judged, so that messages name it.
            let platform = subject.platform.as_ref().filter(|_| several).map(ToString::to_string);
            (facts.as_ref(), Arc::new(Target { digest: Some(subject.digest), platform, ..Target::clone(&target) }))
        });
        Self { platforms: platforms.collect(), target }
    }
}

/// A decision in the making.
struct Decision<'d> {
    policy: &'d Policy,
    /// What outcomes about the whole object are about.
    whole: &'d Arc<Target>,
    /// What is known of the request's images, in their order.
    images: &'d [Image<'d>],
    selected: &'d [&'d CompiledEnvironment],
    case: &'d Case<'d>,
    exposed: bool,
    /// For each image, whether it was admitted here before.
    admitted: Vec<bool>,
    /// Place of the control at hand in the catalogue.
    position: u64,
    /// Outcomes with their place: by container, then by control.
    outcomes: Vec<(u64, ControlOutcome)>,
    /// The buffer that reports are written to, kept from control to control.
    drafts: Vec<Draft<'d>>,
    notes: Vec<ExceptionNote>,
}

impl<'d> Decision<'d> {
    /// Lets one control judge everything it looks at.
    fn judge(&mut self, context: &Context<'d>, control: &'d CompiledControl) {
        let exposed_action = control.when_internet_facing.filter(|_| self.exposed);
        let action = exposed_action.map_or(control.action, |action| action.max(control.action));
        let images: &'d [ImageUse] = &self.case.request.images;
        match &control.control {
            Control::Workload(judge) => {
                let mut report = Report::new(control, action, images, self.whole, self.buffer());
                judge(context, &mut report);
                self.finish(context, control, report.drafts, 0, 1);
            }
            Control::Image(judge) => {
                for (index, (image, own)) in images.iter().zip(self.images).enumerate() {
                    let action = self.rescheduled(control, action, index);
                    let mut report = Report::new(control, action, images, &own.target, self.buffer());
                    report.image = Some(image);
                    match &image.reference {
                        Ok(reference) => judge(context, image, reference, &mut report),
                        Err(error) => report.error(format!("the image reference cannot be read: {error}")),
                    }
                    self.finish(context, control, report.drafts, index + 1, 1);
                }
            }
            Control::Subject(judge) => {
                for (index, (image, own)) in images.iter().zip(self.images).enumerate() {
                    let action = self.rescheduled(control, action, index);
                    let mut report = Report::new(control, action, images, &own.target, self.buffer());
                    report.image = Some(image);
                    if own.platforms.is_empty() {
                        self.without_facts(image, &mut report);
                    }
                    for (facts, target) in &own.platforms {
                        report.facts = Some(facts);
                        report.target = target;
                        judge(context, facts, &mut report);
                    }
                    self.finish(context, control, report.drafts, index + 1, own.platforms.len());
                }
            }
            Control::Exceptions => {
                let mut report = Report::new(control, action, images, self.whole, self.buffer());
                self.judge_exceptions(&mut report);
                self.finish(context, control, report.drafts, 0, 1);
            }
        }
    }

    fn buffer(&mut self) -> Vec<Draft<'d>> {
        std::mem::take(&mut self.drafts)
    }

    fn without_facts(&self, image: &ImageUse, report: &mut Report<'_>) {
        if let Err(error) = &image.reference {
            return report.error(format!("the image reference cannot be read: {error}"));
        }
        match self.case.facts_of(&image.written) {
            Known::Unknown { cause } => report.unknown("the image", &cause),
            Known::Known { .. } => report.error("the image holds nothing for any platform that may run it"),
        }
    }

    /// What a control does about an image that is only made again: what is known of its risk may have turned since, and
    /// warns; who made it and how it runs counts as ever (architecture, promise 9).
    fn rescheduled(&self, control: &CompiledControl, action: Action, image: usize) -> Action {
        let again = self.case.request.operation == Operation::Reschedule
            && control.entry.protects == Protects::Risk
            && self.admitted.get(image).is_some_and(|admitted| *admitted);
        if again { action.min(control.when_rescheduled) } else { action }
    }

    /// Applies the failure policy and the Exceptions, and keeps what counts of several platforms.
    fn finish(
        &mut self,
        context: &Context<'d>,
        control: &CompiledControl,
        mut drafts: Vec<Draft<'d>>,
        image: usize,
        platforms: usize,
    ) {
        for draft in &mut drafts {
            if draft.outcome.outcome == Outcome::Error && context.environment.on_error(control) == ErrorPolicy::Warn {
                draft.outcome.action = draft.outcome.action.min(Action::Warn);
            }
            if draft.outcome.denies() && !matches!(control.control, Control::Exceptions) {
                self.except(context, draft);
            }
        }
        let place = ((image as u64) << 16) | self.position;
        let outcomes = drafts.drain(..).map(|draft| draft.outcome);
        if platforms > 1 {
            self.outcomes.extend(worst(outcomes.collect(), platforms).into_iter().map(|outcome| (place, outcome)));
        } else {
            self.outcomes.extend(outcomes.map(|outcome| (place, outcome)));
        }
        self.drafts = drafts;
    }

    /// Looks for one Exception that covers a denial, and notes those that would but for a problem.
    fn except(&mut self, context: &Context<'d>, draft: &mut Draft<'d>) {
        let policy = self.policy;
        for input in &policy.exceptions {
            let ignored = match covers(&input.exception, &self.case.request, draft) {
                Cover::Unrelated => continue,
                Cover::Outside(why) => Some(why),
                Cover::Covers => self.problem(context, input),
            };
            let name = &input.exception.metadata.name;
            if ignored.is_none() && draft.outcome.excepted_by.is_none() {
                draft.outcome.excepted_by = Some(name.clone());
            }
            self.notes.push(ExceptionNote { name: name.clone(), control: draft.outcome.control.clone(), ignored });
        }
    }

    /// An Exception must be alive in every Environment that judges.
    fn problem(&self, context: &Context<'d>, input: &ExceptionInput) -> Option<String> {
        let live = |environment: &&CompiledEnvironment| is_live(input, environment, context.now).err();
        self.selected.iter().find_map(live).map(|problem| problem.to_string())
    }

    /// Exceptions that would lift a denial if they were in order. Where the denial is lifted by another one, nothing
    /// hangs on them: an Exception that does nothing never makes anything worse than none.
    fn judge_exceptions(&self, report: &mut Report<'_>) {
        let denied = |note: &&ExceptionNote| {
            note.ignored.is_some()
                && self.outcomes.iter().any(|(_, outcome)| outcome.denies() && outcome.control == note.control)
        };
        let mut said: Vec<String> = self
            .notes
            .iter()
            .filter(denied)
            .filter_map(|note| Some(format!("exception {} does nothing: {}", note.name, note.ignored.as_ref()?)))
            .collect();
        said.sort();
        said.dedup();
        if said.is_empty() {
            let used = self.notes.iter().any(|note| note.ignored.is_none());
            if used {
                report.pass("every exception used is in order");
            } else {
                report.skip("no exception is needed");
            }
            return;
        }
        for message in said {
            report.fail(crate::report::Said::from(message).fix("assay exception check"));
        }
    }
}

/// Of one control on one image: what is not met, on whichever platform; else the least good of what is met. What several
/// platforms have in common is said once, with their names unless it is all of them.
fn worst(outcomes: Vec<ControlOutcome>, platforms: usize) -> Vec<ControlOutcome> {
    let worst = outcomes.iter().map(|outcome| outcome.outcome).max().unwrap_or(Outcome::Skip);
    let counts =
        |outcome: &ControlOutcome| if worst.is_met() { outcome.outcome == worst } else { !outcome.outcome.is_met() };
    let mut kept: Vec<(ControlOutcome, Vec<String>)> = Vec::new();
    for outcome in outcomes.into_iter().filter(counts) {
        let platform = outcome.target.platform.clone();
        let same = kept.iter_mut().find(|(other, _)| {
            (other.outcome, other.action, &other.message, &other.excepted_by, &other.packages, &other.vulnerabilities)
                == (
                    outcome.outcome,
                    outcome.action,
                    &outcome.message,
                    &outcome.excepted_by,
                    &outcome.packages,
                    &outcome.vulnerabilities,
                )
        });
        match same {
            Some((_, names)) => names.extend(platform),
            None => kept.push((outcome, platform.into_iter().collect())),
        }
    }
    kept.into_iter()
        .map(|(mut outcome, names)| {
            let platform = (names.len() < platforms && !names.is_empty()).then(|| names.join(", "));
            if outcome.target.platform != platform {
                Arc::make_mut(&mut outcome.target).platform = platform;
            }
            outcome
        })
        .collect()
}
