//! The nouns of Assay: what the other crates talk about.
//!
//! Everything here is plain data with exact meanings. Nothing here reads a file, a clock or a network,
//! and nothing here decides anything.
//!
//! ```
//! use assay_model::{Digest, Reference};
//!
//! let reference: Reference = "registry.example.com/payments/api:1.18".parse()?;
//! assert_eq!(reference.repository().registry(), "registry.example.com");
//! assert!(reference.digest().is_none());
//! assert!("sha256:abc".parse::<Digest>().is_err(), "a digest exists only after a valid parse");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod build_level;
mod contents;
mod digest;
mod explain;
mod finding;
mod names;
mod purl;
mod redact;
mod reference;
mod severity;
mod subject;

pub use action::Action;
pub use build_level::BuildLevel;
pub use contents::{
    BaseEvidence, BaseImage, Bound, Contents, EvidenceTier, FileReference, ImageConfig, Layer, OsRelease, Package,
    PackageType, Partial, SecretMatch, SourcePackage, Suppressed, SuppressionReason, Surface,
};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use explain::{Explain, innermost};
pub use finding::{
    ExploitPrediction, FindingCounts, Findings, FixState, KnownExploited, MatchReason, PackInfo, SourceRating,
    Vulnerability, VulnerabilityFinding, VulnerabilityId,
};
pub use names::{ControlId, EnvironmentName, NameError};
pub use purl::{Purl, PurlError};
pub use redact::{RedactedUrl, Secret};
pub use reference::{Reference, ReferenceError, Repository};
pub use severity::Severity;
pub use subject::{Platform, Subject};

/// A point in time, UTC, with nanosecond precision. Serialised as RFC 3339.
pub type Timestamp = jiff::Timestamp;
