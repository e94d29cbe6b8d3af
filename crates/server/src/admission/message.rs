//! The sentences that `kubectl` prints.

use std::fmt::Write as _;

use assay_case::{ControlOutcome, Target, Verdict};

/// Images named in a refusal, and of those that a tag names in the warnings. The rest is counted; `assay explain` has them all.
const IMAGES_MAX: usize = 4;
/// Digits of a decision id that a message shows.
const ID_DIGITS: usize = 8;

/// Why a request is refused, and what to type next. `decision` is the id of its record, where there is one.
pub fn denial(verdict: &Verdict, decision: Option<&str>) -> String {
    let mut targets: Vec<(&Target, Vec<&ControlOutcome>)> = Vec::new();
    for outcome in verdict.denials() {
        match targets.iter_mut().find(|(target, _)| same(target, &outcome.target)) {
            Some((_, outcomes)) => outcomes.push(outcome),
            None => targets.push((&outcome.target, vec![outcome])),
        }
    }
    let environment = &verdict.environment;
    let mut text = String::new();
    for (index, (target, outcomes)) in targets.iter().take(IMAGES_MAX).enumerate() {
        if index > 0 {
            text.push_str(". ");
        }
        let subject = subject(target, verdict);
        let _ = write!(text, "{subject} is rejected in {environment}: {}", reasons(outcomes));
    }
    if targets.len() > IMAGES_MAX {
        let _ = write!(text, ". {} more images are rejected", targets.len() - IMAGES_MAX);
    }
    if targets.is_empty() {
        let _ = write!(text, "{} is rejected in {environment}", verdict.workload);
    }
    for note in verdict.exceptions.iter().filter_map(|note| note.ignored.as_ref().map(|why| (&note.name, why))).take(2)
    {
        let _ = write!(text, ". Exception {} does nothing: {}", note.0, note.1);
    }
    let _ = write!(text, ". Fix: assay check -f FILE --env {environment}");
    if let Some(decision) = decision {
        let id: String = decision.chars().take(ID_DIGITS).collect();
        let _ = write!(text, ". Why: assay explain {id}");
    }
    text
}

/// What the user is told beside the answer, one line each.
pub fn warnings(verdict: &Verdict) -> Vec<String> {
    let outcomes = verdict.warnings().map(|outcome| {
        let subject = short_subject(&outcome.target);
        let separator = if subject.is_empty() { "" } else { ": " };
        format!("{subject}{separator}{} ({})", outcome.message, outcome.control)
    });
    let unbound = verdict
        .unbound
        .iter()
        .take(IMAGES_MAX)
        .map(|image| format!("{image} was judged by its tag, which the kubelet resolves again (unbound)"));
    let more = verdict.unbound.len().saturating_sub(IMAGES_MAX);
    let more = (more > 0).then(|| format!("{more} more images were judged by their tags (unbound)"));
    let mut lines: Vec<String> = outcomes.chain(unbound).chain(more).collect();
    let mut seen = std::collections::HashSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

/// One image is one target, also where several platforms of it were judged.
fn same(a: &Target, b: &Target) -> bool {
    (a.role, &a.name, &a.image) == (b.role, &b.name, &b.image)
}

fn subject(target: &Target, verdict: &Verdict) -> String {
    let place = short_subject(target);
    match (place.is_empty(), target.image.is_empty()) {
        (false, false) => format!("{place}: image {}", target.image),
        (false, true) => place,
        (true, false) => format!("image {}", target.image),
        (true, true) => verdict.workload.clone(),
    }
}

fn short_subject(target: &Target) -> String {
    match (target.role, target.name.is_empty()) {
        (Some(role), false) => format!("{} {}", role.title(), target.name),
        (Some(role), true) => role.title().to_owned(),
        (None, _) => target.name.clone(),
    }
}

/// `no digest (require-digest); ...`, each said once.
fn reasons(outcomes: &[&ControlOutcome]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for outcome in outcomes {
        let reason = format!("{} ({})", outcome.message, outcome.control);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.join("; ")
}

#[cfg(test)]
mod tests {
    use assay_case::{Action, ContainerRole, ExceptionNote, Operation, Outcome, Statement};
    use assay_model::Digest;

    use super::*;

    fn outcome(control: &str, container: &str, action: Action, message: &str) -> ControlOutcome {
        let target = Target {
            role: Some(ContainerRole::Container),
            name: container.into(),
            image: format!("registry.example.com/payments/{container}:prod"),
            ..Target::default()
        };
        let statement = Statement {
            control: control.parse().unwrap(),
            action,
            outcome: Outcome::Fail,
            message: message.to_owned().into(),
            fix: None,
            severity: None,
            vulnerabilities: Vec::new(),
            packages: Vec::new(),
            excepted_by: None,
        };
        ControlOutcome::new(statement, target)
    }

    fn verdict(outcomes: Vec<ControlOutcome>) -> Verdict {
        Verdict {
            allowed: false,
            operation: Operation::Create,
            workload: "payments-prod/Pod/api".into(),
            environment: "prod".parse().unwrap(),
            policy: Digest::of(b""),
            decided_at: "2026-11-21T09:00:00Z".parse().unwrap(),
            outcomes,
            exceptions: Vec::new(),
            unbound: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_refusal_names_container_image_reasons_and_the_next_command() {
        let verdict = verdict(vec![
            outcome("require-digest", "api", Action::Enforce, "no digest"),
            outcome(
                "trusted-signer",
                "api",
                Action::Enforce,
                "signed by security-bot@example.com, not by the release workflow",
            ),
            outcome("high-cve", "api", Action::Warn, "2 high"),
        ]);
        assert_eq!(
            denial(&verdict, Some("7f3a0123456789ab")),
            "container api: image registry.example.com/payments/api:prod is rejected in prod: no digest (require-digest); \
             signed by security-bot@example.com, not by the release workflow (trusted-signer). \
             Fix: assay check -f FILE --env prod. Why: assay explain 7f3a0123"
        );
        assert_eq!(warnings(&verdict), ["container api: 2 high (high-cve)"]);
    }

    #[test]
    fn many_images_are_counted_and_an_exception_that_does_nothing_is_named() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut verdict =
            verdict(names.iter().map(|name| outcome("require-digest", name, Action::Enforce, "no digest")).collect());
        verdict.exceptions = vec![ExceptionNote {
            name: "late".into(),
            control: "require-digest".parse().unwrap(),
            ignored: Some("expired on 2026-11-01".into()),
        }];
        let text = denial(&verdict, None);
        assert!(text.contains(". 2 more images are rejected"), "{text}");
        assert!(text.contains("Exception late does nothing: expired on 2026-11-01"), "{text}");
        assert!(!text.contains("container e"), "{text}");
    }
}
