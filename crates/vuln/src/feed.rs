//! Feeds other than OSV: each has its own lenient model, and is turned into OSV records, so that everything after is one path.
//!
//! | feed | publisher | what it looks like | licence |
//! |---|---|---|---|
//! | OSV | osv.dev and its sources | JSON, JSON lines, zip | that of the source (CC-BY-4.0, CC0, Apache-2.0, ...) |
//! | Debian security tracker | Debian | `data/json`: package, CVE, releases | MIT |
//! | Alpine secdb | Alpine, Wolfi and relatives | `distroversion`, `packages[].pkg.secfixes` | CC-BY-SA-4.0; Wolfi's is not free to use |
//! | CSAF and VEX | Red Hat, SUSE, openSUSE | `document.category` | CC-BY-4.0 |
//! | OVAL | Oracle, Azure Linux | XML, `oval_definitions` | vendor's terms; MIT for Azure Linux |
//! | updateinfo | Amazon Linux | XML, `updates` | vendor's terms |
//! | Photon | VMware | JSON list with `cve_id`, `aff_ver`, `res_ver` | vendor's terms |
//! | KEV | CISA | JSON, `catalogVersion` | CC0 |
//! | EPSS | FIRST | csv, `cve,epss,percentile` | free to use with attribution |
//! | end of life | endoflife.date | JSON list with `cycle`, `eol` | MIT |
//!
//! All models let unknown fields through, and bound what they read: a file by [`crate::SourceError::Bound`], lists by
//! [`MAX_ENTRIES`]. What a feed says of packages *not* affected is kept, as evidence against other sources.

use serde_json::json;

use crate::osv::{self, Record};
use crate::source::SourceError;

mod alpine;
mod csaf;
mod debian;
pub(crate) mod end_of_life;
pub(crate) mod epss;
mod oval;
mod photon;
mod updateinfo;
mod xml;

/// Most packages, entries or products of one file.
const MAX_ENTRIES: usize = 5_000_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    Osv,
    DebianTracker,
    AlpineSecdb,
    Csaf,
    Oval,
    UpdateInfo,
    Photon,
    KnownExploited,
    ExploitPrediction,
    EndOfLife,
}

/// How much of a file is looked at to tell what it is.
const LOOKED_AT: usize = 16 << 10;

impl Feed {
    /// Tells the kind by what a file begins with. What is nothing else is taken for OSV, whose reader then says what is wrong.
    pub(crate) fn detect(name: &str, bytes: &[u8]) -> Self {
        let start = bytes.get(..bytes.len().min(LOOKED_AT)).unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with('<') {
            return if text.contains("<updates") { Self::UpdateInfo } else { Self::Oval };
        }
        if text.starts_with("#model_version") || text.starts_with("cve,epss") {
            return Self::ExploitPrediction;
        }
        let has = |key: &str| text.contains(key);
        if text.starts_with('[') {
            return if has("\"cycle\"") { Self::EndOfLife } else { Self::Photon };
        }
        if has("\"catalogVersion\"") || name.ends_with("known_exploited_vulnerabilities.json") {
            Self::KnownExploited
        } else if has("\"csaf_version\"") || (has("\"document\"") && has("\"tracking\"")) {
            Self::Csaf
        } else if has("\"secfixes\"") || (has("\"distroversion\"") && has("\"packages\"")) {
            Self::AlpineSecdb
        } else if has("\"releases\"") && has("\"status\"") && !has("\"schema_version\"") && !has("\"affected\"") {
            Self::DebianTracker
        } else {
            Self::Osv
        }
    }

    /// The records of a feed of packages; none for the kinds that are not about packages.
    pub(crate) fn records(self, name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
        match self {
            Self::DebianTracker => debian::records(name, bytes),
            Self::AlpineSecdb => alpine::records(name, bytes),
            Self::Csaf => csaf::records(name, bytes),
            Self::Oval => oval::records(name, bytes),
            Self::UpdateInfo => updateinfo::records(name, bytes),
            Self::Photon => photon::records(name, bytes),
            Self::Osv | Self::KnownExploited | Self::ExploitPrediction | Self::EndOfLife => Ok(Vec::new()),
        }
    }
}

/// Families that GitHub's advisories and the malicious-packages source may speak for.
const LANGUAGES: &[&str] = &[
    "npm",
    "PyPI",
    "Go",
    "crates.io",
    "Maven",
    "RubyGems",
    "Packagist",
    "NuGet",
    "Hex",
    "Pub",
    "SwiftURL",
    "GitHub Actions",
    "VSCode",
];

/// The sources that are known by the beginning of their identifiers, and the families that each may speak for
/// (osv.dev, source.yaml, and the feeds' own publishers).
const SOURCES: &[(&str, &[&str])] = &[
    ("ALAS", &["Amazon Linux"]),
    ("ALBA-", &["AlmaLinux"]),
    ("ALEA-", &["AlmaLinux"]),
    ("ALSA-", &["AlmaLinux"]),
    ("ALPINE-", &["Alpine"]),
    ("AZL-", &["Azure Linux"]),
    ("BELL-", &["Alpaquita", "BellSoft Hardened Containers"]),
    ("BIT-", &["Bitnami"]),
    ("BREW-", &["Homebrew"]),
    ("CGA-", &["Chainguard", "Wolfi"]),
    ("CLEANSTART-", &["CleanStart"]),
    ("DEBIAN-", &["Debian"]),
    ("DLA-", &["Debian"]),
    ("DSA-", &["Debian"]),
    ("DTSA-", &["Debian"]),
    ("DRUPAL-", &["Packagist"]),
    ("ECHO-", &["Echo"]),
    ("ELSA-", &["Oracle Linux"]),
    ("GHSA-", LANGUAGES),
    ("GO-", &["Go"]),
    ("HSEC-", &["Hackage", "GHC"]),
    ("LSN-", &["Ubuntu"]),
    ("MAL-", LANGUAGES),
    ("MGASA-", &["Mageia"]),
    ("MINI-", &["MinimOS"]),
    ("OESA-", &["openEuler"]),
    ("PHOTON-", &["Photon OS"]),
    ("PSF-", &["PSF"]),
    ("PYSEC-", &["PyPI"]),
    ("REDHAT-", &["Red Hat"]),
    ("RHBA-", &["Red Hat"]),
    ("RHEA-", &["Red Hat"]),
    ("RHSA-", &["Red Hat"]),
    ("RLSA-", &["Rocky Linux"]),
    ("RSEC-", &["CRAN", "Bioconductor"]),
    ("RUSTSEC-", &["crates.io"]),
    ("RXSA-", &["Rocky Linux"]),
    ("SUSE-", &["SUSE", "openSUSE"]),
    ("UBUNTU-", &["Ubuntu"]),
    ("USN-", &["Ubuntu"]),
    ("openSUSE-", &["SUSE", "openSUSE"]),
];

/// Whether the source of an identifier may speak for a family. Identifiers of nobody known, such as your own, may for any.
pub(crate) fn may_speak_for(id: &str, family: &str) -> bool {
    let source = SOURCES.iter().find(|(start, _)| id.starts_with(start));
    source.is_none_or(|(_, families)| families.contains(&family))
}

/// An affected package in the making.
struct Affected<'a> {
    ecosystem: String,
    name: &'a str,
    events: Vec<osv::Event>,
    specific: serde_json::Value,
}

impl Affected<'_> {
    fn into_osv(self) -> osv::Affected {
        osv::Affected {
            package: Some(osv::Package { ecosystem: self.ecosystem, name: self.name.to_owned() }),
            ranges: vec![osv::Range { kind: "ECOSYSTEM".to_owned(), events: self.events }],
            ecosystem_specific: self.specific,
            ..osv::Affected::default()
        }
    }
}

/// From the beginning to a fix, or without end.
fn until(fixed: Option<&str>) -> Vec<osv::Event> {
    let mut events = vec![osv::Event { introduced: Some("0".to_owned()), ..osv::Event::default() }];
    events.extend(fixed.map(|fixed| osv::Event { fixed: Some(fixed.to_owned()), ..osv::Event::default() }));
    events
}

/// What says that all versions of a package are not affected.
fn not_affected(why: &str) -> serde_json::Value {
    json!({ "not_affected": why })
}

fn malformed(name: &str, feed: &'static str, message: impl std::fmt::Display) -> SourceError {
    SourceError::Feed { path: name.to_owned(), feed, message: message.to_string().chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_speaks_for_its_own_only() {
        for (id, family, allowed) in [
            ("CLEANSTART-2024-1", "CleanStart", true),
            ("CLEANSTART-2024-1", "Alpine", false),
            ("GHSA-aaaa-bbbb-cccc", "npm", true),
            ("GHSA-aaaa-bbbb-cccc", "Debian", false),
            ("MY-OWN-1", "Debian", true),
            ("CVE-2024-1", "Debian", true),
        ] {
            assert_eq!(may_speak_for(id, family), allowed, "{id} for {family}");
        }
    }

    #[test]
    fn feeds_are_told_apart_by_how_they_begin() {
        for (text, feed) in [
            ("<?xml version=\"1.0\"?><oval_definitions>", Feed::Oval),
            ("<?xml version=\"1.0\"?>\n<updates>", Feed::UpdateInfo),
            ("#model_version:v2025.03.14,score_date:x\ncve,epss,percentile\n", Feed::ExploitPrediction),
            ("[{\"cve_id\": \"CVE-1\"}]", Feed::Photon),
            ("[{\"cycle\": \"12\", \"eol\": false}]", Feed::EndOfLife),
            ("{\"title\": \"x\", \"catalogVersion\": \"1\"}", Feed::KnownExploited),
            ("{\"document\": {\"category\": \"csaf_vex\", \"csaf_version\": \"2.0\"}}", Feed::Csaf),
            ("{\"distroversion\": \"v3.20\", \"packages\": []}", Feed::AlpineSecdb),
            ("{\"zlib\": {\"CVE-1\": {\"releases\": {\"sid\": {\"status\": \"open\"}}}}}", Feed::DebianTracker),
            ("{\"id\": \"X-1\", \"affected\": []}", Feed::Osv),
            ("nonsense", Feed::Osv),
        ] {
            assert_eq!(Feed::detect("file", text.as_bytes()), feed, "{text}");
        }
    }
}
