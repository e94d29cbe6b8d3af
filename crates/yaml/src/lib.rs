//! YAML and JSON texts as values that know their place, by the reading of `kubectl` or of the core schema.
//!
//! It is no serializer and maps nothing to types: who asks it wants to point into the user's own file. It is bounded in
//! depth, documents and values, aliases expanded, and never panics.
//!
//! ```
//! use assay_yaml::{Dialect, parse};
//!
//! let documents = parse("kind: Pod\nspec:\n  hostNetwork: yes\n", Dialect::Kubernetes)?;
//! let shared = documents[0].root.at(&["spec", "hostNetwork"]).expect("the field is there");
//! assert_eq!((shared.flag(), shared.place.line, shared.place.column), (Some(true), 3, 16));
//! # Ok::<(), assay_yaml::YamlError>(())
//! ```

mod error;
mod events;
mod scalar;

pub use error::YamlError;
pub use events::{Dialect, Document, Field, Marked, Place, Scalar, Value, parse};
