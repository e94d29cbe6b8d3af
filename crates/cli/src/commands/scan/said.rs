//! What others say about findings: VEX documents, and the ignore file.

use std::path::{Path, PathBuf};

use assay_model::{Contents, Findings, Timestamp, VulnerabilityFinding};
use assay_sbom::Root;
use assay_vuln::ignore::IgnoreFile;
use assay_vuln::vex::{Applied, Origin, Subject, VexDocument, apply as apply_vex};
use serde::Serialize;

use crate::Result;
use crate::failure::{CliError, read_file, read_text};

/// A VEX statement about a finding, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VexFinding {
    /// The vulnerability; empty where the document could not be verified, and so not be read.
    pub(crate) vulnerability: String,
    /// The package.
    pub(crate) package: String,
    /// The document, and who signed it.
    pub(crate) by: String,
    /// The verdict, where it counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<&'static str>,
    /// Its reason, or why the statement did not count.
    pub(crate) reason: String,
}

impl VexFinding {
    /// One line.
    pub(crate) fn in_words(&self) -> String {
        match self.status {
            Some(status) => format!("{}: {status}: {} ({})", self.package, self.reason, self.by),
            None => format!("{}: VEX given but not applied because {} ({})", self.package, self.reason, self.by),
        }
    }
}

/// A finding that a rule of the ignore file is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IgnoredFinding {
    /// The vulnerability.
    pub(crate) vulnerability: String,
    /// The package; empty for a rule that has run out.
    pub(crate) package: String,
    /// Who decided.
    pub(crate) owner: String,
    /// Why.
    pub(crate) reason: String,
    /// The first day on which it no longer counts.
    pub(crate) expires: String,
    /// Whether that day has come, and the finding is not ignored.
    pub(crate) expired: bool,
}

impl IgnoredFinding {
    /// One line.
    pub(crate) fn in_words(&self) -> String {
        let (owner, reason, expires) = (&self.owner, &self.reason, &self.expires);
        if self.expired {
            format!("the rule of {owner} for {} ran out on {expires}", self.vulnerability)
        } else {
            format!("{}: ignored until {expires} by {owner}: {reason}", self.package)
        }
    }
}

/// What was said, of everything.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) vex: Vec<VexFinding>,
    pub(super) ignored: Vec<IgnoredFinding>,
}

/// The documents that were named, and those that are attached.
pub(super) fn documents(vex: &[PathBuf], attached: Vec<VexDocument>) -> Result<Vec<VexDocument>> {
    let mut documents = attached;
    for path in vex {
        // Whoever runs the scan names the file, and so stands behind it.
        documents.push(VexDocument::read(&path.display().to_string(), &read_file(path)?, Origin::Given)?);
    }
    Ok(documents)
}

/// The findings that are left.
pub(super) fn apply(
    findings: Findings,
    documents: Vec<VexDocument>,
    ignore_file: Option<&Path>,
    root: &Root,
    contents: &Contents,
    now: Timestamp,
    said: &mut Said,
) -> Result<Vec<VulnerabilityFinding>> {
    let mut left = if documents.is_empty() {
        findings.vulnerabilities
    } else {
        // The root of an image is named by its repository.
        let repository = root.digest.map(|_| root.name.clone());
        let subject = Subject { digest: root.digest, repository };
        let outcome = apply_vex(findings, &documents, &subject, contents);
        let row = |applied: &Applied| VexFinding {
            vulnerability: applied.finding.vulnerability.id.to_string(),
            package: format!("{} {}", applied.finding.package.name, applied.finding.package.version),
            by: applied.by.clone(),
            status: Some(applied.status.name()),
            reason: applied.justification.clone(),
        };
        said.vex.extend(outcome.applied.iter().chain(&outcome.confirmed).map(row));
        said.vex.extend(outcome.not_applied.into_iter().map(|refused| VexFinding {
            vulnerability: refused.vulnerability.to_string(),
            package: refused.package.to_string(),
            by: refused.document,
            status: None,
            reason: refused.reason.describe(),
        }));
        outcome.findings.vulnerabilities
    };
    if let Some(path) = ignore_file {
        let wrong = |message: String| CliError::Setting {
            origin: path.display().to_string(),
            message,
            suggestion: Some("give each rule an id, an owner, a reason and the day it expires".to_owned()),
        };
        let file: IgnoreFile = serde_saphyr::from_str(&read_text(path)?).map_err(|error| wrong(error.to_string()))?;
        file.check().map_err(wrong)?;
        let result = file.apply(&mut left, now);
        let expired = result.expired.iter().map(|rule| (None, *rule));
        let ignored = result.ignored.iter().map(|(finding, rule)| (Some(finding), *rule));
        said.ignored.extend(ignored.chain(expired).map(|(finding, rule)| {
            IgnoredFinding {
                vulnerability: finding
                    .map_or_else(|| rule.id.to_string(), |finding| finding.vulnerability.id.to_string()),
                package: finding
                    .map(|finding| format!("{} {}", finding.package.name, finding.package.version))
                    .unwrap_or_default(),
                owner: rule.owner.clone(),
                reason: rule.reason.clone(),
                expires: rule.expires.clone(),
                expired: finding.is_none(),
            }
        }));
    }
    Ok(left)
}
