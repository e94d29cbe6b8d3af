//! The binary from outside: what it prints, and its exit codes; and the rules that the whole workspace keeps.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod approval;
mod architecture;
mod assay;
#[cfg(feature = "lab")]
mod attacks;
#[cfg(feature = "lab")]
mod attacks_lab;
mod build;
mod check;
mod config;
mod decisions;
mod key;
mod lint;
mod operate;
mod platforms;
mod promotion;
mod reference;
mod root;
mod scan;
mod serve;
#[cfg(feature = "lab")]
mod serve_roots;
mod sign;
mod source_rules;
mod verify;
mod verify_notation;
#[cfg(feature = "lab")]
mod vex;
mod vulnerability;
mod zero_day;
