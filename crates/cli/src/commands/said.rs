//! What others say about findings: VEX documents, those that are attached to images, and the ignore file. `scan`, `inventory
//! rescan` and `serve` take it alike.

use std::path::{Path, PathBuf};

use assay_model::{Contents, Findings, Timestamp, VulnerabilityFinding};
use assay_oci::ImageSource;
use assay_vuln::ignore::{IgnoreFile, IgnoreRule};
use assay_vuln::vex::{Applied, Origin, Subject, VexDocument, apply as apply_vex};
use serde::Serialize;

mod attached;

pub(crate) use attached::Attached;

use super::verify::WantedSigner;
use crate::Result;
use crate::failure::{CliError, read_file, read_text};
use crate::session::Session;

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
pub(crate) struct Said {
    pub(crate) vex: Vec<VexFinding>,
    pub(crate) ignored: Vec<IgnoredFinding>,
}

/// Whose word is taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// VEX documents whose statements count.
    pub(crate) vex: Vec<PathBuf>,
    /// Whose VEX counts of what is attached to an image.
    pub(crate) vex_signer: Option<WantedSigner>,
    /// Findings to leave out.
    pub(crate) ignore_file: Option<PathBuf>,
}

/// The same, read.
#[derive(Debug, Default)]
pub(crate) struct Word {
    documents: Vec<VexDocument>,
    signer: Option<WantedSigner>,
    ignored: Option<IgnoreFile>,
}

impl Sources {
    /// Reads the documents that are named, and the ignore file.
    pub(crate) fn read(&self) -> Result<Word> {
        let mut documents = Vec::new();
        for path in &self.vex {
            // Whoever runs it names the file, and so stands behind it.
            documents.push(VexDocument::read(&path.display().to_string(), &read_file(path)?, Origin::Given)?);
        }
        let ignored = self.ignore_file.as_deref().map(ignore_file).transpose()?;
        Ok(Word { documents, signer: self.vex_signer.clone(), ignored })
    }
}

fn ignore_file(path: &Path) -> Result<IgnoreFile> {
    let wrong = |message: String| CliError::Setting {
        origin: path.display().to_string(),
        message,
        suggestion: Some("give each rule an id, an owner, a reason and the day it expires".to_owned()),
    };
    let file: IgnoreFile = serde_saphyr::from_str(&read_text(path)?).map_err(|error| wrong(error.to_string()))?;
    file.check().map_err(wrong)?;
    Ok(file)
}

impl Word {
    /// Whether nobody says anything.
    pub(crate) fn is_silent(&self) -> bool {
        self.documents.is_empty() && self.signer.is_none() && self.ignored.is_none()
    }

    /// What is attached to an image and verifies, and what does not; nothing where no signer was named.
    pub(crate) fn attached_to(&self, image: &ImageSource, session: &Session<'_>) -> Result<Attached> {
        self.signer
            .as_ref()
            .map_or_else(|| Ok(Attached::default()), |signer| attached::documents(image, signer, session))
    }

    /// The findings about one subject that are left, by these documents, by what is attached, and by the ignore file.
    pub(crate) fn apply(
        &self,
        attached: Attached,
        findings: Findings,
        subject: &Subject,
        contents: &Contents,
        now: Timestamp,
        said: &mut Said,
    ) -> Vec<VulnerabilityFinding> {
        said.vex.extend(attached.rejected);
        let documents = [attached.documents, self.documents.clone()].concat();
        let mut left = if documents.is_empty() {
            findings.vulnerabilities
        } else {
            let outcome = apply_vex(findings, &documents, subject, contents);
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
        if let Some(file) = &self.ignored {
            let result = file.apply(&mut left, now);
            let expired = result.expired.iter().map(|rule| (None, *rule));
            let ignored = result.ignored.iter().map(|(finding, rule)| (Some(finding), *rule));
            said.ignored.extend(ignored.chain(expired).map(|(finding, rule)| IgnoredFinding::of(finding, rule)));
        }
        left
    }
}

impl IgnoredFinding {
    fn of(finding: Option<&VulnerabilityFinding>, rule: &IgnoreRule) -> Self {
        let vulnerability = finding.map_or(&rule.id, |finding| &finding.vulnerability.id);
        let package = finding.map(|finding| format!("{} {}", finding.package.name, finding.package.version));
        Self {
            vulnerability: vulnerability.to_string(),
            package: package.unwrap_or_default(),
            owner: rule.owner.clone(),
            reason: rule.reason.clone(),
            expires: rule.expires.clone(),
            expired: finding.is_none(),
        }
    }
}
