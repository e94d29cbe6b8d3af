//! Version order and version ranges of every package ecosystem that Assay reads.
//!
//! It is: one comparison per ecosystem (one file each), the event ranges of OSV records, and the short ranges that people type
//! (`<1.3.1`, `>=1,<2`). It is not: a dependency solver, and it knows nothing of package names or advisories.
//!
//! Every comparison is a total order over what the ecosystem's own tool accepts, and lenient beyond it: real advisory data holds
//! versions that no specification allows. Only a text that carries no order at all (empty, `(devel)`, or longer than
//! [`MAX_LENGTH`] bytes) is an error, so that a caller can say "not compared" instead of guessing.
//!
//! A new ecosystem is one file here with a `compare` function, its `mod` line, and its row in the table of [`Scheme`].
//!
//! ```
//! use std::cmp::Ordering;
//! use assay_version::{Range, Scheme};
//!
//! assert_eq!(Scheme::Debian.compare("1:1.2.13.dfsg-1", "1:1.2.13.dfsg-1+deb12u1")?, Ordering::Less);
//! let range: Range = "<1.3.1".parse()?;
//! assert!(!range.contains(Scheme::Debian, "1:1.2.13.dfsg-1")?, "an epoch counts");
//! assert!(range.contains(Scheme::Semver, "1.3.0")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apk;
mod composer;
mod conda;
mod cran;
mod dart;
mod debian;
mod digits;
pub mod events;
mod go;
mod hackage;
mod maven;
mod nuget;
mod pacman;
mod pep440;
mod portage;
mod range;
pub mod rpm;
mod rubygems;
mod scheme;
mod semver;

pub use events::{Event, Interval, IntervalEnd};
pub use range::{Range, RangeError};
pub use scheme::{MAX_LENGTH, Scheme, VersionError};
