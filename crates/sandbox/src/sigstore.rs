//! A Sigstore instance of our own: OIDC issuer, Fulcio, certificate log, Rekor in both versions and a timestamp
//! authority.
//!
//! Everything is real (certificates with embedded SCTs, a Merkle tree with inclusion proofs and signed checkpoints,
//! RFC 3161 tokens), but the keys live for as long as the [`Authority`], and its clock is set by whoever holds it. Its
//! [`Authority::trusted_root_json`] is the only root that verifies what it issues.
//!
//! An [`Authority`] works without sockets ([`Authority::services`]); [`Server`] puts it on 127.0.0.1. Either way it
//! misbehaves on demand ([`Authority::set_faults`]).
//!
//! ```
//! use assay_model::Digest;
//! use assay_sandbox::sigstore::{Authority, Identity, evidence};
//! use assay_trust::{EvidenceKind, Signer};
//!
//! let authority = Authority::new("2026-03-01T12:00:00Z".parse()?);
//! let release = Identity::github("company/payments", "release.yml", "refs/heads/main");
//! let image = Digest::of(b"an image manifest");
//! let evidence = evidence::signature(&authority, &release, &image);
//! assert_eq!(evidence.kind(), EvidenceKind::Signature);
//! assert!(matches!(evidence.signer(), Signer::Keyless { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod certificate_log;
mod certificates;
mod clock;
mod encode;
mod envelope;
pub mod evidence;
mod fault;
mod fulcio;
mod identity;
mod issuer;
mod key;
mod log;
mod merkle;
mod note;
mod rekor_v1;
mod rekor_v2;
mod root;
mod server;
mod tiles;
mod timestamp;

pub use authority::{Authority, AuthorityOptions, Local, Refusal};
pub use clock::Clock;
pub use fault::Fault;
pub use identity::{GITHUB_ISSUER, Identity};
pub use key::KeyKind;
pub use server::{CI_TOKEN, Server};

#[cfg(test)]
mod tests;
