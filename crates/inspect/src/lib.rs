//! Bytes -> [`Contents`](assay_model::Contents): what an image layer, an image or a directory holds.
//!
//! One streaming pass over each layer ([`inspect_layer`]) finds package databases, installed packages, build information
//! in executables, Java archives and secrets; [`merge`] puts the layers on top of each other; [`inspect_directory`] does
//! the same for a folder, [`inspect_cluster`] for what `kubectl` says of a cluster. Nothing is unpacked to disk, every reader is bounded by [`Limits`], and whatever was not read to
//! its end is named in `partial`: an unknown is never passed off as clean.
//!
//! It does not fetch anything, reads no clock, matches no vulnerabilities and decides nothing. How versions compare is
//! `assay-version`'s concern.
//!
//! ```
//! use assay_inspect::{Limits, inspect_layer, merge};
//! use assay_model::Digest;
//!
//! let blob = [0; 1024]; // an empty tar; in life, a blob of a registry or a file
//! let layer = inspect_layer(&blob[..], &Digest::of(&blob), "application/vnd.oci.image.layer.v1.tar", &Limits::default())?;
//! let contents = merge(&[layer], None);
//! assert_eq!(contents.layers.len(), 1);
//! assert!(contents.packages.is_empty() && contents.partial.is_empty());
//! # Ok::<(), assay_inspect::LayerError>(())
//! ```
//!
//! Memory: some megabytes of buffers and results, and the largest single file that a parser needs as a whole (a package
//! database, a jar, the data of an executable without its machine code). A typical image stays below 120 MB.
//!
//! A new package ecosystem is one file in `src/ecosystems/`, with its row in the table of `src/ecosystems.rs`; [`registry`]
//! lists what there is.

mod analyse;
mod chunked;
mod cluster;
mod config;
mod directory;
mod ecosystems;
mod elf;
mod error;
mod inflate;
mod layer;
mod licence;
mod limits;
mod merge;
mod os_release;
mod path;
mod pe;
mod secrets;
mod sqlite;
mod tar;
mod xml;
mod zip;

pub use chunked::{TablePlace, inspect_by_table};
pub use cluster::{Cluster, inspect_cluster};
pub use config::{CONFIG_BYTES, CONFIG_PATH, ImageConfiguration, scan_config};
pub use directory::{
    DirectoryOptions, inspect_archive, inspect_bytes, inspect_directory, inspect_file, inspect_root, is_archive,
};
pub use ecosystems::{About, Scope, known_programs, registry};
pub use error::{ClusterError, ConfigError, DirectoryError, LayerError, TableError};
pub use layer::{Fact, LayerResult, Says, inspect_layer};
pub use limits::Limits;
pub use merge::merge;
pub use secrets::{INSTALLED_LIBRARIES, LIBRARY_TEST_FOLDERS, SKIPPED_PATHS, SecretRules, SecretRulesError};

/// Version of the analyser: it grows with every change of what is found, so that results of older ones are not reused.
pub const ANALYSER: u32 = 4;
