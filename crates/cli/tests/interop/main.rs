//! Assay beside the programs that others wrote for the same formats: what one signs, the other verifies, and what one
//! refuses, the other refuses too. Everything listens on 127.0.0.1; `tests/peers/install.sh` builds the others.
//!
//! Where a program is missing its tests say so and pass; with `ASSAY_INTEROP=required` they fail.
#![cfg(feature = "lab")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod cosign;
mod findings;
mod home;
mod keyless;
mod notation;
mod peer;
mod registry;
mod scanners;
mod service;
mod sigstore;
