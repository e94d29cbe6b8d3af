//! Writes the tables of [`crate::format`].

use std::collections::{BTreeMap, HashMap};

use assay_model::{ExploitPrediction, KnownExploited};
use sha2::{Digest as _, Sha256};

use super::groups::{Groups, merge};
use super::{BuildReport, Draft, PackBuilder};
use crate::ecosystem::Ecosystem;
use crate::format::{
    CHECKED_FROM, FLAG_DISPUTED, FLAG_RANSOMWARE, HEADER, ID_RECORD, MAGIC, Section, VERSION, pack_rating,
};
use crate::rating::Rating;

/// Uncompressed size at which a block of details is closed: 256 KiB costs 0.3 ms to inflate.
const BLOCK: usize = 256 << 10;
/// zstd level of the details: 15 is close to 19 at a fraction of the time.
const LEVEL: i32 = 15;

/// The string table: each text once.
struct Strings {
    bytes: Vec<u8>,
    index: HashMap<String, u32>,
}

impl Strings {
    fn new() -> Self {
        // Offset 0 is the empty text.
        Self { bytes: vec![0, 0], index: HashMap::from([(String::new(), 0)]) }
    }

    fn add(&mut self, text: &str) -> u32 {
        // Longer texts are cut by the callers' own bounds; this keeps the length in its two bytes whatever comes.
        let mut end = text.len().min(0xffff);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        if let Some(offset) = self.index.get(text) {
            return *offset;
        }
        let offset = word(self.bytes.len());
        self.bytes.extend_from_slice(&(end as u16).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.index.insert(text.to_owned(), offset);
        offset
    }
}

/// Rows of words, section by section.
#[derive(Default)]
struct Tables {
    sections: [Vec<u8>; Section::COUNT],
    ratings: HashMap<[u32; 2], u32>,
}

impl Tables {
    fn push(&mut self, section: Section, row: &[u32]) {
        debug_assert_eq!(row.len(), section.words());
        if let Some(bytes) = self.sections.get_mut(section as usize) {
            bytes.extend(row.iter().flat_map(|word| word.to_le_bytes()));
        }
    }

    fn set(&mut self, section: Section, bytes: Vec<u8>) {
        if let Some(slot) = self.sections.get_mut(section as usize) {
            *slot = bytes;
        }
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
        word(self.sections.get(section as usize).map_or(0, |bytes| bytes.len() / (4 * section.words().max(1))))
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
    let rows = write_affected(&drafts, &packages, &mut strings, &mut tables);
    write_records(&drafts, &groups, &rows, &mut strings, &mut tables);
    report.known_exploited =
        write_vulnerabilities(&drafts, &groups, (&exploited, &predictions), &mut strings, &mut tables);
    write_ids(&drafts, &groups, &mut strings, &mut tables);

    if let Some((base, superseded)) = delta {
        let base = strings.add(&base);
        tables.push(Section::Base, &[base]);
        for id in superseded {
            let id = strings.add(&id);
            tables.push(Section::Superseded, &[id]);
        }
    }
    for ((id, cycle), day) in &end_of_life {
        let row = [strings.add(id), strings.add(cycle), strings.add(day)];
        tables.push(Section::EndOfLife, &row);
    }

    report.records = drafts.len() as u64;
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

/// Affected rows, package by package; gives the rows of each record.
fn write_affected(
    drafts: &[Draft],
    packages: &BTreeMap<PackageKey<'_>, Vec<(usize, usize)>>,
    strings: &mut Strings,
    tables: &mut Tables,
) -> Vec<Vec<u32>> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); drafts.len()];
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
        tables.push(Section::Packages, &[ecosystem_row, name, tables.rows(Section::Affected), word(places.len())]);
        for (record, at) in places {
            let Some(affected) = drafts.get(*record).and_then(|draft| draft.affected.get(*at)) else { continue };
            let intervals: Vec<[u32; 3]> = affected
                .intervals
                .iter()
                .map(|(introduced, end, kind)| [strings.add(introduced), strings.add(end), *kind])
                .collect();
            let versions: Vec<u32> = affected.versions.iter().map(|version| strings.add(version)).collect();
            let extent = *interned.entry((intervals, versions)).or_insert_with_key(|(intervals, versions)| {
                let counts = word(intervals.len()) << 16 | word(versions.len());
                let row = [tables.rows(Section::Intervals), counts, tables.rows(Section::Versions)];
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
            let row = [word(*record), extent, traits];
            if let Some(rows) = rows.get_mut(*record) {
                rows.push(tables.rows(Section::Affected));
            }
            tables.push(Section::Affected, &row);
        }
    }
    rows
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
    let list = [tables.rows(Section::Imports), word(imports.len())];
    for (path, symbols) in imports {
        let row = [strings.add(path), tables.rows(Section::Symbols), word(symbols.len())];
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

fn write_records(drafts: &[Draft], groups: &Groups, rows: &[Vec<u32>], strings: &mut Strings, tables: &mut Tables) {
    let mut details = Vec::new();
    let mut block = Vec::new();
    for ((draft, vulnerabilities), rows) in drafts.iter().zip(&groups.of_record).zip(rows) {
        let json = serde_json::to_vec(&draft.details).unwrap_or_default();
        if !block.is_empty() && block.len() + json.len() > BLOCK {
            close_block(&mut block, &mut details, tables);
        }
        let row = [
            strings.add(&draft.id),
            strings.add(&draft.summary),
            time(draft.published),
            time(draft.modified),
            tables.rating(&draft.rating, strings),
            tables.rows(Section::RecordVulnerabilities),
            word(vulnerabilities.len()),
            tables.rows(Section::RecordAffected),
            word(rows.len()),
            tables.rows(Section::Blocks),
            word(block.len()),
            word(json.len()),
            tables.rows(Section::RecordRatings),
            word(draft.ratings.len()),
            draft.fingerprint()[0],
            draft.fingerprint()[1],
        ];
        for rating in &draft.ratings {
            let rating = tables.rating(rating, strings);
            tables.push(Section::RecordRatings, &[rating]);
        }
        block.extend_from_slice(&json);
        tables.push(Section::Records, &row);
        for vulnerability in vulnerabilities {
            tables.push(Section::RecordVulnerabilities, &[word(*vulnerability)]);
        }
        for row in rows {
            tables.push(Section::RecordAffected, &[*row]);
        }
    }
    close_block(&mut block, &mut details, tables);
    tables.set(Section::Details, details);
}

fn close_block(block: &mut Vec<u8>, details: &mut Vec<u8>, tables: &mut Tables) {
    // Compressing into memory fails only where memory itself does; the block then reads as damaged, not as empty.
    let packed = zstd::bulk::compress(block, LEVEL).unwrap_or_default();
    tables.push(Section::Blocks, &[word(details.len()), word(packed.len()), word(block.len())]);
    details.extend_from_slice(&packed);
    block.clear();
}

/// Gives the number of vulnerabilities that are known to be exploited.
fn write_vulnerabilities(
    drafts: &[Draft],
    groups: &Groups,
    (exploited, predictions): (&BTreeMap<String, KnownExploited>, &BTreeMap<String, ExploitPrediction>),
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
        own.sort_by_key(|draft| draft.upstream.len());
        let rating = own
            .iter()
            .flat_map(|draft| {
                std::iter::once(&draft.rating).chain(draft.affected.iter().map(|affected| &affected.rating))
            })
            .filter(|rating| rating.rank != crate::rating::Rank::Distribution)
            .fold(Rating::NONE, |found, rating| found.or(rating.clone()));
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
            strings.add(shown),
            tables.rows(Section::Names),
            word(others.len()),
            tables.rating(&rating, strings),
            strings.add(summary),
            time(published),
            entry.map_or(0, |entry| strings.add(&entry.since)),
            flags,
            tables.rows(Section::VulnerabilityRecords),
            word(records.len()),
            predicted.map_or(0, |predicted| predicted.probability_millionths.saturating_add(1)),
            predicted.map_or(0, |predicted| predicted.percentile_millionths),
        ];
        for name in others {
            let name = strings.add(name);
            tables.push(Section::Names, &[name]);
        }
        for record in records {
            tables.push(Section::VulnerabilityRecords, &[word(*record)]);
        }
        tables.push(Section::Vulnerabilities, &row);
    }
    known
}

fn write_ids(drafts: &[Draft], groups: &Groups, strings: &mut Strings, tables: &mut Tables) {
    let mut ids: Vec<(String, &str, u32)> = Vec::new();
    for (index, names) in groups.names.iter().enumerate() {
        ids.extend(names.iter().map(|name| (name.to_ascii_lowercase(), name.as_str(), word(index))));
    }
    for (index, draft) in drafts.iter().enumerate() {
        ids.push((draft.id.to_ascii_lowercase(), &draft.id, ID_RECORD | word(index)));
    }
    ids.sort_unstable();
    for (_, name, index) in ids {
        let name = strings.add(name);
        tables.push(Section::Ids, &[name, index]);
    }
}

fn assemble(tables: Tables, newest: i64, records: u64) -> Vec<u8> {
    let mut bytes = vec![0; CHECKED_FROM];
    bytes.extend_from_slice(&newest.to_le_bytes());
    bytes.extend_from_slice(&records.to_le_bytes());
    let mut offset = HEADER;
    for section in &tables.sections {
        bytes.extend_from_slice(&(offset as u64).to_le_bytes());
        bytes.extend_from_slice(&(section.len() as u64).to_le_bytes());
        offset += section.len();
    }
    for section in &tables.sections {
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
