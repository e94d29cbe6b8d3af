//! Software bills of materials: [`write()`] and [`read()`] CycloneDX, SPDX 2 and 3, Syft's and Trivy's JSON.
//!
//! Written and read are CycloneDX 1.4 to 1.7 in JSON and XML, SPDX 2.3 (2.2 is read, too) in JSON and tag-value, SPDX 3.0.1
//! in JSON-LD, and the JSON of Syft and Trivy; JSON bare or as the predicate of an in-toto statement. What is written is
//! deterministic: identifiers are derived from the content, times are passed in, lists are sorted, and every component can
//! be reached from the root. Between CycloneDX and SPDX nothing is lost: a document that is read and written in another of
//! them, and then in the first again, is the same bytes.
//!
//! [`merge()`] makes one document of several, [`difference()`] says what changed between two, [`enrich()`] fills in what one
//! lacks and another knows, [`score()`] holds one against the minimum elements that authorities ask for, and a
//! [`LicencePolicy`] says which licences may be in it.
//!
//! This crate does not inspect (that is `inspect`), does not match vulnerabilities (`vuln`) and does not verify who
//! signed a document (`trust`): what [`read()`] returns is a claim.
//!
//! ```
//! use assay_model::{Contents, EvidenceTier, Package, PackageType, Purl};
//! use assay_sbom::{Format, Generation, Lifecycle, Root};
//!
//! let zlib = Package {
//!     kind: PackageType::Deb,
//!     name: "zlib1g".into(),
//!     version: "1:1.2.13".into(),
//!     source: None,
//!     architecture: None,
//!     licence: Some("Zlib".into()),
//!     supplier: None,
//!     purl: Purl::new("deb", Some("debian"), "zlib1g", Some("1:1.2.13")),
//!     tier: EvidenceTier::PackageDatabase,
//!     path: "var/lib/dpkg/status".into(),
//!     digest: None,
//!     layer: None,
//!     depends_on: Vec::new(),
//! };
//! let contents = Contents { packages: vec![zlib], ..Contents::default() };
//! let generation = Generation {
//!     tool_version: "0.1.0",
//!     created: "2026-11-21T08:00:00Z".parse()?,
//!     lifecycle: Lifecycle::PostBuild,
//! };
//!
//! let mut document = Vec::new();
//! assay_sbom::write(&mut document, &contents, &Root::directory("rootfs"), &generation, Format::CYCLONEDX)?;
//! assert_eq!(assay_sbom::read(&document)?.contents.packages, contents.packages);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cyclonedx;
mod difference;
mod document;
mod enrich;
mod error;
mod graph;
mod licence;
mod licence_policy;
mod merge;
mod property;
mod read;
mod score;
mod spdx;
mod spdx3;
mod syft;
mod trivy;
mod xml;

pub use difference::{Change, Difference, Field, difference};
pub use document::{CycloneDxVersion, Format, Generation, Lifecycle, Root, write};
pub use enrich::{Enriched, enrich};
pub use error::SbomError;
pub use licence_policy::{LicenceFinding, LicencePolicy, LicenceRule, LicenceVerdict};
pub use merge::merge;
pub use read::{Described, MAX_BYTES, MAX_DEPTH, MAX_OBJECTS, MAX_VALUES, Origin, Sbom, read};
pub use score::{Requirement, Score, Standard, Subject, score};
