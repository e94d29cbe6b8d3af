//! Looking up advisories by name: what `explain` shows and what `who-runs CVE` starts from.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{
    ExploitPrediction, KnownExploited, PackageType, SourceRating, Timestamp, Vulnerability, VulnerabilityId,
};
use assay_version::Interval;

use crate::details;
use crate::ecosystem::Ecosystem;
use crate::format::{
    END_NOT_AFFECTED, FLAG_DISPUTED, FLAG_RANSOMWARE, PACKAGE_AFFECTED, RECORD_RATING_LIST, RECORD_SUMMARY,
    RECORD_VULNERABILITIES, RecordRow, Section, VULNERABILITY_NAMES, VULNERABILITY_RECORDS, interval_end,
};
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

pub(crate) fn timestamp(seconds: i64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_second(seconds).ok()).flatten()
}

impl PackFile {
    /// What this file knows under a name.
    pub(crate) fn advisories(&self, id: &str) -> Result<Vec<Advisory>, PackError> {
        let mut found = Vec::new();
        for index in self.vulnerabilities_of(id)? {
            let row = self.vulnerability(index)?;
            let ratings = self.ratings_of(&row)?;
            let mut meant = Vec::new();
            for at in row.records.clone() {
                let record = self.cell(Section::VulnerabilityRecords, at, 0)?;
                if !self.is_hidden(record) {
                    meant.push(record);
                }
            }
            // Where a delta replaces all that there was, the delta speaks.
            if meant.is_empty() && !row.records.is_empty() {
                continue;
            }
            let mut affected = self.affected_by(&meant)?;
            let mut records = Vec::new();
            for record in meant {
                records.push(self.advisory_record(record, &affected.remove(&record).unwrap_or_default())?);
            }
            found.push(Advisory { vulnerability: row.into_vulnerability(ratings), records });
        }
        Ok(found)
    }

    /// The vulnerability with exactly this name, as its records rate it, without them. `None` also where a delta replaces all of
    /// its records.
    pub(crate) fn rated(&self, name: &str) -> Result<Option<Vulnerability>, PackError> {
        for index in self.vulnerabilities_of(name)? {
            let row = self.vulnerability(index)?;
            if row.id.as_str() != name {
                continue;
            }
            let mut speaks = row.records.is_empty();
            for at in row.records.clone() {
                speaks |= !self.is_hidden(self.cell(Section::VulnerabilityRecords, at, 0)?);
            }
            if speaks {
                let ratings = self.ratings_of(&row)?;
                return Ok(Some(row.into_vulnerability(ratings)));
            }
        }
        Ok(None)
    }

    /// The affected rows of records. They lie in the order of the packages, since that is how they are matched; here all are
    /// looked through.
    fn affected_by(&self, records: &[u32]) -> Result<BTreeMap<u32, Vec<u32>>, PackError> {
        let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        if records.is_empty() {
            return Ok(found);
        }
        for at in 0..self.rows(Section::Affected) {
            let record = self.cell(Section::Affected, at, 0)?;
            if records.contains(&record) {
                found.entry(record).or_default().push(at);
            }
        }
        Ok(found)
    }

    /// Which package of which ecosystem each record is about, those left out that a delta replaces.
    pub(crate) fn claims(&self, all: &mut BTreeSet<(String, String)>) -> Result<(), PackError> {
        for package in 0..self.rows(Section::Packages) {
            let [ecosystem, name] = self.row(Section::Packages, package)?;
            let package_name = format!("{} {}", self.ecosystem(ecosystem)?.name(), self.text(name)?);
            for at in self.part((Section::Packages, PACKAGE_AFFECTED), package, Section::Affected)? {
                let record = self.cell(Section::Affected, at, 0)?;
                if !self.is_hidden(record) {
                    all.insert((self.record_id(record)?.to_string(), package_name.clone()));
                }
            }
        }
        Ok(())
    }

    /// The vulnerabilities behind a name.
    fn vulnerabilities_of(&self, id: &str) -> Result<Vec<u32>, PackError> {
        let mut found = Vec::new();
        for at in self.identifiers_named(id.trim())? {
            let [vulnerability, record] = self.row(Section::IdentifierTargets, at)?;
            found.extend(vulnerability.checked_sub(1));
            let Some(record) = record.checked_sub(1) else { continue };
            for at in self.part((Section::Records, RECORD_VULNERABILITIES), record, Section::RecordVulnerabilities)? {
                found.push(self.cell(Section::RecordVulnerabilities, at, 0)?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The names that a record's details may hold, in the order in which they were written: its own, then all of its
    /// vulnerabilities.
    fn names_of(&self, record: u32) -> Result<Vec<String>, PackError> {
        let mut names = vec![self.record_id(record)?.to_string()];
        for at in self.part((Section::Records, RECORD_VULNERABILITIES), record, Section::RecordVulnerabilities)? {
            let vulnerability = self.cell(Section::RecordVulnerabilities, at, 0)?;
            names.push(self.identifier_text(self.cell(Section::Vulnerabilities, vulnerability, 0)?)?);
            for at in self.part((Section::Vulnerabilities, VULNERABILITY_NAMES), vulnerability, Section::Names)? {
                names.push(self.identifier_text(self.cell(Section::Names, at, 0)?)?);
            }
            if names.len() >= details::MOST_NAMES {
                break;
            }
        }
        Ok(names)
    }

    pub(crate) fn vulnerability(&self, index: u32) -> Result<VulnerabilityRow, PackError> {
        let [id, _, rating, summary, published, since, flags, _, predicted, percentile] =
            self.row(Section::Vulnerabilities, index)?;
        let mut aliases = Vec::new();
        for at in self.part((Section::Vulnerabilities, VULNERABILITY_NAMES), index, Section::Names)? {
            aliases.push(self.identifier(self.cell(Section::Names, at, 0)?)?);
        }
        aliases.sort_unstable();
        let since = self.text(since)?;
        Ok(VulnerabilityRow {
            id: self.identifier(id)?,
            aliases,
            rating: self.rating(rating)?,
            summary: self.prose(summary)?,
            published: timestamp(i64::from(published)),
            known_exploited: (!since.is_empty())
                .then(|| KnownExploited { since: since.to_owned(), ransomware: flags & FLAG_RANSOMWARE != 0 }),
            exploit_prediction: predicted.checked_sub(1).map(|probability_millionths| ExploitPrediction {
                probability_millionths,
                percentile_millionths: percentile,
            }),
            disputed: flags & FLAG_DISPUTED != 0,
            records: self.part(
                (Section::Vulnerabilities, VULNERABILITY_RECORDS),
                index,
                Section::VulnerabilityRecords,
            )?,
        })
    }

    /// All ratings of the records about a vulnerability, strongest first.
    pub(crate) fn ratings_of(&self, row: &VulnerabilityRow) -> Result<Vec<SourceRating>, PackError> {
        let mut found = Vec::new();
        for at in row.records.clone() {
            let record = self.cell(Section::VulnerabilityRecords, at, 0)?;
            let list = self.cell(Section::Records, record, RECORD_RATING_LIST)?;
            let ratings = self.part((Section::RatingLists, 0), list, Section::ListedRatings)?;
            if ratings.is_empty() {
                continue;
            }
            let source = self.record_id(record)?;
            for at in ratings {
                let rating = self.rating(self.cell(Section::ListedRatings, at, 0)?)?;
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

    fn advisory_record(&self, index: u32, affected_rows: &[u32]) -> Result<AdvisoryRecord, PackError> {
        let row: RecordRow = self.row(Section::Records, index)?;
        let id = self.record_id(index)?;
        let details = self.details(index, &self.names_of(index)?)?;
        let mut affected = Vec::new();
        for at in affected_rows {
            affected.push(self.affected_package(&id, *at)?);
        }
        Ok(AdvisoryRecord {
            summary: self.prose(row[RECORD_SUMMARY])?,
            details: details.details,
            references: details.references,
            published: timestamp(details.published),
            modified: timestamp(details.modified),
            affected,
            id,
        })
    }

    fn affected_package(&self, record: &VulnerabilityId, index: u32) -> Result<AffectedPackage, PackError> {
        let extent = self.cell(Section::Affected, index, 1)?;
        // The last package whose affected rows begin at this one or before.
        let (mut low, mut high) = (0, self.rows(Section::Packages));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.cell(Section::Packages, middle, PACKAGE_AFFECTED)? <= index {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let [ecosystem, name] = self.row(Section::Packages, low.checked_sub(1).ok_or(DAMAGED_ROW)?)?;
        let mut intervals = Vec::new();
        for at in self.part((Section::Extents, 0), extent, Section::Intervals)? {
            let [introduced, end, kind] = self.row(Section::Intervals, at)?;
            intervals.push((self.text(introduced)?.to_owned(), self.text(end)?.to_owned(), kind));
        }
        let mut versions = Vec::new();
        for at in self.part((Section::Extents, 1), extent, Section::Versions)? {
            versions.push(self.text(self.cell(Section::Versions, at, 0)?)?.to_owned());
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
