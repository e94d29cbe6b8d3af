//! What `cargo xtask` writes into a copy of this tree. That it compiles there is proven in `.ci/nightly`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scaffold;
