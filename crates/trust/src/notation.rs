//! Notation (Notary Project) signatures: X.509 signatures on images and files, judged by a trust policy.
//!
//! [`StatementTrust::verify`] makes the five checks of the specification (integrity, authenticity, expiry, authentic
//! timestamp, revocation) and gives a [`NotationOutcome`]: every check's result with the action that the policy's level
//! gives it, and [`Evidence`](crate::Evidence) where the signature counts and its signer is trusted.
//!
//! What it is not: there are no verification plugins (a signature that asks for one is refused by name), nothing is
//! fetched (revocation is judged from what the caller supplies, see [`RevocationData`](crate::RevocationData)), and no
//! directory is read (see [`TrustStores::with_file`]).
//!
//! Source: notaryproject/specifications, `signature-specification.md`, `signature-envelope-jws.md`,
//! `signature-envelope-cose.md`, `signing-scheme.md` and `trust-store-trust-policy.md`.

mod chain;
mod cose;
mod envelope;
mod error;
mod jws;
mod name;
mod policy;
mod scope;
mod store;
mod timestamp;
mod trust;
mod verify;

pub use chain::{CertificateRule, ChainError};
pub use envelope::{EnvelopeFormat, SignedArtifact, SigningScheme};
pub use error::NotationError;
pub use name::{DistinguishedName, NameError};
pub use policy::{
    Action, BlobTrustPolicy, IdentityError, Level, OciTrustPolicy, PolicyError, PolicyStatement, TrustedIdentities,
    Validation, VerifyTimestamp,
};
pub use store::{StoreError, StoreKind, StoreName, TrustStores};
pub use trust::{NotationTrust, StatementTrust};
pub use verify::{NotationOutcome, SignatureDetails, ValidationResult};
