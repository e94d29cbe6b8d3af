//! `TrustRoot`: the material that evidence is verified against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Spec;

/// Trust material by name; Environments name the TrustRoots that count for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrustRootSpec {
    /// A Sigstore trusted root: certificate authorities, logs and timestamp authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigstore: Option<SigstoreRoot>,
    /// Public keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
}

impl Spec for TrustRootSpec {
    const KIND: &'static str = "TrustRoot";
}

/// Where a Sigstore trusted root comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SigstoreRoot {
    /// The public-good instance's root that is built in: `sigstore: publicGood`.
    PublicGood,
    /// A `trusted_root.json` beside the file that names it: `sigstore: {file: ...}`.
    File(String),
    /// The JSON text itself: `sigstore: {inline: ...}`.
    Inline(String),
}

/// A public key that Environments name in their signers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
