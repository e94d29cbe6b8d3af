//! Who we are to registries: docker's `config.json`, Podman's `auth.json`, credential helpers, pull Secrets, the node's
//! credential-provider plugins, and what the caller says.
//!
//! It finds credentials; it never sends them, and it reads no environment variable: [`Sources`] says where to look.
//! The environment comes in once, in [`Sources::from_environment`].
//!
//! [`tls`] is the other half: whom we believe on the way there.
//!
//! Credentials belong to exactly one registry host. A look-alike (`registry.example.com.evil.test`, another port, a
//! host that merely ends alike) gets nothing.
//!
//! ```
//! use assay_credentials::{Credential, Keychain, Sources};
//! use assay_model::Secret;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let keychain = Keychain::new(Sources::default())
//!     .with("registry.example.com/payments", Credential::basic("ci", "hunter2"))?;
//! let repository = "registry.example.com/payments/api".parse()?;
//! assert!(keychain.credential(&repository).await?.is_some());
//! let elsewhere = "registry.example.com.evil.test/payments/api".parse()?;
//! assert!(keychain.credential(&elsewhere).await?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aws;
mod error;
mod file;
mod helper;
mod keychain;
mod plugin;
mod process;
mod scope;
mod sources;
pub mod tls;

pub use error::CredentialError;
pub use keychain::{Credential, Keychain, Provider};
pub use plugin::KubeletPlugins;
pub use sources::Sources;
