//! Chores of this repository: `cargo xtask new-control NAME` and `cargo xtask new-ecosystem NAME` write the files that
//! ARCHITECTURE.md names, filled with something that compiles, and say what to write into them.
//!
//! It is not a part of Assay, and nothing here runs in CI but its tests. That what it writes compiles and is taken up is
//! proven in `.ci/nightly`.
//!
//! ```
//! use xtask::{Name, NameError};
//!
//! let name: Name = "require-owner".parse()?;
//! assert_eq!((name.module(), name.type_name()), ("require_owner".to_owned(), "RequireOwner".to_owned()));
//! assert!("Require_Owner".parse::<Name>().is_err());
//! # Ok::<(), NameError>(())
//! ```

mod name;
mod scaffold;

pub use name::{Name, NameError};
pub use scaffold::{ScaffoldError, new_control, new_ecosystem};
