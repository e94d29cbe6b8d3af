//! Who made it: Claims, trust roots and a time go in, [`Evidence`] comes out.
//!
//! This crate never uses a network or a clock. It verifies bytes that it is handed against trust material that it is
//! handed, at a time that it is handed, and says who signed what and when. Whether that signer is *wanted* is the
//! Gate's business.
//!
//! [`Evidence`] has no public constructor: it comes from a verification in this crate, or back from the store through
//! [`Evidence::restore`], which checks a keyed hash.
//!
//! ```
//! use assay_model::Digest;
//! use assay_trust::{Artifact, TrustMaterial, VerifyError, verify_bundle};
//!
//! let material = TrustMaterial::new().with_public_good()?;
//! let claimed = Artifact::Digest(Digest::of(b"an image manifest"));
//! let now = "2026-11-21T08:00:00Z".parse()?;
//! // What is no bundle is a cause, never a pass.
//! let refused = verify_bundle(b"{}", claimed, &material, now);
//! assert!(matches!(refused, Err(VerifyError::Malformed { part: "bundle", .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod crypto;
mod dsse;
mod error;
mod evidence;
mod identity;
mod material;
pub mod merkle;
pub mod notation;
mod npm;
mod pem;
mod policy;
mod predicate;
pub mod predicates;
mod revocation;
mod signer;
mod sigstore;
mod slsa;
mod statement;
mod timestamp;
mod verify;
mod x509;

pub use dsse::{IN_TOTO_PAYLOAD_TYPE, pae};
pub use error::VerifyError;
pub use evidence::{Check, CheckName, Evidence, EvidenceKind, RestoreError, SealedEvidence, SealingKey};
pub use identity::{Pattern, PatternError};
pub use material::{KeyValidity, MaterialError, TrustMaterial, TrustedPublicKey};
pub use npm::{NpmError, NpmEvidence, verify_npm};
pub use policy::{Claim, IdentityMismatch, IdentityPolicy};
pub use predicate::{
    AttributeReport, LinkSummary, Material, Predicate, Provenance, RawPredicate, ReleaseSummary, SbomFormat,
    SbomSummary, ScanSummary, TestResult, TestSummary, VerificationSummary, VexStatement, VexStatus,
};
pub use revocation::{RevocationData, RevocationRequest, revocation_list_expiry};
pub use signer::{Signer, WorkflowClaims};
pub use sigstore::cosign::CosignLayer;
pub use slsa::{BuildExpectation, BuildMismatch, BuilderId, VerifiedBuild};
pub use verify::{
    Artifact, verify_bundle, verify_cosign_attestation, verify_cosign_signature, verify_envelope, verify_file,
};
