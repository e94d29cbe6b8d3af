//! A Verdict as records keep it: each target and each statement written once, outcomes point to both. A Pod of ten images
//! has some two hundred outcomes, but they say some twenty things about eleven targets.
//!
//! What is printed has a pair for each outcome. What is kept ([`crate::record_text`]) has them in groups, and says of a
//! target that is an image of the request only which.

use std::sync::Arc;

use assay_case::{ControlOutcome, ExceptionNote, Operation, Statement, Target, Verdict};
use assay_model::{Digest, EnvironmentName, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::ImageRecord;

/// Statements looked at for one that says the same.
const LOOK_BACK: usize = 64;
/// Most outcomes of one record: far more than a request can have, far less than memory.
const OUTCOMES_MAX: usize = 1 << 20;

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
    statements: Vec<&'a Arc<Statement>>,
    /// Statement and target of each outcome, in the Verdict's order.
    outcomes: Vec<(usize, usize)>,
    #[serde(skip_serializing_if = "is_empty")]
    exceptions: &'a [ExceptionNote],
    #[serde(skip_serializing_if = "is_empty")]
    unbound: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    notes: &'a [String],
}

fn is_empty<T>(list: &&[T]) -> bool {
    list.is_empty()
}

/// The outcomes of a Verdict, grouped.
#[derive(Debug, Default)]
pub(crate) struct Grouped<'v> {
    pub(crate) targets: Vec<&'v Arc<Target>>,
    pub(crate) statements: Vec<&'v Arc<Statement>>,
    /// Statements, and the targets that all of them are said about one after the other: outcomes in the Verdict's order.
    pub(crate) said: Vec<(Vec<usize>, Vec<usize>)>,
}

impl<'v> Grouped<'v> {
    pub(crate) fn of(outcomes: &'v [ControlOutcome]) -> Self {
        let mut grouped = Self::default();
        let mut about = usize::MAX;
        let mut run = Vec::new();
        for ControlOutcome { statement, target } in outcomes {
            let target = place(&mut grouped.targets, about, target);
            if target != about {
                grouped.end(&mut run, about);
                about = target;
            }
            // Mostly the same is said as about the target before.
            let guess = grouped.said.last().and_then(|(statements, _)| statements.get(run.len()).copied());
            run.push(place(&mut grouped.statements, guess.unwrap_or_default(), statement));
        }
        grouped.end(&mut run, about);
        grouped
    }

    /// What was said about one target.
    fn end(&mut self, run: &mut Vec<usize>, about: usize) {
        match self.said.last_mut() {
            _ if run.is_empty() => {}
            Some((statements, targets)) if statements == run => targets.push(about),
            _ => self.said.push((std::mem::take(run), vec![about])),
        }
        run.clear();
    }
}

/// Where something stands in `list` that is the same; at its end if it was not there. `guess` is looked at first.
fn place<'v, T: PartialEq>(list: &mut Vec<&'v Arc<T>>, guess: usize, item: &'v Arc<T>) -> usize {
    if list.get(guess).is_some_and(|own| Arc::ptr_eq(own, item)) {
        return guess;
    }
    let same = list.iter().position(|own| Arc::ptr_eq(own, item));
    let before = list.len().saturating_sub(LOOK_BACK);
    let alike = || list.iter().skip(before).position(|own| **own == *item).map(|index| before + index);
    same.or_else(alike).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

/// Statement and target of each outcome.
fn pairs(said: &[(Vec<usize>, Vec<usize>)]) -> impl Iterator<Item = (usize, usize)> {
    said.iter().flat_map(|(statements, targets)| {
        targets.iter().flat_map(|target| statements.iter().map(|statement| (*statement, *target)))
    })
}

pub(crate) fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    let grouped = Grouped::of(&verdict.outcomes);
    let written = Written {
        allowed: verdict.allowed,
        operation: verdict.operation,
        workload: &verdict.workload,
        environment: &verdict.environment,
        policy: verdict.policy,
        decided_at: verdict.decided_at,
        outcomes: pairs(&grouped.said).collect(),
        targets: grouped.targets,
        statements: grouped.statements,
        exceptions: &verdict.exceptions,
        unbound: &verdict.unbound,
        notes: &verdict.notes,
    };
    written.serialize(serializer)
}

/// The target that an image of the request is.
pub(crate) fn target_of(image: &ImageRecord) -> Target {
    Target {
        role: Some(image.role),
        name: image.name.clone(),
        image: image.written.clone(),
        digest: image.digests.first().copied(),
        platform: None,
        field: image.field.clone(),
    }
}

/// Whether it is [`target_of`] the image.
pub(crate) fn is_target_of(target: &Target, image: &ImageRecord) -> bool {
    let Target { role, name, image: written, digest, platform, field } = target;
    *role == Some(image.role)
        && *name == image.name
        && *written == image.written
        && digest.as_ref() == image.digests.first()
        && platform.is_none()
        && *field == image.field
}

/// A Verdict in either form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    allowed: bool,
    operation: Operation,
    workload: String,
    environment: EnvironmentName,
    policy: Digest,
    decided_at: Timestamp,
    targets: Vec<ReadTarget>,
    statements: Vec<Arc<Statement>>,
    #[serde(default)]
    outcomes: Vec<(usize, usize)>,
    #[serde(default)]
    said: Vec<(Vec<usize>, Vec<usize>)>,
    #[serde(default)]
    exceptions: Vec<ExceptionNote>,
    #[serde(default)]
    unbound: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReadTarget {
    /// The image of the request with this number.
    Image(usize),
    Written(Arc<Target>),
}

/// Why what is kept is no Verdict.
#[derive(Debug, thiserror::Error)]
#[error("an outcome about something that is not there")]
pub(crate) struct Missing;

impl Read {
    /// The Verdict about a request with these images.
    pub(crate) fn verdict(self, images: &[ImageRecord]) -> Result<Verdict, Missing> {
        let target = |read| match read {
            ReadTarget::Image(number) => images.get(number).map(|image| Arc::new(target_of(image))).ok_or(Missing),
            ReadTarget::Written(target) => Ok(target),
        };
        let targets: Vec<Arc<Target>> = self.targets.into_iter().map(target).collect::<Result<_, _>>()?;
        let outcome = |(statement, target): (usize, usize)| {
            let statement = self.statements.get(statement).ok_or(Missing)?;
            Ok(ControlOutcome::new(Arc::clone(statement), Arc::clone(targets.get(target).ok_or(Missing)?)))
        };
        let sizes = self.said.iter().map(|(statements, targets)| statements.len().saturating_mul(targets.len()));
        if sizes.fold(0, usize::saturating_add) > OUTCOMES_MAX {
            return Err(Missing);
        }
        let outcomes = self.outcomes.iter().copied().chain(pairs(&self.said)).map(outcome);
        Ok(Verdict {
            allowed: self.allowed,
            operation: self.operation,
            workload: self.workload,
            environment: self.environment,
            policy: self.policy,
            decided_at: self.decided_at,
            outcomes: outcomes.collect::<Result<_, _>>()?,
            exceptions: self.exceptions,
            unbound: self.unbound,
            notes: self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use assay_case::{Action, Outcome};
    use assay_model::Severity;

    use super::*;

    #[derive(Serialize)]
    struct Record {
        #[serde(serialize_with = "super::serialize")]
        verdict: Verdict,
    }

    #[derive(Deserialize)]
    struct ReadRecord {
        verdict: Read,
    }

    fn read(text: &str) -> Result<Verdict, Missing> {
        serde_json::from_str::<ReadRecord>(text).unwrap().verdict.verdict(&[])
    }

    fn verdict() -> Verdict {
        let target = |name: &str| Target { name: name.into(), image: "nginx:1".into(), ..Target::default() };
        let outcome = |control: &str, name: &str| {
            let statement = Statement {
                control: control.parse().unwrap(),
                action: Action::Enforce,
                outcome: Outcome::Fail,
                message: "no digest".into(),
                fix: Some("assay pin".into()),
                severity: Some(Severity::High),
                vulnerabilities: vec!["CVE-2026-1".into()],
                packages: vec!["pkg:deb/zlib".into()],
                excepted_by: Some("late".into()),
            };
            ControlOutcome::new(statement, target(name))
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
        assert_eq!(read(&text).unwrap(), record.verdict);
        assert_eq!(text.matches(r#""image":"nginx:1""#).count(), 2, "{text}");
        assert_eq!(text.matches(r#""control":"high-cve""#).count(), 2, "said once, and noted of the exception: {text}");
    }

    #[test]
    fn an_outcome_about_nothing_is_refused() {
        let text = serde_json::to_string(&Record { verdict: verdict() }).unwrap().replace("[1,0]", "[1,7]");
        assert!(read(&text).is_err());
        let groups = |groups: &str| {
            text.replace("\"outcomes\":", &format!("\"said\":{groups},\"outcomes\":")).replace("[1,7]", "[1,0]")
        };
        assert!(read(&groups("[[[0],[0]]]")).is_ok());
        assert!(read(&groups("[[[0],[9]]]")).is_err());
        let many = format!("[[[{0}],[{0}]]]", vec!["0"; 2000].join(","));
        assert!(read(&groups(&many)).is_err(), "four million outcomes");
        assert!(read(&text.replace("[1,7]", "[1,0]").replace("\"targets\":[", "\"targets\":[3,")).is_err());
    }
}
