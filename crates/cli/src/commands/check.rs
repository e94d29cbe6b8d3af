//! `assay check`: the Gate on manifests.

use std::collections::BTreeMap;

use assay_case::{ContainerRole, ControlOutcome, Outcome, Verdict};
use serde::Serialize;

use crate::Status;

/// What the Gate says about everything that was given.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckOutcome {
    /// Objects that would run something, in the order of the files.
    pub(crate) objects: Vec<CheckedObject>,
    /// Number of files read.
    pub(crate) files: usize,
    /// Objects without anything to judge, by kind.
    pub(crate) skipped: BTreeMap<String, usize>,
    /// Counts of all of it.
    pub(crate) summary: CheckSummary,
}

/// One object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckedObject {
    /// File it stands in, `-` for standard input.
    pub(crate) file: String,
    /// The template that made it, where Helm says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<String>,
    /// Line of the object.
    pub(crate) line: usize,
    /// What the Gate says.
    pub(crate) verdict: Verdict,
    /// Where the fields stand that the outcomes name, by field.
    pub(crate) marks: BTreeMap<String, Mark>,
}

/// A place in a file and the line it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mark {
    /// Line, counted from 1.
    pub(crate) line: usize,
    /// Column, counted from 1.
    pub(crate) column: usize,
    /// Length of what is marked, in characters.
    pub(crate) length: usize,
    /// The text of the line.
    pub(crate) text: String,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CheckSummary {
    /// Images judged.
    pub(crate) images: usize,
    /// Images that something denies.
    pub(crate) denied: usize,
    /// Images that could not be judged, which denies as well.
    pub(crate) undecided: usize,
    /// Outcomes to look at that deny nothing.
    pub(crate) warnings: usize,
    /// Objects denied for what is not about one image.
    pub(crate) objects_denied: usize,
}

impl CheckOutcome {
    /// Counts and wraps.
    pub(crate) fn new(objects: Vec<CheckedObject>, files: usize, skipped: BTreeMap<String, usize>) -> Self {
        let mut summary = CheckSummary::default();
        for object in &objects {
            let mut images: BTreeMap<(ContainerRole, &str), Option<bool>> = BTreeMap::new();
            let mut about_object = false;
            for outcome in &object.verdict.outcomes {
                summary.warnings += usize::from(outcome.warns());
                let Some(role) = outcome.target.role else {
                    about_object |= outcome.denies();
                    continue;
                };
                let image = images.entry((role, &outcome.target.name)).or_default();
                if outcome.denies() {
                    // A denial that was decided outweighs one that was not.
                    *image = Some(image.unwrap_or(false) || outcome.outcome == Outcome::Fail);
                }
            }
            summary.images += images.len();
            summary.denied += images.values().filter(|image| **image == Some(true)).count();
            summary.undecided += images.values().filter(|image| **image == Some(false)).count();
            summary.objects_denied += usize::from(about_object);
        }
        Self { objects, files, skipped, summary }
    }

    /// Denied where something fails, undecided where something could not be found out, else pass.
    pub(crate) fn status(&self) -> Status {
        let denials = || self.objects.iter().flat_map(|object| object.verdict.denials());
        if denials().any(|outcome| outcome.outcome == Outcome::Fail) {
            Status::Denied
        } else if denials().next().is_some() || self.objects.iter().any(|object| !object.verdict.allowed) {
            Status::Undecided
        } else {
            Status::Pass
        }
    }
}

impl CheckedObject {
    /// `namespace/Kind/name` in the words of people: `Deployment payments-prod/api`.
    pub(crate) fn title(&self) -> String {
        let mut parts = self.verdict.workload.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(kind), Some(name)) => format!("{kind} {namespace}/{name}"),
            _ => self.verdict.workload.clone(),
        }
    }

    /// Where an outcome is to be shown.
    pub(crate) fn mark(&self, outcome: &ControlOutcome) -> Option<&Mark> {
        self.marks.get(&outcome.target.field)
    }

    /// Line an outcome is about.
    pub(crate) fn line_of(&self, outcome: &ControlOutcome) -> usize {
        self.mark(outcome).map_or(self.line, |mark| mark.line)
    }
}
