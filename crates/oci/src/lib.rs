//! Images where they are: registries, OCI layouts and archives, read and written by digest; the stores of docker, Podman
//! and containerd, read.
//!
//! Every byte is checked against its digest and size before it may be used; a tag is read once. What an image contains is
//! `inspect`'s business, whether a signature is good is `trust`'s.
//!
//! Credentials never leave the origin of their registry: not on redirects, not on upload locations, not to a token server
//! elsewhere. Plain HTTP is for loopback, and for registries that the options name.
//!
//! ```no_run
//! use assay_oci::{Client, ClientOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(ClientOptions::default())?;
//! let resolved = client.resolve(&"registry.example.com/payments/api:1.18".parse()?, None).await?;
//! println!("{}", resolved.subject);
//! for signature in client.referrers(&resolved.subject.repository, resolved.subject.digest, None).await? {
//!     println!("{} {}", signature.digest, signature.artifact_type.unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```

mod attachment;
mod blob;
mod client;
mod copy;
mod error;
mod json;
mod local;
mod location;
mod manifest;
mod platform;
mod source;

pub use attachment::Attachment;
pub use blob::{Blob, BlobReader};
pub use client::{Artifact, ArtifactLayer, Client, ClientOptions, Pushed, Referrers, Resolved, RetryOptions};
pub use copy::{CopyReport, copy};
pub use error::{OciError, Silence};
pub use location::{Engine, ImageSource, Selector};
pub use manifest::{
    CONFIG_MAX, ContainerConfig, Descriptor, HistoryEntry, ImageConfig, ImageIndex, ImageManifest, MANIFEST_MAX,
    Manifest, RawManifest, RootFs, media_type,
};
pub use source::Source;
