//! Reference -> [`Facts`](assay_case::Facts): the only place that joins input and output with analysis.
//!
//! A [`Gatherer`] resolves a reference once, inspects the layers of each platform asked for, matches the packages against
//! the vulnerability pack, and verifies the Sigstore bundles and Notation signatures that refer to the image. What could not be found out is
//! [`Known::Unknown`](assay_case::Known) with the failure's code, never an empty list. It decides nothing.
//!
//! Everything is kept by immutable keys: layers by verified blob digest and analyser version, contents by manifest digest,
//! findings by contents and pack, evidence by subject, bundle and trust material, sealed. A tag is no key: it is asked for
//! again each time. What was read through one credential is not handed to another until that one has read the manifest too.
//!
//! ```no_run
//! use assay_gather::{Access, Gatherer, Options, Wanted};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let access = Access::new(assay_oci::Client::new(assay_oci::ClientOptions::default())?);
//! let gatherer = Gatherer::new(Options::default());
//! let facts = gatherer.facts(&access, &"registry.example.com/payments/api:1.18".parse()?, &Wanted::default()).await;
//! for facts in facts.get().map_err(|cause| cause.message.clone())? {
//!     println!("{} evidence known: {}", facts.subject, facts.evidence.get().is_ok());
//! }
//! # Ok(())
//! # }
//! ```

mod built;
mod contents;
mod evidence;
mod flight;
mod gatherer;
mod memory;
mod options;
mod resolve;
mod revocation;

pub use gatherer::Gatherer;
pub use options::{Access, Clock, Options, Wanted};
pub use revocation::{RevocationFetcher, RevocationOptions};
