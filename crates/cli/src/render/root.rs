//! How trusted roots look.

use std::fmt::Write as _;

use super::{Page, Report};
use crate::commands::root::RootOutcome;

impl Report for RootOutcome {
    const NAME: &'static str = "trust-root";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}  {}\n", page.strong(&self.instance), self.mirror);
        let Some(root) = &self.root else {
            out.push_str(
                "no refresh has succeeded yet: the root that is compiled in is used\nnext  assay trust root update\n",
            );
            return out;
        };
        let [tuf, timestamp, snapshot, targets] = root.versions;
        let expires = root.expires.strftime("%Y-%m-%d %H:%M UTC");
        let refresh = if root.expired {
            page.warn(format!("was due by {expires}; the root stays in use. assay trust root update"))
        } else {
            format!("due by {expires}")
        };
        let _ = writeln!(out, "  digest    {}", root.digest);
        let _ = writeln!(out, "  versions  root {tuf}, timestamp {timestamp}, snapshot {snapshot}, targets {targets}");
        let _ = writeln!(out, "  refresh   {refresh}");
        if let Some(file) = &self.file {
            let _ = writeln!(out, "  written   {0}  (verify with --trusted-root {0})", file.display());
        }
        out
    }
}
