//! Who signed.

use std::fmt;

use assay_model::Digest;
use serde::{Deserialize, Serialize};

/// The identity behind a verified signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Signer {
    /// A public key.
    Key {
        /// SHA-256 of the DER-encoded SubjectPublicKeyInfo.
        fingerprint: Digest,
    },
    /// A short-lived certificate of a Sigstore certificate authority.
    Keyless {
        /// The OIDC issuer (Fulcio OID 1.3.6.1.4.1.57264.1.8, or .1).
        issuer: String,
        /// The subject alternative name: a workflow URI or an email address.
        subject: String,
        /// What the certificate says about the build.
        claims: Box<WorkflowClaims>,
    },
    /// A certificate of an X.509 authority that the trust material names: Notation's, or cosign's with a pinned CA.
    Certificate {
        /// Subject distinguished name of the leaf, as RFC 4514 writes it.
        subject: String,
        /// Issuer distinguished name of the leaf, as RFC 4514 writes it.
        issuer: String,
        /// SHA-256 of the leaf's DER.
        fingerprint: Digest,
        /// Name of the authority or trust store that its chain ends in.
        authority: String,
    },
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { fingerprint } => write!(f, "key {}", fingerprint.short()),
            Self::Keyless { subject, .. } | Self::Certificate { subject, .. } => f.write_str(subject),
        }
    }
}

/// The build claims of a Fulcio certificate (sigstore/fulcio, docs/oid-info.md). All of them are the CA's word, taken
/// from the OIDC token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowClaims {
    /// .1.9 build signer URI: the workflow file and ref that signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_signer_uri: Option<String>,
    /// .1.11 runner environment: `github-hosted` or `self-hosted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_environment: Option<String>,
    /// .1.12 source repository URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// .1.13 source repository commit digest, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_digest: Option<String>,
    /// .1.14 source repository ref, for example `refs/heads/main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<String>,
    /// .1.16 source repository owner URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_owner: Option<String>,
    /// .1.18 build configuration URI: the top-level workflow file and ref.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_config_uri: Option<String>,
    /// .1.20 build trigger, for example `push`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_trigger: Option<String>,
    /// .1.21 run invocation URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_invocation_uri: Option<String>,
    /// .1.22 source repository visibility at signing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_visibility: Option<String>,
    /// .1.2 event that started the workflow (GitHub's first object identifiers; .1.20 is its successor).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_trigger: Option<String>,
    /// .1.3 commit of the workflow (successor .1.19 or .1.13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_sha: Option<String>,
    /// .1.4 name of the workflow, without successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// .1.5 `owner/name` of the repository (successor .1.12, a URI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_repository: Option<String>,
    /// .1.6 ref of the workflow (successor .1.14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_ref: Option<String>,
}
