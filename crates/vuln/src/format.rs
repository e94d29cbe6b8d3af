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
//! Sections are tables of whole numbers ([`crate::table`]), except for five: texts, identifiers ([`crate::identifiers`]), prose
//! ([`crate::prose`]) and details ([`crate::details`]). A *text* is an offset into the string table, where its length (one byte
//! below 128, else two) and its UTF-8 follow; offset 0 is the empty text. An *identifier* is its place in the order of all of
//! them. *First X* is where the row's part of the table X begins; it ends where the next row's begins. Tables that are searched
//! are sorted by their texts' bytes. The order of everything is fixed by the records alone, so equal input gives equal bytes.

use assay_model::Severity;
use assay_version::IntervalEnd;

use crate::rating::{Rank, Rating};

pub(crate) const MAGIC: &[u8; 8] = b"ASSAYVP\n";
pub(crate) const VERSION: u32 = 3;
/// Offset of the first byte that the checksum covers.
pub(crate) const CHECKED_FROM: usize = 48;
pub(crate) const HEADER: usize = 64 + 16 * Section::COUNT;

/// The sections, in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Length-prefixed texts.
    Strings,
    /// Names of vulnerabilities and records, each once, in the order of their lower case.
    Identifiers,
    /// Where each bucket of identifiers begins.
    IdentifierBuckets,
    /// vulnerability + 1, record + 1 (0 = none), of each identifier.
    IdentifierTargets,
    /// text; the words of prose, the most frequent first.
    Words,
    /// Summaries.
    Prose,
    /// family, release; sorted.
    Ecosystems,
    /// ecosystem, name, first affected row; sorted by ecosystem and name.
    Packages,
    /// record, extent, traits; in the order of the packages.
    Affected,
    /// first interval, first version; each once.
    Extents,
    /// severity, rank and score in one word, vector; each once.
    Ratings,
    /// introduced, end, kind of end.
    Intervals,
    /// text.
    Versions,
    /// identifier, summary, rating, first vulnerability, rating list, fingerprint of what it was made from (two words).
    Records,
    /// vulnerability.
    RecordVulnerabilities,
    /// shown identifier, first other name, rating, summary, published, exploited since, flags ([`FLAG_RANSOMWARE`] and so on), first
    /// record, probability of exploitation in millionths (+ 1, 0 = unknown), its percentile.
    Vulnerabilities,
    /// identifier.
    Names,
    /// record.
    VulnerabilityRecords,
    /// offset, compressed length, length, first record.
    Blocks,
    /// zstd frames.
    Details,
    /// first listed rating; each list once.
    RatingLists,
    /// rating.
    ListedRatings,
    /// first import.
    ImportLists,
    /// Go import path, first symbol.
    Imports,
    /// text.
    Symbols,
    /// Distribution (`ID` of os-release), release, last day of support; sorted.
    EndOfLife,
    /// rating, module stream, import list (row + 1, 0 = none); each once.
    Traits,
    /// Digest of the pack that this one changes, in a delta; else no row.
    Base,
    /// Identifiers of that pack's records which this one replaces or removes; texts, sorted.
    Superseded,
}

impl Section {
    pub(crate) const COUNT: usize = 29;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Strings,
        Self::Identifiers,
        Self::IdentifierBuckets,
        Self::IdentifierTargets,
        Self::Words,
        Self::Prose,
        Self::Ecosystems,
        Self::Packages,
        Self::Affected,
        Self::Extents,
        Self::Ratings,
        Self::Intervals,
        Self::Versions,
        Self::Records,
        Self::RecordVulnerabilities,
        Self::Vulnerabilities,
        Self::Names,
        Self::VulnerabilityRecords,
        Self::Blocks,
        Self::Details,
        Self::RatingLists,
        Self::ListedRatings,
        Self::ImportLists,
        Self::Imports,
        Self::Symbols,
        Self::EndOfLife,
        Self::Traits,
        Self::Base,
        Self::Superseded,
    ];

    /// Columns of a table; 0 for what is no table.
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Strings | Self::Identifiers | Self::Prose | Self::Details => 0,
            Self::IdentifierBuckets
            | Self::Words
            | Self::Versions
            | Self::RecordVulnerabilities
            | Self::Names
            | Self::VulnerabilityRecords
            | Self::RatingLists
            | Self::ListedRatings
            | Self::ImportLists
            | Self::Symbols
            | Self::Base
            | Self::Superseded => 1,
            Self::IdentifierTargets | Self::Ecosystems | Self::Extents | Self::Ratings | Self::Imports => 2,
            Self::Packages | Self::Affected | Self::Intervals | Self::EndOfLife | Self::Traits => 3,
            Self::Blocks => 4,
            Self::Records => 7,
            Self::Vulnerabilities => 10,
        }
    }
}

/// Most columns of any table.
pub(crate) const MAX_COLUMNS: usize = 10;

/// Flags of a vulnerability: used in ransomware campaigns; disputed by its vendor.
pub(crate) const FLAG_RANSOMWARE: u32 = 1;
pub(crate) const FLAG_DISPUTED: u32 = 2;

/// A row of [`Section::Records`].
pub(crate) type RecordRow = [u32; 7];
/// Its columns.
pub(crate) const RECORD_IDENTIFIER: usize = 0;
pub(crate) const RECORD_SUMMARY: usize = 1;
pub(crate) const RECORD_RATING: usize = 2;
pub(crate) const RECORD_VULNERABILITIES: usize = 3;
pub(crate) const RECORD_RATING_LIST: usize = 4;
/// Columns of [`Section::Vulnerabilities`].
pub(crate) const VULNERABILITY_NAMES: usize = 1;
pub(crate) const VULNERABILITY_RECORDS: usize = 7;
/// Column of [`Section::Packages`].
pub(crate) const PACKAGE_AFFECTED: usize = 2;
/// Column of [`Section::Blocks`].
pub(crate) const BLOCK_FIRST: usize = 3;

/// Kinds of interval ends.
pub(crate) const END_OPEN: u32 = 0;
pub(crate) const END_FIXED: u32 = 1;
pub(crate) const END_LAST_AFFECTED: u32 = 2;
pub(crate) const END_LIMIT: u32 = 3;
/// Open, and the source says that no fix will come.
pub(crate) const END_NEVER: u32 = 4;
/// Open, and the vendor says that the package is *not* affected; the end is its justification.
pub(crate) const END_NOT_AFFECTED: u32 = 5;
/// Fixed by a build of a module ([`crate::matching::is_module_build`]).
pub(crate) const END_FIXED_IN_MODULE: u32 = 6;

pub(crate) fn interval_end(kind: u32, end: &str) -> Option<IntervalEnd<'_>> {
    Some(match kind {
        END_OPEN | END_NEVER | END_NOT_AFFECTED => IntervalEnd::Open,
        END_FIXED | END_FIXED_IN_MODULE => IntervalEnd::Fixed(end),
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
