//! A private supply chain on loopback: what `assay lab`, the drills and the tests run against.
//!
//! Nothing here is for production. Everything listens on 127.0.0.1 only, keeps its state in memory, and gives the same
//! bytes for the same input.

mod image;
mod registry;
pub mod sigstore;
pub mod tuf;

pub use image::{BuiltImage, ImageBuilder};
pub use registry::{Authentication, Endpoint, Fault, Registry, RegistryOptions, RequestRecord, StoredManifest};
