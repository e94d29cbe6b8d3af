//! What `cargo xtask` writes into a copy of this tree (that it compiles there is proven in `.ci/nightly`), and what the
//! pages of `docs/` claim.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod scaffold;
