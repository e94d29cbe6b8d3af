//! A pack's file: immutable, mapped and read in place.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use assay_model::{Digest, Explain, PackInfo, Timestamp, VulnerabilityId};
use sha2::{Digest as _, Sha256};

use crate::details::{self, Details};
use crate::ecosystem::Ecosystem;
use crate::format::{
    BLOCK_FIRST, CHECKED_FROM, HEADER, MAGIC, PACKAGE_AFFECTED, RECORD_IDENTIFIER, RecordRow, Section, VERSION,
    unpack_rating,
};
use crate::identifiers::{self, BUCKET, Bucket};
use crate::map::Bytes;
use crate::prose;
use crate::rating::Rating;
use crate::table::Table;

/// Vulnerability data, opened. Cheap to open (no byte of the tables is read), safe to share between threads.
pub(crate) struct PackFile {
    bytes: Bytes,
    sections: [(usize, usize); Section::COUNT],
    tables: [Table; Section::COUNT],
    info: PackInfo,
    /// Rows of records that a delta replaces.
    hidden: BTreeSet<u32>,
}

impl std::fmt::Debug for PackFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackFile").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Why a pack cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The operating system refused to open or map it.
    #[error("{path}: {cause}")]
    Open {
        /// The file.
        path: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file is not a vulnerability pack.
    #[error("not a vulnerability pack")]
    NotAPack,
    /// The pack is of a format that this version does not read.
    #[error("the pack has format {found}, this version reads format {VERSION}{}", if *found < VERSION { ": it was built by an older one" } else { ": it was built by a newer one" })]
    Format {
        /// The format found.
        found: u32,
    },
    /// A table points outside the file or at another kind of value: the file was cut or altered.
    #[error("the pack is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// A delta without the pack that it changes.
    #[error("a delta changes the pack {base}, which is not here")]
    DeltaOfAnother {
        /// Digest of the pack that it changes.
        base: String,
    },
    /// A folder of packs that cannot be read, or has none.
    #[error("{message}")]
    Store {
        /// What is wrong with it.
        message: String,
    },
    /// The bytes are not those that were written.
    #[error("the pack is damaged: its checksum does not match its content")]
    Checksum,
}

impl Explain for PackError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "pack-unreadable",
            Self::NotAPack => "pack-unknown",
            Self::Format { .. } => "pack-format",
            Self::Damaged { .. } => "pack-damaged",
            Self::DeltaOfAnother { .. } => "pack-delta-base",
            Self::Store { .. } => "pack-store",
            Self::Checksum => "pack-checksum",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Open { .. } => "check the path and its permissions".into(),
            Self::NotAPack => "build one with: assay db build --to DIR FILE...".into(),
            Self::Format { found } if *found > VERSION => {
                "update Assay, or fetch packs of its format: assay db update --to DIR --from MIRROR".into()
            }
            Self::Format { .. } => "fetch it again: assay db update --to DIR --from MIRROR; or build it: assay db build --to FILE SOURCE...".into(),
            Self::DeltaOfAnother { .. } => "open it through the folder that it was installed in".into(),
            Self::Store { .. } => "fill it with: assay db update --to DIR --from file:MIRROR".into(),
            Self::Damaged { .. } | Self::Checksum => "build or fetch the pack again".into(),
        })
    }
}

pub(crate) const DAMAGED_ROW: PackError = PackError::Damaged { what: "a row lies outside its table" };
pub(crate) const DAMAGED_TEXT: PackError = PackError::Damaged { what: "a text lies outside its table or is not UTF-8" };
const DAMAGED_IDENTIFIER: PackError = PackError::Damaged { what: "an identifier lies outside its bucket" };
pub(crate) const DAMAGED_VALUE: PackError = PackError::Damaged { what: "a value is outside its range" };

impl PackFile {
    /// Maps a pack and checks that its tables lie within the file. The content is not hashed: [`Self::open_verified`] does so
    /// where a pack is installed. A pack that was altered since gives errors or other findings, never undefined behaviour.
    pub(crate) fn open(path: &Path) -> Result<Self, PackError> {
        let bytes = Bytes::map(path).map_err(|cause| PackError::Open { path: path.display().to_string(), cause })?;
        Self::new(bytes)
    }

    /// As [`Self::open`], and compares the checksum of every byte.
    pub(crate) fn open_verified(path: &Path) -> Result<Self, PackError> {
        let pack = Self::open(path)?;
        pack.verify()?;
        Ok(pack)
    }

    /// A pack in memory, its checksum compared.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Self, PackError> {
        let pack = Self::new(Bytes::Owned(bytes))?;
        pack.verify()?;
        Ok(pack)
    }

    pub(crate) fn from_static(bytes: &'static [u8]) -> Result<Self, PackError> {
        Self::new(Bytes::Static(bytes))
    }

    fn new(bytes: Bytes) -> Result<Self, PackError> {
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(PackError::NotAPack);
        }
        let short = PackError::Damaged { what: "the header is cut short" };
        let found = word_at(&bytes, 8).ok_or(short)?;
        if found != VERSION {
            return Err(PackError::Format { found });
        }
        if word_at(&bytes, 12) != u32::try_from(Section::COUNT).ok() || bytes.len() < HEADER {
            return Err(PackError::Damaged { what: "the header is cut short" });
        }
        let mut sections = [(0, 0); Section::COUNT];
        let mut tables = [Table::default(); Section::COUNT];
        for (index, (section, (slot, table))) in
            Section::ALL.into_iter().zip(sections.iter_mut().zip(&mut tables)).enumerate()
        {
            let size = |at| long_at(&bytes, at).and_then(|size| usize::try_from(size).ok());
            let (start, length) = size(64 + 16 * index).zip(size(72 + 16 * index)).ok_or(DAMAGED_ROW)?;
            let end = start.checked_add(length).filter(|end| *end <= bytes.len());
            if start < HEADER || end.is_none() {
                return Err(PackError::Damaged { what: "a table lies outside the file" });
            }
            *slot = (start, length);
            if section.columns() > 0 {
                let parsed = Table::parse(&bytes, start, length, section.columns());
                *table = parsed.ok_or(PackError::Damaged { what: "a table has rows of another width" })?;
            }
        }
        let seconds = long_at(&bytes, 48).map(u64::cast_signed).ok_or(DAMAGED_VALUE)?;
        let records = long_at(&bytes, 56).ok_or(DAMAGED_VALUE)?;
        let mut pack = Self {
            info: PackInfo {
                digest: checksum(&bytes)?,
                data_until: Timestamp::from_second(seconds).map_err(|_| DAMAGED_VALUE)?,
                records,
                ecosystems: Vec::new(),
            },
            bytes,
            sections,
            tables,
            hidden: BTreeSet::new(),
        };
        for row in 0..pack.rows(Section::Ecosystems) {
            let ecosystem = pack.ecosystem(row)?;
            pack.info.ecosystems.push(ecosystem.name());
        }
        pack.info.ecosystems.sort_unstable();
        Ok(pack)
    }

    /// Compares the checksum of every byte after it.
    fn verify(&self) -> Result<(), PackError> {
        let found = Sha256::digest(self.bytes.get(CHECKED_FROM..).unwrap_or_default());
        if self.bytes.get(16..CHECKED_FROM) == Some(&found[..]) { Ok(()) } else { Err(PackError::Checksum) }
    }

    /// The digest of the pack that this one changes; `None` for a whole one.
    pub(crate) fn base(&self) -> Result<Option<&str>, PackError> {
        if self.rows(Section::Base) == 0 {
            return Ok(None);
        }
        let [digest] = self.row(Section::Base, 0)?;
        self.text(digest).map(Some)
    }

    /// Identifiers of the records that this delta replaces or removes, sorted.
    pub(crate) fn superseded(&self) -> Result<Vec<&str>, PackError> {
        let texts = (0..self.rows(Section::Superseded)).map(|row| {
            let [id] = self.row(Section::Superseded, row)?;
            self.text(id)
        });
        texts.collect()
    }

    /// Leaves out the records that a delta replaces.
    pub(crate) fn hide(&mut self, ids: &BTreeSet<&str>) -> Result<(), PackError> {
        for id in ids {
            for at in self.identifiers_named(id)? {
                let [_, record]: [u32; 2] = self.row(Section::IdentifierTargets, at)?;
                let Some(record) = record.checked_sub(1) else { continue };
                if self.identifier_text(at)? == *id {
                    self.hidden.insert(record);
                }
            }
        }
        Ok(())
    }

    /// Whether a delta replaces this record.
    pub(crate) fn is_hidden(&self, record: u32) -> bool {
        self.hidden.contains(&record)
    }

    /// Number of records that no delta replaces.
    pub(crate) fn visible_records(&self) -> u64 {
        self.info.records.saturating_sub(self.hidden.len() as u64)
    }

    /// Names of all packages.
    pub(crate) fn package_names(&self) -> Result<Vec<&str>, PackError> {
        let names = (0..self.rows(Section::Packages)).map(|row| self.text(self.cell(Section::Packages, row, 1)?));
        names.collect()
    }

    /// Identifier and fingerprint of each record; without those that a delta repeats only to name and rate what it changes.
    pub(crate) fn fingerprints(&self) -> Result<BTreeMap<String, [u32; 2]>, PackError> {
        let mut found = BTreeMap::new();
        let all = self.rows(Section::IdentifierTargets);
        for first in (0..all).step_by(BUCKET as usize) {
            let mut bucket = self.bucket(first / BUCKET)?;
            for at in first..all.min(first.saturating_add(BUCKET)) {
                let text = bucket.advance().ok_or(DAMAGED_IDENTIFIER)?;
                let record = self.cell(Section::IdentifierTargets, at, 1)?;
                let Some(record) = record.checked_sub(1) else { continue };
                let text = std::str::from_utf8(text).map_err(|_| DAMAGED_IDENTIFIER)?;
                let row: RecordRow = self.row(Section::Records, record)?;
                let fingerprint = [row[5], row[6]];
                if fingerprint != [0, 0] {
                    found.insert(text.to_owned(), fingerprint);
                }
            }
        }
        Ok(found)
    }

    /// What is in it. The digest is the checksum that the header records, of everything after the header's first 48 bytes.
    pub(crate) fn info(&self) -> &PackInfo {
        &self.info
    }

    /// The last day on which a distribution's release gets fixes, `YYYY-MM-DD`; `0000-00-00` where it is long past. `None` where
    /// the pack has no date for it.
    pub(crate) fn end_of_life(&self, os: &assay_model::OsRelease) -> Result<Option<&str>, PackError> {
        let version = os.version_id.as_deref().unwrap_or_default();
        let mut parts = version.split(['.', '_']);
        let major = parts.next().unwrap_or_default();
        let minor = parts.next().map(|minor| format!("{major}.{minor}")).unwrap_or_default();
        for cycle in [version, minor.as_str(), major].into_iter().filter(|cycle| !cycle.is_empty()) {
            let order = |row: [u32; 3]| Ok(self.text(row[0])?.cmp(os.id.as_str()).then(self.text(row[1])?.cmp(cycle)));
            if let Some(row) = self.search(Section::EndOfLife, order)? {
                let [_, _, day] = self.row(Section::EndOfLife, row)?;
                return self.text(day).map(Some);
            }
        }
        Ok(None)
    }

    fn section(&self, section: Section) -> &[u8] {
        let (start, length) = self.sections.get(section as usize).copied().unwrap_or_default();
        self.bytes.get(start..start.saturating_add(length)).unwrap_or_default()
    }

    fn table(&self, section: Section) -> &Table {
        const NONE: &Table = &Table::EMPTY;
        self.tables.get(section as usize).unwrap_or(NONE)
    }

    pub(crate) fn rows(&self, section: Section) -> u32 {
        self.table(section).rows()
    }

    /// The first `N` columns of a row.
    pub(crate) fn row<const N: usize>(&self, section: Section, index: u32) -> Result<[u32; N], PackError> {
        debug_assert!(N <= section.columns());
        match self.table(section).row(&self.bytes, index) {
            Some(row) => Ok(row),
            None => Err(DAMAGED_ROW),
        }
    }

    /// One cell of a row.
    pub(crate) fn cell(&self, section: Section, index: u32, column: usize) -> Result<u32, PackError> {
        match self.table(section).cell(&self.bytes, index, column) {
            Some(cell) => Ok(cell),
            None => Err(DAMAGED_ROW),
        }
    }

    /// The rows of `part` that belong to a row: from where its column says, to where the next row's begin.
    pub(crate) fn part(
        &self,
        (section, column): (Section, usize),
        index: u32,
        part: Section,
    ) -> Result<std::ops::Range<u32>, PackError> {
        let all = self.rows(part);
        let first = self.cell(section, index, column)?;
        let next = index.saturating_add(1);
        let end = if next < self.rows(section) { self.cell(section, next, column)? } else { all };
        if first <= end && end <= all { Ok(first..end) } else { Err(DAMAGED_ROW) }
    }

    pub(crate) fn text(&self, offset: u32) -> Result<&str, PackError> {
        std::str::from_utf8(self.text_bytes(offset)?).map_err(|_| DAMAGED_TEXT)
    }

    /// A text that is only compared.
    pub(crate) fn text_bytes(&self, offset: u32) -> Result<&[u8], PackError> {
        let read = || {
            let strings = self.section(Section::Strings).get(offset as usize..)?;
            let (first, rest) = strings.split_first()?;
            if *first < 0x80 {
                return rest.get(..usize::from(*first));
            }
            let (second, rest) = rest.split_first()?;
            rest.get(..usize::from(*first & 0x7f) << 8 | usize::from(*second))
        };
        match read() {
            Some(text) => Ok(text),
            None => Err(DAMAGED_TEXT),
        }
    }

    /// A summary.
    pub(crate) fn prose(&self, offset: u32) -> Result<String, PackError> {
        let bytes = self.section(Section::Prose).get(offset as usize..).ok_or(DAMAGED_TEXT)?;
        let word = |number| self.text_bytes(self.cell(Section::Words, number, 0).ok()?).ok();
        prose::read(bytes, word).ok_or(DAMAGED_TEXT)
    }

    fn bucket(&self, bucket: u32) -> Result<Bucket<'_>, PackError> {
        let start = self.cell(Section::IdentifierBuckets, bucket, 0)?;
        let bytes = self.section(Section::Identifiers).get(start as usize..).ok_or(DAMAGED_IDENTIFIER)?;
        Ok(Bucket::new(bytes))
    }

    /// Calls `read` with the identifier at a place in their order.
    fn at_identifier<T>(&self, at: u32, read: impl FnOnce(&str) -> Result<T, PackError>) -> Result<T, PackError> {
        let mut bucket = self.bucket(at / BUCKET)?;
        for _ in 0..at % BUCKET {
            bucket.advance().ok_or(DAMAGED_IDENTIFIER)?;
        }
        let text = bucket.advance().ok_or(DAMAGED_IDENTIFIER)?;
        read(std::str::from_utf8(text).map_err(|_| DAMAGED_IDENTIFIER)?)
    }

    /// The identifier at a place in their order.
    pub(crate) fn identifier_text(&self, at: u32) -> Result<String, PackError> {
        self.at_identifier(at, |text| Ok(text.to_owned()))
    }

    pub(crate) fn identifier(&self, at: u32) -> Result<VulnerabilityId, PackError> {
        self.at_identifier(at, |text| text.parse().map_err(|_| DAMAGED_VALUE))
    }

    /// The places of all spellings of a name.
    pub(crate) fn identifiers_named(&self, name: &str) -> Result<Vec<u32>, PackError> {
        let name = name.as_bytes();
        // The last bucket that begins below the name, where it would be.
        let (mut low, mut high) = (0, self.rows(Section::IdentifierBuckets));
        while low < high {
            let middle = low + (high - low) / 2;
            let mut bucket = self.bucket(middle)?;
            let first = bucket.advance().ok_or(DAMAGED_IDENTIFIER)?;
            if identifiers::compare(first, name).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let all = self.rows(Section::IdentifierTargets);
        let mut found = Vec::new();
        'buckets: for bucket in low.saturating_sub(1)..self.rows(Section::IdentifierBuckets) {
            let first = bucket.saturating_mul(BUCKET);
            let mut texts = self.bucket(bucket)?;
            for at in first..all.min(first.saturating_add(BUCKET)) {
                match identifiers::compare(texts.advance().ok_or(DAMAGED_IDENTIFIER)?, name) {
                    Ordering::Less => {}
                    Ordering::Equal => found.push(at),
                    Ordering::Greater => break 'buckets,
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn rating(&self, row: u32) -> Result<Rating, PackError> {
        let [rating, vector] = self.row(Section::Ratings, row)?;
        unpack_rating(rating, self.text(vector)?).ok_or(DAMAGED_VALUE)
    }

    pub(crate) fn ecosystem(&self, row: u32) -> Result<Ecosystem, PackError> {
        let [family, release] = self.row(Section::Ecosystems, row)?;
        Ok(Ecosystem { family: self.text(family)?.to_owned(), release: self.text(release)?.to_owned() })
    }

    /// The affected rows of a package, by ecosystem row and name.
    pub(crate) fn affected_of(&self, ecosystem: u32, name: &str) -> Result<std::ops::Range<u32>, PackError> {
        let order = |[of, text]: [u32; 2]| {
            Ok(of.cmp(&ecosystem).then_with(|| self.text_bytes(text).unwrap_or_default().cmp(name.as_bytes())))
        };
        match self.search(Section::Packages, order)? {
            Some(package) => self.part((Section::Packages, PACKAGE_AFFECTED), package, Section::Affected),
            None => Ok(0..0),
        }
    }

    /// The first row that `order` finds equal, by binary search.
    pub(crate) fn search<const N: usize>(
        &self,
        section: Section,
        order: impl Fn([u32; N]) -> Result<Ordering, PackError>,
    ) -> Result<Option<u32>, PackError> {
        let (mut low, mut high) = (0, self.rows(section));
        while low < high {
            let middle = low + (high - low) / 2;
            if order(self.row(section, middle)?)?.is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low < self.rows(section) && order(self.row(section, low)?)?.is_eq() { Ok(Some(low)) } else { Ok(None) }
    }

    /// The details of a record, inflated; `names` as [`Self::names_of`] gives them.
    pub(crate) fn details(&self, record: u32, names: &[String]) -> Result<Details, PackError> {
        let damaged = PackError::Damaged { what: "details cannot be inflated" };
        // The last block that begins at the record or before.
        let (mut low, mut high) = (0, self.rows(Section::Blocks));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.cell(Section::Blocks, middle, BLOCK_FIRST)? <= record {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let [start, packed, length, first] = self.row(Section::Blocks, low.checked_sub(1).ok_or(DAMAGED_ROW)?)?;
        let end = start.checked_add(packed).ok_or(DAMAGED_ROW)?;
        let bytes = self.section(Section::Details).get(start as usize..end as usize).ok_or(DAMAGED_ROW)?;
        let line = record.checked_sub(first).ok_or(DAMAGED_ROW)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        details::read(bytes, length as usize, line as usize, &names).ok_or(damaged)
    }

    /// The identifier of a record.
    pub(crate) fn record_id(&self, record: u32) -> Result<VulnerabilityId, PackError> {
        self.identifier(self.cell(Section::Records, record, RECORD_IDENTIFIER)?)
    }
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn checksum(bytes: &[u8]) -> Result<Digest, PackError> {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in bytes.get(16..CHECKED_FROM).unwrap_or_default() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.parse().map_err(|_| DAMAGED_VALUE)
}
