//! How the reasons for a finding look.

use std::fmt::Write as _;

use assay_model::EvidenceTier;
use assay_vuln::risk::{Surroundings, Use, risk};

use super::super::{Page, Report};
use super::fix;
use crate::commands::scan::ExplainOutcome;

/// References shown without `-v`.
const REFERENCES: usize = 3;

impl Report for ExplainOutcome {
    const NAME: &'static str = "scan-explain";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let (vulnerability, package, reason) = (&finding.vulnerability, &finding.package, &finding.reason);
            let title = format!("{} {}", vulnerability.id, vulnerability.severity);
            let _ = writeln!(out, "{}  in {} {}", page.strong(title), package.name, package.version);
            let _ = writeln!(out, "  found in   {}", package.path);
            let _ = writeln!(out, "  record     {} ({})", reason.record, reason.ecosystem);
            let _ = writeln!(out, "  compared   {} {} with: {}", reason.name, reason.version, reason.range);
            let _ = writeln!(out, "  fixed in   {}", fix(finding));
            for rating in &vulnerability.ratings {
                let vector = rating.vector.as_deref().map(|vector| format!(" {vector}")).unwrap_or_default();
                let _ = writeln!(out, "  severity   {} says {}{vector}", rating.source, rating.severity);
            }
            let risk = risk(finding, Use::default(), &Surroundings::default());
            let _ = writeln!(out, "  risk       {}.{} of 100", risk.tenths / 10, risk.tenths % 10);
            for factor in &risk.factors {
                let (whole, part) = (factor.thousandths / 1000, factor.thousandths % 1000);
                let _ = writeln!(out, "             x {whole}.{part:03}  {}: {}", factor.name, factor.why);
            }
            if vulnerability.disputed {
                let _ = writeln!(out, "  disputed   its vendor says that it is none");
            }
            if let Some(exploited) = &vulnerability.known_exploited {
                let ransomware = if exploited.ransomware { ", by ransomware too" } else { "" };
                let _ = writeln!(out, "  exploited  in the wild since {}{ransomware}", exploited.since);
            }
        }
        for line in &self.not_counted {
            let _ = writeln!(out, "{}  {}", page.strong("not counted"), page.wrap(line, 13));
        }
        self.write_packages(&mut out, page);
        let is_package = !self.packages.is_empty() || !self.suppressed.is_empty();
        if self.findings.is_empty() && !is_package {
            let _ = writeln!(out, "{} was not matched in {}", page.strong(&self.id), self.target);
            let why = if self.records.is_empty() {
                "the vulnerability data has no record of this name"
            } else if self.records.iter().all(|record| record.affected.is_empty()) {
                "none of the packages that its records name is in there"
            } else if !self.suppressed.is_empty() {
                "it was matched, and is not counted for the reason above"
            } else {
                "the packages are there, in versions or releases outside the affected ranges"
            };
            let _ = writeln!(out, "  {why}");
        }
        for record in &self.records {
            let _ = writeln!(out, "{}  {}", page.strong(&record.id), page.wrap(&record.summary, 2));
            for affected in &record.affected {
                let _ = writeln!(out, "  {}", page.wrap(affected, 4));
            }
            let shown = if page.detail { record.references.len() } else { REFERENCES };
            for reference in record.references.iter().take(shown) {
                let _ = writeln!(out, "  {}", page.dim(reference));
            }
        }
        out
    }
}

impl ExplainOutcome {
    fn write_packages(&self, out: &mut String, page: Page) {
        for package in &self.packages {
            let _ = writeln!(out, "{}", page.strong(&package.purl));
            let _ = writeln!(out, "  found in   {} ({})", package.path, tier(package.tier));
            if let Some(layer) = package.layer {
                let origin = match package.from_base {
                    Some(true) => ", of the base image",
                    Some(false) => ", not of the base image",
                    None => "",
                };
                let _ = writeln!(out, "  came with  layer {layer}{origin}");
            }
            if let Some(command) = &package.created_by {
                let _ = writeln!(out, "  made by    {}", page.wrap(command, 13));
            }
        }
        for left in &self.suppressed {
            let by = left.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
            let others = if left.files > 1 { format!(" and {} more", left.files - 1) } else { String::new() };
            let _ = writeln!(out, "{} {} {}", page.strong("not listed:"), left.name, left.version);
            let _ = writeln!(out, "  found in   {}{others}", left.file.path);
            let _ = writeln!(out, "  because    {}", page.wrap(&format!("{}{by}", left.reason.describe()), 13));
        }
    }
}

fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::PackageDatabase => "package database",
        EvidenceTier::Installed => "recorded by its manager",
        EvidenceTier::ArchiveMetadata => "metadata of an archive",
        EvidenceTier::Declared => "declared",
        EvidenceTier::Heuristic => "guessed by name and content",
    }
}
