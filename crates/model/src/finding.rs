//! What is wrong with what was found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Digest, Package, Severity, Timestamp};

/// An advisory or CVE identifier, for example `CVE-2024-3094` or `GHSA-...`. Compared without regard to case by
/// normalising on parse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VulnerabilityId(String);

impl VulnerabilityId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a malware record of OSV's malicious-packages source.
    pub fn is_malware(&self) -> bool {
        self.0.starts_with("MAL-")
    }

    /// Whether it is a CVE.
    pub fn is_cve(&self) -> bool {
        self.0.starts_with("CVE-")
    }
}

impl fmt::Display for VulnerabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for VulnerabilityId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ok = !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/'));
        if !ok {
            return Err(format!("`{text}` is not a vulnerability identifier, such as CVE-2024-3094"));
        }
        // CVE identifiers are upper case by definition; other sources keep their own spelling (GHSA-xxxx is lower case).
        let cve = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("CVE-"));
        Ok(Self(if cve { text.to_ascii_uppercase() } else { text.to_owned() }))
    }
}

/// Whether and where a fix exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum FixState {
    /// Fixed in these versions, nearest first.
    Fixed {
        /// Versions as the ecosystem writes them.
        versions: Vec<String>,
    },
    /// The source knows of no fix.
    NotFixed,
    /// The source says that none will come.
    WontFix,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownExploited {
    /// Date it was added, `YYYY-MM-DD`.
    pub since: String,
    /// Known to be used in ransomware campaigns.
    pub ransomware: bool,
}

/// FIRST's estimate that a vulnerability will be exploited within 30 days (first.org/epss), in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExploitPrediction {
    /// Probability, 0 to 1,000,000.
    pub probability_millionths: u32,
    /// Share of all vulnerabilities with the same or a lower probability, 0 to 1,000,000.
    pub percentile_millionths: u32,
}

/// What one record says of the severity; all of them are kept, whichever one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceRating {
    /// The record that says so.
    pub source: VulnerabilityId,
    /// Its severity.
    pub severity: Severity,
    /// CVSS base score in tenths, where it gives a vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_tenths: Option<u16>,
    /// The vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
}

/// An advisory as merged from all its aliases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vulnerability {
    /// The name shown: the CVE where there is one, else the record's own.
    pub id: VulnerabilityId,
    /// All other names, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<VulnerabilityId>,
    /// One line about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Severity by the declared precedence.
    pub severity: Severity,
    /// CVSS base score in tenths (0 to 100), where a vector was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_tenths: Option<u16>,
    /// CVSS vector that the score was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
    /// Known to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_exploited: Option<KnownExploited>,
    /// How likely it is to be exploited, where the data says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploit_prediction: Option<ExploitPrediction>,
    /// Whether its vendor disputes that it is a vulnerability.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// What each record says of the severity, strongest source first; the first is the one that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratings: Vec<SourceRating>,
    /// When the advisory was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
}

/// Why a package matched an advisory: what `--explain` prints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MatchReason {
    /// The record that matched, for example `DEBIAN-CVE-2024-3094`.
    pub record: VulnerabilityId,
    /// The record's ecosystem, for example `Debian:12`.
    pub ecosystem: String,
    /// The name that was looked up (source package name for distributions).
    pub name: String,
    /// The version that was compared.
    pub version: String,
    /// The range it fell into, in words: `introduced 0, fixed 1.2.3-1`.
    pub range: String,
}

/// One vulnerability in one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VulnerabilityFinding {
    /// The advisory.
    pub vulnerability: Vulnerability,
    /// The package it is in.
    pub package: Package,
    /// Whether and where it is fixed.
    pub fix: FixState,
    /// Why it matched.
    pub reason: MatchReason,
}

impl VulnerabilityFinding {
    /// Whether it says that the package is malicious, under any of its names.
    pub fn is_malware(&self) -> bool {
        let mut names = [&self.vulnerability.id, &self.reason.record].into_iter().chain(&self.vulnerability.aliases);
        names.any(VulnerabilityId::is_malware)
    }
}

/// Which vulnerability data a result was matched against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackInfo {
    /// The checksum that the pack carries: SHA-256 of everything behind its header's first 48 bytes, compared when a pack
    /// is installed or described. It names the data; the file as a whole has another digest.
    pub digest: Digest,
    /// The newest `modified` time of any record in it: how fresh the data is.
    pub data_until: Timestamp,
    /// Number of advisories.
    pub records: u64,
    /// Ecosystems it holds, sorted.
    pub ecosystems: Vec<String>,
}

/// Everything that was matched for one set of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Vulnerabilities, worst first, then by package.
    pub vulnerabilities: Vec<VulnerabilityFinding>,
    /// When they were matched.
    pub matched_at: Timestamp,
    /// What they were matched against.
    pub pack: PackInfo,
    /// Packages that no ecosystem of the pack covers: not known to be clean.
    pub uncovered: u64,
}

/// Number of findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCounts {
    /// Critical findings.
    pub critical: u32,
    /// High findings.
    pub high: u32,
    /// Medium findings.
    pub medium: u32,
    /// Low and negligible findings.
    pub low: u32,
    /// Findings without a rating.
    pub unknown: u32,
    /// Of all these, known to be exploited.
    pub known_exploited: u32,
}

impl Findings {
    /// Counts by severity.
    pub fn counts(&self) -> FindingCounts {
        FindingCounts::of(&self.vulnerabilities)
    }
}

impl FindingCounts {
    /// Counts findings by severity.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a VulnerabilityFinding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.vulnerability.severity {
                Severity::Critical => counts.critical += 1,
                Severity::High => counts.high += 1,
                Severity::Medium => counts.medium += 1,
                Severity::Low | Severity::Negligible => counts.low += 1,
                Severity::Unknown => counts.unknown += 1,
            }
            counts.known_exploited += u32::from(finding.vulnerability.known_exploited.is_some());
        }
        counts
    }
}
