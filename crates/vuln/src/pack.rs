//! A pack's file: immutable, mapped and read in place.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use assay_model::{Digest, Explain, PackInfo, Timestamp, VulnerabilityId};
use sha2::{Digest as _, Sha256};

use crate::ecosystem::Ecosystem;
use crate::format::{CHECKED_FROM, Details, HEADER, MAGIC, RecordRow, Section, VERSION, unpack_rating};
use crate::map::Bytes;
use crate::rating::Rating;

/// Largest block of details that is inflated.
const MAX_BLOCK: usize = 64 << 20;

/// Vulnerability data, opened. Cheap to open (no byte of the tables is read), safe to share between threads.
pub(crate) struct PackFile {
    bytes: Bytes,
    sections: [(usize, usize); Section::COUNT],
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
    #[error("the pack has format {found}, this version reads format {VERSION}")]
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
            Self::Format { .. } => "build it again with this version: assay db build --to DIR FILE...".into(),
            Self::DeltaOfAnother { .. } => "open it through the folder that it was installed in".into(),
            Self::Store { .. } => "fill it with: assay db update --to DIR --from file:MIRROR".into(),
            Self::Damaged { .. } | Self::Checksum => "build or fetch the pack again".into(),
        })
    }
}

pub(crate) const DAMAGED_ROW: PackError = PackError::Damaged { what: "a row lies outside its table" };
pub(crate) const DAMAGED_TEXT: PackError = PackError::Damaged { what: "a text lies outside its table or is not UTF-8" };
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
        for (index, (section, slot)) in Section::ALL.into_iter().zip(&mut sections).enumerate() {
            let size = |at| long_at(&bytes, at).and_then(|size| usize::try_from(size).ok());
            let (start, length) = size(64 + 16 * index).zip(size(72 + 16 * index)).ok_or(DAMAGED_ROW)?;
            let end = start.checked_add(length).filter(|end| *end <= bytes.len());
            let whole = section.words() == 0 || length % (4 * section.words()) == 0;
            if start < HEADER || end.is_none() || !whole {
                return Err(PackError::Damaged { what: "a table lies outside the file" });
            }
            *slot = (start, length);
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
        for row in 0..self.rows(Section::Records) {
            let record: RecordRow = self.row(Section::Records, row)?;
            if ids.contains(self.text(record[0])?) {
                self.hidden.insert(row);
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
        u64::from(self.rows(Section::Records)).saturating_sub(self.hidden.len() as u64)
    }

    /// Identifier and fingerprint of each record.
    pub(crate) fn fingerprints(&self) -> Result<std::collections::BTreeMap<String, [u32; 2]>, PackError> {
        let rows = (0..self.rows(Section::Records)).map(|row| {
            let record: RecordRow = self.row(Section::Records, row)?;
            Ok((self.text(record[0])?.to_owned(), [record[14], record[15]]))
        });
        rows.collect()
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

    pub(crate) fn rows(&self, section: Section) -> u32 {
        (self.section(section).len() / (4 * section.words().max(1))) as u32
    }

    /// A row of `N` words, which must be the section's width.
    pub(crate) fn row<const N: usize>(&self, section: Section, index: u32) -> Result<[u32; N], PackError> {
        debug_assert_eq!(N, section.words());
        let start = (index as usize).checked_mul(4 * N).ok_or(DAMAGED_ROW)?;
        let bytes = self.section(section).get(start..start + 4 * N).ok_or(DAMAGED_ROW)?;
        let mut row = [0; N];
        for (word, bytes) in row.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.try_into().map(u32::from_le_bytes).map_err(|_| DAMAGED_ROW)?;
        }
        Ok(row)
    }

    /// The indices of `count` rows from `first`, checked against the table.
    pub(crate) fn span(&self, section: Section, first: u32, count: u32) -> Result<std::ops::Range<u32>, PackError> {
        let end = first.checked_add(count).filter(|end| *end <= self.rows(section)).ok_or(DAMAGED_ROW)?;
        Ok(first..end)
    }

    pub(crate) fn text(&self, offset: u32) -> Result<&str, PackError> {
        let strings = self.section(Section::Strings).get(offset as usize..).ok_or(DAMAGED_TEXT)?;
        let (length, rest) = strings.split_first_chunk::<2>().ok_or(DAMAGED_TEXT)?;
        let text = rest.get(..usize::from(u16::from_le_bytes(*length))).ok_or(DAMAGED_TEXT)?;
        std::str::from_utf8(text).map_err(|_| DAMAGED_TEXT)
    }

    pub(crate) fn identifier(&self, offset: u32) -> Result<VulnerabilityId, PackError> {
        self.text(offset)?.parse().map_err(|_| DAMAGED_VALUE)
    }

    pub(crate) fn rating(&self, row: u32) -> Result<Rating, PackError> {
        let [rating, vector] = self.row(Section::Ratings, row)?;
        unpack_rating(rating, self.text(vector)?).ok_or(DAMAGED_VALUE)
    }

    pub(crate) fn ecosystem(&self, row: u32) -> Result<Ecosystem, PackError> {
        let [family, release] = self.row(Section::Ecosystems, row)?;
        Ok(Ecosystem { family: self.text(family)?.to_owned(), release: self.text(release)?.to_owned() })
    }

    /// The row of a package, by ecosystem row and name.
    pub(crate) fn find_package(&self, ecosystem: u32, name: &str) -> Result<Option<[u32; 4]>, PackError> {
        self.search(Section::Packages, |row: [u32; 4]| Ok(row[0].cmp(&ecosystem).then(self.text(row[1])?.cmp(name))))
            .and_then(|found| found.map(|index| self.row(Section::Packages, index)).transpose())
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

    /// The details of a record, inflated.
    pub(crate) fn details(&self, block: u32, offset: u32, length: u32) -> Result<Details, PackError> {
        let damaged = PackError::Damaged { what: "details cannot be inflated" };
        let [start, packed, plain] = self.row(Section::Blocks, block)?;
        let end = start.checked_add(packed).ok_or(DAMAGED_ROW)?;
        let bytes = self.section(Section::Details).get(start as usize..end as usize).ok_or(DAMAGED_ROW)?;
        if plain as usize > MAX_BLOCK {
            return Err(damaged);
        }
        let Ok(plain) = zstd::bulk::decompress(bytes, plain as usize) else { return Err(damaged) };
        let end = offset.checked_add(length).ok_or(DAMAGED_ROW)?;
        let json = plain.get(offset as usize..end as usize).ok_or(DAMAGED_ROW)?;
        serde_json::from_slice(json).map_err(|_| damaged)
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
