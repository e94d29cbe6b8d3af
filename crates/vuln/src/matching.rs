//! Packages against advisories.
//!
//! Each package is looked up under exact names in the ecosystems that speak about it, and its version compared in that
//! ecosystem's order. What cannot be looked up or compared is counted as `uncovered`, never taken for clean.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use assay_model::{
    Contents, Findings, FixState, MatchReason, Package, Vulnerability, VulnerabilityFinding, VulnerabilityId,
};
use assay_version::{Interval, IntervalEnd, Scheme, VersionError, rpm};

use crate::advisory::in_words;
use crate::ecosystem::type_of;
use crate::format::{
    END_FIXED, END_FIXED_IN_MODULE, END_NEVER, END_NOT_AFFECTED, RECORD_RATING, RECORD_VULNERABILITIES, Section,
    interval_end,
};
use crate::pack::{DAMAGED_VALUE, PackError, PackFile};
use crate::rating::Rating;

mod linked;
mod scope;

pub use linked::LinkedSymbols;
use scope::{Lookup, Role, Scope};

/// Findings, and what would have been one but for a reason that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The findings.
    pub findings: Findings,
    /// What was suppressed, in the order of the packages.
    pub suppressed: Vec<Suppressed>,
}

/// A match that was not made a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// The package's name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The record whose word decided.
    pub by: VulnerabilityId,
    /// Its ecosystem.
    pub ecosystem: String,
    /// Why.
    pub reason: SuppressedReason,
}

/// Why a match is no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuppressedReason {
    /// The package came from a channel (ESM, EUS, backports) whose own data says that the version is fixed.
    FixedInChannel,
    /// The vendor says that its package is not affected, in these words.
    NotAffected(String),
    /// The bound belongs to another stream of the module: this one.
    OtherStream(String),
    /// None of the vulnerable functions is linked into the binary.
    NotLinked,
}

impl SuppressedReason {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::FixedInChannel => "fixed in the channel that the package came from".to_owned(),
            Self::NotAffected(why) if why.is_empty() => "the vendor says that it is not affected".to_owned(),
            Self::NotAffected(why) => format!("the vendor says that it is not affected: {why}"),
            Self::OtherStream(stream) => format!("the advisory is about the module stream {stream}"),
            Self::NotLinked => "none of the vulnerable functions is linked into the binary".to_owned(),
        }
    }
}

/// Orders an installed version against an advisory's bound.
///
/// Much advisory data for RPM lost its epochs (three in four of AlmaLinux's bounds): a bound without one is compared without.
pub(crate) fn compare_versions(scheme: Scheme, version: &str, bound: &str) -> Result<Ordering, VersionError> {
    let comparable = |text: &str| text.len() <= assay_version::MAX_LENGTH && !text.trim().is_empty();
    if scheme == Scheme::Rpm && !rpm::has_epoch(bound) && comparable(version) && comparable(bound) {
        return Ok(rpm::compare_without_epoch(version, bound));
    }
    scheme.compare(without_local(scheme, version, bound), bound)
}

/// A local build of a Python package (`1.13.1+cu117`) is its version to whatever names no local build (PEP 440, "Version
/// matching").
fn without_local<'v>(scheme: Scheme, version: &'v str, other: &str) -> &'v str {
    let is_public = scheme == Scheme::Pep440 && !other.contains('+');
    if is_public { version.split('+').next().unwrap_or(version) } else { version }
}

/// Whether an RPM version is a module's build, whose advisories say nothing about builds outside of modules.
pub(crate) fn is_module_build(version: &str) -> bool {
    let kinds = ["_el", "+el", "_f"];
    version.split_once(".module").is_some_and(|(_, rest)| kinds.iter().any(|kind| rest.starts_with(kind)))
}

/// Whether a module's build can be of a stream such as `nodejs:18`: by the label that RPM recorded, else by the version, where
/// the stream's name is one. Streams named otherwise (`rhel8`) follow one line of versions, and are compared.
fn can_be_of_stream(package: &Package, version: &str, stream: &str) -> bool {
    let mut parts = stream.split(':');
    let (Some(module), Some(name)) = (parts.next(), parts.next()) else { return true };
    if let Some(label) = package.purl.qualifiers.get("rpmmod") {
        let mut parts = label.split(':');
        return parts.next() == Some(module) && parts.next() == Some(name);
    }
    let plain = version.split_once(':').map_or(version, |(_, version)| version);
    let numeric = name.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_main = package.name == module || package.source.as_ref().is_some_and(|source| source.name == module);
    if !numeric || !is_main {
        return true;
    }
    plain.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A tag such as `v4` of an action moves with every release: it has no place in their order.
fn is_moving_tag(kind: &str, version: &str) -> bool {
    matches!(kind, "githubactions" | "github") && version.split('.').count() < 3
}

/// One affected row that holds a package's version.
struct Hit<'a> {
    record: u32,
    lookup: &'a Lookup<'a>,
    rating: Rating,
    range: String,
    fix: FixState,
}

/// Everything that the rows about one vulnerability say about one package.
#[derive(Default)]
struct Said<'a> {
    hits: Vec<Hit<'a>>,
    /// A channel's record that has the package and not this version, with its ecosystem.
    fixed_in_channel: Option<(u32, u32)>,
    /// Rows that hold the version but do not count: record, ecosystem, reason.
    not_counted: Vec<(u32, u32, SuppressedReason)>,
    /// Where a subscription has a fix: `1.2+esm1 in Ubuntu:Pro:18.04:LTS`.
    elsewhere: Option<String>,
}

/// What one affected row says about a version.
enum Verdict {
    Outside,
    Inside(String, FixState),
    NotAffected(String),
}

impl PackFile {
    /// Matches packages, and marks in `covered` those that this file can speak about.
    pub(crate) fn match_into(
        &self,
        contents: &Contents,
        linked: &LinkedSymbols,
        covered: &mut [bool],
        vulnerabilities: &mut Vec<VulnerabilityFinding>,
        suppressed: &mut Vec<Suppressed>,
    ) -> Result<(), PackError> {
        let scope = Scope::of(self, contents)?;
        for (package, covered) in contents.packages.iter().zip(covered) {
            let lookups = scope.lookups(package);
            let kind = type_of(package);
            let scheme = Scheme::for_purl_type(kind).filter(|scheme| {
                lookups.iter().any(|lookup| {
                    lookup.role == Role::Main
                        && !is_moving_tag(kind, lookup.version)
                        && scheme.check(lookup.version).is_ok()
                })
            });
            let Some(scheme) = scheme else { continue };
            *covered = true;
            for (vulnerability, said) in self.said_of(package, scheme, &lookups, linked)? {
                self.judge(package, scheme, vulnerability, said, vulnerabilities, suppressed)?;
            }
        }
        Ok(())
    }

    /// What the pack's rows say about a package, by vulnerability.
    fn said_of<'a>(
        &self,
        package: &Package,
        scheme: Scheme,
        lookups: &'a [Lookup<'a>],
        linked: &LinkedSymbols,
    ) -> Result<BTreeMap<u32, Said<'a>>, PackError> {
        let mut all: BTreeMap<u32, Said<'a>> = BTreeMap::new();
        for lookup in lookups {
            let in_module = scheme == Scheme::Rpm && is_module_build(lookup.version);
            for at in self.affected_of(lookup.ecosystem, &lookup.name)? {
                let [record_row, extent, traits] = self.row(Section::Affected, at)?;
                if self.is_hidden(record_row) {
                    continue;
                }
                let verdict = self.verdict(extent, scheme, lookup.version, in_module)?;
                if matches!(verdict, Verdict::Outside) && lookup.role == Role::Main {
                    continue;
                }
                let [rating, stream, imports] = self.row(Section::Traits, traits)?;
                let stream = self.text(stream)?;
                let reason = match &verdict {
                    Verdict::NotAffected(why) => Some(SuppressedReason::NotAffected(why.clone())),
                    _ if !stream.is_empty() && !can_be_of_stream(package, lookup.version, stream) => {
                        Some(SuppressedReason::OtherStream(stream.to_owned()))
                    }
                    _ if imports > 0
                        && linked.knows(&package.path)
                        && !linked.links(&package.path, &self.imports(imports)?) =>
                    {
                        Some(SuppressedReason::NotLinked)
                    }
                    _ => None,
                };
                let rating =
                    self.rating(rating)?.or(self.rating(self.cell(Section::Records, record_row, RECORD_RATING)?)?);
                let spoken_of = (Section::Records, RECORD_VULNERABILITIES);
                for at in self.part(spoken_of, record_row, Section::RecordVulnerabilities)? {
                    let vulnerability = self.cell(Section::RecordVulnerabilities, at, 0)?;
                    let said = all.entry(vulnerability).or_default();
                    match (&verdict, &reason) {
                        (Verdict::Outside, _) if matches!(lookup.role, Role::Origin(_)) => {
                            said.fixed_in_channel.get_or_insert((record_row, lookup.ecosystem));
                        }
                        (Verdict::Outside, _) | (Verdict::NotAffected(_), None) => {}
                        (Verdict::Inside(_, fix), _) if lookup.role == Role::Subscription => {
                            if let FixState::Fixed { versions } = fix {
                                let ecosystem = self.ecosystem(lookup.ecosystem)?.name();
                                said.elsewhere = versions.first().map(|version| format!("{version} in {ecosystem}"));
                            }
                        }
                        (_, Some(reason)) => {
                            said.not_counted.push((record_row, lookup.ecosystem, reason.clone()));
                        }
                        (Verdict::Inside(range, fix), None) => said.hits.push(Hit {
                            record: record_row,
                            lookup,
                            rating: rating.clone(),
                            range: range.clone(),
                            fix: fix.clone(),
                        }),
                    }
                }
            }
        }
        Ok(all)
    }

    /// Makes a finding of what was said, or notes why it is none.
    fn judge(
        &self,
        package: &Package,
        scheme: Scheme,
        vulnerability: u32,
        mut said: Said<'_>,
        findings: &mut Vec<VulnerabilityFinding>,
        suppressed: &mut Vec<Suppressed>,
    ) -> Result<(), PackError> {
        let of_channel = |hit: &Hit<'_>| matches!(hit.lookup.role, Role::Origin(_));
        // A channel that knows the vulnerability speaks for what it built, whatever the release's own data says.
        let mut against: Vec<(u32, u32, SuppressedReason)> = Vec::new();
        if said.hits.iter().any(of_channel) {
            said.hits.retain(of_channel);
        } else if let Some((record, ecosystem)) = said.fixed_in_channel
            && !said.hits.is_empty()
        {
            said.hits.clear();
            against.push((record, ecosystem, SuppressedReason::FixedInChannel));
        }
        // So does a vendor that says "not affected", against everyone else.
        // What the same record says of another of its products does not count against it.
        let denies = |(record, _, reason): &(u32, u32, SuppressedReason)| {
            matches!(reason, SuppressedReason::NotAffected(_)).then_some(*record)
        };
        let denied: Vec<u32> = said.not_counted.iter().filter_map(denies).collect();
        if !denied.is_empty() {
            said.hits.retain(|hit| denied.contains(&hit.record));
        }
        if said.hits.is_empty() {
            against.append(&mut said.not_counted);
        }
        if let Some((record, ecosystem, reason)) = against.into_iter().next() {
            suppressed.push(Suppressed {
                vulnerability: self.vulnerability(vulnerability)?.id,
                package: package.name.clone(),
                version: package.version.clone(),
                by: self.record_id(record)?,
                ecosystem: self.ecosystem(ecosystem)?.name(),
                reason,
            });
        }
        findings.extend(self.finding(package, scheme, vulnerability, said)?);
        Ok(())
    }

    /// The imports of an affected row.
    fn imports(&self, list: u32) -> Result<Vec<(String, Vec<String>)>, PackError> {
        let Some(row) = list.checked_sub(1) else { return Ok(Vec::new()) };
        let mut imports = Vec::new();
        for at in self.part((Section::ImportLists, 0), row, Section::Imports)? {
            let mut symbols = Vec::new();
            for at in self.part((Section::Imports, 1), at, Section::Symbols)? {
                symbols.push(self.text(self.cell(Section::Symbols, at, 0)?)?.to_owned());
            }
            imports.push((self.text(self.cell(Section::Imports, at, 0)?)?.to_owned(), symbols));
        }
        Ok(imports)
    }

    /// Whether an extent holds `version`: in which range, and whether there is a fix.
    fn verdict(&self, extent: u32, scheme: Scheme, version: &str, in_module: bool) -> Result<Verdict, PackError> {
        let compare = |left: &str, right: &str| compare_versions(scheme, left, right);
        // What an advisory says of builds in modules, it does not say of others.
        let of_other_builds = |kind| match kind {
            END_FIXED => in_module,
            END_FIXED_IN_MODULE => !in_module,
            _ => false,
        };
        let intervals = self.part((Section::Extents, 0), extent, Section::Intervals)?;
        let mut range = None;
        let mut never = false;
        for at in intervals.clone() {
            let (interval, kind) = self.interval(at)?;
            // A version without order was counted before; bounds without order are not in the pack.
            if of_other_builds(kind) || !interval.contains(version, compare).unwrap_or(false) {
                continue;
            }
            if kind == END_NOT_AFFECTED {
                let [_, end] = self.row(Section::Intervals, at)?;
                return Ok(Verdict::NotAffected(self.text(end)?.to_owned()));
            }
            range = Some(in_words(&interval));
            never = kind == END_NEVER;
            break;
        }
        if range.is_none() {
            for at in self.part((Section::Extents, 1), extent, Section::Versions)? {
                let listed = self.text(self.cell(Section::Versions, at, 0)?)?;
                if listed == version || listed == without_local(scheme, version, listed) {
                    range = Some(format!("exactly {version}"));
                    break;
                }
            }
        }
        let Some(range) = range else { return Ok(Verdict::Outside) };
        let mut fixes: Vec<String> = Vec::new();
        for at in intervals {
            let (interval, kind) = self.interval(at)?;
            if let IntervalEnd::Fixed(fixed) = interval.end
                && !of_other_builds(kind)
                && compare(version, fixed).is_ok_and(Ordering::is_lt)
            {
                fixes.push(fixed.to_owned());
            }
        }
        Ok(Verdict::Inside(range, fix_state(scheme, fixes, never)))
    }

    fn interval(&self, at: u32) -> Result<(Interval<'_>, u32), PackError> {
        let [introduced, end, kind] = self.row(Section::Intervals, at)?;
        let end = interval_end(kind, self.text(end)?).ok_or(DAMAGED_VALUE)?;
        Ok((Interval { introduced: self.text(introduced)?, end }, kind))
    }

    /// One finding of all the records that hit.
    fn finding(
        &self,
        package: &Package,
        scheme: Scheme,
        vulnerability: u32,
        said: Said<'_>,
    ) -> Result<Option<VulnerabilityFinding>, PackError> {
        let Said { mut hits, elsewhere, .. } = said;
        if hits.is_empty() {
            return Ok(None);
        }
        let row = self.vulnerability(vulnerability)?;
        let ratings = self.ratings_of(&row)?;
        let mut aliases = row.aliases;
        let mut fixes = Vec::new();
        let mut never = false;
        for hit in &hits {
            aliases.push(self.record_id(hit.record)?);
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
        let fix = fix_state(scheme, fixes, never);
        let fix_is_unknown = !matches!(fix, FixState::Fixed { .. });
        Ok(Some(VulnerabilityFinding {
            vulnerability: Vulnerability {
                id: row.id,
                aliases,
                summary: row.summary,
                severity: rating.severity,
                score_tenths: rating.score_tenths,
                vector: Some(rating.vector).filter(|vector| !vector.is_empty()),
                known_exploited: row.known_exploited,
                exploit_prediction: row.exploit_prediction,
                disputed: row.disputed,
                ratings,
                published: row.published,
            },
            package: package.clone(),
            fix,
            reason: MatchReason {
                record: self.record_id(first.record)?,
                ecosystem: self.ecosystem(first.lookup.ecosystem)?.name(),
                name: first.lookup.name.clone(),
                version: first.lookup.version.to_owned(),
                range: match elsewhere {
                    Some(place) if fix_is_unknown => format!("{}; fixed by subscription in {place}", first.range),
                    _ => first.range.clone(),
                },
            },
        }))
    }
}

/// Whether there is a fix, and whether one will come.
fn fix_state(scheme: Scheme, fixes: Vec<String>, never: bool) -> FixState {
    match (fixes.is_empty(), never) {
        (false, _) => FixState::Fixed { versions: sorted(scheme, fixes) },
        (true, true) => FixState::WontFix,
        (true, false) => FixState::NotFixed,
    }
}

/// Nearest first, each once.
fn sorted(scheme: Scheme, mut versions: Vec<String>) -> Vec<String> {
    let compare = |left: &String, right: &String| scheme.compare(left, right).unwrap_or(Ordering::Equal);
    versions.sort_by(|left, right| compare(left, right).then_with(|| left.cmp(right)));
    versions.dedup_by(|left, right| compare(left, right).is_eq());
    versions
}

pub(crate) fn sort_key(finding: &VulnerabilityFinding) -> impl Ord + '_ {
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
