//! The Gate from the outside: the corpus of decisions, the theorems, and the weaknesses that others had.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod advisories;
mod cases;
mod compile;
mod fixture;
mod memory;
mod namespaces;
mod needs;
mod reference;
mod speed;
mod theorems;
