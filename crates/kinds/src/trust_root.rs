//! `TrustRoot`: the material that evidence is verified against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Span, Spec};

/// Trust material by name; Environments name the TrustRoots that count for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrustRootSpec {
    /// A Sigstore trusted root: certificate authorities, logs and timestamp authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigstore: Option<SigstoreRoot>,
    /// Public keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
    /// A Notation trust policy with its trust stores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notation: Option<NotationTrust>,
}

impl Spec for TrustRootSpec {
    const KIND: &'static str = "TrustRoot";
}

/// Where a Sigstore trusted root comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SigstoreRoot {
    /// The public-good instance's root that is built in: `sigstore: publicGood`.
    PublicGood,
    /// GitHub's root that is built in, for attestations of private repositories: `sigstore: github`.
    Github,
    /// The staging instance's root that is built in, for tests only: `sigstore: staging`.
    Staging,
    /// The newest root of a TUF repository, renewed by servers in the background: `sigstore: {tuf: {...}}`.
    Tuf(TufRepository),
    /// A `trusted_root.json` beside the file that names it: `sigstore: {file: ...}`.
    File(String),
    /// The JSON text itself: `sigstore: {inline: ...}`.
    Inline(String),
}

/// A TUF repository (The Update Framework) that holds a `trusted_root.json`: that of a known `instance`, or any other by
/// its `mirror` and first `root`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TufRepository {
    /// An instance whose first root is built in; until a newer one was fetched, its trusted root is the one built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<SigstoreInstance>,
    /// Address of the repository; an instance has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The first `root.json`, a file beside the one that names it; for a repository that is no known instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// How often servers ask for a newer root: six hours unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_every: Option<Span>,
}

/// An instance whose roots are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SigstoreInstance {
    /// Sigstore's public-good instance.
    PublicGood,
    /// GitHub's.
    Github,
    /// Sigstore's staging instance, for tests only.
    Staging,
}

/// A public key that Environments name in their signers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedKey {
    /// The name that signers use.
    pub name: String,
    /// PEM text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// A PEM file beside the file that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Whose Notation signatures count: statements as in notation's `trustpolicy.json`, version 1.0, and the trust stores
/// that they name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotationTrust {
    /// Statements, by repository.
    pub trust_policies: Vec<NotationStatement>,
    /// Trust stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_stores: Vec<NotationStore>,
}

/// How signatures of images in some repositories are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotationStatement {
    /// Its name, for people.
    pub name: String,
    /// Repositories, `registry/path`; or `*` alone, for all that no other statement names.
    pub registry_scopes: Vec<String>,
    /// How strictly.
    pub signature_verification: NotationVerification,
    /// Stores that a signer's certificates may lead to: `ca:NAME`, `signingAuthority:NAME`, `tsa:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_stores: Vec<String>,
    /// Signers: `x509.subject: C=..., ST=..., O=...`, or `*` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_identities: Vec<String>,
}

/// How strictly signatures are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotationVerification {
    /// `strict`, `permissive`, `audit` or `skip`.
    pub level: String,
    /// Actions of single checks instead of the level's: `authenticity`, `authenticTimestamp`, `expiry`, `revocation`, each
    /// `enforce` or `log`, the last also `skip`.
    #[serde(default, rename = "override", skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, String>,
    /// `always` (the default) or `afterCertExpiry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_timestamp: Option<String>,
}

/// A trust store: root certificates under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotationStore {
    /// `ca`, `signingAuthority` or `tsa`.
    #[serde(rename = "type")]
    pub kind: NotationStoreKind,
    /// Its name: letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// PEM text of its certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// PEM or DER files beside the file that names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// What a trust store's authorities vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum NotationStoreKind {
    /// Signers.
    Ca,
    /// Signers and their signing time.
    SigningAuthority,
    /// Timestamps.
    Tsa,
}
