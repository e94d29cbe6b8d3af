//! Integration tests of the vulnerability crate.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod advisories;
mod contents;
mod corpus;
mod embedded;
mod feeds;
mod hostile_packs;
mod inputs;
mod matching;
mod order;
mod packs;
mod pitfalls;
mod rematch;
mod shapes;
mod vex;
