//! What inspection finds, from bytes to contents.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod bench_images;
