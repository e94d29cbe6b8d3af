//! Integration tests of assay-kube: one module a behaviour.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod parity;
