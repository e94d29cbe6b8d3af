//! How the lab ends: a table of the attacks, and one line that says whether it held.

use super::page::count;
use super::{Align, Page, Report, Table};
use crate::commands::lab::LabOutcome;

/// Columns of a message before it is cut: the whole of it stands in the story above and in the JSON.
const MESSAGE: usize = 74;

impl Report for LabOutcome {
    const NAME: &'static str = "lab";

    fn text(&self, page: Page) -> String {
        let mut out = String::from("\n");
        let mut table =
            Table::new(page, &[("attack", Align::Left), ("stopped by", Align::Left), ("verdict", Align::Left)]);
        for attack in &self.attacks {
            let verdict = if attack.stopped { "denied" } else { "NOT STOPPED" };
            table.row([attack.title.to_owned(), attack.control.to_owned(), verdict.to_owned()]);
            table
                .paint_last(2, if attack.stopped { |page, text| page.good(text) } else { |page, text| page.bad(text) });
        }
        // Each row is followed by what the control said.
        let mut rows = table.render(2).lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
        for heading in rows.by_ref().take(1) {
            out.push_str(&heading);
            out.push('\n');
        }
        for (row, attack) in rows.zip(&self.attacks) {
            out.push_str(&format!("{row}\n    {}\n", page.dim(cut(&attack.message))));
        }
        out.push('\n');
        for deploy in self.deploys.iter().filter(|deploy| !deploy.admitted) {
            let text = format!("{} was refused: {}", deploy.workload, deploy.message);
            out.push_str(&format!("{}\n", page.bad(page.wrap(&text, 0))));
        }
        let admitted = self.deploys.iter().filter(|deploy| deploy.admitted).count();
        let stopped = self.attacks.iter().filter(|attack| attack.stopped).count();
        let missed = self.attacks.len() - stopped;
        out.push_str(&format!(
            "{} admitted, {} stopped, {missed} missed, {}.{} s\n",
            count(admitted, "good deploy"),
            count(stopped, "attack"),
            self.milliseconds / 1000,
            self.milliseconds % 1000 / 100
        ));
        out.push_str(&match &self.kept {
            Some(folder) => format!("Kept in {}: begin with README.txt\n", folder.display()),
            None => "Next: assay lab --keep lab/ and try to get past it\n".to_owned(),
        });
        out
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MESSAGE {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(MESSAGE - 3).collect();
    cut.push_str("...");
    cut
}
