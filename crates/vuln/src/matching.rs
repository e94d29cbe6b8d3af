//! Packages against advisories.
//!
//! Each package is looked up under exact names in the ecosystems that speak about it, and its version compared in that
//! ecosystem's order. What cannot be looked up or compared is counted as `uncovered`, never taken for clean.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use assay_model::{
    Contents, Findings, FixState, MatchReason, Package, PackageType, Timestamp, Vulnerability, VulnerabilityFinding,
};
use assay_version::{Interval, IntervalEnd, Scheme, VersionError, rpm};

use crate::advisory::in_words;
use crate::ecosystem::{Distribution, names_binaries, normal_name, of_language};
use crate::format::{END_NEVER, Section, interval_end};
use crate::pack::{DAMAGED_VALUE, Pack, PackError};
use crate::rating::Rating;

/// Orders an installed version against an advisory's bound.
///
/// Much advisory data for RPM lost its epochs (three in four of AlmaLinux's bounds): a bound without one is compared without.
pub(crate) fn compare_versions(scheme: Scheme, version: &str, bound: &str) -> Result<Ordering, VersionError> {
    if scheme == Scheme::Rpm && !rpm::has_epoch(bound) {
        scheme.compare(version, bound)?;
        return Ok(rpm::compare_without_epoch(version, bound));
    }
    scheme.compare(version, bound)
}

/// Whether an RPM version is a module's build, whose advisories say nothing about builds outside of modules.
fn is_module_build(version: &str) -> bool {
    version.contains(".module_el") || version.contains(".module+el")
}

/// A name and version to look up in one ecosystem.
struct Lookup<'a> {
    ecosystem: u32,
    name: String,
    version: &'a str,
}

/// One affected row that holds a package's version.
struct Hit<'a> {
    record: u32,
    lookup: &'a Lookup<'a>,
    rating: Rating,
    range: String,
    fix: FixState,
}

/// The ecosystems of the pack that can speak about some contents.
struct Scope {
    /// Rows of the distribution's release.
    distribution: Vec<(u32, String)>,
    /// Row of each language's ecosystem.
    languages: BTreeMap<&'static str, u32>,
}

impl Scope {
    fn of(pack: &Pack, contents: &Contents) -> Result<Self, PackError> {
        let release = contents.os.as_ref().and_then(Distribution::of);
        let mut scope = Self { distribution: Vec::new(), languages: BTreeMap::new() };
        for row in 0..pack.rows(Section::Ecosystems) {
            let ecosystem = pack.ecosystem(row)?;
            if release.as_ref().is_some_and(|release| release.covers(&ecosystem.family, &ecosystem.release)) {
                scope.distribution.push((row, ecosystem.family));
                continue;
            }
            let language = PackageType::ALL.into_iter().filter_map(of_language).find(|name| *name == ecosystem.family);
            if let Some(name) = language.filter(|_| ecosystem.release.is_empty()) {
                scope.languages.insert(name, row);
            }
        }
        Ok(scope)
    }

    /// What to look up for a package; empty where the pack cannot speak about it.
    fn lookups<'a>(&self, package: &'a Package) -> Vec<Lookup<'a>> {
        if let Some(family) = of_language(package.kind) {
            let row = self.languages.get(family);
            let lookup = |row: &u32| Lookup {
                ecosystem: *row,
                name: normal_name(family, &package.name),
                version: &package.version,
            };
            return row.map(lookup).into_iter().collect();
        }
        if !package.kind.is_distribution() {
            return Vec::new();
        }
        let binary = (package.name.as_str(), package.version.as_str());
        let source = package.source.as_ref().map_or(binary, |source| (source.name.as_str(), source.version.as_str()));
        let mut lookups = Vec::new();
        for (ecosystem, family) in &self.distribution {
            let mut names = vec![source];
            if names_binaries(family) && binary != source {
                names.push(binary);
            }
            lookups.extend(names.into_iter().map(|(name, version)| Lookup {
                ecosystem: *ecosystem,
                name: name.to_owned(),
                version,
            }));
        }
        lookups
    }
}

impl Pack {
    /// The findings of `contents`: one for each package and vulnerability, worst first, each with the reason it matched.
    ///
    /// An error means that the pack is damaged; there is no partial answer.
    pub fn match_contents(&self, contents: &Contents, matched_at: Timestamp) -> Result<Findings, PackError> {
        let scope = Scope::of(self, contents)?;
        let mut vulnerabilities = Vec::new();
        let mut uncovered = 0;
        for package in &contents.packages {
            let lookups = scope.lookups(package);
            let scheme = Scheme::for_package(package.kind);
            let comparable = |lookup: &Lookup<'_>| {
                scheme.is_some_and(|scheme| scheme.compare(lookup.version, lookup.version).is_ok())
            };
            let Some(scheme) = scheme.filter(|_| !lookups.is_empty() && lookups.iter().any(comparable)) else {
                uncovered += 1;
                continue;
            };
            self.match_package(package, scheme, &lookups, &mut vulnerabilities)?;
        }
        vulnerabilities.sort_by(|left, right| sort_key(left).cmp(&sort_key(right)));
        Ok(Findings { vulnerabilities, matched_at, pack: self.info().clone(), uncovered })
    }

    fn match_package(
        &self,
        package: &Package,
        scheme: Scheme,
        lookups: &[Lookup<'_>],
        findings: &mut Vec<VulnerabilityFinding>,
    ) -> Result<(), PackError> {
        let mut hits: BTreeMap<u32, Vec<Hit<'_>>> = BTreeMap::new();
        for lookup in lookups {
            let Some([_, _, first, count]) = self.find_package(lookup.ecosystem, &lookup.name)? else { continue };
            for at in self.span(Section::Affected, first, count)? {
                let row: [u32; 3] = self.row(Section::Affected, at)?;
                let Some((range, fix)) = self.matching_range(row[1], scheme, lookup.version)? else { continue };
                let record: [u32; 12] = self.row(Section::Records, row[0])?;
                let rating = self.rating(row[2])?.or(self.rating(record[4])?);
                for at in self.span(Section::RecordVulnerabilities, record[5], record[6])? {
                    let [vulnerability] = self.row(Section::RecordVulnerabilities, at)?;
                    hits.entry(vulnerability).or_default().push(Hit {
                        record: row[0],
                        lookup,
                        rating: rating.clone(),
                        range: range.clone(),
                        fix: fix.clone(),
                    });
                }
            }
        }
        for (vulnerability, hits) in hits {
            findings.extend(self.finding(package, scheme, vulnerability, hits)?);
        }
        Ok(())
    }

    /// The range of an extent that holds `version`, in words, and whether there is a fix.
    fn matching_range(
        &self,
        extent: u32,
        scheme: Scheme,
        version: &str,
    ) -> Result<Option<(String, FixState)>, PackError> {
        let compare = |left: &str, right: &str| compare_versions(scheme, left, right);
        let module = scheme == Scheme::Rpm && is_module_build(version);
        let [interval, counts, version_row] = self.row(Section::Extents, extent)?;
        let mut range = None;
        let mut fixes: Vec<String> = Vec::new();
        let mut never = false;
        for at in self.span(Section::Intervals, interval, counts >> 16)? {
            let [introduced, end, kind] = self.row(Section::Intervals, at)?;
            let end = interval_end(kind, self.text(end)?).ok_or(DAMAGED_VALUE)?;
            if let IntervalEnd::Fixed(fixed) = end {
                if scheme == Scheme::Rpm && is_module_build(fixed) != module {
                    continue;
                }
                if compare(version, fixed).is_ok_and(Ordering::is_lt) {
                    fixes.push(fixed.to_owned());
                }
            }
            let interval = Interval { introduced: self.text(introduced)?, end };
            // A version without order was counted before; bounds without order are not in the pack.
            if range.is_none() && interval.contains(version, compare).unwrap_or(false) {
                range = Some(in_words(&interval));
                never = kind == END_NEVER;
            }
        }
        if range.is_none() {
            for at in self.span(Section::Versions, version_row, counts & 0xffff)? {
                let [listed] = self.row(Section::Versions, at)?;
                if self.text(listed)? == version {
                    range = Some(format!("exactly {version}"));
                    break;
                }
            }
        }
        let fix = match (fixes.is_empty(), never) {
            (false, _) => FixState::Fixed { versions: sorted(scheme, fixes) },
            (true, true) => FixState::WontFix,
            (true, false) => FixState::NotFixed,
        };
        Ok(range.map(|range| (range, fix)))
    }

    /// One finding of all the records that hit.
    fn finding(
        &self,
        package: &Package,
        scheme: Scheme,
        vulnerability: u32,
        mut hits: Vec<Hit<'_>>,
    ) -> Result<Option<VulnerabilityFinding>, PackError> {
        let row = self.vulnerability(vulnerability)?;
        let mut aliases = row.aliases;
        let mut fixes = Vec::new();
        let mut never = false;
        for hit in &hits {
            let record: [u32; 12] = self.row(Section::Records, hit.record)?;
            aliases.push(self.identifier(record[0])?);
            match &hit.fix {
                FixState::Fixed { versions } => fixes.extend(versions.iter().cloned()),
                FixState::WontFix => never = true,
                FixState::NotFixed => {}
            }
        }
        aliases.retain(|alias| *alias != row.id);
        aliases.sort_unstable();
        aliases.dedup();
        // The strongest source explains the match; record rows are sorted by identifier, so ties are stable.
        hits.sort_by_key(|hit| (hit.rating.rank, hit.record));
        let rating = hits.iter().fold(Rating::NONE, |found, hit| found.or(hit.rating.clone())).or(row.rating);
        let Some(first) = hits.first() else { return Ok(None) };
        let record: [u32; 12] = self.row(Section::Records, first.record)?;
        let fix = match (fixes.is_empty(), never) {
            (false, _) => FixState::Fixed { versions: sorted(scheme, fixes) },
            (true, true) => FixState::WontFix,
            (true, false) => FixState::NotFixed,
        };
        Ok(Some(VulnerabilityFinding {
            vulnerability: Vulnerability {
                id: row.id,
                aliases,
                summary: row.summary,
                severity: rating.severity,
                score_tenths: rating.score_tenths,
                vector: Some(rating.vector).filter(|vector| !vector.is_empty()),
                known_exploited: row.known_exploited,
                published: row.published,
            },
            package: package.clone(),
            fix,
            reason: MatchReason {
                record: self.identifier(record[0])?,
                ecosystem: self.ecosystem(first.lookup.ecosystem)?.name(),
                name: first.lookup.name.clone(),
                version: first.lookup.version.to_owned(),
                range: first.range.clone(),
            },
        }))
    }
}

/// Nearest first, each once.
fn sorted(scheme: Scheme, mut versions: Vec<String>) -> Vec<String> {
    let compare = |left: &String, right: &String| scheme.compare(left, right).unwrap_or(Ordering::Equal);
    versions.sort_by(|left, right| compare(left, right).then_with(|| left.cmp(right)));
    versions.dedup_by(|left, right| compare(left, right).is_eq());
    versions
}

fn sort_key(finding: &VulnerabilityFinding) -> impl Ord + '_ {
    let vulnerability = &finding.vulnerability;
    (
        Reverse((vulnerability.severity, vulnerability.known_exploited.is_some(), vulnerability.score_tenths)),
        &finding.package.name,
        &finding.package.version,
        &finding.package.path,
        &vulnerability.id,
        &finding.package.architecture,
    )
}
