//! How a verification summary looks that was or was not written.

use std::fmt::Write as _;

use super::{Page, Report};
use crate::commands::summary::SummaryOutcome;

impl Report for SummaryOutcome {
    const NAME: &'static str = "summary";

    fn text(&self, page: Page) -> String {
        let word = if self.verdict.allowed { page.good("allowed") } else { page.bad("denied") };
        let mut out = format!("{word}  {} in {}\n", page.strong(&self.image), self.verdict.environment);
        let _ = writeln!(out, "  digest     {}", self.subject);
        let _ = writeln!(out, "  policy     {}", self.verdict.policy);
        for outcome in self.verdict.denials() {
            let text = format!("{} {}: {}", outcome.outcome, outcome.control, outcome.message);
            let _ = writeln!(out, "  {}", page.wrap(&text, 4));
        }
        match &self.file {
            Some(file) => {
                let level = self.level.map_or("not evaluated".to_owned(), |level| format!("SLSA Build {level}"));
                let _ = writeln!(out, "  level      {level}");
                let _ = writeln!(out, "  summary    {file}");
            }
            None => {
                let _ = writeln!(out, "  no summary is written of what is denied");
            }
        }
        if let Some(referrer) = &self.referrer {
            let _ = writeln!(out, "  attached   {referrer}");
        }
        out
    }
}
