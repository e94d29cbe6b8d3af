//! Behaviour of the crate as its users see it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod foreign;
mod generated;
mod properties;
mod schema;
mod snapshot;
