//! Who made it: Claims, trust roots and a time go in, [`Evidence`] comes out.
//!
//! This crate never uses a network or a clock. It verifies bytes that it is handed against trust material that it is
//! handed, at a time that it is handed, and says who signed what and when. Whether that signer is *wanted* is the
//! Gate's business.
//!
//! [`Evidence`] has no public constructor: it comes from a verification in this crate, or back from the store through
//! [`Evidence::restore`], which checks a keyed hash.

mod evidence;
mod identity;
mod predicate;
mod signer;

pub use evidence::{Check, CheckName, Evidence, EvidenceKind, RestoreError, SealedEvidence, SealingKey};
pub use identity::{Pattern, PatternError};
pub use predicate::{Material, Predicate, Provenance, SbomFormat, SbomSummary, ScanSummary, VexStatement, VexStatus};
pub use signer::{Signer, WorkflowClaims};
