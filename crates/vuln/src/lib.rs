//! Vulnerability packs: built from OSV records, opened by mapping one file, matched against the contents of an image.
//!
//! It is: a lenient reader of OSV records ([`osv`]), a deterministic compiler of records into one file ([`PackBuilder`]), the
//! file itself ([`Pack`]), the matching of packages by the names and version orders of their ecosystems
//! ([`Pack::match_contents`]), what others say about findings ([`vex`], [`ignore`]), and their order ([`risk`]). It is not: a
//! downloader, or a judge (the Gate decides what a finding means, and whose VEX counts).
//!
//! Matching is exact: a distribution's packages are looked up only in the advisories of that distribution and release, by
//! source package; a language's packages only in that language's ecosystem. No name is guessed.
//!
//! ```
//! use assay_model::{Contents, EvidenceTier, Package, PackageType, Purl, Timestamp};
//!
//! let pack = assay_vuln::embedded()?;
//! let package = Package {
//!     kind: PackageType::Pypi, name: "Jinja2".into(), version: "2.10".into(), source: None, architecture: None,
//!     licence: None, supplier: None, purl: Purl::new("pypi", None, "jinja2", Some("2.10")),
//!     tier: EvidenceTier::Installed, path: "METADATA".into(), digest: None, layer: None, depends_on: Vec::new(),
//! };
//! let contents = Contents { packages: vec![package], ..Contents::default() };
//! let findings = pack.match_contents(&contents, Timestamp::UNIX_EPOCH)?;
//! assert!(findings.vulnerabilities.iter().any(|finding| finding.vulnerability.id.as_str() == "CVE-2019-10906"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advisory;
mod builder;
mod details;
mod ecosystem;
mod embedded;
mod feed;
mod format;
mod identifiers;
pub mod ignore;
mod kev;
mod map;
mod matching;
pub mod osv;
mod pack;
mod prose;
mod rating;
mod rematch;
pub mod risk;
mod set;
mod source;
pub mod store;
mod table;
mod threshold;
pub mod vex;

pub use advisory::{Advisory, AdvisoryRecord, AffectedPackage};
pub use builder::{BuildReport, DeltaReport, PackBuilder, SkipReason};
pub use ecosystem::{Ecosystem, packs_for};
pub use embedded::embedded;
pub use matching::{LinkedSymbols, Matched, Suppressed, SuppressedReason};
pub use pack::PackError;
pub use rematch::{PackageIndex, Rematched};
pub use set::Pack;
pub use source::SourceError;
pub use threshold::Threshold;
