//! Compiles records into a pack.
//!
//! The order in which inputs are added does not matter: records are sorted by identifier, a record that occurs twice is taken
//! in its newest form, and every table follows from that.

use std::collections::BTreeMap;
use std::path::Path;

use assay_model::{ExploitPrediction, KnownExploited, Timestamp, VulnerabilityId};
use assay_version::{Event, Interval, IntervalEnd, events};
use sha2::{Digest as _, Sha256};

use crate::details::Details;
use crate::ecosystem::{Ecosystem, normal_name};
use crate::feed::{Feed, may_speak_for};
use crate::format::{
    END_FIXED, END_FIXED_IN_MODULE, END_LAST_AFFECTED, END_LIMIT, END_NEVER, END_NOT_AFFECTED, END_OPEN,
};
use crate::kev;
use crate::osv::{self, parse_record};
use crate::rating::{Rank, Rating};
use crate::source::{self, SourceError};

mod groups;
mod parts;
mod write;

pub use parts::DeltaReport;

/// Longest summary kept, in characters; it is one line of a table.
const MAX_SUMMARY: usize = 160;
/// Most versions and intervals of one affected package.
const MAX_ROWS: usize = 0xffff;

/// Why something that an input held is not in the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The record was withdrawn by its source.
    Withdrawn,
    /// The same record was there in a newer or equal form.
    Duplicate,
    /// The affected package is of an ecosystem for which this input may not speak.
    EcosystemNotAllowed,
    /// The affected package names no ecosystem or no package, or only commits: it cannot be matched. The record itself is kept.
    NotMatchable,
    /// The record is about commits only, and no package and no other name leads to it.
    Unreachable,
    /// A version bound has no place in its ecosystem's order; the range is left out.
    UnorderedVersion,
    /// An alias has characters that no identifier has.
    BadAlias,
}

impl SkipReason {
    /// In words, for reports.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Withdrawn => "records withdrawn by their source",
            Self::Duplicate => "records that were there in a newer form",
            Self::EcosystemNotAllowed => "affected packages of an ecosystem that their source may not speak for",
            Self::NotMatchable => "affected packages without a name or with commits only (the record is kept)",
            Self::Unreachable => "records about commits only, to which no package and no other name leads",
            Self::UnorderedVersion => "version ranges with a bound that has no order",
            Self::BadAlias => "aliases that are no identifiers",
        }
    }
}

/// What went into a pack, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Records read.
    pub read: u64,
    /// Records in the pack.
    pub records: u64,
    /// Vulnerabilities they describe, after merging aliases.
    pub vulnerabilities: u64,
    /// Vulnerabilities of these that are known to be exploited.
    pub known_exploited: u64,
    /// Affected package rows.
    pub affected: u64,
    /// What was left out.
    pub skipped: BTreeMap<SkipReason, u64>,
}

/// Collects records, then writes one pack.
///
/// ```
/// let mut builder = assay_vuln::PackBuilder::new();
/// builder.add_bytes("inline", br#"{"id": "X-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"},
///     "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]}]}"#, None)?;
/// let (bytes, report) = builder.build();
/// assert_eq!(report.records, 1);
/// assert_eq!(assay_vuln::Pack::from_bytes(bytes)?.info().records, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct PackBuilder {
    drafts: BTreeMap<String, Draft>,
    exploited: BTreeMap<String, KnownExploited>,
    predictions: BTreeMap<String, ExploitPrediction>,
    delta: Option<Delta>,
    /// Distribution, release, and the day its support ends.
    end_of_life: BTreeMap<(String, String), String>,
    /// When each record that was withdrawn was last changed: it takes back older forms, whichever came first.
    withdrawn: BTreeMap<String, i64>,
    report: BuildReport,
}

/// What makes a pack a delta.
#[derive(Debug)]
struct Delta {
    /// Digest of the pack that it changes.
    base: String,
    /// Records of that pack which it replaces or removes.
    superseded: Vec<String>,
    /// Records that it carries whole; the others only name and rate.
    records: u64,
}

/// A record as far as the pack needs it.
#[derive(Clone, Debug)]
struct Draft {
    hash: [u8; 32],
    id: String,
    modified: i64,
    published: i64,
    summary: String,
    rating: Rating,
    /// Everything it says of its severity.
    ratings: Vec<Rating>,
    disputed: bool,
    aliases: Vec<String>,
    /// Vulnerabilities passed on; empty where the record stands for itself.
    upstream: Vec<String>,
    /// How many were passed on as it was read: the fewer, the more its title is about each.
    breadth: usize,
    affected: Vec<DraftAffected>,
    details: Details,
}

#[derive(Clone, Debug)]
struct DraftAffected {
    ecosystem: Ecosystem,
    name: String,
    rating: Rating,
    /// `nodejs:18` where the record is about one stream of a module.
    stream: String,
    /// Go import paths with the vulnerable symbols in them.
    imports: Vec<(String, Vec<String>)>,
    /// introduced, end, kind of end.
    intervals: Vec<(String, String, u32)>,
    versions: Vec<String>,
}

impl PackBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds all records of a file or folder: OSV records, or any other feed that is recognised by what it looks like.
    ///
    /// A source may speak only for its own ecosystems (osv.dev, source.yaml, `ecosystems`), and is known by the identifiers of
    /// its records; affected packages of others are left out and counted. With `allowed`, so are those of ecosystem families
    /// that are not in the list.
    pub fn add_path(&mut self, path: &Path, allowed: Option<&[&str]>) -> Result<(), SourceError> {
        source::read(path, &mut |name, bytes| self.add_file(name, bytes, allowed))
    }

    /// As [`Self::add_path`], of bytes in memory; `name` is for messages.
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8], allowed: Option<&[&str]>) -> Result<(), SourceError> {
        source::read_bytes(name, bytes, &mut |name, bytes| self.add_file(name, bytes, allowed))
    }

    /// A file of any kind that is known, by what it looks like; OSV records where it looks like nothing else.
    fn add_file(&mut self, name: &str, bytes: &[u8], allowed: Option<&[&str]>) -> Result<(), SourceError> {
        match Feed::detect(name, bytes) {
            Feed::Osv => source::read_documents(name, bytes, &mut |name, line, bytes| {
                self.add_record(name, line, bytes, allowed)
            }),
            Feed::KnownExploited => self.add_known_exploited(name, bytes),
            Feed::ExploitPrediction => self.add_exploit_predictions(name, bytes),
            Feed::EndOfLife => {
                self.end_of_life.extend(crate::feed::end_of_life::parse(name, bytes)?);
                Ok(())
            }
            feed => {
                for record in feed.records(name, bytes)? {
                    let hash = Sha256::digest(serde_json::to_vec(&record).unwrap_or_default()).into();
                    self.add(record, hash, allowed);
                }
                Ok(())
            }
        }
    }

    /// Adds CISA's catalogue of known exploited vulnerabilities.
    pub fn add_known_exploited(&mut self, name: &str, bytes: &[u8]) -> Result<(), SourceError> {
        let entries = kev::parse(bytes).map_err(|error| SourceError::Json {
            path: name.to_owned(),
            line: error.line(),
            column: error.column(),
            message: osv::without_position(&error),
        })?;
        self.exploited.extend(entries);
        Ok(())
    }

    /// Adds FIRST's estimates of what will be exploited (EPSS, csv, plain or compressed with gzip or zstd).
    pub fn add_exploit_predictions(&mut self, name: &str, bytes: &[u8]) -> Result<(), SourceError> {
        self.predictions.extend(crate::feed::epss::parse(name, bytes)?);
        Ok(())
    }

    fn skip(&mut self, reason: SkipReason) {
        *self.report.skipped.entry(reason).or_default() += 1;
    }

    fn add_record(
        &mut self,
        name: &str,
        line: usize,
        bytes: &[u8],
        allowed: Option<&[&str]>,
    ) -> Result<(), SourceError> {
        let record = parse_record(bytes).map_err(|cause| SourceError::Record { path: name.to_owned(), line, cause })?;
        self.add(record, Sha256::digest(bytes).into(), allowed);
        Ok(())
    }

    /// Adds a record that was read already; of two forms of one record the newer counts, then the one with the higher hash.
    pub(crate) fn add(&mut self, record: osv::Record, hash: [u8; 32], allowed: Option<&[&str]>) {
        self.report.read += 1;
        if !record.withdrawn.is_empty() || osv::is_rejected(&record) {
            self.skip(SkipReason::Withdrawn);
            let modified = seconds(&record.modified).max(seconds(&record.withdrawn));
            let last = self.withdrawn.entry(record.id).or_default();
            *last = modified.max(*last);
            return;
        }
        let ranges = || record.affected.iter().flat_map(|affected| &affected.ranges);
        let commits_only = ranges().next().is_some() && ranges().all(|range| range.kind == "GIT");
        let draft = self.draft(record, hash, allowed);
        if commits_only && draft.affected.is_empty() && draft.aliases.is_empty() && draft.upstream.is_empty() {
            self.skip(SkipReason::Unreachable);
            return;
        }
        let newest = |draft: &Draft| (draft.modified, draft.hash);
        if let Some(other) = self.drafts.get(&draft.id) {
            let older = newest(&draft) <= newest(other);
            self.skip(SkipReason::Duplicate);
            if older {
                return;
            }
        }
        self.drafts.insert(draft.id.clone(), draft);
    }

    fn draft(&mut self, record: osv::Record, hash: [u8; 32], allowed: Option<&[&str]>) -> Draft {
        let family_of = |affected: &osv::Affected| {
            affected.package.as_ref().map(|package| Ecosystem::parse(&package.ecosystem).family)
        };
        let family = record.affected.iter().find_map(family_of).unwrap_or_default();
        let rating = Rating::of_record(&family, &record);
        let (ratings, disputed) = (Rating::all_of_record(&record), osv::is_disputed(&record));
        let mut affected = Vec::new();
        for entry in &record.affected {
            affected.extend(self.draft_affected(entry, &record.id, &record.summary, allowed));
        }
        let errata = crate::ecosystem::errata_in_related(&family);
        let related = record.related.into_iter().filter(|id| errata && id.starts_with("CVE-"));
        let upstream = self.identifiers(record.upstream.into_iter().chain(related).collect());
        let title = if record.summary.is_empty() { record.details.trim() } else { record.summary.trim() };
        Draft {
            hash,
            id: record.id.parse::<VulnerabilityId>().map_or(record.id, |id| id.to_string()),
            modified: seconds(&record.modified),
            published: seconds(&record.published),
            summary: one_line(title),
            rating,
            ratings,
            disputed,
            aliases: self.identifiers(record.aliases),
            breadth: upstream.len(),
            upstream,
            affected,
            details: Details {
                details: record.details,
                references: record.references.into_iter().map(|reference| reference.url).collect(),
                published: seconds(&record.published),
                modified: seconds(&record.modified),
            },
        }
    }

    /// Sorted, without doubles and without what is no identifier.
    fn identifiers(&mut self, names: Vec<String>) -> Vec<String> {
        let mut identifiers = Vec::new();
        for name in names {
            match name.parse::<VulnerabilityId>() {
                Ok(id) => identifiers.push(id.to_string()),
                Err(_) => self.skip(SkipReason::BadAlias),
            }
        }
        identifiers.sort_unstable();
        identifiers.dedup();
        identifiers
    }

    fn draft_affected(
        &mut self,
        affected: &osv::Affected,
        id: &str,
        summary: &str,
        allowed: Option<&[&str]>,
    ) -> Option<DraftAffected> {
        let named = affected.package.as_ref().filter(|package| {
            !package.ecosystem.is_empty()
                && !package.name.is_empty()
                && package.name.len() <= 1024
                && package.ecosystem.len() <= 256
        });
        let Some(package) = named else {
            self.skip(SkipReason::NotMatchable);
            return None;
        };
        let ecosystem = Ecosystem::parse(&package.ecosystem);
        if !may_speak_for(id, &ecosystem.family)
            || allowed.is_some_and(|allowed| !allowed.contains(&ecosystem.family.as_str()))
        {
            self.skip(SkipReason::EcosystemNotAllowed);
            return None;
        }
        let specific = |key: &str| affected.ecosystem_specific.get(key).and_then(serde_json::Value::as_str);
        let never = specific("urgency") == Some("end-of-life") || specific("fix") == Some("will-not-fix");
        let not_affected = specific("not_affected");
        let rpm = ecosystem.scheme() == Some(assay_version::Scheme::Rpm);
        let mut intervals = Vec::new();
        let go = if ecosystem.family == "Go" { go_ranges(affected) } else { None };
        for range in go.as_ref().unwrap_or(&affected.ranges).iter().filter(|range| range.kind != "GIT") {
            let Some(found) = intervals_of(&ecosystem, range) else {
                self.skip(SkipReason::UnorderedVersion);
                continue;
            };
            intervals.extend(found.iter().map(|interval| {
                let (end, kind) = match interval.end {
                    _ if not_affected.is_some() => (not_affected.unwrap_or_default(), END_NOT_AFFECTED),
                    IntervalEnd::Open if never => ("", END_NEVER),
                    IntervalEnd::Open => ("", END_OPEN),
                    IntervalEnd::Fixed(version) if rpm && crate::matching::is_module_build(version) => {
                        (version, END_FIXED_IN_MODULE)
                    }
                    IntervalEnd::Fixed(version) => (version, END_FIXED),
                    IntervalEnd::LastAffected(version) => (version, END_LAST_AFFECTED),
                    IntervalEnd::Limit(version) => (version, END_LIMIT),
                };
                (interval.introduced.to_owned(), end.to_owned(), kind)
            }));
        }
        let mut versions: Vec<String> = affected
            .versions
            .iter()
            .filter(|version| version.len() <= assay_version::MAX_LENGTH && !covered(&ecosystem, &intervals, version))
            .cloned()
            .collect();
        versions.sort_unstable();
        versions.dedup();
        intervals.dedup();
        intervals.truncate(MAX_ROWS);
        versions.truncate(MAX_ROWS);
        if intervals.is_empty() && versions.is_empty() {
            self.skip(SkipReason::NotMatchable);
            return None;
        }
        let name = normal_name(&ecosystem.family, &package.name);
        let rating = Rating::of_affected(&ecosystem.family, affected);
        let stream = specific("module").map(str::to_owned).or_else(|| {
            let module = intervals.iter().any(|(_, _, kind)| *kind == END_FIXED_IN_MODULE);
            module.then(|| stream_of(summary)).flatten()
        });
        let imports = if ecosystem.family == "Go" { go_imports(affected) } else { Vec::new() };
        let stream = stream.unwrap_or_default();
        Some(DraftAffected { ecosystem, name, rating, stream, imports, intervals, versions })
    }

    /// What was read and left out so far.
    pub fn report(&self) -> &BuildReport {
        &self.report
    }

    /// The pack's bytes, the same for the same records whatever their order, and what is in it.
    pub fn build(mut self) -> (Vec<u8>, BuildReport) {
        self.settle();
        write::write(self)
    }

    /// Takes back what was withdrawn.
    fn settle(&mut self) {
        for (id, modified) in std::mem::take(&mut self.withdrawn) {
            if self.drafts.get(&id).is_some_and(|draft| draft.modified <= modified) {
                self.drafts.remove(&id);
                self.skip(SkipReason::Withdrawn);
            }
        }
    }
}

impl Draft {
    /// What it says of the vulnerability itself, wherever it is found: not the word of a distribution about its package.
    fn own_rating(&self) -> Rating {
        std::iter::once(&self.rating)
            .chain(self.affected.iter().map(|affected| &affected.rating))
            .filter(|rating| rating.rank != Rank::Distribution)
            .fold(Rating::NONE, |found, rating| found.or(rating.clone()))
    }

    /// Tells two forms of a record apart.
    fn fingerprint(&self) -> [u32; 2] {
        let word = |at: usize| {
            self.hash.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        // 48 bits: two forms of one record differ in them but for one in 10^14.
        [word(0), word(4) & 0xffff]
    }
}

/// The module stream that an erratum's title names: `nodejs:18` of `Important: nodejs:18 security update`.
fn stream_of(title: &str) -> Option<String> {
    let word = title
        .split_whitespace()
        .find(|word| word.split_once(':').is_some_and(|(module, stream)| !module.is_empty() && !stream.is_empty()))?;
    Some(word.to_owned())
}

/// Import paths and symbols of a Go record (go.dev/doc/security/vuln/database, `imports`).
fn go_imports(affected: &osv::Affected) -> Vec<(String, Vec<String>)> {
    #[derive(serde::Deserialize)]
    struct Import {
        path: String,
        #[serde(default)]
        symbols: Vec<String>,
    }
    let imports = affected.ecosystem_specific.get("imports").cloned().unwrap_or_default();
    let imports: Vec<Import> = serde_json::from_value(imports).unwrap_or_default();
    imports.into_iter().take(MAX_ROWS).map(|import| (import.path, import.symbols)).collect()
}

/// The ranges of a Go module whose versions are not all known to the module proxy (go.dev/doc/security/vuln/database,
/// `custom_ranges`).
///
/// Such a record's plain range says "all versions", so that no pseudo-version `v0.0.0-...` escapes, and the custom one says
/// which tags are meant. Both hold in their own part of the order, unless the custom one has commits as bounds itself.
fn go_ranges(affected: &osv::Affected) -> Option<Vec<osv::Range>> {
    let custom = affected.ecosystem_specific.get("custom_ranges")?.clone();
    let mut ranges: Vec<osv::Range> =
        serde_json::from_value(custom).ok().filter(|ranges: &Vec<_>| !ranges.is_empty())?;
    let everything = |event: &osv::Event| event.introduced.as_deref() == Some("0");
    if !affected.ranges.iter().all(|range| range.events.iter().all(everything)) {
        return None;
    }
    let is_commit = |bound: &Option<String>| bound.as_deref().is_some_and(|bound| bound.starts_with("0.0.0-"));
    let mut events = ranges.iter().flat_map(|range| &range.events);
    if events.any(|event| [&event.introduced, &event.fixed, &event.last_affected].into_iter().any(is_commit)) {
        return Some(ranges);
    }
    let mut untagged = affected.ranges.clone();
    for range in &mut untagged {
        // The lowest version above every v0.0.0 pseudo-version.
        range.events.push(osv::Event { limit: Some("0.0.1-0".to_owned()), ..osv::Event::default() });
    }
    ranges.extend(untagged);
    Some(ranges)
}

/// The intervals of one range; `None` if a bound has no order.
fn intervals_of<'a>(ecosystem: &Ecosystem, range: &'a osv::Range) -> Option<Vec<Interval<'a>>> {
    let mut list = Vec::new();
    for event in &range.events {
        list.extend(event.introduced.as_deref().map(Event::Introduced));
        list.extend(event.fixed.as_deref().map(Event::Fixed));
        list.extend(event.last_affected.as_deref().map(Event::LastAffected));
        list.extend(event.limit.as_deref().map(Event::Limit));
    }
    // Where the order is unknown, nothing is ever compared, and the events are kept for display as they come.
    let scheme = ecosystem.scheme();
    let compare = |left: &str, right: &str| match scheme {
        Some(scheme) => scheme.compare(left, right),
        None => Ok(if left == right { std::cmp::Ordering::Equal } else { std::cmp::Ordering::Less }),
    };
    let ordered = list.iter().all(|event| match event {
        Event::Limit("*") => true,
        Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) | Event::Limit(version) => {
            compare(version, version).is_ok()
        }
    });
    if !ordered {
        return None;
    }
    events::intervals(&list, compare).ok()
}

/// Whether the intervals hold a version that is also listed: two thirds of all listed versions say nothing new.
fn covered(ecosystem: &Ecosystem, intervals: &[(String, String, u32)], version: &str) -> bool {
    let Some(scheme) = ecosystem.scheme() else { return false };
    intervals.iter().any(|(introduced, end, kind)| {
        crate::format::interval_end(*kind, end)
            .and_then(|end| Interval { introduced, end }.contains(version, |a, b| scheme.compare(a, b)).ok())
            .unwrap_or(false)
    })
}

/// Seconds since 1970; 0 for what is no time and for Go's year 1.
fn seconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, |time| time.as_second().max(0))
}

/// The first line, shortened.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= MAX_SUMMARY {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(MAX_SUMMARY - 3).collect();
    short.push_str("...");
    short
}
