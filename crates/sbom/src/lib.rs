//! Software bills of materials: [`write()`] and [`read()`] CycloneDX JSON and SPDX JSON.
//!
//! Written are CycloneDX 1.6 and SPDX 2.3, read are CycloneDX 1.4 to 1.7 and SPDX 2.2 and 2.3, bare or as the predicate
//! of an in-toto statement. What is written is deterministic: identifiers are derived from the content, times are passed
//! in, lists are sorted, and every component can be reached from the root.
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
//! assay_sbom::write(&mut document, &contents, &Root::directory("rootfs"), &generation, Format::CycloneDx)?;
//! assert_eq!(assay_sbom::read(&document)?.contents.packages, contents.packages);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cyclonedx;
mod document;
mod error;
mod graph;
mod licence;
mod property;
mod read;
mod spdx;

pub use document::{Format, Generation, Lifecycle, Root, write};
pub use error::SbomError;
pub use read::{Described, MAX_BYTES, MAX_DEPTH, MAX_OBJECTS, MAX_VALUES, Sbom, read};
