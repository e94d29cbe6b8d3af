//! How a drill looks: the table of the lab, and what was not drilled.

use std::fmt::Write as _;

use super::page::count;
use super::{Align, Page, Report, Table, xml};
use crate::Result;
use crate::commands::drill::{DrillOutcome, DrillResult, DrillVerdict};
use crate::output::Format;

impl Report for DrillOutcome {
    const NAME: &'static str = "drill";
    const OTHERS: &'static [Format] = &[Format::Junit];

    fn text(&self, page: Page) -> String {
        let mut out = table(page, &self.attacks);
        for attack in self.attacks.iter().filter(|own| own.verdict == DrillVerdict::NotStopped) {
            let text = format!("{} is not held: {}, {}", attack.control, attack.title, attack.message);
            let _ = writeln!(out, "\n{}", page.bad(page.wrap(&text, 0)));
        }
        if !self.not_drilled.is_empty() {
            let names: Vec<&str> = self.not_drilled.iter().map(assay_model::ControlId::as_str).collect();
            let _ = writeln!(out, "\n{}", page.wrap(&format!("not drilled: {}", names.join(", ")), 0));
        }
        let of = |verdict| self.attacks.iter().filter(|own| own.verdict == verdict).count();
        let stopped = count(of(DrillVerdict::Denied), "attack");
        let (missed, untried) = (of(DrillVerdict::NotStopped), of(DrillVerdict::NotTried));
        let seconds = self.milliseconds / 1000;
        let _ = writeln!(
            out,
            "\n{stopped} stopped in {}, {missed} missed, {untried} not tried, {seconds} s",
            self.namespace
        );
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        (format == Format::Junit).then(|| Ok(junit(self)))
    }
}

fn table(page: Page, attacks: &[DrillResult]) -> String {
    let columns = [("attack", Align::Left), ("stopped by", Align::Left), ("verdict", Align::Left)];
    let mut table = Table::new(page, &columns);
    for attack in attacks {
        let verdict = match attack.verdict {
            DrillVerdict::Denied => "denied",
            DrillVerdict::NotStopped => "NOT STOPPED",
            DrillVerdict::NotTried => "not tried",
        };
        table.row([attack.title.to_owned(), attack.control.to_owned(), verdict.to_owned()]);
        match attack.verdict {
            DrillVerdict::Denied => table.paint_last(2, |page, text| page.good(text)),
            DrillVerdict::NotStopped => table.paint_last(2, |page, text| page.bad(text)),
            DrillVerdict::NotTried => table.paint_last(2, |page, text| page.dim(text)),
        }
    }
    table.render(2)
}

/// One suite, a case for each attack and one for each control that has none.
fn junit(outcome: &DrillOutcome) -> String {
    let of = |verdict| outcome.attacks.iter().filter(|own| own.verdict == verdict).count();
    let tests = outcome.attacks.len() + outcome.not_drilled.len();
    let skipped = of(DrillVerdict::NotTried) + outcome.not_drilled.len();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay drill\">\n");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{}\" skipped=\"{skipped}\">",
        xml::escape(&outcome.namespace),
        of(DrillVerdict::NotStopped),
    );
    for attack in &outcome.attacks {
        let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"", attack.control, xml::escape(attack.title));
        let message = xml::escape(&attack.message);
        let _ = match attack.verdict {
            DrillVerdict::Denied => writeln!(out, "/>"),
            DrillVerdict::NotStopped => writeln!(out, "><failure message=\"{message}\"/></testcase>"),
            DrillVerdict::NotTried => writeln!(out, "><skipped message=\"{message}\"/></testcase>"),
        };
    }
    for control in &outcome.not_drilled {
        let _ = writeln!(
            out,
            "    <testcase classname=\"{control}\" name=\"{control}\"><skipped message=\"not drilled\"/></testcase>"
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    fn outcome(verdicts: &[DrillVerdict]) -> DrillOutcome {
        let attacks = verdicts.iter().map(|verdict| DrillResult {
            name: "tag-only",
            title: "a tag instead of a digest",
            control: "require-digest",
            verdict: *verdict,
            message: "it was <admitted>".into(),
        });
        DrillOutcome {
            server: "https://127.0.0.1:6443/".into(),
            namespace: "payments-prod".into(),
            attacks: attacks.collect(),
            not_drilled: vec!["fresh-scan".parse().unwrap()],
            milliseconds: 3140,
        }
    }

    #[test]
    fn a_drill_passes_only_if_attacks_were_tried_and_none_got_through() {
        use DrillVerdict::{Denied, NotStopped, NotTried};
        for (verdicts, status) in [
            (&[Denied, NotTried][..], Status::Pass),
            (&[Denied, NotStopped], Status::Denied),
            (&[NotTried], Status::Denied),
            (&[], Status::Denied),
        ] {
            assert_eq!(outcome(verdicts).status(), status, "{verdicts:?}");
        }
    }

    #[test]
    fn the_control_that_does_not_hold_is_named_in_every_form() {
        let own = outcome(&[DrillVerdict::Denied, DrillVerdict::NotStopped]);
        let text = own.text(Page::file());
        assert!(text.contains("require-digest is not held: a tag instead of a digest, it was <admitted>"), "{text}");
        assert!(
            text.contains("not drilled: fresh-scan") && text.contains("1 attack stopped in payments-prod, 1 missed")
        );
        let junit = own.other(Format::Junit).unwrap().unwrap();
        assert!(
            junit.contains("tests=\"3\" failures=\"1\" skipped=\"1\"") && junit.contains("&lt;admitted&gt;"),
            "{junit}"
        );
    }
}
