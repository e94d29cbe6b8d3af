//! Integration tests of assay-server over real TLS: one module a behaviour.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
mod alerts;
mod bad_input;
#[path = "../../../gate/tests/it/fixture.rs"]
#[allow(dead_code, reason = "the theorems of the gate use the rest")]
mod case;
mod cases;
mod certificate;
mod clock;
mod fixture;
mod gathering;
mod mutate;
mod operations;
mod parity;
#[path = "../../../store/tests/it/peer.rs"]
mod postgresql;
mod pressure;
mod records;
mod replicas;
