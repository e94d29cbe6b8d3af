//! The decision: every control on every image and platform, then Exceptions, then what comes of it.

use std::sync::Arc;

use assay_case::{
    Action, Case, ControlOutcome, ExceptionNote, Exposure, FactParts, Facts, ImageUse, Known, Operation, Outcome,
    Request, Statement, Target, Verdict,
};
use assay_kinds::ErrorPolicy;
use assay_model::{Reference, Timestamp};

use crate::catalogue::Protects;
use crate::controls::Control;
use crate::exception::{Cover, covers, is_live};
use crate::memory::{Circumstances, LastSaid, Memory, Remembered, facts_of};
use crate::policy::{CompiledControl, CompiledEnvironment, ExceptionInput, Policy};
use crate::report::{Context, Draft, Report};
use crate::select::select;

/// Decides a Case by a Policy at a time. The same inputs give the same Verdict.
pub fn decide(policy: &Policy, case: &Case<'_>, now: Timestamp) -> Verdict {
    decide_with(policy, case, now, None)
}

/// The same Verdict in less time, where the images were judged before.
pub fn decide_remembering(policy: &Policy, case: &Case<'_>, now: Timestamp, memory: &Memory) -> Verdict {
    decide_with(policy, case, now, Some(memory))
}

fn decide_with(policy: &Policy, case: &Case<'_>, now: Timestamp, memory: Option<&Memory>) -> Verdict {
    let request = &case.request;
    let selection = select(policy, request);
    let admitted: Vec<bool> = request.images.iter().map(|image| admitted_before(case, image)).collect();
    let mut notes: Vec<String> = selection.note.iter().cloned().collect();
    if request.operation == Operation::Reschedule && admitted.contains(&false) {
        notes.push("not all images were admitted here before: those are judged like a new deployment".to_owned());
    }
    let exposed = is_exposed(case);
    let circumstances = |environment: &CompiledEnvironment, image: usize| Circumstances {
        environment: environment.name.clone(),
        operation: request.operation,
        exposed,
        admitted: admitted.get(image).is_some_and(|admitted| *admitted),
    };
    let uses = || {
        let images = |environment| request.images.iter().enumerate().map(move |image| (environment, image));
        let uses = selection.environments.iter().flat_map(move |environment| images(*environment));
        uses.map(|(environment, (index, image))| (image, circumstances(environment, index)))
    };
    let (recalled, last) = memory.map(|memory| memory.recall(policy.digest, case, uses(), now)).unwrap_or_default();
    let images: Vec<Image<'_>> = request
        .images
        .iter()
        .enumerate()
        .map(|(index, image)| Image::of(case, image, recalled.get(index).and_then(Option::as_deref)))
        .collect();
    let whole = Arc::default();
    // Nearly all controls say one thing about each image.
    let controls: usize = selection.environments.iter().map(|environment| environment.controls.len()).sum();
    let mut decision = Decision {
        policy,
        whole: &whole,
        images: &images,
        selected: &selection.environments,
        case,
        exposed,
        admitted: &admitted,
        recalled: &recalled,
        learnt: if memory.is_some() {
            recalled.iter().map(|own| Lesson::missing(own.as_ref())).collect()
        } else {
            Vec::new()
        },
        last,
        changed: false,
        environment: 0,
        first: 0,
        position: 0,
        outcomes: (0..=request.images.len()).map(|_| Vec::with_capacity(controls)).collect(),
        drafts: Vec::new(),
        notes: Vec::new(),
    };
    for (place, environment) in selection.environments.iter().enumerate() {
        let context = Context::new(case, environment, now);
        decision.first = place * request.images.len();
        decision.environment = place_in(policy, environment);
        // Where several Environments judge, each does so with its own parameters, and what any of them denies is denied.
        for (index, control) in environment.controls.iter().enumerate() {
            if control.action != Action::Off {
                decision.position = index;
                decision.judge(&context, control);
            }
        }
    }
    let Decision { outcomes, notes: mut exceptions, learnt, last, changed, .. } = decision;
    if let Some(memory) = memory {
        let learnt: Vec<Remembered> = learnt
            .into_iter()
            .zip(uses())
            .enumerate()
            .filter_map(|(place, (lesson, (image, circumstances)))| {
                let own = images.get(place % request.images.len())?;
                let Lesson { until, said } = lesson.filter(|_| !facts_of(case, image).is_empty())?;
                Some(Remembered {
                    image: image.clone(),
                    circumstances,
                    facts: facts_of(case, image).iter().map(|facts| FactParts::of(facts)).collect(),
                    at: now,
                    until,
                    target: Arc::clone(&own.target),
                    targets: own.platforms.iter().map(|(_, target)| Arc::clone(target)).collect(),
                    said,
                })
            })
            .collect();
        if changed || !learnt.is_empty() {
            memory.learn(policy.digest, case, learnt, changed.then_some(last));
        }
    }
    let outcomes = sorted(outcomes);
    exceptions.sort_by(|a, b| (&a.name, &a.control, &a.ignored).cmp(&(&b.name, &b.control, &b.ignored)));
    exceptions.dedup();
    Verdict {
        allowed: !outcomes.iter().any(|outcome| outcome.denies()),
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

/// Place of an Environment in the Policy that it is of.
fn place_in(policy: &Policy, environment: &CompiledEnvironment) -> usize {
    policy.environments.iter().position(|own| std::ptr::eq(own, environment)).unwrap_or_default()
}

/// Worst first, then by container, control and message: the order in which people should read them.
fn sorted(outcomes: Vec<Vec<(u64, ControlOutcome)>>) -> Vec<ControlOutcome> {
    // One number each: there are some hundred of them in every decision. A place has less than 56 bits.
    let count = outcomes.iter().map(Vec::len).sum();
    // They are of few kinds: put down kind by kind, they nearly always are in order.
    let mut kinds: [Vec<(u64, ControlOutcome)>; 16] = Default::default();
    for (place, outcome) in outcomes.into_iter().flatten() {
        let badness = (u64::from(outcome.denies()) << 3) | outcome.outcome as u64;
        let kind = 15 - badness;
        if let Some(of_kind) = kinds.get_mut(kind as usize) {
            if of_kind.is_empty() {
                of_kind.reserve(count);
            }
            of_kind.push(((kind << 56) | place, outcome));
        }
    }
    let mut all = Vec::with_capacity(count);
    for of_kind in &mut kinds {
        all.append(of_kind);
    }
    let order = |(a, first): &(u64, ControlOutcome), (b, second): &(u64, ControlOutcome)| {
        a.cmp(b).then_with(|| (&first.message, &first.target).cmp(&(&second.message, &second.target)))
    };
    if !all.is_sorted_by(|a, b| order(a, b).is_le()) {
        all.sort_by(order);
    }
    all.dedup();
    all.into_iter().map(|(_, outcome)| outcome).collect()
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
    fn of(case: &'d Case<'_>, image: &'d ImageUse, recalled: Option<&Remembered>) -> Self {
        let found = facts_of(case, image);
        if let Some(recalled) = recalled {
            let platforms = found.iter().map(AsRef::as_ref).zip(recalled.targets.iter().cloned()).collect();
            return Self { target: Arc::clone(&recalled.target), platforms };
        }
        let of_image = Target {
            role: Some(image.role),
            name: image.name.clone(),
            image: image.written.clone(),
            digest: image.reference.as_ref().ok().and_then(Reference::digest),
            platform: None,
            field: image.field.clone(),
        };
        let target = Arc::new(of_image);
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

/// What is to be remembered of an image: what was said about it, and until when that stands.
struct Lesson {
    until: Timestamp,
    said: Vec<Option<Box<[ControlOutcome]>>>,
}

impl Lesson {
    /// For an image of which nothing is remembered.
    fn missing(recalled: Option<&Arc<Remembered>>) -> Option<Self> {
        recalled.is_none().then(|| Self { until: Timestamp::MAX, said: Vec::new() })
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
    admitted: &'d [bool],
    /// What is remembered of each image, Environment by Environment.
    recalled: &'d [Option<Arc<Remembered>>],
    /// What will be, in the same order. Nothing of what is remembered already.
    learnt: Vec<Option<Lesson>>,
    /// What each control said last.
    last: LastSaid,
    /// Whether one said something else since.
    changed: bool,
    /// Place of the Environment at hand among those of the Policy, and of its first image in `recalled`.
    environment: usize,
    first: usize,
    /// Place of the control at hand in the catalogue.
    position: usize,
    /// Outcomes with their place, first those about the whole object, then those of each image; in the controls' order.
    outcomes: Vec<Vec<(u64, ControlOutcome)>>,
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
            Control::Image(_) | Control::Subject(..) => {
                for (index, image) in images.iter().enumerate() {
                    self.judge_image(context, control, action, index, image);
                }
            }
            Control::Exceptions => {
                let mut report = Report::new(control, action, images, self.whole, self.buffer());
                self.judge_exceptions(&mut report);
                self.finish(context, control, report.drafts, 0, 1);
            }
        }
    }

    /// Lets one control judge one image, unless it is remembered what it says.
    fn judge_image(
        &mut self,
        context: &Context<'d>,
        control: &'d CompiledControl,
        action: Action,
        index: usize,
        image: &'d ImageUse,
    ) {
        let (images, recalled) = (self.images, self.recalled);
        let remembered = recalled.get(self.first + index).and_then(Option::as_deref);
        if let Some(said) = remembered.and_then(|own| own.said.get(self.position)?.as_deref()) {
            let place = self.place(index + 1);
            let Some(outcomes) = self.outcomes.get_mut(index + 1) else { return };
            return outcomes.extend(said.iter().map(|outcome| (place, outcome.clone())));
        }
        let Some(own) = images.get(index) else { return };
        let action = self.rescheduled(control, action, index);
        let mut report = Report::new(control, action, &self.case.request.images, &own.target, self.buffer());
        report.image = Some(image);
        let mut platforms = 1;
        let until = context.lasting(|| match (&control.control, &image.reference) {
            (Control::Image(judge), Ok(reference)) => judge(context, image, reference, &mut report),
            (Control::Image(_), Err(error)) => report.error(format!("the image reference cannot be read: {error}")),
            (Control::Subject(_, judge), _) => {
                platforms = own.platforms.len();
                if own.platforms.is_empty() {
                    self.without_facts(image, &mut report);
                }
                for (facts, target) in &own.platforms {
                    report.facts = Some(facts);
                    report.target = target;
                    judge(context, facts, &mut report);
                }
            }
            _ => {}
        });
        let drafts = report.drafts;
        let denied = drafts.iter().any(|draft| draft.statement.denies());
        let before = self.outcomes.get(index + 1).map_or(0, Vec::len);
        self.finish(context, control, drafts, index + 1, platforms);
        let lesson = self.learnt.get_mut(self.first + index).and_then(Option::as_mut);
        if let (Some(lesson), Some(until), false) = (lesson, until, denied) {
            lesson.until = lesson.until.min(until);
            lesson.said.resize(self.position, None);
            let outcomes = self.outcomes.get(index + 1).map(Vec::as_slice).unwrap_or_default();
            let said = outcomes.iter().skip(before).map(|(_, outcome)| outcome.clone());
            lesson.said.push(Some(said.collect()));
        }
    }

    /// Where outcomes about an image stand: by container, then by control.
    fn place(&self, image: usize) -> u64 {
        ((image as u64) << 16) | self.position as u64
    }

    fn add(&mut self, image: usize, place: u64, outcome: ControlOutcome) {
        if let Some(outcomes) = self.outcomes.get_mut(image) {
            outcomes.push((place, outcome));
        }
    }

    /// A statement to be pointed to: the one of before, where the same is said again.
    fn share(&mut self, statement: Statement) -> Arc<Statement> {
        let controls = self.selected.first().map_or(0, |environment| environment.controls.len());
        let place = self.environment * controls + self.position;
        if let Some(last) = self.last.get(place).and_then(Option::as_ref).filter(|last| ***last == statement) {
            return Arc::clone(last);
        }
        let shared = Arc::new(statement);
        if self.last.len() <= place {
            self.last.resize(place + 1, None);
        }
        if let Some(last) = self.last.get_mut(place) {
            *last = Some(Arc::clone(&shared));
            self.changed = true;
        }
        shared
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
            let statement = &mut draft.statement;
            if statement.outcome == Outcome::Error && context.environment.on_error(control) == ErrorPolicy::Warn {
                statement.action = statement.action.min(Action::Warn);
            }
            if statement.denies() && !matches!(control.control, Control::Exceptions) {
                self.except(context, draft);
            }
        }
        let place = self.place(image);
        if platforms > 1 {
            for (statement, target) in worst(std::mem::take(&mut drafts), platforms) {
                let outcome = ControlOutcome::new(self.share(statement), target);
                self.add(image, place, outcome);
            }
        } else {
            for Draft { statement, target, .. } in drafts.drain(..) {
                let outcome = ControlOutcome::new(self.share(statement), target);
                self.add(image, place, outcome);
            }
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
            if ignored.is_none() && draft.statement.excepted_by.is_none() {
                draft.statement.excepted_by = Some(name.clone());
            }
            self.notes.push(ExceptionNote { name: name.clone(), control: draft.statement.control.clone(), ignored });
        }
    }

    /// An Exception must be alive in every Environment that judges.
    fn problem(&self, context: &Context<'d>, input: &ExceptionInput) -> Option<String> {
        let live = |environment: &&CompiledEnvironment| is_live(input, environment, context.clock.now()).err();
        self.selected.iter().find_map(live).map(|problem| problem.to_string())
    }

    /// Exceptions that would lift a denial if they were in order. Where the denial is lifted by another one, nothing
    /// hangs on them: an Exception that does nothing never makes anything worse than none.
    fn judge_exceptions(&self, report: &mut Report<'_>) {
        let denied = |note: &&ExceptionNote| {
            note.ignored.is_some()
                && self
                    .outcomes
                    .iter()
                    .flatten()
                    .any(|(_, outcome)| outcome.denies() && outcome.control == note.control)
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
fn worst(drafts: Vec<Draft<'_>>, platforms: usize) -> Vec<(Statement, Arc<Target>)> {
    let worst = drafts.iter().map(|draft| draft.statement.outcome).max().unwrap_or(Outcome::Skip);
    let counts = |own: &Statement| if worst.is_met() { own.outcome == worst } else { !own.outcome.is_met() };
    let mut kept: Vec<(Statement, Arc<Target>, Vec<String>)> = Vec::new();
    for Draft { statement, target, .. } in drafts.into_iter().filter(|draft| counts(&draft.statement)) {
        let platform = target.platform.clone();
        let same = kept.iter_mut().find(|(other, _, _)| {
            (other.outcome, other.action, &other.message, &other.excepted_by, &other.packages, &other.vulnerabilities)
                == (
                    statement.outcome,
                    statement.action,
                    &statement.message,
                    &statement.excepted_by,
                    &statement.packages,
                    &statement.vulnerabilities,
                )
        });
        match same {
            Some((_, _, names)) => names.extend(platform),
            None => kept.push((statement, target, platform.into_iter().collect())),
        }
    }
    kept.into_iter()
        .map(|(statement, mut target, names)| {
            let platform = (names.len() < platforms && !names.is_empty()).then(|| names.join(", "));
            if target.platform != platform {
                Arc::make_mut(&mut target).platform = platform;
            }
            (statement, target)
        })
        .collect()
}
