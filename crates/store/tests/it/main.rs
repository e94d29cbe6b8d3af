//! Integration tests of assay-store: one module a behaviour.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod audit;
mod decisions;
mod facts;
mod file;
mod fixture;
mod inventory;
mod killed;
mod ledger;
mod peer;
mod place;
mod postgres;
mod retention;
