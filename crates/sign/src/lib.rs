//! Signing: statements about a digest, signed with a key or with a short-lived certificate, written as Sigstore bundles
//! (version 0.3) and described as OCI 1.1 referrers.
//!
//! This crate makes Claims. It does not decide who may sign, and what it makes counts for nothing until `assay-trust`
//! has verified it. It does not push either: [`SignedBundle::artifact`] is what a registry client attaches.
//!
//! ```
//! use assay_model::Digest;
//! use assay_sign::{KeyAlgorithm, KeySigner, PrivateKey, Statement};
//! use assay_trust::{Artifact, TrustMaterial, verify_bundle};
//!
//! let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
//! let material = TrustMaterial::new().with_public_key(&key.public_key_pem()?)?;
//! let image = Digest::of(b"an image manifest");
//!
//! let bundle = KeySigner::new(key).sign_now(&Statement::image_signature(&image))?;
//! let now = "2026-11-21T08:00:00Z".parse()?;
//! let evidence = verify_bundle(bundle.bytes(), Artifact::Digest(image), &material, now)?;
//! assert_eq!(evidence.subject(), image);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bundle;
mod environment;
mod error;
mod fulcio;
mod http;
mod key;
mod kms;
mod legacy;
mod notation;
mod oidc;
mod referrer;
mod registry_identity;
mod rekor;
mod services;
mod signer;
mod signing_config;
mod signing_key;
mod statement;
mod timestamp;
mod token;
mod tuf;

pub use bundle::{BUNDLE_MEDIA_TYPE, SignedBundle, SignedMessage};
pub use environment::Environment;
pub use error::SignError;
pub use http::Http;
pub use key::{KeyAlgorithm, PrivateKey, PublicKey, SignatureScheme};
pub use kms::{KeyService, KeyServiceError};
pub use legacy::{LegacyImage, LegacyLayer, simple_signing_payload};
pub use notation::{
    Envelope as NotationEnvelope, NOTATION_CONFIG_TYPE, NotationRequest, NotationSignature, NotationSigner,
};
pub use oidc::{Ambient, DeviceCode, DeviceFlow, PUBLIC_GOOD_ISSUER, TokenSourceError, ambient_token};
pub use registry_identity::{RegistryCloud, RegistryIdentity};
pub use services::{Endpoints, HttpServices, Instances, NoServices, Service, Services, SigningConfig};
pub use signer::{KeySigner, KeylessSigner, Signer, WitnessedKeySigner};
pub use signing_config::{LogVersions, SIGNING_CONFIG_MEDIA_TYPE, SigningConfigFile};
pub use signing_key::SigningKey;
pub use statement::Statement;
pub use token::{IdentityToken, TOKEN_AUDIENCE, TOKEN_VARIABLE};
pub use tuf::{
    RefreshFailure, RefresherHandle, RootRefresher, RootState, TufClient, TufError, TufInstance, TufOptions, TufRoots,
    TufSession, TufVersions,
};
