//! The client against the sandbox registry.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod advisories;
mod authentication;
mod copy;
mod local;
mod pull;
mod push;
mod referrers;
mod retry;
mod support;
