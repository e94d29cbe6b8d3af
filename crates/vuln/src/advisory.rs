//! Looking up advisories by name: what `explain` shows and what `who-runs CVE` starts from.

use std::cmp::Ordering;

use assay_model::{
    ExploitPrediction, KnownExploited, PackageType, SourceRating, Timestamp, Vulnerability, VulnerabilityId,
};
use assay_version::Interval;

use crate::ecosystem::Ecosystem;
use crate::format::{END_NOT_AFFECTED, FLAG_DISPUTED, FLAG_RANSOMWARE, ID_RECORD, RecordRow, Section, interval_end};
use crate::matching::compare_versions;
use crate::pack::{DAMAGED_ROW, PackError, PackFile};
use crate::rating::Rating;

/// A vulnerability with everything that the pack's records say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// The vulnerability as merged.
    pub vulnerability: Vulnerability,
    /// The records about it, sorted by identifier.
    pub records: Vec<AdvisoryRecord>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisoryRecord {
    /// The record's own identifier.
    pub id: VulnerabilityId,
    /// One line.
    pub summary: String,
    /// Markdown.
    pub details: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// When it was published, where that is known.
    pub published: Option<Timestamp>,
    /// When it was last changed, where that is known.
    pub modified: Option<Timestamp>,
    /// What it says is affected.
    pub affected: Vec<AffectedPackage>,
}

/// A package that a record says is affected, in some of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedPackage {
    /// The record that says so.
    pub record: VulnerabilityId,
    /// The ecosystem, as records write it: `Debian:12`.
    pub ecosystem: String,
    /// The package's name; for distributions that of the source package.
    pub name: String,
    /// introduced, end and kind of end of each affected interval.
    intervals: Vec<(String, String, u32)>,
    /// Affected versions that no interval holds.
    versions: Vec<String>,
}

impl AffectedPackage {
    /// Affected ranges in words: `introduced 0, fixed 1.2.3`; single versions as `exactly 1.0`.
    pub fn ranges(&self) -> Vec<String> {
        let intervals = self.intervals.iter().filter_map(|(introduced, end, kind)| {
            if *kind == END_NOT_AFFECTED {
                return Some(format!("not affected: {end}"));
            }
            Some(in_words(&Interval { introduced, end: interval_end(*kind, end)? }))
        });
        intervals.chain(self.versions.iter().map(|version| format!("exactly {version}"))).collect()
    }

    /// The type of the package, where Assay finds such packages in images.
    pub fn package_type(&self) -> Option<PackageType> {
        Ecosystem::parse(&self.ecosystem).package_type()
    }

    /// Whether a version is affected; `None` where it, or the ecosystem's versions, cannot be ordered.
    pub fn contains(&self, version: &str) -> Option<bool> {
        if self.versions.iter().any(|other| other == version) {
            return Some(true);
        }
        let scheme = Ecosystem::parse(&self.ecosystem).scheme()?;
        for (introduced, end, kind) in self.intervals.iter().filter(|(_, _, kind)| *kind != END_NOT_AFFECTED) {
            let interval = Interval { introduced, end: interval_end(*kind, end)? };
            if interval.contains(version, |left, right| compare_versions(scheme, left, right)).ok()? {
                return Some(true);
            }
        }
        scheme.compare(version, version).ok().map(|_| false)
    }
}

/// `introduced 0, fixed 1.2.3`.
pub(crate) fn in_words(interval: &Interval<'_>) -> String {
    use assay_version::IntervalEnd::{Fixed, LastAffected, Limit, Open};
    let introduced = interval.introduced;
    match interval.end {
        Fixed(version) => format!("introduced {introduced}, fixed {version}"),
        LastAffected(version) => format!("introduced {introduced}, last affected {version}"),
        Limit(version) => format!("introduced {introduced}, before {version}"),
        Open => format!("introduced {introduced}, no fix known"),
    }
}

/// A vulnerability's row, read.
pub(crate) struct VulnerabilityRow {
    pub(crate) id: VulnerabilityId,
    pub(crate) aliases: Vec<VulnerabilityId>,
    pub(crate) rating: Rating,
    pub(crate) summary: String,
    pub(crate) published: Option<Timestamp>,
    pub(crate) known_exploited: Option<KnownExploited>,
    pub(crate) exploit_prediction: Option<ExploitPrediction>,
    pub(crate) disputed: bool,
    records: std::ops::Range<u32>,
}

impl VulnerabilityRow {
    /// The vulnerability as its own records rate it.
    fn into_vulnerability(self, ratings: Vec<SourceRating>) -> Vulnerability {
        Vulnerability {
            id: self.id,
            aliases: self.aliases,
            summary: self.summary,
            severity: self.rating.severity,
            score_tenths: self.rating.score_tenths,
            vector: Some(self.rating.vector).filter(|vector| !vector.is_empty()),
            known_exploited: self.known_exploited,
            exploit_prediction: self.exploit_prediction,
            disputed: self.disputed,
            ratings,
            published: self.published,
        }
    }
}

fn lowercase(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

pub(crate) fn timestamp(seconds: u32) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_second(i64::from(seconds)).ok()).flatten()
}

impl PackFile {
    /// What this file knows under a name.
    pub(crate) fn advisories(&self, id: &str) -> Result<Vec<Advisory>, PackError> {
        let mut found = Vec::new();
        for index in self.vulnerabilities_of(id)? {
            let row = self.vulnerability(index)?;
            let ratings = self.ratings_of(&row)?;
            let mut records = Vec::new();
            for at in row.records.clone() {
                let [record] = self.row(Section::VulnerabilityRecords, at)?;
                if !self.is_hidden(record) {
                    records.push(self.advisory_record(record)?);
                }
            }
            // Where a delta replaces all that there was, the delta speaks.
            if !records.is_empty() || row.records.is_empty() {
                found.push(Advisory { vulnerability: row.into_vulnerability(ratings), records });
            }
        }
        Ok(found)
    }

    /// The vulnerabilities behind a name.
    fn vulnerabilities_of(&self, id: &str) -> Result<Vec<u32>, PackError> {
        let name = id.trim().to_ascii_lowercase();
        let order = |row: [u32; 2]| Ok(lowercase(self.text(row[0])?).cmp(name.bytes()));
        let first = self.search(Section::Ids, order)?;
        let Some(first) = first else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for row in first..self.rows(Section::Ids) {
            let [text, index] = self.row(Section::Ids, row)?;
            if !self.text(text)?.eq_ignore_ascii_case(&name) {
                break;
            }
            if index & ID_RECORD == 0 {
                found.push(index);
                continue;
            }
            let record: RecordRow = self.row(Section::Records, index & !ID_RECORD)?;
            for at in self.span(Section::RecordVulnerabilities, record[5], record[6])? {
                let [vulnerability] = self.row(Section::RecordVulnerabilities, at)?;
                found.push(vulnerability);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    pub(crate) fn vulnerability(&self, index: u32) -> Result<VulnerabilityRow, PackError> {
        let [id, name, names, rating, summary, published, since, flags, record, records, predicted, percentile] =
            self.row(Section::Vulnerabilities, index)?;
        let mut aliases = Vec::new();
        for at in self.span(Section::Names, name, names)? {
            let [name] = self.row(Section::Names, at)?;
            aliases.push(self.identifier(name)?);
        }
        aliases.sort_unstable();
        let since = self.text(since)?;
        Ok(VulnerabilityRow {
            id: self.identifier(id)?,
            aliases,
            rating: self.rating(rating)?,
            summary: self.text(summary)?.to_owned(),
            published: timestamp(published),
            known_exploited: (!since.is_empty())
                .then(|| KnownExploited { since: since.to_owned(), ransomware: flags & FLAG_RANSOMWARE != 0 }),
            exploit_prediction: predicted.checked_sub(1).map(|probability_millionths| ExploitPrediction {
                probability_millionths,
                percentile_millionths: percentile,
            }),
            disputed: flags & FLAG_DISPUTED != 0,
            records: self.span(Section::VulnerabilityRecords, record, records)?,
        })
    }

    /// All ratings of the records about a vulnerability, strongest first.
    pub(crate) fn ratings_of(&self, row: &VulnerabilityRow) -> Result<Vec<SourceRating>, PackError> {
        let mut found = Vec::new();
        for at in row.records.clone() {
            let [at] = self.row(Section::VulnerabilityRecords, at)?;
            let record: RecordRow = self.row(Section::Records, at)?;
            let source = self.identifier(record[0])?;
            for at in self.span(Section::RecordRatings, record[12], record[13])? {
                let [rating] = self.row(Section::RecordRatings, at)?;
                let rating = self.rating(rating)?;
                let source = SourceRating {
                    source: source.clone(),
                    severity: rating.severity,
                    score_tenths: rating.score_tenths,
                    vector: Some(rating.vector).filter(|vector| !vector.is_empty()),
                };
                found.push((rating.rank, source));
            }
        }
        // Stable: within a rank the order of the records, and of their own lists.
        found.sort_by_key(|(rank, _)| *rank);
        Ok(found.into_iter().map(|(_, rating)| rating).collect())
    }

    fn advisory_record(&self, index: u32) -> Result<AdvisoryRecord, PackError> {
        let row: RecordRow = self.row(Section::Records, index)?;
        let id = self.identifier(row[0])?;
        let details = self.details(row[9], row[10], row[11])?;
        let mut affected = Vec::new();
        for at in self.span(Section::RecordAffected, row[7], row[8])? {
            let [at] = self.row(Section::RecordAffected, at)?;
            affected.push(self.affected_package(&id, at)?);
        }
        Ok(AdvisoryRecord {
            summary: self.text(row[1])?.to_owned(),
            details: details.details,
            references: details.references,
            published: timestamp(row[2]),
            modified: timestamp(row[3]),
            affected,
            id,
        })
    }

    fn affected_package(&self, record: &VulnerabilityId, index: u32) -> Result<AffectedPackage, PackError> {
        let [_, extent, _] = self.row(Section::Affected, index)?;
        let [interval, counts, version] = self.row(Section::Extents, extent)?;
        // The package whose affected rows hold this one.
        let package = self.search(Section::Packages, |[_, _, first, count]: [u32; 4]| {
            Ok(match (first > index, first.saturating_add(count) > index) {
                (true, _) => Ordering::Greater,
                (false, true) => Ordering::Equal,
                (false, false) => Ordering::Less,
            })
        })?;
        let [ecosystem, name, _, _] = self.row(Section::Packages, package.ok_or(DAMAGED_ROW)?)?;
        let mut intervals = Vec::new();
        for at in self.span(Section::Intervals, interval, counts >> 16)? {
            let [introduced, end, kind] = self.row(Section::Intervals, at)?;
            intervals.push((self.text(introduced)?.to_owned(), self.text(end)?.to_owned(), kind));
        }
        let mut versions = Vec::new();
        for at in self.span(Section::Versions, version, counts & 0xffff)? {
            let [version] = self.row(Section::Versions, at)?;
            versions.push(self.text(version)?.to_owned());
        }
        Ok(AffectedPackage {
            record: record.clone(),
            ecosystem: self.ecosystem(ecosystem)?.name(),
            name: self.text(name)?.to_owned(),
            intervals,
            versions,
        })
    }
}
