//! The layout of a pack file, shared by writer and reader. All numbers are little-endian.
//!
//! ```text
//! offset  size
//!      0     8  magic `ASSAYVP\n`
//!      8     4  format version
//!     12     4  number of sections
//!     16    32  SHA-256 of everything after it
//!     48     8  newest `modified` of any record, seconds since 1970
//!     56     8  number of records
//!     64  16*n  offset and length of each section, in bytes from the start of the file
//!               the sections
//! ```
//! Sections are tables of rows of 32-bit words, except for the string table and the details. A *text* is an offset into the
//! string table, where two bytes of length and the UTF-8 follow; offset 0 is the empty text. Tables that are searched are
//! sorted by their texts' bytes. The order of everything is fixed by the records alone, so equal input gives equal bytes.

use assay_model::Severity;
use assay_version::IntervalEnd;

use crate::rating::{Rank, Rating};

pub(crate) const MAGIC: &[u8; 8] = b"ASSAYVP\n";
pub(crate) const VERSION: u32 = 2;
/// Offset of the first byte that the checksum covers.
pub(crate) const CHECKED_FROM: usize = 48;
pub(crate) const HEADER: usize = 64 + 16 * Section::COUNT;

/// The tables, in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Length-prefixed texts.
    Strings,
    /// family, release; sorted.
    Ecosystems,
    /// ecosystem, name, first affected row, number of them; sorted by ecosystem and name.
    Packages,
    /// record, extent, traits; in the order of the packages.
    Affected,
    /// first interval, counts (intervals and versions, 16 bits each), first version; each once.
    Extents,
    /// severity, rank and score in one word, vector; each once.
    Ratings,
    /// introduced, end, kind of end.
    Intervals,
    /// text.
    Versions,
    /// id, summary, published, modified, rating, first vulnerability, number, first affected, number, block,
    /// offset in it, length, first of its ratings, number, fingerprint of what it was made from (two words).
    Records,
    /// vulnerability.
    RecordVulnerabilities,
    /// affected row.
    RecordAffected,
    /// shown id, first other name, number, rating, summary, published, exploited since, flags ([`FLAG_RANSOMWARE`] and so
    /// on), first record, number, probability of exploitation in millionths (+ 1, 0 = unknown), its percentile.
    Vulnerabilities,
    /// text.
    Names,
    /// record.
    VulnerabilityRecords,
    /// name, vulnerability or (with [`ID_RECORD`]) record; sorted by the name in lower case.
    Ids,
    /// offset, compressed length, length.
    Blocks,
    /// zstd frames of JSON.
    Details,
    /// rating; all that a record gives.
    RecordRatings,
    /// first import, number.
    ImportLists,
    /// Go import path, first symbol, number.
    Imports,
    /// text.
    Symbols,
    /// Distribution (`ID` of os-release), release, last day of support; sorted.
    EndOfLife,
    /// rating, module stream, import list (row + 1, 0 = none); each once.
    Traits,
    /// Digest of the pack that this one changes, in a delta; else no row.
    Base,
    /// Identifiers of that pack's records which this one replaces or removes; sorted.
    Superseded,
}

impl Section {
    pub(crate) const COUNT: usize = 25;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Strings,
        Self::Ecosystems,
        Self::Packages,
        Self::Affected,
        Self::Extents,
        Self::Ratings,
        Self::Intervals,
        Self::Versions,
        Self::Records,
        Self::RecordVulnerabilities,
        Self::RecordAffected,
        Self::Vulnerabilities,
        Self::Names,
        Self::VulnerabilityRecords,
        Self::Ids,
        Self::Blocks,
        Self::Details,
        Self::RecordRatings,
        Self::ImportLists,
        Self::Imports,
        Self::Symbols,
        Self::EndOfLife,
        Self::Traits,
        Self::Base,
        Self::Superseded,
    ];

    /// Words in a row; 0 for what is no table.
    pub(crate) fn words(self) -> usize {
        match self {
            Self::Strings | Self::Details => 0,
            Self::Ecosystems | Self::Ids | Self::Ratings | Self::ImportLists => 2,
            Self::Packages => 4,
            Self::Affected
            | Self::Traits
            | Self::Extents
            | Self::Intervals
            | Self::Blocks
            | Self::Imports
            | Self::EndOfLife => 3,
            Self::Records => 16,
            Self::Vulnerabilities => 12,
            Self::Versions
            | Self::Base
            | Self::Superseded
            | Self::Symbols
            | Self::RecordRatings
            | Self::RecordVulnerabilities
            | Self::RecordAffected
            | Self::Names
            | Self::VulnerabilityRecords => 1,
        }
    }
}

/// In [`Section::Ids`]: this bit marks the index as a record's.
pub(crate) const ID_RECORD: u32 = 1 << 31;

/// Flags of a vulnerability: used in ransomware campaigns; disputed by its vendor.
pub(crate) const FLAG_RANSOMWARE: u32 = 1;
pub(crate) const FLAG_DISPUTED: u32 = 2;

/// A row of [`Section::Records`].
pub(crate) type RecordRow = [u32; 16];

/// Kinds of interval ends.
pub(crate) const END_OPEN: u32 = 0;
pub(crate) const END_FIXED: u32 = 1;
pub(crate) const END_LAST_AFFECTED: u32 = 2;
pub(crate) const END_LIMIT: u32 = 3;
/// Open, and the source says that no fix will come.
pub(crate) const END_NEVER: u32 = 4;
/// Open, and the vendor says that the package is *not* affected; the end is its justification.
pub(crate) const END_NOT_AFFECTED: u32 = 5;

pub(crate) fn interval_end(kind: u32, end: &str) -> Option<IntervalEnd<'_>> {
    Some(match kind {
        END_OPEN | END_NEVER | END_NOT_AFFECTED => IntervalEnd::Open,
        END_FIXED => IntervalEnd::Fixed(end),
        END_LAST_AFFECTED => IntervalEnd::LastAffected(end),
        END_LIMIT => IntervalEnd::Limit(end),
        _ => return None,
    })
}

/// No score.
const NO_SCORE: u32 = 0xffff;
const SEVERITIES: [Severity; 6] =
    [Severity::Unknown, Severity::Negligible, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
const RANKS: [Rank; 4] = [Rank::Distribution, Rank::Cvss, Rank::Database, Rank::None];

/// Severity, rank and score in one word.
pub(crate) fn pack_rating(rating: &Rating) -> u32 {
    let at = |found: Option<usize>| u32::try_from(found.unwrap_or_default()).unwrap_or_default();
    let severity = at(SEVERITIES.iter().position(|severity| *severity == rating.severity));
    let rank = at(RANKS.iter().position(|rank| *rank == rating.rank));
    severity << 24 | rank << 16 | rating.score_tenths.map_or(NO_SCORE, u32::from)
}

pub(crate) fn unpack_rating(word: u32, vector: &str) -> Option<Rating> {
    let score = word & 0xffff;
    Some(Rating {
        severity: *SEVERITIES.get((word >> 24) as usize)?,
        rank: *RANKS.get((word >> 16 & 0xff) as usize)?,
        score_tenths: if score == NO_SCORE { None } else { u16::try_from(score).ok() },
        vector: vector.to_owned(),
    })
}

/// What the details of a record hold, as JSON inside a block.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Details {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) details: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rating_survives_its_word() {
        for rating in [
            Rating::NONE,
            Rating { rank: Rank::Cvss, severity: Severity::Critical, score_tenths: Some(98), vector: "v".into() },
            Rating {
                rank: Rank::Distribution,
                severity: Severity::Negligible,
                score_tenths: Some(0),
                vector: String::new(),
            },
        ] {
            assert_eq!(unpack_rating(pack_rating(&rating), &rating.vector), Some(rating));
        }
        assert_eq!(unpack_rating(u32::MAX, ""), None);
    }

    #[test]
    fn sections_are_listed_in_the_order_of_their_numbers() {
        for (index, section) in Section::ALL.into_iter().enumerate() {
            assert_eq!(section as usize, index);
        }
    }
}
