//! A Verdict as records keep it: each target and each statement written once, outcomes point to both. A Pod of ten images
//! has some two hundred outcomes, but they say some twenty things about eleven targets.

use std::borrow::Cow;
use std::sync::Arc;

use assay_case::{Action, ControlOutcome, ExceptionNote, Operation, Outcome, Target, Verdict};
use assay_model::{ControlId, Digest, EnvironmentName, Severity, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    allowed: bool,
    operation: Operation,
    workload: &'a str,
    environment: &'a EnvironmentName,
    policy: Digest,
    decided_at: Timestamp,
    targets: Vec<&'a Arc<Target>>,
    statements: Vec<WrittenStatement<'a>>,
    /// Statement and target of each outcome, in the Verdict's order.
    outcomes: Vec<(usize, usize)>,
    #[serde(skip_serializing_if = "is_empty")]
    exceptions: &'a [ExceptionNote],
    #[serde(skip_serializing_if = "is_empty")]
    unbound: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    notes: &'a [String],
}

/// An outcome without its target.
#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenStatement<'a> {
    control: &'a ControlId,
    action: Action,
    outcome: Outcome,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "is_empty")]
    vulnerabilities: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    packages: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    excepted_by: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    allowed: bool,
    operation: Operation,
    workload: String,
    environment: EnvironmentName,
    policy: Digest,
    decided_at: Timestamp,
    targets: Vec<Arc<Target>>,
    statements: Vec<ReadStatement>,
    outcomes: Vec<(usize, usize)>,
    #[serde(default)]
    exceptions: Vec<ExceptionNote>,
    #[serde(default)]
    unbound: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadStatement {
    control: ControlId,
    action: Action,
    outcome: Outcome,
    message: Cow<'static, str>,
    #[serde(default)]
    fix: Option<Cow<'static, str>>,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    vulnerabilities: Vec<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    excepted_by: Option<String>,
}

fn is_empty<T>(list: &&[T]) -> bool {
    list.is_empty()
}

/// Where something that is `wanted` stands in `list`, looked for from `guess` on.
fn find<T>(list: &[T], guess: usize, wanted: impl Fn(&T) -> bool) -> Option<usize> {
    let (before, after) = list.split_at(guess.min(list.len()));
    let later = after.iter().position(&wanted).map(|index| before.len() + index);
    later.or_else(|| before.iter().position(wanted))
}

/// Where `item` stands in `list` now.
fn add<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}

pub(crate) fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    let (mut targets, mut statements) = (Vec::<&Arc<Target>>::new(), Vec::new());
    // Each control with its last statement: the next outcome mostly is the next control's, and says what the control said
    // of the image before.
    let mut last: Vec<(&ControlId, usize)> = Vec::new();
    let (mut target, mut control) = (0, 0);
    let mut outcomes = Vec::with_capacity(verdict.outcomes.len());
    for outcome in &verdict.outcomes {
        let said = WrittenStatement {
            control: &outcome.control,
            action: outcome.action,
            outcome: outcome.outcome,
            message: &outcome.message,
            fix: outcome.fix.as_deref(),
            severity: outcome.severity,
            vulnerabilities: &outcome.vulnerabilities,
            packages: &outcome.packages,
            excepted_by: outcome.excepted_by.as_deref(),
        };
        let entry = find(&last, control + 1, |(control, _)| *control == said.control);
        control = entry.unwrap_or_else(|| add(&mut last, (said.control, usize::MAX)));
        if let Some((_, statement)) = last.get_mut(control) {
            if statements.get(*statement) != Some(&said) {
                *statement = add(&mut statements, said);
            }
            target = find(&targets, target, |other| **other == outcome.target)
                .unwrap_or_else(|| add(&mut targets, &outcome.target));
            outcomes.push((*statement, target));
        }
    }
    let written = Written {
        allowed: verdict.allowed,
        operation: verdict.operation,
        workload: &verdict.workload,
        environment: &verdict.environment,
        policy: verdict.policy,
        decided_at: verdict.decided_at,
        targets,
        statements,
        outcomes,
        exceptions: &verdict.exceptions,
        unbound: &verdict.unbound,
        notes: &verdict.notes,
    };
    written.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
    let read = Read::deserialize(deserializer)?;
    let outcome = |(statement, target): (usize, usize)| {
        let missing = || de::Error::custom("an outcome about something that is not there");
        let statement = read.statements.get(statement).ok_or_else(missing)?;
        Ok(ControlOutcome {
            target: read.targets.get(target).ok_or_else(missing)?.clone(),
            control: statement.control.clone(),
            action: statement.action,
            outcome: statement.outcome,
            message: statement.message.clone(),
            fix: statement.fix.clone(),
            severity: statement.severity,
            vulnerabilities: statement.vulnerabilities.clone(),
            packages: statement.packages.clone(),
            excepted_by: statement.excepted_by.clone(),
        })
    };
    Ok(Verdict {
        allowed: read.allowed,
        operation: read.operation,
        workload: read.workload,
        environment: read.environment,
        policy: read.policy,
        decided_at: read.decided_at,
        outcomes: read.outcomes.iter().copied().map(outcome).collect::<Result<_, D::Error>>()?,
        exceptions: read.exceptions,
        unbound: read.unbound,
        notes: read.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        #[serde(with = "super")]
        verdict: Verdict,
    }

    fn verdict() -> Verdict {
        let target = |name: &str| Target { name: name.into(), image: "nginx:1".into(), ..Target::default() }.into();
        let outcome = |control: &str, name: &str| ControlOutcome {
            control: control.parse().unwrap(),
            action: Action::Enforce,
            outcome: Outcome::Fail,
            target: target(name),
            message: "no digest".into(),
            fix: Some("assay pin".into()),
            severity: Some(Severity::High),
            vulnerabilities: vec!["CVE-2026-1".into()],
            packages: vec!["pkg:deb/zlib".into()],
            excepted_by: Some("late".into()),
        };
        Verdict {
            allowed: false,
            operation: Operation::Create,
            workload: "a/Pod/b".into(),
            environment: "prod".parse().unwrap(),
            policy: Digest::of(b""),
            decided_at: "2026-11-21T09:00:00Z".parse().unwrap(),
            outcomes: vec![outcome("require-digest", "a"), outcome("high-cve", "a"), outcome("high-cve", "b")],
            exceptions: vec![ExceptionNote {
                name: "late".into(),
                control: "high-cve".parse().unwrap(),
                ignored: None,
            }],
            unbound: vec!["nginx:1".into()],
            notes: vec!["a note".into()],
        }
    }

    #[test]
    fn a_verdict_comes_back_whole_and_names_each_target_once() {
        let record = Record { verdict: verdict() };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        assert_eq!(text.matches(r#""image":"nginx:1""#).count(), 2, "{text}");
        assert_eq!(text.matches(r#""control":"high-cve""#).count(), 2, "said once, and noted of the exception: {text}");
    }

    #[test]
    fn an_outcome_about_nothing_is_refused() {
        let text = serde_json::to_string(&Record { verdict: verdict() }).unwrap().replace("[1,0]", "[1,7]");
        assert!(serde_json::from_str::<Record>(&text).unwrap_err().to_string().contains("not there"));
    }
}
