//! Which findings count: those that no trusted VEX statement excuses.
//!
//! VEX is evidence, and whose VEX counts is policy: it is applied here and nowhere before. A statement excuses a finding
//! when a signer named for VEX made it, its vulnerability is one of the finding's names, its product is this image or
//! this package by canonical purl, and nothing later says otherwise.

use std::fmt::Write as _;

use assay_case::{Cause, EvidenceSet, Facts};
use assay_kinds::SignerPurpose;
use assay_model::{Findings, FixState, Package, Purl, VulnerabilityFinding};
use assay_trust::{Evidence, Predicate, VexStatement, VexStatus};
use serde::Deserialize;

use crate::report::{Context, Report, Said};

/// Which findings of a severity count.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Selected {
    only_fixed: bool,
    only_known_exploited: bool,
}

impl Selected {
    /// Whether a finding counts. Malware has a control of its own, which nothing excuses.
    pub(crate) fn selects(&self, finding: &VulnerabilityFinding) -> bool {
        if finding.is_malware() {
            return false;
        }
        let fixed = !self.only_fixed || matches!(finding.fix, FixState::Fixed { .. });
        fixed && (!self.only_known_exploited || finding.vulnerability.known_exploited.is_some())
    }
}

/// Looks at every finding that `wanted` selects and reports those that count; `none` is said where there are none.
pub(crate) fn judge(
    context: &Context<'_>,
    facts: &Facts,
    report: &mut Report<'_>,
    none: &'static str,
    wanted: impl Fn(&VulnerabilityFinding) -> bool,
) {
    let findings = match known(facts) {
        Ok(findings) => findings,
        Err(cause) => return report.unknown("what is vulnerable in it", &cause),
    };
    let vex = Vex::of(context, facts);
    let mut excused = 0_usize;
    let mut counted: Vec<&VulnerabilityFinding> = Vec::new();
    for finding in findings.vulnerabilities.iter().filter(|finding| wanted(finding)) {
        if vex.excuses(facts, finding) {
            excused += 1;
        } else {
            counted.push(finding);
        }
    }
    if !counted.is_empty() {
        return report_findings(report, &counted);
    }
    // What could not be read may hold what was looked for: an unfinished reading is never clean.
    if let Some(partial) = facts.contents.get().ok().and_then(|contents| contents.partial.first()) {
        return report.error(format!("{none} found, but {} could not be read to its end", partial.what));
    }
    if excused == 0 && findings.uncovered == 0 {
        return report.pass(none);
    }
    let excuse = if excused == 0 { String::new() } else { format!(", {excused} excused by VEX") };
    if findings.uncovered > 0 {
        let uncovered = findings.uncovered;
        return report.warn(format!("{none}{excuse}; {uncovered} packages are not covered by the vulnerability data"));
    }
    report.pass(format!("{none}{excuse}"));
}

/// The findings that count, for controls that only count them.
pub(crate) fn unexcused<'f>(
    context: &Context<'_>,
    facts: &'f Facts,
    wanted: impl Fn(&VulnerabilityFinding) -> bool,
) -> Result<Vec<&'f VulnerabilityFinding>, Cause> {
    let findings = known(facts)?;
    let vex = Vex::of(context, facts);
    Ok(findings.vulnerabilities.iter().filter(|finding| wanted(finding) && !vex.excuses(facts, finding)).collect())
}

fn known(facts: &Facts) -> Result<&Findings, Cause> {
    facts.findings.get().map(AsRef::as_ref).map_err(Clone::clone)
}

/// One outcome for each vulnerability, with all packages that it is in, so that an Exception lifts what it names and
/// nothing else.
pub(crate) fn report_findings(report: &mut Report<'_>, findings: &[&VulnerabilityFinding]) {
    let mut remaining: Vec<&VulnerabilityFinding> = findings.to_vec();
    while let Some(first) = remaining.first().copied() {
        let (same, others): (Vec<_>, Vec<_>) =
            remaining.into_iter().partition(|finding| finding.vulnerability.id == first.vulnerability.id);
        remaining = others;
        report.fail(say(first, &same));
    }
}

fn say(finding: &VulnerabilityFinding, same: &[&VulnerabilityFinding]) -> Said {
    let vulnerability = &finding.vulnerability;
    let package = &finding.package;
    let mut message =
        format!("{} {} in {} {}", vulnerability.id, vulnerability.severity, package.name, package.version);
    if same.len() > 1 {
        let _ = write!(message, " and {} more", same.len() - 1);
    }
    let fix = match &finding.fix {
        FixState::Fixed { versions } => {
            let version = versions.first().map_or("a later version", String::as_str);
            let _ = write!(message, "; fixed in {version}");
            format!("rebuild with {} {version}", package.name)
        }
        FixState::NotFixed => {
            message.push_str("; no fix is known");
            "record why it does not apply (VEX), or ask for an Exception: assay exception new".to_owned()
        }
        FixState::WontFix => {
            message.push_str("; none will come");
            format!("replace {}, or ask for an Exception: assay exception new", package.name)
        }
    };
    if let Some(exploited) = &vulnerability.known_exploited {
        let _ = write!(message, ", exploited in the wild since {}", exploited.since);
    }
    let names = std::iter::once(&vulnerability.id).chain(&vulnerability.aliases).map(ToString::to_string).collect();
    let packages = same.iter().map(|finding| finding.package.purl.to_string()).collect();
    Said::from(message).fix(fix).vulnerability(vulnerability.severity, names, packages)
}

/// The VEX evidence that counts for a Subject. None where more evidence exists than was read: the last word may be among
/// what was left out, and whoever can push can see to that.
pub(crate) struct Vex<'f> {
    documents: Vec<&'f Evidence>,
}

impl<'f> Vex<'f> {
    fn of(context: &Context<'_>, facts: &'f Facts) -> Self {
        let set: Option<&EvidenceSet> = facts.evidence.get().ok().filter(|set| !set.truncated);
        let documents = set
            .map(|set| context.trusted(facts, set, SignerPurpose::Vex).map(|(evidence, _)| evidence).collect())
            .unwrap_or_default();
        Self { documents }
    }

    /// Whether the last word about a finding is that it does not matter. Of two words at the same time the worse counts.
    fn excuses(&self, facts: &Facts, finding: &VulnerabilityFinding) -> bool {
        let mut last: Option<(Option<assay_model::Timestamp>, bool)> = None;
        for evidence in &self.documents {
            let Predicate::Vex { statements } = evidence.predicate() else { continue };
            let applying = statements.iter().rev().find(|statement| applies(statement, facts, finding));
            let Some(statement) = applying else { continue };
            let said = (evidence.signed_at(), excusing(statement));
            last = Some(match last {
                Some(before) if before.0 > said.0 => before,
                Some(before) if before.0 == said.0 => (before.0, before.1 && said.1),
                _ => said,
            });
        }
        last.is_some_and(|(_, excused)| excused)
    }
}

fn excusing(statement: &VexStatement) -> bool {
    matches!(statement.status, VexStatus::NotAffected | VexStatus::Fixed)
}

fn applies(statement: &VexStatement, facts: &Facts, finding: &VulnerabilityFinding) -> bool {
    let vulnerability = &finding.vulnerability;
    let named =
        statement.vulnerabilities.iter().any(|name| *name == vulnerability.id || vulnerability.aliases.contains(name));
    let in_package = |purls: &[String]| purls.iter().any(|purl| is_package(purl, &finding.package));
    named
        && if statement.products.is_empty() {
            // The product is the statement's subject: the digest that the evidence is bound to.
            statement.subcomponents.is_empty() || in_package(&statement.subcomponents)
        } else {
            let image = statement.products.iter().any(|purl| is_image(purl, facts));
            let below = statement.subcomponents.is_empty() || in_package(&statement.subcomponents);
            (image && below) || (statement.subcomponents.is_empty() && in_package(&statement.products))
        }
}

/// Whether a purl names this image: `pkg:oci/NAME@DIGEST?repository_url=...` (purl-spec, type oci).
fn is_image(purl: &str, facts: &Facts) -> bool {
    let Ok(purl) = purl.parse::<Purl>() else { return false };
    let subject = &facts.subject;
    let repository = subject.repository.to_string().to_lowercase();
    purl.kind == "oci"
        && repository.rsplit('/').next() == Some(purl.name.as_str())
        && purl
            .version
            .as_ref()
            .is_none_or(|version| subject.covering_digests().any(|digest| digest.to_string() == *version))
        && purl.qualifiers.get("repository_url").is_none_or(|url| {
            let url = url.to_lowercase();
            url == repository || format!("{url}/{}", purl.name) == repository
        })
}

/// Whether a purl names this package: type, namespace and name are equal, and version and qualifiers where it has them.
fn is_package(purl: &str, package: &Package) -> bool {
    let Ok(purl) = purl.parse::<Purl>() else { return false };
    let own = &package.purl;
    purl.kind == own.kind
        && purl.namespace == own.namespace
        && purl.name == own.name
        && purl.version.as_ref().is_none_or(|version| own.version.as_ref() == Some(version))
        && purl.qualifiers.iter().all(|(key, value)| own.qualifiers.get(key) == Some(value))
}
