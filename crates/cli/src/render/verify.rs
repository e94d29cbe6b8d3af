//! How verified evidence looks.

use std::fmt::Write as _;

use assay_trust::{CheckName, Signer};

use super::{Page, Report};
use crate::commands::build::VerifiedBuild;
use crate::commands::verify::VerifyOutcome;

impl Report for VerifyOutcome {
    const NAME: &'static str = "verify";

    fn text(&self, page: Page) -> String {
        let word = if self.verified { page.good("verified") } else { page.bad("not verified") };
        let mut out = format!("{word}  {}\n", page.strong(&self.artifact));
        if let Some(digest) = self.digest.filter(|digest| digest.to_string() != self.artifact) {
            let _ = writeln!(out, "  digest     {digest}");
        }
        for evidence in &self.evidence {
            let kind = evidence.predicate_type.as_deref().unwrap_or("message signature");
            let _ = writeln!(out, "  {:<10} {}", evidence.kind, page.dim(kind));
            match &evidence.signer {
                Signer::Key { fingerprint } => {
                    let _ = writeln!(out, "  key        {fingerprint}");
                }
                Signer::Keyless { issuer, subject, .. } => {
                    let _ = writeln!(out, "  signer     {subject}");
                    let _ = writeln!(out, "  issuer     {issuer}");
                }
                Signer::Certificate { subject, issuer, authority, .. } => {
                    let _ = writeln!(out, "  signer     {subject}");
                    let _ = writeln!(out, "  issuer     {issuer}, trusted as {authority}");
                }
            }
            let logged = evidence.checks.contains(&CheckName::TransparencyLog);
            let time = match (evidence.signed_at, logged) {
                (Some(at), true) => format!("{}, in the transparency log", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
                (Some(at), false) => format!("{}, by a timestamp authority", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
                (None, true) => "unknown, in the transparency log".to_owned(),
                (None, false) => "not proven: no log and no timestamp authority says when".to_owned(),
            };
            let _ = writeln!(out, "  signed     {time}");
            if let Some(build) = &evidence.build {
                write_build(&mut out, build, page);
            }
        }
        for logged in &self.logged {
            let text = format!("but        {} ({}), which the trust policy only logs", logged.message, logged.code);
            let _ = writeln!(out, "  {}", page.wrap(&text, 13));
        }
        if !self.verified && self.rejected.is_empty() {
            let _ = writeln!(out, "  there is no {} at all", self.wanted);
        }
        // Where something counts, the rest is only for those who ask.
        if !self.verified || page.detail {
            for rejected in &self.rejected {
                let source = rejected.source.map(|source| format!("{} ", source.short())).unwrap_or_default();
                let text = format!("{source}does not count: {} ({})", rejected.message, rejected.code);
                let _ = writeln!(out, "  {}", page.wrap(&text, 4));
            }
        }
        out
    }
}

fn write_build(out: &mut String, build: &VerifiedBuild, page: Page) {
    let _ = writeln!(out, "  builder    {}", build.builder);
    let level = build.level.map_or("unknown".to_owned(), |level| format!("SLSA Build {level}"));
    let missing = build.missing.map(|missing| format!("; {missing}")).unwrap_or_default();
    let _ = writeln!(out, "  level      {}", page.wrap(&format!("{level}{missing}"), 13));
    if let Some(commit) = &build.commit {
        let _ = writeln!(out, "  commit     {commit}");
    }
    // Plain data with string keys: its serialisation cannot fail.
    if let Some(text) = build.provenance.as_ref().and_then(|stated| serde_json::to_string_pretty(stated).ok()) {
        let _ = writeln!(out, "{text}");
    }
}
