//! How controls and Exceptions look.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_case::Action;

use super::{Align, Page, Report, Table};
use crate::commands::exception::ApproveOutcome;
use crate::commands::policy::{ExceptionCheckOutcome, ExceptionRow, PolicyExplainOutcome, PolicyListOutcome};

/// An action in a narrow column.
fn short(action: Option<Action>) -> String {
    match action {
        None => "-",
        Some(Action::Off) => "off",
        Some(Action::Audit) => "audit",
        Some(Action::Warn) => "warn",
        Some(Action::EnforceWithException) => "enforce*",
        Some(Action::Enforce) => "enforce",
        Some(Action::EnforceAlways) => "enforce!",
    }
    .to_owned()
}

impl Report for PolicyListOutcome {
    const NAME: &'static str = "policy";

    fn text(&self, page: Page) -> String {
        let mut columns = vec![("control", Align::Left)];
        columns.extend(self.environments.iter().map(|name| (name.as_str(), Align::Left)));
        let mut table = Table::new(page, &columns);
        for row in &self.controls {
            let cells = std::iter::once(row.id.clone()).chain(row.actions.iter().map(|action| short(*action)));
            table.cells(cells.collect());
        }
        let mut out = table.render(0);
        out.push_str(
            "\n* an approved Exception lifts it   ! nothing lifts it\nassay policy explain CONTROL says more\n",
        );
        if page.detail {
            let _ = writeln!(out, "policy {}", self.policy);
        }
        out
    }
}

impl Report for PolicyExplainOutcome {
    const NAME: &'static str = "policy-explain";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}  {}\n", page.strong(&self.id), self.title);
        let facts = [("checks", &self.checks), ("why", &self.why), ("fix", &self.fix), ("source", &self.source)];
        for (name, text) in facts {
            let _ = writeln!(out, "  {name:<10} {}", page.wrap(text, 13));
        }
        let _ = writeln!(out, "  {:<10} {}", "protects", self.protects);
        let actions: Vec<_> = self.actions.iter().map(|(name, action)| format!("{name} {}", short(*action))).collect();
        let _ = writeln!(out, "  {:<10} {}", "actions", actions.join(", "));
        for (index, (name, what)) in self.parameters.iter().enumerate() {
            let word = if index == 0 { "parameters" } else { "" };
            let _ = writeln!(out, "  {word:<10} {}", page.wrap(&format!("{name}: {what}"), 13));
        }
        out
    }
}

impl Report for ExceptionCheckOutcome {
    const NAME: &'static str = "exception-check";

    fn text(&self, page: Page) -> String {
        let mut out = exceptions(&self.exceptions, page);
        if out.is_empty() {
            out.push_str("no Exceptions; name files with -f or --config\n");
        }
        out
    }
}

impl Report for ApproveOutcome {
    const NAME: &'static str = "exception-approve";

    fn text(&self, page: Page) -> String {
        let mut out = exceptions(&self.exceptions, page);
        let _ = match &self.approval {
            Some(path) => writeln!(out, "wrote {}", path.display()),
            None => writeln!(out, "not approved: the approval of {} would count nowhere; nothing was written", self.by),
        };
        out
    }
}

/// Each Exception and where it counts.
fn exceptions(exceptions: &[ExceptionRow], page: Page) -> String {
    let mut by_name: BTreeMap<(&str, &str), Vec<_>> = BTreeMap::new();
    for row in exceptions {
        by_name.entry((&row.place, &row.name)).or_default().push(row);
    }
    let mut out = String::new();
    for ((place, name), rows) in by_name {
        let _ = writeln!(out, "{}  {place}", page.strong(name));
        let by = rows.iter().find_map(|row| row.approved_by.as_deref());
        // The same answer in several environments is said once.
        let mut answers: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
        for row in rows {
            answers.entry(row.problem.as_deref()).or_default().push(&row.environment);
        }
        for (problem, environments) in answers {
            let environments = environments.join(", ");
            let _ = match problem {
                None => {
                    let by = by.map(|by| format!(", approved by {by}")).unwrap_or_default();
                    writeln!(out, "  {}  in {environments}{by}", page.good("counts"))
                }
                Some(problem) => {
                    writeln!(out, "  {}  in {environments}: {}", page.bad("does nothing"), page.wrap(problem, 4))
                }
            };
        }
    }
    out
}
