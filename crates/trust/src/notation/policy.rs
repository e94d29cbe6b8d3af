//! Notation's trust policies: who is trusted for which repository or file, and how strictly.
//!
//! The documents are `trustpolicy.json` (or `trustpolicy.oci.json`) and `trustpolicy.blob.json`, version 1.0
//! (notaryproject/specifications, trust-store-trust-policy.md). A document that breaks a rule is refused as a whole.

mod document;
mod error;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::name::DistinguishedName;
use super::store::StoreName;
use document::{BlobStatement, Document, OciStatement, WILDCARD, check_scopes, read};

pub use error::{IdentityError, PolicyError};

/// One of the five checks of a signature, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Validation {
    /// The envelope is well formed, its signature fits, and it is about the artifact.
    Integrity,
    /// The chain ends in a trusted certificate, and the subject is a trusted identity.
    Authenticity,
    /// Today is before the end that the signer gave the signature.
    Expiry,
    /// The certificates were valid when the signature was made.
    AuthenticTimestamp,
    /// No certificate is revoked.
    Revocation,
}

impl Validation {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::Integrity, Self::Authenticity, Self::Expiry, Self::AuthenticTimestamp, Self::Revocation];

    /// The words for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::Expiry => "expiry",
            Self::AuthenticTimestamp => "authentic timestamp",
            Self::Revocation => "revocation",
        }
    }
}

/// What a failed check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The signature is refused.
    Enforce,
    /// It is said, and the next check is made.
    Log,
    /// The check is not made.
    Skip,
}

/// A named set of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All five are enforced.
    Strict,
    /// Integrity and authenticity are enforced, the rest is logged.
    Permissive,
    /// Integrity is enforced, the rest is logged.
    Audit,
    /// Nothing is looked at.
    Skip,
}

impl Level {
    fn action(self, validation: Validation) -> Action {
        match (self, validation) {
            (Self::Skip, _) => Action::Skip,
            (Self::Strict, _) | (_, Validation::Integrity) | (Self::Permissive, Validation::Authenticity) => {
                Action::Enforce
            }
            _ => Action::Log,
        }
    }
}

/// When a timestamp countersignature is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerifyTimestamp {
    /// Always, where a store of timestamp authorities is named.
    #[default]
    Always,
    /// Only if a certificate of the signer's chain has expired by now.
    AfterCertExpiry,
}

/// Who may have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedIdentities {
    /// Whoever has a certificate of the trusted authorities.
    Any,
    /// Whose certificate's subject has all attributes of one of these.
    Subjects(Vec<DistinguishedName>),
}

impl TrustedIdentities {
    /// Whether a certificate with this subject is meant.
    pub fn accept(&self, subject: &DistinguishedName) -> bool {
        match self {
            Self::Any => true,
            Self::Subjects(names) => names.iter().any(|name| name.is_part_of(subject)),
        }
    }
}

/// A statement of a trust policy: how signatures of some artifacts are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatement {
    name: String,
    level: Level,
    actions: [Action; 5],
    verify_timestamp: VerifyTimestamp,
    stores: Vec<StoreName>,
    identities: TrustedIdentities,
}

impl PolicyStatement {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its level, before what it overrides.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What a failure of this check means.
    pub fn action(&self, validation: Validation) -> Action {
        self.actions[validation as usize]
    }

    /// When timestamps are verified.
    pub fn verify_timestamp(&self) -> VerifyTimestamp {
        self.verify_timestamp
    }

    /// The trust stores that it names, each once.
    pub fn stores(&self) -> &[StoreName] {
        &self.stores
    }

    /// The trusted identities.
    pub fn identities(&self) -> &TrustedIdentities {
        &self.identities
    }
}

/// A trust policy for images: statements by repository.
///
/// ```
/// use assay_trust::notation::{Action, OciTrustPolicy, Validation};
///
/// let policy = OciTrustPolicy::parse(br#"{"version": "1.0", "trustPolicies": [{
///     "name": "ours",
///     "registryScopes": ["registry.example.com/release/api"],
///     "signatureVerification": {"level": "strict", "override": {"expiry": "log"}},
///     "trustStores": ["ca:ours"],
///     "trustedIdentities": ["x509.subject: C=US, ST=WA, O=example.com"]
/// }]}"#)?;
/// let statement = policy.statement("registry.example.com/release/api").expect("the scope is named");
/// assert_eq!(statement.action(Validation::Expiry), Action::Log);
/// assert!(policy.statement("registry.example.com/other").is_none());
/// # Ok::<(), assay_trust::notation::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciTrustPolicy {
    statements: Vec<(Vec<String>, PolicyStatement)>,
}

impl OciTrustPolicy {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// The first rule that it breaks, see [`PolicyError`].
    pub fn parse(json: &[u8]) -> Result<Self, PolicyError> {
        let document: Document<OciStatement> = read(json)?;
        let mut names = BTreeSet::new();
        let mut scopes = BTreeSet::new();
        let mut statements = Vec::new();
        for raw in document.trust_policies {
            let statement = raw.core().check(&mut names)?;
            check_scopes(&statement.name, &raw.registry_scopes, &mut scopes)?;
            statements.push((raw.registry_scopes, statement));
        }
        Ok(Self { statements })
    }

    /// The statement for `registry/path/of/repository`: the one that names it, else the one for all.
    pub fn statement(&self, repository: &str) -> Option<&PolicyStatement> {
        let of = |scope: &str| {
            self.statements.iter().find(|(scopes, _)| scopes.iter().any(|known| known == scope)).map(|(_, found)| found)
        };
        of(repository).or_else(|| of(WILDCARD))
    }

    /// All statements.
    pub fn statements(&self) -> impl Iterator<Item = &PolicyStatement> {
        self.statements.iter().map(|(_, statement)| statement)
    }

    pub(super) fn scoped(&self) -> impl Iterator<Item = (&[String], &PolicyStatement)> {
        self.statements.iter().map(|(scopes, statement)| (scopes.as_slice(), statement))
    }
}

/// A trust policy for files: statements by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobTrustPolicy {
    statements: Vec<PolicyStatement>,
    global: Option<usize>,
}

impl BlobTrustPolicy {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// The first rule that it breaks, see [`PolicyError`].
    pub fn parse(json: &[u8]) -> Result<Self, PolicyError> {
        let document: Document<BlobStatement> = read(json)?;
        let mut names = BTreeSet::new();
        let (mut statements, mut global) = (Vec::new(), None);
        for raw in document.trust_policies {
            let statement = raw.core().check(&mut names)?;
            if raw.global_policy {
                if statement.level == Level::Skip {
                    return Err(PolicyError::GlobalSkip { statement: statement.name });
                }
                if global.replace(statements.len()).is_some() {
                    return Err(PolicyError::GlobalTwice);
                }
            }
            statements.push(statement);
        }
        Ok(Self { statements, global })
    }

    /// The statement of this name.
    pub fn statement(&self, name: &str) -> Option<&PolicyStatement> {
        self.statements.iter().find(|statement| statement.name == name)
    }

    /// The statement for whoever names none.
    pub fn global(&self) -> Option<&PolicyStatement> {
        self.statements.get(self.global?)
    }

    /// All statements.
    pub fn statements(&self) -> impl Iterator<Item = &PolicyStatement> {
        self.statements.iter()
    }
}

#[cfg(test)]
mod tests;
