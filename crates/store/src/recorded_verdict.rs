//! A Verdict as records keep it: each target written once, outcomes point to it. A Pod of ten images has some two hundred
//! outcomes about eleven targets, and a target is most of an outcome's text.

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
    targets: Vec<&'a Target>,
    outcomes: Vec<WrittenOutcome<'a>>,
    #[serde(skip_serializing_if = "is_empty")]
    exceptions: &'a [ExceptionNote],
    #[serde(skip_serializing_if = "is_empty")]
    unbound: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOutcome<'a> {
    control: &'a ControlId,
    action: Action,
    outcome: Outcome,
    target: usize,
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
    targets: Vec<Target>,
    outcomes: Vec<ReadOutcome>,
    #[serde(default)]
    exceptions: Vec<ExceptionNote>,
    #[serde(default)]
    unbound: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadOutcome {
    control: ControlId,
    action: Action,
    outcome: Outcome,
    target: usize,
    message: String,
    #[serde(default)]
    fix: Option<String>,
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

pub(crate) fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    let mut targets: Vec<&Target> = Vec::new();
    let mut outcomes = Vec::with_capacity(verdict.outcomes.len());
    for outcome in &verdict.outcomes {
        let target = targets.iter().position(|target| **target == outcome.target).unwrap_or_else(|| {
            targets.push(&outcome.target);
            targets.len() - 1
        });
        outcomes.push(WrittenOutcome {
            control: &outcome.control,
            action: outcome.action,
            outcome: outcome.outcome,
            target,
            message: &outcome.message,
            fix: outcome.fix.as_deref(),
            severity: outcome.severity,
            vulnerabilities: &outcome.vulnerabilities,
            packages: &outcome.packages,
            excepted_by: outcome.excepted_by.as_deref(),
        });
    }
    let written = Written {
        allowed: verdict.allowed,
        operation: verdict.operation,
        workload: &verdict.workload,
        environment: &verdict.environment,
        policy: verdict.policy,
        decided_at: verdict.decided_at,
        targets,
        outcomes,
        exceptions: &verdict.exceptions,
        unbound: &verdict.unbound,
        notes: &verdict.notes,
    };
    written.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
    let read = Read::deserialize(deserializer)?;
    let targets = read.targets;
    let outcome = |outcome: ReadOutcome| {
        let target = targets.get(outcome.target).cloned();
        Ok(ControlOutcome {
            target: target.ok_or_else(|| de::Error::custom("an outcome about a target that is not there"))?,
            control: outcome.control,
            action: outcome.action,
            outcome: outcome.outcome,
            message: outcome.message,
            fix: outcome.fix,
            severity: outcome.severity,
            vulnerabilities: outcome.vulnerabilities,
            packages: outcome.packages,
            excepted_by: outcome.excepted_by,
        })
    };
    Ok(Verdict {
        allowed: read.allowed,
        operation: read.operation,
        workload: read.workload,
        environment: read.environment,
        policy: read.policy,
        decided_at: read.decided_at,
        outcomes: read.outcomes.into_iter().map(outcome).collect::<Result<_, D::Error>>()?,
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
        let target = |name: &str| Target { name: name.into(), image: "nginx:1".into(), ..Target::default() };
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
    }

    #[test]
    fn an_outcome_about_nothing_is_refused() {
        let text =
            serde_json::to_string(&Record { verdict: verdict() }).unwrap().replace(r#""target":1"#, r#""target":7"#);
        assert!(serde_json::from_str::<Record>(&text).unwrap_err().to_string().contains("not there"));
    }
}
