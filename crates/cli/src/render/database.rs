//! How packs look.

use std::fmt::Write as _;

use assay_model::{Digest, PackInfo};

use super::page::count;
use super::{Align, Page, Report, Table};
use crate::commands::database::{BuildOutcome, InfoOutcome};

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

fn describe(out: &mut String, pack: &PackInfo, file_digest: Option<Digest>, page: Page) {
    let _ = writeln!(out, "  data until   {}", pack.data_until.strftime("%Y-%m-%d %H:%M UTC"));
    let _ = writeln!(out, "  checksum     {}", pack.digest);
    if let Some(digest) = file_digest {
        let _ = writeln!(out, "  file         {digest}");
    }
    let _ = writeln!(out, "  ecosystems   {}", page.wrap(&pack.ecosystems.join(", "), 15));
}
