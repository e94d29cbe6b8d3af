//! How scans look.

mod explain;
mod html;
mod reports;
mod vulnerability;

use std::fmt::Write as _;

use assay_model::{FixState, Severity, VulnerabilityFinding};
use assay_sbom::LicenceVerdict;

use super::document::document;
use super::page::{count, cut};
use super::{Align, Page, Report, Table};
use crate::commands::sbom::SpecVersion;
use crate::commands::scan::ScanOutcome;
use crate::output::Format;
use crate::{Result, Status};

impl Report for ScanOutcome {
    const NAME: &'static str = "scan";
    const OTHERS: &'static [Format] = &[
        Format::Sarif,
        Format::Junit,
        Format::Markdown,
        Format::Github,
        Format::Cyclonedx,
        Format::Spdx,
        Format::CyclonedxVdr,
        Format::CosignVuln,
        Format::Html,
    ];

    fn text(&self, page: Page) -> String {
        let mut out = page.strong(&self.target);
        let os = self.os.as_ref().map(|os| format!("{os}, ")).unwrap_or_default();
        let _ = writeln!(out, "  {os}{}", count(self.packages, "package"));
        if let Some(digest) = &self.digest {
            let _ = writeln!(out, "{}", page.dim(digest));
        }
        self.write_vulnerabilities(&mut out, page);
        self.write_secrets(&mut out, page);
        self.write_licences(&mut out, page);
        self.write_summary(&mut out, page);
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        match format {
            Format::Sarif => Some(Ok(reports::sarif(self))),
            Format::Junit => Some(Ok(reports::junit(self))),
            Format::Markdown => Some(Ok(reports::markdown(self))),
            Format::Github => Some(Ok(reports::github(self))),
            Format::CosignVuln => Some(Ok(vulnerability::cosign_vuln(self))),
            Format::Html => Some(Ok(html::page(self))),
            Format::CyclonedxVdr => {
                let written =
                    document(&self.contents, &self.root, &self.generation, Format::Cyclonedx, SpecVersion::Default);
                written.map(|text| text.and_then(|text| vulnerability::disclosure(self, &text)))
            }
            other => document(&self.contents, &self.root, &self.generation, other, SpecVersion::Default),
        }
    }
}

impl ScanOutcome {
    fn write_vulnerabilities(&self, out: &mut String, page: Page) {
        let columns = ["severity", "vulnerability", "package", "version", "fixed in"].map(|title| (title, Align::Left));
        let mut table = Table::new(page, &columns);
        // Columns that fit in 80 with the widest severity and a CVE; -v cuts nothing.
        let cut = |text: &str, width| if page.detail { text.to_owned() } else { cut(text, width) };
        for finding in &self.vulnerabilities {
            let vulnerability = &finding.vulnerability;
            let exploited = if vulnerability.known_exploited.is_some() { " exploited" } else { "" };
            table.row([
                vulnerability.severity.to_string(),
                cut(vulnerability.id.as_str(), 19),
                cut(&finding.package.name, 20),
                cut(&finding.package.version, 18),
                format!("{}{exploited}", cut(&fix(finding), 18)),
            ]);
            match vulnerability.severity {
                Severity::Critical | Severity::High => table.paint_last(0, |page, text| page.bad(text)),
                Severity::Medium => table.paint_last(0, |page, text| page.warn(text)),
                _ => {}
            }
        }
        if !table.is_empty() {
            out.push('\n');
            out.push_str(&table.render(0));
        }
    }

    fn write_secrets(&self, out: &mut String, page: Page) {
        if self.secrets.is_empty() {
            return;
        }
        out.push_str("\nsecrets\n");
        for secret in &self.secrets {
            let layer = secret.file.layer.map(|layer| format!(" in layer {}", layer + 1)).unwrap_or_default();
            let deleted = if secret.deleted_later { ", deleted later, but it still ships" } else { "" };
            let severity = page.bad(secret.severity);
            let _ = writeln!(out, "{severity}  {}  {}:{}{layer}{deleted}", secret.rule, secret.file.path, secret.line);
            let _ = writeln!(out, "    {}", page.dim(cut(&secret.excerpt, page.width - 4)));
        }
    }

    fn write_licences(&self, out: &mut String, page: Page) {
        if self.licences.is_empty() {
            return;
        }
        out.push_str("\nlicences\n");
        for one in &self.licences {
            let verdict = match one.verdict {
                LicenceVerdict::Deny => page.bad("denied"),
                _ => page.warn("review"),
            };
            let licence = if one.licence.is_empty() { "-" } else { &one.licence };
            let _ = writeln!(out, "{verdict}  {}  {licence}", one.purl);
            let _ = writeln!(out, "        {}", page.dim(&one.reason));
        }
    }

    /// What stands beside the findings: surface, base, what was left out.
    fn write_standing(&self, out: &mut String, page: Page) {
        if let Some(surface) = &self.surface {
            let what = if surface.is_minimal() {
                "minimal: no shell, no package manager".to_owned()
            } else {
                [&surface.shells[..], &surface.package_managers[..]].concat().join(", ")
            };
            let set_id = count(surface.setuid.len(), "file");
            let _ = writeln!(out, "surface  {}; {set_id} with set-user-ID", page.wrap(&what, 9));
        }
        if let Some(base) = &self.base {
            let digest = base.digest.map(|digest| digest.to_string());
            let name = base.name.as_deref().or(digest.as_deref()).unwrap_or_default();
            let layers = base.layers.map(|layers| format!(", its lowest {}", count(layers, "layer")));
            let _ = writeln!(out, "base     {name}{}", layers.as_deref().unwrap_or(", as the image says"));
        }
        if let Some(not_searched) = &self.not_searched {
            let paths = page.wrap(&not_searched.paths.join(" "), 9);
            let _ = writeln!(out, "secrets  not looked for in {paths}, nor in the tests of installed libraries");
        }
        if !self.suppressed.is_empty() {
            let left = count(self.suppressed.len(), "name");
            let _ = writeln!(out, "{left} found and not listed: --explain NAME says why");
        }
    }

    fn write_summary(&self, out: &mut String, page: Page) {
        out.push('\n');
        if self.pack.is_some() {
            let counts = self.counts;
            let by_severity = [
                (counts.critical, "critical"),
                (counts.high, "high"),
                (counts.medium, "medium"),
                (counts.low, "low"),
                (counts.unknown, "unrated"),
            ];
            let parts: Vec<_> =
                by_severity.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
            let found = if self.packages == 0 {
                page.warn("no packages found, so nothing was matched: not known to be clean")
            } else if self.nothing_covered() {
                page.warn("nothing was matched: the data here covers none of these packages")
            } else if parts.is_empty() {
                page.good("no known vulnerabilities")
            } else {
                format!("{}{}", parts.join(", "), exploited(counts.known_exploited))
            };
            let hidden = if self.hidden > 0 { format!(" ({} not shown)", self.hidden) } else { String::new() };
            let _ = writeln!(out, "{found}{hidden}");
            if self.uncovered > 0 && !self.nothing_covered() {
                let packages = count(self.uncovered as usize, "package");
                let _ = writeln!(out, "{packages} without data: not known to be clean");
            }
        }
        if !self.secrets.is_empty() {
            let _ = writeln!(out, "{}", count(self.secrets.len(), "secret"));
        }
        let taken = self.vex.iter().filter(|entry| matches!(entry.status, Some("not affected" | "fixed"))).count();
        let refused = self.vex.iter().filter(|entry| entry.status.is_none()).count();
        if taken > 0 {
            let _ = writeln!(out, "{} taken away by VEX", count(taken, "finding"));
        }
        if refused > 0 {
            let _ = writeln!(out, "{} given but not applied; see --explain ID", count(refused, "VEX statement"));
        }
        let ignored = self.ignored.iter().filter(|entry| !entry.expired).count();
        if ignored > 0 {
            let _ = writeln!(out, "{} ignored by rule", count(ignored, "finding"));
        }
        for rule in self.ignored.iter().filter(|entry| entry.expired) {
            let _ = writeln!(out, "{} {}", page.warn("ignore rule:"), rule.in_words());
        }
        if self.accepted_secrets > 0 {
            let _ = writeln!(out, "{} in the baseline", count(self.accepted_secrets, "secret"));
        }
        for partial in &self.partial {
            let _ = writeln!(out, "{} {}", page.warn("not read to its end:"), partial.what);
        }
        if page.detail {
            self.write_standing(out, page);
        }
        if let Some(pack) = self.pack.as_ref().filter(|_| self.sample_pack) {
            let day = pack.data_until.strftime("%Y-%m-%d");
            let _ = writeln!(
                out,
                "{}",
                page.dim(format!("data: the embedded sample of {day}; assay db build makes a whole one"))
            );
        }
        if let Some(threshold) = &self.fail_on {
            let word = match self.status() {
                Status::Pass => page.good("allowed"),
                Status::Denied => page.bad("denied"),
                Status::Undecided => page.bad("undecided"),
            };
            let found = count(self.failing, "finding");
            let only_severity = matches!(&self.thresholds[..], [one] if one.severity().is_some());
            let worse = if only_severity { " or worse" } else { "" };
            let _ = writeln!(out, "{word}  {found} at {threshold}{worse}");
        }
    }
}

fn exploited(number: u32) -> String {
    if number == 0 { String::new() } else { format!("; {number} known to be exploited") }
}

/// Where it is fixed, in a few characters.
pub(super) fn fix(finding: &VulnerabilityFinding) -> String {
    match &finding.fix {
        FixState::Fixed { versions } => versions.first().cloned().unwrap_or_else(|| "yes".to_owned()),
        FixState::NotFixed => "no fix".to_owned(),
        FixState::WontFix => "won't fix".to_owned(),
    }
}
