//! Markdown for comments on a change.

use std::fmt::Write as _;

use super::super::markdown::cell;
use super::super::page::count;
use super::{described, name};
use crate::commands::check::CheckOutcome;

/// The comment.
pub(super) fn write(outcome: &CheckOutcome) -> String {
    let counts = outcome.summary;
    let mut out = format!(
        "### assay check: {}\n\n{}, {} denied, {} not decided, {}\n",
        name(outcome.status()),
        count(counts.images, "image"),
        counts.denied,
        counts.undecided,
        count(counts.warnings, "warning"),
    );
    let found: Vec<_> = outcome
        .objects
        .iter()
        .flat_map(|object| object.verdict.outcomes.iter().map(move |found| (object, found)))
        .filter(|(_, found)| found.denies() || found.warns())
        .collect();
    if !found.is_empty() {
        out.push_str("\n| | control | where | what | fix |\n|---|---|---|---|---|\n");
    }
    for (object, found) in found {
        let _ = writeln!(
            out,
            "| {} | `{}` | {}:{} | {}: {} | {} |",
            if found.denies() { "denied" } else { "warning" },
            found.control,
            cell(&object.file),
            object.line_of(found),
            cell(&described(object, found)),
            cell(&found.message),
            found.fix.as_deref().map(cell).unwrap_or_default(),
        );
    }
    out
}
