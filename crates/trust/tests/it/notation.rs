//! Notation: corpora, trust policies and checks, mutations, revocation.

mod advisories;
mod corpora;
mod forge;
mod mutation;
mod revocation;
mod verdicts;
