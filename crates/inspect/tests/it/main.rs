//! What inspection finds, from bytes to contents.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod advisories;
mod archive;
mod bench_images;
mod configuration;
mod directories;
mod fixtures;
mod hostile;
mod hostile_corpus;
mod layers;
mod reference;
mod secrets_in_layers;
mod standing;
