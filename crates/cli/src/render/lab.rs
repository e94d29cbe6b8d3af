//! How the lab ends: a table of the attacks, and one line that says whether it held.

use std::fmt::Write as _;

use super::page::count;
use super::{Align, Page, Report, Table};
use crate::commands::lab::{AttackResult, LabOutcome};

/// Spaces before a message below its attack.
const INDENT: usize = 4;
/// Lines of a message: the whole of it stands in the story above, and in the JSON.
const LINES: usize = 2;

impl Report for LabOutcome {
    const NAME: &'static str = "lab";

    fn text(&self, page: Page) -> String {
        let mut out = String::from("\n");
        let rows = rows(page, &self.attacks);
        for (index, row) in rows.lines().enumerate() {
            let _ = writeln!(out, "{row}");
            if let Some(attack) = index.checked_sub(1).and_then(|index| self.attacks.get(index)) {
                let _ = writeln!(out, "{:INDENT$}{}", "", page.dim(message(page, &attack.message)));
            }
        }
        out.push('\n');
        for deploy in self.deploys.iter().filter(|deploy| !deploy.admitted) {
            let text = format!("{} was refused: {}", deploy.workload, deploy.message);
            let _ = writeln!(out, "{}", page.bad(page.wrap(&text, 0)));
        }
        let admitted = self.deploys.iter().filter(|deploy| deploy.admitted).count();
        let stopped = self.attacks.iter().filter(|attack| attack.stopped).count();
        let missed = self.attacks.len() - stopped;
        let (admitted, stopped) = (count(admitted, "good deploy"), count(stopped, "attack"));
        let (seconds, tenths) = (self.milliseconds / 1000, self.milliseconds % 1000 / 100);
        let _ = writeln!(out, "{admitted} admitted, {stopped} stopped, {missed} missed, {seconds}.{tenths} s");
        let _ = match &self.kept {
            Some(folder) => writeln!(out, "Kept in {}: begin with README.txt", folder.display()),
            None => writeln!(out, "Next: assay lab --keep lab/ and try to get past it"),
        };
        out
    }
}

/// A heading, then one line for each attack.
fn rows(page: Page, attacks: &[AttackResult]) -> String {
    let columns = [("attack", Align::Left), ("stopped by", Align::Left), ("verdict", Align::Left)];
    let mut table = Table::new(page, &columns);
    for attack in attacks {
        let verdict = if attack.stopped { "denied" } else { "NOT STOPPED" };
        table.row([attack.title.to_owned(), attack.control.to_owned(), verdict.to_owned()]);
        table.paint_last(2, if attack.stopped { |page, text| page.good(text) } else { |page, text| page.bad(text) });
    }
    table.render(2)
}

/// As much of a message as fits.
fn message(page: Page, text: &str) -> String {
    let wrapped = page.wrap(text, INDENT);
    let mut lines: Vec<String> = wrapped.lines().take(LINES).map(|line| line.trim_start().to_owned()).collect();
    if let (true, Some(last)) = (wrapped.lines().count() > LINES, lines.last_mut()) {
        last.push_str(" ...");
    }
    let room = page.width.saturating_sub(INDENT);
    for line in lines.iter_mut().filter(|line| line.chars().count() > room) {
        *line = line.chars().take(room.saturating_sub(3)).chain("...".chars()).collect();
    }
    lines.join(&format!("\n{:INDENT$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use crate::commands::lab::Deploy;

    fn deploy(admitted: bool) -> Deploy {
        let message = if admitted { String::new() } else { "no digest (require-digest)".to_owned() };
        let (workload, image) = ("payments-prod/Deployment/api".to_owned(), "r/a@sha256:00".to_owned());
        Deploy { workload, environment: "prod".into(), image, admitted, decision: "7f3a".into(), message }
    }

    /// Of every attack, as if all but `missed` had been stopped.
    fn outcome(missed: usize, admitted: bool) -> LabOutcome {
        let attacks = crate::commands::lab::ATTACKS.iter().enumerate().map(|(index, attack)| AttackResult {
            name: attack.name,
            title: attack.title,
            control: attack.control,
            stopped: index >= missed,
            message: format!("{} {}", "words that go on ".repeat(9), "x".repeat(100)),
            refusal: String::new(),
            review: None,
        });
        LabOutcome { deploys: vec![deploy(admitted)], attacks: attacks.collect(), milliseconds: 3140, kept: None }
    }

    #[test]
    fn it_passes_only_if_everything_good_ran_and_everything_bad_was_stopped() {
        assert_eq!(outcome(0, true).status(), Status::Pass);
        assert_eq!(outcome(1, true).status(), Status::Denied);
        assert_eq!(outcome(0, false).status(), Status::Denied);
        let mut fewer = outcome(0, true);
        fewer.attacks.pop();
        assert_eq!(fewer.status(), Status::Denied, "an attack that was not tried was not stopped");
        fewer = outcome(0, true);
        fewer.deploys.clear();
        assert_eq!(fewer.status(), Status::Denied);
    }

    #[test]
    fn the_table_fits_and_says_what_was_missed() {
        let text = outcome(1, false).text(Page::file());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("NOT STOPPED").count(), 1);
        let attacks = crate::commands::lab::ATTACKS.len();
        assert!(text.contains(&format!("0 good deploys admitted, {} attacks stopped, 1 missed, 3.1 s", attacks - 1)));
        assert!(text.contains("payments-prod/Deployment/api was refused: no digest (require-digest)"));
    }
}
