//! How packs look.

use std::fmt::Write as _;

use assay_model::{Digest, PackInfo};

use super::page::count;
use super::{Align, Page, Report, Table};
use crate::commands::database::{BuildOutcome, InfoOutcome};
use crate::commands::mirror::{MirrorOutcome, UpdateOutcome};

impl Report for BuildOutcome {
    const NAME: &'static str = "db-build";

    fn text(&self, page: Page) -> String {
        let mut out = format!(
            "{}  {:.1} MB, {}, {}, {} known to be exploited\n",
            page.strong(self.file.display()),
            self.bytes as f64 / 1e6,
            count(self.pack.records as usize, "record"),
            count(self.vulnerabilities as usize, "vulnerability"),
            self.known_exploited,
        );
        let mut table = Table::new(page, &[("", Align::Right), ("", Align::Left)]);
        for (reason, count) in &self.skipped {
            table.row([count.to_string(), reason.clone()]);
        }
        if !table.is_empty() {
            out.push_str("left out\n");
            out.push_str(&table.render(2));
        }
        describe(&mut out, &self.pack, Some(self.file_digest), page);
        out
    }
}

impl Report for InfoOutcome {
    const NAME: &'static str = "db-info";

    fn text(&self, page: Page) -> String {
        let name = self.file.as_ref().map_or("the embedded sample".to_owned(), |file| file.display().to_string());
        let mut out = format!("{}  {} records\n", page.strong(name), self.pack.records);
        describe(&mut out, &self.pack, self.file_digest, page);
        if self.file.is_none() {
            out.push_str("a sample, so that the first command works; build your own: assay db build\n");
        }
        out
    }
}

impl Report for MirrorOutcome {
    const NAME: &'static str = "db-mirror";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}  {}\n", page.strong(self.folder.display()), count(self.files.len(), "file"));
        let mut table = Table::new(page, &[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
        for file in &self.files {
            let records = count(file.records as usize, "record");
            table.row([file.name.clone(), format!("{:.2} MB", file.bytes as f64 / 1e6), records]);
        }
        out.push_str(&table.render(2));
        out
    }
}

impl Report for UpdateOutcome {
    const NAME: &'static str = "db-update";

    fn text(&self, page: Page) -> String {
        let transferred = self.transferred as f64 / 1e6;
        let mut out = format!("{}  {transferred:.2} MB transferred\n", page.strong(self.folder.display()));
        let mut table = Table::new(page, &[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for pack in &self.packs {
            let day = pack.data_until.strftime("data until %Y-%m-%d %H:%M UTC").to_string();
            let signer = pack.signer.as_ref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
            let state = if pack.changed { "new" } else { "as it was" };
            table.row([pack.family.clone(), day, format!("{state}{signer}")]);
        }
        out.push_str(&table.render(2));
        out
    }
}

fn describe(out: &mut String, pack: &PackInfo, file_digest: Option<Digest>, page: Page) {
    let _ = writeln!(out, "  data until   {}", pack.data_until.strftime("%Y-%m-%d %H:%M UTC"));
    let _ = writeln!(out, "  checksum     {}", pack.digest);
    if let Some(digest) = file_digest {
        let _ = writeln!(out, "  file         {digest}");
    }
    let _ = writeln!(out, "  ecosystems   {}", page.wrap(&pack.ecosystems.join(", "), 15));
}
