#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod examples;
mod hostile;
mod ignoring;
mod positions;
mod reference;
