//! JUnit XML as test reporters read it (no standard exists; the form is that of Ant's junitreport and Jenkins): a suite
//! for each object, a case for each control and image.

use std::fmt::Write as _;

use assay_case::Outcome;

use super::super::xml;
use super::described;
use crate::commands::check::CheckOutcome;

/// The report.
pub(super) fn write(outcome: &CheckOutcome) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay check\">\n");
    for object in &outcome.objects {
        let outcomes = &object.verdict.outcomes;
        let failures = outcomes.iter().filter(|found| found.denies() && found.outcome == Outcome::Fail).count();
        let errors = outcomes.iter().filter(|found| found.denies() && found.outcome != Outcome::Fail).count();
        let skipped = outcomes.iter().filter(|found| found.outcome == Outcome::Skip).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" file=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">",
            xml::escape(&object.title()),
            xml::escape(&object.file),
            outcomes.len(),
        );
        for found in outcomes {
            let name = format!("{} {}", found.control, described(object, found));
            let _ = write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                xml::escape(&object.verdict.workload),
                xml::escape(name.trim_end()),
                xml::escape(&object.file),
                object.line_of(found),
            );
            let message = xml::escape(&found.message);
            let fix = xml::escape(found.fix.as_deref().unwrap_or_default());
            let _ = match found.outcome {
                _ if found.denies() && found.outcome == Outcome::Fail => {
                    writeln!(out, "><failure message=\"{message}\">{fix}</failure></testcase>")
                }
                _ if found.denies() => writeln!(out, "><error message=\"{message}\">{fix}</error></testcase>"),
                Outcome::Skip => writeln!(out, "><skipped message=\"{message}\"/></testcase>"),
                _ if found.warns() => writeln!(out, "><system-out>warning: {message}</system-out></testcase>"),
                _ => writeln!(out, "/>"),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
