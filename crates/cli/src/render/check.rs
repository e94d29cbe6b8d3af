//! How the Gate's answers about manifests look.

mod junit;
mod markdown;
mod sarif;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_case::{ControlOutcome, Outcome};

use super::page::count;
use super::{Page, Report, workflow};
use crate::commands::check::{CheckOutcome, CheckedObject};
use crate::output::Format;
use crate::{Result, Status};

/// Widest control id that gets a column of its own.
const CONTROL_WIDTH: usize = 21;

impl Report for CheckOutcome {
    const NAME: &'static str = "check";
    const OTHERS: &'static [Format] = &[Format::Sarif, Format::Junit, Format::Markdown, Format::Github];

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        for object in &self.objects {
            write_object(&mut out, object, page);
        }
        self.write_summary(&mut out, page);
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        match format {
            Format::Sarif => Some(Ok(sarif::write(self))),
            Format::Junit => Some(Ok(junit::write(self))),
            Format::Markdown => Some(Ok(markdown::write(self))),
            Format::Github => Some(Ok(github(self))),
            _ => None,
        }
    }
}

impl CheckOutcome {
    fn write_summary(&self, out: &mut String, page: Page) {
        let counts = self.summary;
        let status = self.status();
        let word = match status {
            Status::Pass => page.good("allowed"),
            Status::Denied => page.bad("denied"),
            Status::Undecided => page.bad("undecided"),
        };
        let mut parts = Vec::new();
        if self.objects.is_empty() {
            parts.push(format!("nothing to judge in {}", count(self.files, "file")));
        } else {
            let bad = counts.denied + counts.undecided;
            if counts.denied > 0 {
                parts.push(format!("{} of {}", counts.denied, count(counts.images, "image")));
            }
            if counts.undecided > 0 {
                parts.push(format!("{} could not be judged", count(counts.undecided, "image")));
            }
            if counts.objects_denied > 0 {
                parts.push(format!("{} of {}", counts.objects_denied, count(self.objects.len(), "object")));
            }
            let passed = counts.images - bad;
            let all = bad == 0;
            parts.push(if all { count(passed, "image") } else { format!("{passed} pass") });
        }
        if counts.warnings > 0 {
            let hint = if page.detail { "" } else { " (-v shows them)" };
            parts.push(format!("{}{hint}", count(counts.warnings, "warning")));
        }
        let skipped: usize = self.skipped.values().sum();
        if skipped > 0 {
            parts.push(format!("{} skipped", count(skipped, "other object")));
        }
        let line = format!("{word}  {}", parts.join(", "));
        let plain = line.chars().count() - if page.colour { word.chars().count() - name(status).len() } else { 0 };
        let exit = format!("exit {}", status.code());
        let gap = page.width.saturating_sub(plain + exit.len());
        let (gap, exit) = if gap < 2 { (0, String::new()) } else { (gap, exit) };
        let exit = if exit.is_empty() { exit } else { page.dim(exit) };
        let _ = writeln!(out, "{line}{}{exit}", " ".repeat(gap));
    }
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Pass => "allowed",
        Status::Denied => "denied",
        Status::Undecided => "undecided",
    }
}

/// What is shown of one object: its denials, with `-v` its warnings too, by image.
fn write_object(out: &mut String, object: &CheckedObject, page: Page) {
    let shown = |outcome: &&ControlOutcome| outcome.denies() || (page.detail && outcome.warns());
    let mut groups: BTreeMap<(usize, &str, &str), Vec<&ControlOutcome>> = BTreeMap::new();
    for outcome in object.verdict.outcomes.iter().filter(shown) {
        // What is about the object itself stands before its images, which are in the order of the file.
        let of_image = |other: &&ControlOutcome| same_image(other, outcome) && object.mark(other).is_some();
        let line = object.verdict.outcomes.iter().find(of_image).map_or(0, |marked| object.line_of(marked));
        let line = if outcome.target.role.is_none() { 0 } else { line };
        let role = outcome.target.role.map_or("", assay_case::ContainerRole::title);
        groups.entry((line, role, &outcome.target.name)).or_default().push(outcome);
    }
    for ((line, role, container), outcomes) in groups {
        let line = if line == 0 { object.line } else { line };
        let place = format!("{}:{line}", object.file);
        let title = if role.is_empty() { object.title() } else { format!("{}, {role} {container}", object.title()) };
        // A long path gets a line of its own.
        let gap = if place.chars().count() + 2 + title.chars().count() > page.width { "\n  " } else { "  " };
        let _ = writeln!(out, "{}{gap}{title}", page.strong(place));
        write_outcomes(out, object, &outcomes, page);
        out.push('\n');
    }
    if page.detail {
        for note in &object.verdict.notes {
            let _ = writeln!(out, "  {} {}", page.dim("note"), page.wrap(note, 7));
        }
    }
}

fn same_image(left: &ControlOutcome, right: &ControlOutcome) -> bool {
    left.target.role == right.target.role && left.target.name == right.target.name
}

fn write_outcomes(out: &mut String, object: &CheckedObject, outcomes: &[&ControlOutcome], page: Page) {
    // What one look at the line explains stands under that line, where it fits beside the mark; the rest are sentences.
    let marked = outcomes.iter().find(|outcome| explains_line(outcome) && object.mark(outcome).is_some());
    let mark = marked.and_then(|outcome| object.mark(outcome));
    let mut beside = None;
    if let Some(mark) = mark {
        let number = mark.line.to_string();
        let gutter = " ".repeat(number.len());
        let (text, column) = shown_line(&mark.text, mark.column, page.width.saturating_sub(number.len() + 5));
        let _ = writeln!(out, "  {number} | {text}");
        let lead = format!("  {gutter} | {}^", " ".repeat(column - 1));
        let fits = |outcome: &&&ControlOutcome| {
            let said = prefix(outcome).len() + outcome.message.chars().count();
            let width = lead.chars().count() + 1 + said + 2 + outcome.control.as_str().len();
            explains_line(outcome) && object.mark(outcome) == Some(mark) && width <= page.width
        };
        beside = outcomes.iter().find(fits).copied();
        match beside {
            Some(outcome) => write_message(out, &[outcome], &format!("{lead} "), page),
            None => {
                let _ = writeln!(out, "{lead}");
            }
        }
    }
    // Several controls that say the same (an image that could not be found out) say it once.
    let mut said: Vec<(&str, Vec<&ControlOutcome>)> = Vec::new();
    for outcome in
        outcomes.iter().copied().filter(|outcome| beside.is_none_or(|beside| !std::ptr::eq(beside, *outcome)))
    {
        match said.iter_mut().find(|(message, same)| {
            *message == outcome.message.as_ref() && same.first().is_some_and(|first| first.denies() == outcome.denies())
        }) {
            Some((_, same)) => same.push(outcome),
            None => said.push((&outcome.message, vec![outcome])),
        }
    }
    for (_, same) in said {
        write_message(out, &same, "  ", page);
    }
    write_fixes(out, object, outcomes, page);
}

fn write_fixes(out: &mut String, object: &CheckedObject, outcomes: &[&ControlOutcome], page: Page) {
    let fix =
        |outcome: &&ControlOutcome| Some(outcome.fix.as_ref()?.replace("-f FILE", &format!("-f {}", object.file)));
    let mut fixes: Vec<String> = outcomes.iter().filter_map(fix).collect();
    fixes.sort_unstable();
    // `A` says all of `A, or B`.
    fixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
    for (index, fix) in fixes.iter().enumerate() {
        let word = if index == 0 { page.good("fix") } else { "   ".to_owned() };
        let _ = writeln!(out, "  {word}   {}", page.wrap(fix, 8));
    }
}

/// Whether looking at the field explains the outcome: what the manifest says is wrong, not what the image holds.
fn explains_line(outcome: &ControlOutcome) -> bool {
    outcome.vulnerabilities.is_empty() && outcome.packages.is_empty() && outcome.outcome == Outcome::Fail
}

fn prefix(outcome: &ControlOutcome) -> &'static str {
    match outcome.outcome {
        Outcome::Error if outcome.denies() => "not known: ",
        _ if !outcome.denies() => "warning: ",
        _ => "",
    }
}

/// A message with its control at the right edge of its last line; several controls have a line of their own.
fn write_message(out: &mut String, outcomes: &[&ControlOutcome], lead: &str, page: Page) {
    let Some(outcome) = outcomes.first() else { return };
    let paint = |text: &str| if outcome.denies() { page.bad(text) } else { page.warn(text) };
    let message = format!("{}{}", prefix(outcome), outcome.message);
    if outcomes.len() > 1 {
        let _ = writeln!(out, "{lead}{}", page.wrap(&message, 2));
        let controls: Vec<_> = outcomes.iter().map(|outcome| outcome.control.as_str()).collect();
        for line in page.wrap(&controls.join(", "), 4).lines() {
            let _ = writeln!(out, "    {}", paint(line.trim()));
        }
        return;
    }
    let control = outcome.control.as_str();
    let narrow = Page { width: page.width.saturating_sub(CONTROL_WIDTH + 2), ..page };
    let one_line = lead.chars().count() + message.chars().count() + control.len() + 2 <= page.width;
    let text = if one_line { message } else { narrow.wrap(&message, 2) };
    let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
    let used = if text.contains('\n') { last } else { lead.chars().count() + last };
    let gap = page.width.saturating_sub(CONTROL_WIDTH + used).max(2);
    let gap = if used + gap + control.len() > page.width { 2 } else { gap };
    let _ = writeln!(out, "{lead}{text}{}{}", " ".repeat(gap), paint(control));
}

/// The line of a file as far as it fits, with two spaces of its indentation, and the column of the mark in it.
fn shown_line(text: &str, column: usize, room: usize) -> (String, usize) {
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    let cut = indent.saturating_sub(2);
    let shown: String = text.replace('\t', " ").chars().skip(cut).take(room).collect();
    (shown.trim_end().to_owned(), column.saturating_sub(cut).max(1))
}

fn github(outcome: &CheckOutcome) -> String {
    let mut out = String::new();
    for object in &outcome.objects {
        for found in object.verdict.outcomes.iter().filter(|found| found.denies() || found.warns()) {
            let level = if found.denies() { "error" } else { "warning" };
            let (line, column) = object.mark(found).map_or((object.line, 1), |mark| (mark.line, mark.column));
            let fix = found.fix.as_ref().map(|fix| format!("\nFix: {fix}")).unwrap_or_default();
            let message = format!("{}: {}{fix}", described(object, found), found.message);
            out.push_str(&workflow::command(level, &object.file, line, column, found.control.as_str(), &message));
        }
    }
    out
}

/// What an outcome is about, in one line: `container api: image registry.example.com/api:1`.
fn described(object: &CheckedObject, outcome: &ControlOutcome) -> String {
    let target = &outcome.target;
    match target.role {
        Some(role) if target.image.is_empty() => format!("{} {}", role.title(), target.name),
        Some(role) => format!("{} {}: image {}", role.title(), target.name, target.image),
        None => object.title(),
    }
}

#[cfg(test)]
mod tests;
