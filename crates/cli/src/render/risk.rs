//! How rebuild lists, re-scans and verified packs look.

use std::fmt::Write as _;

use assay_model::FindingCounts;
use assay_store::AlertEvent;

use super::page::count;
use super::{Align, Page, Report, Table};
use crate::commands::mirror::{PacksVerified, PulledOutcome, PushedOutcome};
use crate::commands::rebuild::{RebuildImage, RebuildOutcome};
use crate::commands::rescan::RescanOutcome;

/// `1 critical, 2 high`; without what there is none of.
fn in_words(counts: &FindingCounts) -> String {
    let all = [
        (counts.known_exploited, "exploited"),
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
        (counts.unknown, "unrated"),
    ];
    let words: Vec<String> =
        all.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Report for RebuildOutcome {
    const NAME: &'static str = "rebuild-list";

    fn text(&self, page: Page) -> String {
        let what = self.vulnerability.clone().unwrap_or_else(|| "what has a fix".to_owned());
        let mut out = format!(
            "{}  {} of {} to build again\n",
            page.strong(what),
            self.images.len(),
            count(self.known, "known image")
        );
        for image in &self.images {
            write_image(&mut out, image, page);
        }
        if self.unknown > 0 {
            let images = count(self.unknown, "running image");
            let _ = writeln!(out, "{images} never looked into may be concerned too: assay inventory sync");
        }
        out
    }
}

fn write_image(out: &mut String, image: &RebuildImage, page: Page) {
    let _ = writeln!(out, "{}. {}", image.order, page.strong(&image.image));
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "   {label:<9} {}", page.wrap(text, 13));
    };
    match &image.base {
        Some(base) => line("base", base),
        None => line("base", "none that is known"),
    }
    line("fix", &format!("{} ({})", image.packages.join(", "), image.cause.describe()));
    line("findings", &in_words(&image.before));
    for better in &image.better_bases {
        line("on", &format!("{} it would be {}", better.image, in_words(&better.after)));
    }
    if image.carries > 0 {
        line("carries", &format!("{} of this list", count(image.carries, "image")));
    }
    let runs = match (image.pods, image.owners.is_empty()) {
        (0, _) => "nowhere that is known".to_owned(),
        (pods, true) => format!("{} of {}", count(pods, "Pod"), image.workloads.join(", ")),
        (pods, false) => {
            format!("{} of {} ({})", count(pods, "Pod"), image.workloads.join(", "), image.owners.join(", "))
        }
    };
    line("runs in", &runs);
}

impl Report for RescanOutcome {
    const NAME: &'static str = "rescan";

    fn text(&self, page: Page) -> String {
        let mut out = format!(
            "{} with {}: {}\n",
            count(self.images, "running image"),
            count(self.packages, "different package"),
            count(self.findings, "finding")
        );
        if self.excused > 0 {
            let _ = writeln!(
                out,
                "{} of single images taken away by VEX or the ignore file",
                count(self.excused, "finding")
            );
        }
        for image in &self.unheard {
            let _ = writeln!(out, "what is attached is not known, and all findings count: {image}");
        }
        let mut table = Table::new(page, &[("", Align::Left), ("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for alert in &self.alerts {
            let state = match alert.event {
                Some(AlertEvent::Opened) => page.bad("opened"),
                Some(AlertEvent::Worse) => page.bad("worse"),
                Some(AlertEvent::Resolved) | None => "open".to_owned(),
            };
            let environment = if alert.key.environment.is_empty() { "no Environment" } else { &alert.key.environment };
            table.row([state, alert.key.owner.clone(), environment.to_owned(), alert.summary.clone()]);
        }
        for key in &self.resolved {
            let environment = if key.environment.is_empty() { "no Environment" } else { &key.environment };
            let over = format!("{} runs there no more", key.subject);
            table.row([page.good("closed"), key.owner.clone(), environment.to_owned(), over]);
        }
        out.push_str(&table.render(2));
        if self.unknown > 0 {
            let images = count(self.unknown, "running image");
            let _ = writeln!(
                out,
                "{images} never looked into; what concerns their owners stays open: assay inventory sync"
            );
        }
        out
    }
}

impl Report for PacksVerified {
    const NAME: &'static str = "db-verify";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}  {}\n", page.strong(self.path.display()), count(self.packs.len(), "pack"));
        let mut table = Table::new(page, &[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for pack in &self.packs {
            let state = if let Some(problem) = &pack.problem {
                page.bad(problem)
            } else {
                let signer = pack.signer.as_ref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
                let day = pack.data_until.map(|at| at.strftime(", data until %Y-%m-%d").to_string());
                let records = count(pack.records.unwrap_or_default() as usize, "record");
                format!("{records}{}{signer}", day.unwrap_or_default())
            };
            let verdict = if pack.problem.is_some() { page.bad("bad") } else { page.good("good") };
            table.row([verdict, pack.name.clone(), state]);
        }
        out.push_str(&table.render(2));
        out
    }
}

impl Report for PushedOutcome {
    const NAME: &'static str = "db-push";

    fn text(&self, page: Page) -> String {
        let signed = if self.signed > 0 { format!(", {} signed", self.signed) } else { String::new() };
        let mut out = format!(
            "{}  {}{signed}, {:.2} MB transferred\n",
            page.strong(&self.artifact),
            count(self.files, "file"),
            self.transferred as f64 / 1e6
        );
        let _ = writeln!(out, "  digest       {}", self.digest);
        let _ = writeln!(out, "  install      assay db update --to DIR --from {}", self.artifact);
        out
    }
}

impl Report for PulledOutcome {
    const NAME: &'static str = "db-pull";

    fn text(&self, page: Page) -> String {
        let mut out = format!(
            "{}  {} fetched, {} there already, {:.2} MB transferred\n",
            page.strong(self.folder.display()),
            self.fetched.len(),
            self.present,
            self.transferred as f64 / 1e6
        );
        let _ = writeln!(out, "  install      assay db update --to DIR --from file:{}", self.folder.display());
        out
    }
}
