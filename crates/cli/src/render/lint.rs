//! How broken rules look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assay_model::Severity;
use serde_json::json;

use super::markdown::cell;
use super::page::{count, cut};
use super::{Page, Report, sarif, workflow, xml};
use crate::commands::lint::{LintFinding, LintOutcome};
use crate::output::Format;
use crate::{Result, Status};

/// Most results of one run that GitHub's code scanning takes.
const RESULTS_MAX: usize = 25_000;

impl Report for LintOutcome {
    const NAME: &'static str = "lint";
    const OTHERS: &'static [Format] = &[Format::Sarif, Format::Junit, Format::Markdown, Format::Github];

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        let mut said = BTreeSet::new();
        let shown = |finding: &&LintFinding| page.detail || finding.severity > Severity::Negligible;
        for finding in self.findings.iter().filter(shown) {
            write_finding(&mut out, finding, said.insert(finding.rule.as_str()), page);
        }
        for unread in &self.unread {
            let _ = writeln!(out, "{}  not judged", page.strong(&unread.file));
            let _ = writeln!(out, "  {}: {}", page.bad(&unread.code), page.wrap(&unread.message, 2));
        }
        for void in &self.void_comments {
            let place = format!("{}:{}", void.file, void.line);
            let _ = writeln!(out, "{}  {} {} {}", page.strong(place), page.warn("assay:ignore"), void.rule, void.why);
        }
        if page.detail {
            for ignored in &self.ignored {
                let place = format!("{}:{}", ignored.finding.file, ignored.finding.line);
                let _ = writeln!(out, "{}  {} ignored: {}", page.dim(place), ignored.finding.rule, ignored.reason);
            }
        }
        self.write_summary(&mut out, page);
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        match format {
            Format::Sarif => Some(Ok(self.sarif())),
            Format::Junit => Some(Ok(self.junit())),
            Format::Markdown => Some(Ok(self.markdown())),
            Format::Github => Some(Ok(self.github())),
            _ => None,
        }
    }
}

/// The place, the line with its mark, and the first time a rule is broken what to do.
fn write_finding(out: &mut String, finding: &LintFinding, is_first: bool, page: Page) {
    let place = format!("{}:{}", finding.file, finding.line);
    let severity = finding.severity.name();
    let word = if finding.severity >= Severity::High { page.bad(severity) } else { page.warn(severity) };
    let _ = writeln!(out, "{}  {word}  {}", page.strong(place), finding.rule);
    let number = finding.line.to_string();
    let gutter = " ".repeat(number.len());
    let indent = finding.text.chars().take_while(|c| c.is_whitespace()).count();
    // Where what is marked stands far to the right, the line is shown from there.
    let room = page.width.saturating_sub(number.len() + 5);
    let start = if finding.column > room { finding.column.saturating_sub(9) } else { indent.saturating_sub(2) };
    let text: String = finding.text.replace('\t', " ").chars().skip(start).collect();
    let _ = writeln!(out, "  {number} | {}", cut(text.trim_end(), room));
    let column = finding.column.saturating_sub(start).max(1);
    let length = finding.length.min(room.saturating_sub(column - 1)).max(1);
    let _ = writeln!(out, "  {gutter} | {}{}", " ".repeat(column - 1), "^".repeat(length));
    let _ = writeln!(out, "  {}", page.wrap(&finding.what, 2));
    if is_first {
        let _ = writeln!(out, "  {}", page.dim(page.wrap(&finding.why, 2)));
        if !finding.fix.is_empty() {
            let _ = writeln!(out, "  {}   {}", page.good("fix"), page.wrap(&finding.fix, 8));
        }
    }
    out.push('\n');
}

impl LintOutcome {
    fn write_summary(&self, out: &mut String, page: Page) {
        let word = match self.status() {
            Status::Pass => page.good("clean"),
            Status::Denied => page.bad("denied"),
            Status::Undecided => page.bad("undecided"),
        };
        let word = if self.status() == Status::Pass && !self.findings.is_empty() { page.good("allowed") } else { word };
        let mut by_severity: BTreeMap<Severity, usize> = BTreeMap::new();
        for finding in &self.findings {
            *by_severity.entry(finding.severity).or_default() += 1;
        }
        let mut parts: Vec<String> =
            by_severity.iter().rev().map(|(severity, number)| format!("{number} {}", severity.name())).collect();
        if parts.is_empty() {
            parts.push("no rule broken".to_owned());
        }
        parts.push(format!("in {}", count(self.files, "file")));
        if !self.ignored.is_empty() {
            parts.push(format!("{} ignored with a reason", self.ignored.len()));
        }
        if self.templates > 0 {
            let templates = count(self.templates, "template");
            parts.push(format!("{templates} of charts not judged (helm template CHART | assay lint -)"));
        }
        let _ = writeln!(out, "{word}  {}", page.wrap(&parts.join(", "), 8));
    }

    fn sarif(&self) -> String {
        let mut rules: BTreeMap<&str, &LintFinding> = BTreeMap::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut results = Vec::new();
        let ignored = self.ignored.iter().map(|ignored| (&ignored.finding, Some(&ignored.reason)));
        for (finding, reason) in self.findings.iter().map(|finding| (finding, None)).chain(ignored).take(RESULTS_MAX) {
            rules.entry(&finding.rule).or_insert(finding);
            // What stays the same when lines move.
            let identity = format!("{}|{}|{}", finding.file, finding.rule, finding.text.trim());
            let fingerprint = assay_model::Digest::of(identity.as_bytes()).hex();
            let again = seen.entry(fingerprint.clone()).or_default();
            *again += 1;
            let mut result = json!({
                "ruleId": finding.rule,
                "level": level(finding.severity),
                "message": {"text": finding.what},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": sarif::uri(&finding.file)},
                    "region": {
                        "startLine": finding.line, "startColumn": finding.column,
                        "endColumn": finding.column + finding.length, "snippet": {"text": finding.text},
                    },
                }}],
                "partialFingerprints": {"assay/v1": format!("{fingerprint}:{again}")},
            });
            if let (Some(reason), Some(fields)) = (reason, result.as_object_mut()) {
                fields.insert("suppressions".to_owned(), json!([{"kind": "inSource", "justification": reason}]));
            }
            results.push(result);
        }
        let rules: Vec<_> = rules
            .into_iter()
            .map(|(id, finding)| {
                json!({
                    "id": id,
                    "shortDescription": {"text": finding.why},
                    "help": {"text": finding.fix},
                    "properties": {"severity": finding.severity, "tags": finding.standards},
                })
            })
            .collect();
        sarif::log(&rules, &results)
    }

    fn junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay lint\">\n");
        let mut files: BTreeMap<&str, Vec<&LintFinding>> = BTreeMap::new();
        for finding in &self.findings {
            files.entry(&finding.file).or_default().push(finding);
        }
        for (file, findings) in files {
            let file = xml::escape(file);
            let failures = findings.iter().filter(|finding| self.denies(finding)).count();
            let tests = findings.len();
            let _ =
                writeln!(out, "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
            for finding in findings {
                let (rule, line) = (xml::escape(&finding.rule), finding.line);
                let (what, fix) = (xml::escape(&finding.what), xml::escape(&finding.fix));
                let _ = write!(
                    out,
                    "    <testcase classname=\"{rule}\" name=\"{rule} {file}:{line}\" file=\"{file}\" line=\"{line}\">"
                );
                let _ = if self.denies(finding) {
                    writeln!(out, "<failure message=\"{what}\">{fix}</failure></testcase>")
                } else {
                    writeln!(out, "<system-out>{}: {what}</system-out></testcase>", finding.severity.name())
                };
            }
            out.push_str("  </testsuite>\n");
        }
        for unread in &self.unread {
            let (file, message) = (xml::escape(&unread.file), xml::escape(&unread.message));
            let _ = writeln!(
                out,
                "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\"><testcase name=\"{file}\"><error message=\"{message}\"/></testcase></testsuite>"
            );
        }
        out.push_str("</testsuites>\n");
        out
    }

    fn markdown(&self) -> String {
        let mut out = String::from("## assay lint\n\n");
        self.write_summary(&mut out, Page::file());
        if !self.findings.is_empty() {
            out.push_str("\n| severity | rule | where | what | fix |\n|---|---|---|---|---|\n");
        }
        for finding in &self.findings {
            let _ = writeln!(
                out,
                "| {} | `{}` | {}:{} | {} | {} |",
                finding.severity.name(),
                finding.rule,
                cell(&finding.file),
                finding.line,
                cell(&finding.what),
                cell(&finding.fix),
            );
        }
        out
    }

    fn github(&self) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let message = format!("{}\nFix: {}", finding.what, finding.fix);
            let level = if self.denies(finding) { "error" } else { level(finding.severity) };
            let level = if level == "note" { "notice" } else { level };
            out.push_str(&workflow::command(
                level,
                &finding.file,
                finding.line,
                finding.column,
                &finding.rule,
                &message,
            ));
        }
        out
    }
}

/// SARIF's levels.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Low => "warning",
        Severity::Negligible | Severity::Unknown => "note",
    }
}
