//! How readiness looks: what would break, whose it is, and the day.

use std::fmt::Write as _;

use super::{Align, Page, Report, Table, count};
use crate::commands::readiness::{ControlRow, FlipOutcome, Flips, ReadinessOutcome};

/// Workloads that are named of one namespace.
const WORKLOADS: usize = 3;

impl Report for ReadinessOutcome {
    const NAME: &'static str = "readiness";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        let decisions = count(usize::try_from(self.decisions).unwrap_or(usize::MAX), "decision");
        let _ = writeln!(out, "{decisions} since {}", self.since.strftime("%Y-%m-%d"));
        if self.controls.is_empty() {
            out.push_str("Nothing was decided in this time\n");
        }
        let mut environments: Vec<&str> = self.controls.iter().map(|row| row.environment.as_str()).collect();
        environments.dedup();
        for environment in environments {
            let rows: Vec<&ControlRow> =
                self.controls.iter().filter(|row| row.environment.as_str() == environment).collect();
            let _ = writeln!(out, "\n{}", page.strong(environment));
            out.push_str(&table(page, &rows));
            for row in rows.iter().filter(|row| !row.namespaces.is_empty() && !matches!(row.flips, Flips::Enforced)) {
                out.push_str(&details(page, row));
            }
        }
        if let Some(flip) = &self.flip {
            out.push('\n');
            out.push_str(&said(page, flip, self.days));
        }
        out
    }
}

fn table(page: Page, rows: &[&ControlRow]) -> String {
    let columns = [
        ("control", Align::Left),
        ("now", Align::Left),
        ("judged", Align::Right),
        ("would block", Align::Right),
        ("running", Align::Right),
        ("can be enforced", Align::Left),
    ];
    let mut table = Table::new(page, &columns);
    for row in rows {
        let flips = match row.flips {
            Flips::Enforced => "is".to_owned(),
            Flips::Now => "today".to_owned(),
            Flips::On { at } => format!("on {at}"),
            Flips::Blocked => "when what runs is mended".to_owned(),
        };
        table.row([
            row.control.to_string(),
            row.action.name().to_owned(),
            row.judged.to_string(),
            row.would_block.to_string(),
            row.running.to_string(),
            flips,
        ]);
        match row.flips {
            Flips::Now => table.paint_last(5, |page, text| page.good(text)),
            Flips::Blocked => table.paint_last(5, |page, text| page.bad(text)),
            Flips::Enforced | Flips::On { .. } => {}
        }
    }
    table.render(2)
}

/// Where it stands against what, and what would help.
fn details(page: Page, row: &ControlRow) -> String {
    let mut out = String::new();
    let owners: Vec<String> = row.owners.iter().map(|own| format!("{} {}", own.what, own.count)).collect();
    let _ = writeln!(out, "\n  {}  {}", page.strong(&row.control), owners.join(", "));
    for place in &row.namespaces {
        let mut workloads: Vec<&str> = place.workloads.iter().take(WORKLOADS).map(String::as_str).collect();
        let more = place.workloads.len().saturating_sub(WORKLOADS);
        let rest = format!("{more} more");
        if more > 0 {
            workloads.push(&rest);
        }
        let text = format!("{}: {}", place.namespace, workloads.join(", "));
        let _ = writeln!(out, "    {}", page.wrap(&text, 4));
    }
    for fix in &row.fixes {
        let _ = writeln!(out, "    fix  {}", page.wrap(&fix.what, 9));
    }
    out
}

fn said(page: Page, flip: &FlipOutcome, days: u16) -> String {
    let FlipOutcome { control, environment, action, .. } = flip;
    let mut out = String::new();
    match (&flip.against, flip.done) {
        (Some(against), false) => {
            let _ = writeln!(out, "{}", page.bad(format!("{control} stays as it is in {environment}: {against}")));
            out.push_str("All the same: --force --reason TEXT, which is kept on record\n");
        }
        (against, _) => {
            let why = match against {
                Some(against) => format!(", although {against}"),
                None => format!(": nothing stood against it in {days} days"),
            };
            let _ = writeln!(out, "{}", page.good(format!("{control} is {action} in {environment}{why}")));
            let _ = match &flip.written {
                Some(written) => writeln!(out, "written to {written}"),
                None => writeln!(
                    out,
                    "Write it into the Environment's file:\n  spec:\n    controls:\n      {control}: {{action: {action}}}"
                ),
            };
        }
    }
    out
}
