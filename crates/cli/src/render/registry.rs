//! How images with their referrers look.

use std::fmt::Write as _;

use super::page::count;
use super::{Page, Report};
use crate::commands::registry::{CopyOutcome, TreeNode, TreeOutcome};
use crate::commands::sign::{SignOutcome, SignatureOutcome};

impl Report for TreeOutcome {
    const NAME: &'static str = "tree";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}\n", page.strong(&self.image));
        node(&mut out, &self.root, 0, page);
        if self.left_out > 0 {
            let _ = writeln!(out, "{} not shown", count(self.left_out, "entry"));
        }
        out
    }
}

fn node(out: &mut String, node: &TreeNode, depth: usize, page: Page) {
    let indent = "  ".repeat(depth);
    let platform = node.platform.as_ref().map(|platform| format!(" {platform}")).unwrap_or_default();
    let _ = writeln!(out, "{indent}{}{platform}", node.kind);
    let _ = writeln!(out, "{indent}  {}", page.dim(node.digest));
    if let Some(claims) = &node.claims {
        let created = node.created.as_ref().map(|created| format!(", {created}")).unwrap_or_default();
        let _ = writeln!(out, "{indent}  says: {claims}{created}");
    }
    for inner in node.images.iter().chain(&node.referrers) {
        self::node(out, inner, depth + 1, page);
    }
}

impl Report for CopyOutcome {
    const NAME: &'static str = "copy";

    fn text(&self, page: Page) -> String {
        format!(
            "{}\n  to      {}\n  digest  {}, the same at both ends\n  {} ({} referring to it), {} sent ({:.1} MB), {} there already\n",
            page.strong(&self.from),
            self.to,
            self.digest,
            count(self.manifests, "manifest"),
            self.referrers,
            count(self.blobs_copied, "blob"),
            self.bytes as f64 / 1e6,
            self.blobs_present,
        )
    }
}

impl Report for SignOutcome {
    const NAME: &'static str = "sign";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        let separator = if self.signatures.iter().any(|signature| signature.referrer.is_some()) { "@" } else { "  " };
        for signature in &self.signatures {
            let SignatureOutcome { subject, predicate_type, referrer, legacy_tag } = signature;
            let _ = writeln!(out, "{}  {}{separator}{subject}", page.good("signed"), self.target);
            let _ = writeln!(out, "  states    {predicate_type}");
            if let Some(referrer) = referrer {
                let _ = writeln!(out, "  attached  {referrer}");
            }
            if let Some(tag) = legacy_tag {
                let _ = writeln!(out, "  also as   {tag}");
            }
        }
        if let Some(bundle) = &self.bundle {
            let _ = writeln!(out, "  bundle    {}", bundle.display());
        }
        out
    }
}
