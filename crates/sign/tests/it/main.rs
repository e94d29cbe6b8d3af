#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kms;
mod notation;
mod oidc;
mod referrer;
mod registry_identity;
mod signing;
mod stand_in;
mod tuf;
mod witness;
