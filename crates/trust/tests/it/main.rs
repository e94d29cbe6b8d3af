#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod advisories;
mod conformance;
mod mutation;
mod notation;
