//! The ignore file of a scan: findings that somebody decided to live with, for a reason and until a day.
//!
//! ```yaml
//! ignore:
//! - id: CVE-2024-1234
//!   package: pkg:deb/debian/zlib        # all packages where missing
//!   owner: team-payments
//!   reason: only reached by the import job, which reads our own files
//!   expires: 2027-01-31
//! ```
//! All of owner, reason and expiry must be given. From the day of expiry on a rule counts no more, and the run says so.

use assay_model::{Purl, Timestamp, VulnerabilityFinding, VulnerabilityId};
use serde::Deserialize;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoreFile {
    /// The rules.
    pub ignore: Vec<IgnoreRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoreRule {
    /// The vulnerability, by any of its names.
    pub id: VulnerabilityId,
    /// The package, by purl; without a version, all of them.
    #[serde(default)]
    pub package: Option<Purl>,
    /// Who decided.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The first day on which it no longer counts, `YYYY-MM-DD`.
    pub expires: String,
}

/// Findings that are left, and those that a rule took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored<'a> {
    /// Taken away, with the rule.
    pub ignored: Vec<(VulnerabilityFinding, &'a IgnoreRule)>,
    /// Rules that have run out, and would have taken something away.
    pub expired: Vec<&'a IgnoreRule>,
}

impl IgnoreFile {
    /// Checks what the shape alone does not: owner, reason, and a day that is one.
    pub fn check(&self) -> Result<(), String> {
        for rule in &self.ignore {
            for (name, text) in [("owner", &rule.owner), ("reason", &rule.reason)] {
                if text.trim().is_empty() {
                    return Err(format!("{}: the {name} is empty", rule.id));
                }
            }
            if midnight(&rule.expires).is_none() {
                return Err(format!("{}: `{}` is no day (write 2027-01-31)", rule.id, rule.expires));
            }
        }
        Ok(())
    }

    /// Takes findings away that a rule names, and that has not run out.
    pub fn apply(&self, findings: &mut Vec<VulnerabilityFinding>, now: Timestamp) -> Ignored<'_> {
        let mut result = Ignored::default();
        let all = std::mem::take(findings);
        for finding in all {
            let (live, expired): (Vec<&IgnoreRule>, Vec<&IgnoreRule>) = self
                .ignore
                .iter()
                .filter(|rule| rule.is_about(&finding))
                .partition(|rule| midnight(&rule.expires).is_some_and(|end| now < end));
            if let Some(rule) = live.first() {
                result.ignored.push((finding, rule));
                continue;
            }
            for rule in expired {
                if !result.expired.contains(&rule) {
                    result.expired.push(rule);
                }
            }
            findings.push(finding);
        }
        result
    }
}

impl IgnoreRule {
    fn is_about(&self, finding: &VulnerabilityFinding) -> bool {
        let mut names = std::iter::once(&finding.vulnerability.id).chain(&finding.vulnerability.aliases);
        let named = names.any(|name| name.as_str().eq_ignore_ascii_case(self.id.as_str()));
        named
            && self.package.as_ref().is_none_or(|package| {
                let other = &finding.package.purl;
                (&package.kind, &package.namespace, &package.name) == (&other.kind, &other.namespace, &other.name)
                    && package.version.as_ref().is_none_or(|version| other.version.as_ref() == Some(version))
            })
    }
}

fn midnight(day: &str) -> Option<Timestamp> {
    (day.len() == 10).then(|| format!("{day}T00:00:00Z").parse().ok()).flatten()
}
