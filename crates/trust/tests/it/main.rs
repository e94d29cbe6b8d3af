#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod advisories;
mod conformance;
mod connaisseur;
mod corpus;
mod legacy;
mod merkle;
mod mutation;
mod notation;
mod npm;
mod oracle;
mod predicates;
mod sigstore_python;
mod slsa_verifier;
