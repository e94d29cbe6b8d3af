//! How pinned images look: a diff of the changed lines.

use std::fmt::Write as _;

use super::page::count;
use super::{Page, Report};
use crate::commands::pin::PinOutcome;

impl Report for PinOutcome {
    const NAME: &'static str = "pin";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        let mut file = "";
        for change in &self.changes {
            if change.file != file {
                file = &change.file;
                let _ = writeln!(out, "{}", page.strong(file));
            }
            let _ = writeln!(out, "{:>4} {}", change.line, page.bad(format!("- {}", change.before.trim())));
            let _ = writeln!(out, "     {}", page.good(format!("+ {}", change.after.trim())));
        }
        for failed in self.failed.iter().chain(&self.unsigned) {
            let place = format!("{}:{}", failed.file, failed.line);
            let _ = writeln!(out, "{}  {} stays as it is", page.strong(place), failed.image);
            let _ = writeln!(out, "  {}: {}", page.bad(&failed.code), page.wrap(&failed.message, 2));
        }
        for image in &self.unpinned {
            let place = format!("{}:{}", image.file, image.line);
            let _ = writeln!(out, "{}  {}", page.strong(place), page.bad(&image.image));
        }
        if !self.unpinned.is_empty() {
            let (unpinned, pinned) = (count(self.unpinned.len(), "image"), self.pinned);
            let _ = writeln!(out, "{unpinned} without a digest, {pinned} with one; assay pin -f FILE writes it");
            return out;
        }
        let word = if self.diff { "would be pinned" } else { "pinned" };
        let _ = write!(out, "{} {word}, {} before", count(self.changes.len(), "line"), count(self.pinned, "image"));
        if !self.failed.is_empty() {
            let _ = write!(out, ", {} not resolved", self.failed.len());
        }
        if let Some(verified) = self.verified {
            let _ = write!(out, ", {} verified", count(verified, "signature"));
        }
        if !self.unsigned.is_empty() {
            let _ = write!(out, ", {} not signed as wanted", count(self.unsigned.len(), "image"));
        }
        out.push('\n');
        out
    }
}
