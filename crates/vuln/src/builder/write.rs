//! Writes the tables of [`crate::format`].

use std::collections::{BTreeMap, HashMap};

use assay_model::{ExploitPrediction, KnownExploited};
use sha2::{Digest as _, Sha256};

use super::groups::{Groups, merge};
use super::{BuildReport, Draft, PackBuilder};
use crate::ecosystem::Ecosystem;
use crate::format::{CHECKED_FROM, FLAG_DISPUTED, FLAG_RANSOMWARE, HEADER, MAGIC, Section, VERSION, pack_rating};
use crate::rating::Rating;
use crate::{details, identifiers, prose, table};

/// Longest text: its length has fifteen bits.
const MAX_TEXT: usize = 0x7fff;

/// The string table: each text once.
struct Strings {
    bytes: Vec<u8>,
    index: HashMap<String, u32>,
}

impl Strings {
    fn new() -> Self {
        // Offset 0 is the empty text.
        Self { bytes: vec![0], index: HashMap::from([(String::new(), 0)]) }
    }

    fn add(&mut self, text: &str) -> u32 {
        // Longer texts are cut by the callers' own bounds; this keeps the length in its two bytes whatever comes.
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        if let Some(offset) = self.index.get(text) {
            return *offset;
        }
        let offset = word(self.bytes.len());
        if end < 0x80 {
            self.bytes.push(end as u8);
        } else {
            self.bytes.extend([(end >> 8) as u8 | 0x80, (end & 0xff) as u8]);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.index.insert(text.to_owned(), offset);
        offset
    }
}

/// Sections as they grow: the rows of tables, the bytes of the others.
#[derive(Default)]
struct Tables {
    rows: [Vec<u32>; Section::COUNT],
    bytes: [Vec<u8>; Section::COUNT],
    ratings: HashMap<[u32; 2], u32>,
    rating_lists: HashMap<Vec<u32>, u32>,
}

impl Tables {
    fn push(&mut self, section: Section, row: &[u32]) {
        debug_assert_eq!(row.len(), section.columns());
        if let Some(rows) = self.rows.get_mut(section as usize) {
            rows.extend_from_slice(row);
        }
    }

    fn set(&mut self, section: Section, bytes: Vec<u8>) {
        if let Some(slot) = self.bytes.get_mut(section as usize) {
            *slot = bytes;
        }
    }

    /// The row of a list of ratings.
    fn rating_list(&mut self, ratings: &[Rating], strings: &mut Strings) -> u32 {
        let rows: Vec<u32> = ratings.iter().map(|rating| self.rating(rating, strings)).collect();
        if let Some(list) = self.rating_lists.get(&rows) {
            return *list;
        }
        let list = self.rows(Section::RatingLists);
        self.push(Section::RatingLists, &[self.rows(Section::ListedRatings)]);
        for row in &rows {
            self.push(Section::ListedRatings, &[*row]);
        }
        self.rating_lists.insert(rows, list);
        list
    }

    /// The row of a rating.
    fn rating(&mut self, rating: &Rating, strings: &mut Strings) -> u32 {
        let row = [pack_rating(rating), strings.add(&rating.vector)];
        if let Some(index) = self.ratings.get(&row) {
            return *index;
        }
        let index = self.rows(Section::Ratings);
        self.push(Section::Ratings, &row);
        self.ratings.insert(row, index);
        index
    }

    /// Number of rows so far.
    fn rows(&self, section: Section) -> u32 {
        word(self.rows.get(section as usize).map_or(0, |rows| rows.len() / section.columns().max(1)))
    }
}

/// Sizes stay far below 4 GiB: inputs are bounded, and a pack of every OSV record there is has some 200 MB.
fn word(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Seconds since 1970 as an unsigned word, enough until 2106.
fn time(seconds: i64) -> u32 {
    u32::try_from(seconds).unwrap_or_default()
}

pub(super) fn write(builder: PackBuilder) -> (Vec<u8>, BuildReport) {
    let PackBuilder { drafts, exploited, predictions, end_of_life, delta, mut report, .. } = builder;
    let drafts: Vec<Draft> = drafts.into_values().collect();
    let groups = merge(&drafts);
    let mut strings = Strings::new();
    let mut tables = Tables::default();

    let packages = write_packages(&drafts, &mut strings, &mut tables);
    write_affected(&drafts, &packages, &mut strings, &mut tables);
    let names = write_identifiers(&drafts, &groups, &mut tables);
    let frequent = prose::words(drafts.iter().map(|draft| draft.summary.as_str()));
    for frequent in &frequent {
        let text = strings.add(frequent);
        tables.push(Section::Words, &[text]);
    }
    let mut prose = prose::Writer::new(&frequent);
    write_records(&drafts, &groups, &names, &mut prose, &mut strings, &mut tables);
    report.known_exploited = write_vulnerabilities(
        &drafts,
        &groups,
        &names,
        (&exploited, &predictions),
        &mut prose,
        &mut strings,
        &mut tables,
    );
    tables.set(Section::Prose, prose.bytes);

    report.records = delta.as_ref().map_or(drafts.len() as u64, |delta| delta.records);
    if let Some(delta) = delta {
        let base = strings.add(&delta.base);
        tables.push(Section::Base, &[base]);
        for id in delta.superseded {
            let id = strings.add(&id);
            tables.push(Section::Superseded, &[id]);
        }
    }
    for ((id, cycle), day) in &end_of_life {
        let row = [strings.add(id), strings.add(cycle), strings.add(day)];
        tables.push(Section::EndOfLife, &row);
    }

    report.vulnerabilities = groups.names.len() as u64;
    report.affected = u64::from(tables.rows(Section::Affected));
    let newest = drafts.iter().map(|draft| draft.modified).max().unwrap_or_default();
    tables.set(Section::Strings, strings.bytes);
    (assemble(tables, newest, report.records), report)
}

type PackageKey<'a> = (&'a Ecosystem, &'a str);

/// Ecosystem rows, and the position of each package; package rows follow in [`write_affected`].
fn write_packages<'a>(
    drafts: &'a [Draft],
    strings: &mut Strings,
    tables: &mut Tables,
) -> BTreeMap<PackageKey<'a>, Vec<(usize, usize)>> {
    let mut packages: BTreeMap<PackageKey<'a>, Vec<(usize, usize)>> = BTreeMap::new();
    for (record, draft) in drafts.iter().enumerate() {
        for (at, affected) in draft.affected.iter().enumerate() {
            packages.entry((&affected.ecosystem, &affected.name)).or_default().push((record, at));
        }
    }
    let mut last: Option<&Ecosystem> = None;
    for (ecosystem, _) in packages.keys() {
        if last != Some(*ecosystem) {
            let row = [strings.add(&ecosystem.family), strings.add(&ecosystem.release)];
            tables.push(Section::Ecosystems, &row);
            last = Some(ecosystem);
        }
    }
    packages
}

/// Affected rows, package by package.
fn write_affected(
    drafts: &[Draft],
    packages: &BTreeMap<PackageKey<'_>, Vec<(usize, usize)>>,
    strings: &mut Strings,
    tables: &mut Tables,
) {
    // The packages of one advisory mostly share their extent.
    let mut interned: HashMap<(Vec<[u32; 3]>, Vec<u32>), u32> = HashMap::new();
    let mut imported = HashMap::new();
    let mut told: HashMap<[u32; 3], u32> = HashMap::new();
    let mut ecosystem_row = 0_u32;
    let mut last: Option<&Ecosystem> = None;
    for ((ecosystem, name), places) in packages {
        if last.is_some_and(|last| last != *ecosystem) {
            ecosystem_row += 1;
        }
        last = Some(ecosystem);
        let name = strings.add(name);
        tables.push(Section::Packages, &[ecosystem_row, name, tables.rows(Section::Affected)]);
        for (record, at) in places {
            let Some(affected) = drafts.get(*record).and_then(|draft| draft.affected.get(*at)) else { continue };
            let intervals: Vec<[u32; 3]> = affected
                .intervals
                .iter()
                .map(|(introduced, end, kind)| [strings.add(introduced), strings.add(end), *kind])
                .collect();
            let versions: Vec<u32> = affected.versions.iter().map(|version| strings.add(version)).collect();
            let extent = *interned.entry((intervals, versions)).or_insert_with_key(|(intervals, versions)| {
                let row = [tables.rows(Section::Intervals), tables.rows(Section::Versions)];
                for interval in intervals {
                    tables.push(Section::Intervals, interval);
                }
                for version in versions {
                    tables.push(Section::Versions, &[*version]);
                }
                let extent = tables.rows(Section::Extents);
                tables.push(Section::Extents, &row);
                extent
            });
            let rating = tables.rating(&affected.rating, strings);
            let imports = write_imports(&affected.imports, &mut imported, strings, tables);
            let traits = [rating, strings.add(&affected.stream), imports];
            let traits = *told.entry(traits).or_insert_with(|| {
                tables.push(Section::Traits, &traits);
                tables.rows(Section::Traits) - 1
            });
            tables.push(Section::Affected, &[word(*record), extent, traits]);
        }
    }
}

/// The row of an import list, counted from 1; 0 for none. Equal lists are written once.
fn write_imports<'a>(
    imports: &'a [(String, Vec<String>)],
    imported: &mut HashMap<&'a [(String, Vec<String>)], u32>,
    strings: &mut Strings,
    tables: &mut Tables,
) -> u32 {
    if imports.is_empty() {
        return 0;
    }
    if let Some(row) = imported.get(imports) {
        return *row;
    }
    let list = [tables.rows(Section::Imports)];
    for (path, symbols) in imports {
        let row = [strings.add(path), tables.rows(Section::Symbols)];
        for symbol in symbols {
            let symbol = strings.add(symbol);
            tables.push(Section::Symbols, &[symbol]);
        }
        tables.push(Section::Imports, &row);
    }
    tables.push(Section::ImportLists, &list);
    let row = tables.rows(Section::ImportLists);
    imported.insert(imports, row);
    row
}

/// All names, each once, and which vulnerability and record has it; gives the place of each.
fn write_identifiers<'a>(drafts: &'a [Draft], groups: &'a Groups, tables: &mut Tables) -> HashMap<&'a str, u32> {
    let mut all: Vec<&str> = groups.names.iter().flatten().map(String::as_str).collect();
    all.extend(drafts.iter().map(|draft| draft.id.as_str()));
    identifiers::sort(&mut all);
    let places: HashMap<&str, u32> = all.iter().enumerate().map(|(at, name)| (*name, word(at))).collect();
    let mut targets = vec![[0_u32; 2]; all.len()];
    let mut aim = |name: &str, column: usize, index: usize| {
        let target = places.get(name).and_then(|at| targets.get_mut(*at as usize)?.get_mut(column));
        if let Some(target) = target {
            *target = word(index + 1);
        }
    };
    for (index, names) in groups.names.iter().enumerate() {
        for name in names {
            aim(name, 0, index);
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        aim(&draft.id, 1, index);
    }
    for target in targets {
        tables.push(Section::IdentifierTargets, &target);
    }
    let (bytes, buckets) = identifiers::pack(&all);
    tables.set(Section::Identifiers, bytes);
    for bucket in buckets {
        tables.push(Section::IdentifierBuckets, &[bucket]);
    }
    places
}

fn place(names: &HashMap<&str, u32>, name: &str) -> u32 {
    names.get(name).copied().unwrap_or_default()
}

fn write_records(
    drafts: &[Draft],
    groups: &Groups,
    names: &HashMap<&str, u32>,
    prose: &mut prose::Writer<'_>,
    strings: &mut Strings,
    tables: &mut Tables,
) {
    let mut details = details::Writer::default();
    for (draft, vulnerabilities) in drafts.iter().zip(&groups.of_record) {
        let row = [
            place(names, &draft.id),
            prose.add(&draft.summary),
            tables.rating(&draft.rating, strings),
            tables.rows(Section::RecordVulnerabilities),
            tables.rating_list(&draft.ratings, strings),
            draft.fingerprint()[0],
            draft.fingerprint()[1],
        ];
        tables.push(Section::Records, &row);
        for vulnerability in vulnerabilities {
            tables.push(Section::RecordVulnerabilities, &[word(*vulnerability)]);
        }
        let of = vulnerabilities.iter().filter_map(|vulnerability| groups.names.get(*vulnerability)).flatten();
        let spoken: Vec<&str> = std::iter::once(draft.id.as_str()).chain(of.map(String::as_str)).collect();
        details.add(&draft.details, &spoken);
    }
    let mut frames = Vec::new();
    for block in details.finish() {
        let row = [word(frames.len()), word(block.packed.len()), word(block.length), block.first];
        tables.push(Section::Blocks, &row);
        frames.extend_from_slice(&block.packed);
    }
    tables.set(Section::Details, frames);
}

/// Gives the number of vulnerabilities that are known to be exploited.
fn write_vulnerabilities(
    drafts: &[Draft],
    groups: &Groups,
    places: &HashMap<&str, u32>,
    (exploited, predictions): (&BTreeMap<String, KnownExploited>, &BTreeMap<String, ExploitPrediction>),
    prose: &mut prose::Writer<'_>,
    strings: &mut Strings,
    tables: &mut Tables,
) -> u64 {
    let mut records: Vec<Vec<usize>> = vec![Vec::new(); groups.names.len()];
    for (record, vulnerabilities) in groups.of_record.iter().enumerate() {
        for vulnerability in vulnerabilities {
            if let Some(records) = records.get_mut(*vulnerability) {
                records.push(record);
            }
        }
    }
    let mut known = 0;
    for (names, records) in groups.names.iter().zip(&records) {
        let drafts: Vec<&Draft> = records.iter().filter_map(|record| drafts.get(*record)).collect();
        // An erratum's title and rating are about all that it fixes, so a record of this vulnerability alone speaks first.
        let mut own: Vec<&Draft> = drafts.clone();
        own.sort_by_key(|draft| draft.breadth);
        let rating = own.iter().map(|draft| draft.own_rating()).fold(Rating::NONE, Rating::or);
        let summary = own.iter().map(|draft| draft.summary.as_str()).find(|text| !text.is_empty()).unwrap_or_default();
        let published = drafts.iter().map(|draft| draft.published).filter(|time| *time > 0).min().unwrap_or_default();
        let entry = names.iter().filter_map(|name| exploited.get(name)).min();
        known += u64::from(entry.is_some());
        let predicted = names.iter().filter_map(|name| predictions.get(name)).max();
        let disputed = !drafts.is_empty() && drafts.iter().any(|draft| draft.disputed);
        let flags = entry.map_or(0, |entry| if entry.ransomware { FLAG_RANSOMWARE } else { 0 })
            | if disputed { FLAG_DISPUTED } else { 0 };
        let (shown, others) = names.split_first().map_or(("", &[][..]), |(shown, others)| (shown.as_str(), others));
        let row = [
            place(places, shown),
            tables.rows(Section::Names),
            tables.rating(&rating, strings),
            prose.add(summary),
            time(published),
            entry.map_or(0, |entry| strings.add(&entry.since)),
            flags,
            tables.rows(Section::VulnerabilityRecords),
            predicted.map_or(0, |predicted| predicted.probability_millionths.saturating_add(1)),
            predicted.map_or(0, |predicted| predicted.percentile_millionths),
        ];
        for name in others {
            tables.push(Section::Names, &[place(places, name)]);
        }
        for record in records {
            tables.push(Section::VulnerabilityRecords, &[word(*record)]);
        }
        tables.push(Section::Vulnerabilities, &row);
    }
    known
}

fn assemble(tables: Tables, newest: i64, records: u64) -> Vec<u8> {
    let mut bytes = vec![0; CHECKED_FROM];
    bytes.extend_from_slice(&newest.to_le_bytes());
    bytes.extend_from_slice(&records.to_le_bytes());
    let sections: Vec<Vec<u8>> = Section::ALL
        .into_iter()
        .zip(tables.rows.iter().zip(tables.bytes))
        .map(|(section, (rows, bytes))| match section.columns() {
            0 => bytes,
            columns => table::pack(rows, columns),
        })
        .collect();
    let mut offset = HEADER;
    for section in &sections {
        bytes.extend_from_slice(&(offset as u64).to_le_bytes());
        bytes.extend_from_slice(&(section.len() as u64).to_le_bytes());
        offset += section.len();
    }
    for section in &sections {
        bytes.extend_from_slice(section);
    }
    let checksum = Sha256::digest(bytes.get(CHECKED_FROM..).unwrap_or_default());
    let mut header = Vec::with_capacity(CHECKED_FROM);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&word(Section::COUNT).to_le_bytes());
    header.extend_from_slice(&checksum);
    for (slot, byte) in bytes.iter_mut().zip(header) {
        *slot = byte;
    }
    bytes
}
