//! Notation's trust policies: who is trusted for which repository or file, and how strictly.
//!
//! The documents are `trustpolicy.json` (or `trustpolicy.oci.json`) and `trustpolicy.blob.json`, version 1.0
//! (notaryproject/specifications, trust-store-trust-policy.md). A document that breaks a rule is refused as a whole.

use std::collections::BTreeSet;

use assay_model::Explain;
use serde::{Deserialize, Serialize};

use super::name::{DistinguishedName, NameError};
use super::scope::is_scope;
use super::store::{StoreKind, StoreName};

/// Largest trust policy that is read, bytes.
const POLICY_MAX: usize = 1 << 20;
/// Most statements, scopes of one, stores of one, and identities of one.
const ENTRIES_MAX: usize = 1024;
/// The version that is read.
const VERSION: &str = "1.0";
/// Stands for every repository, or every identity.
const WILDCARD: &str = "*";

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<S> {
    #[serde(default)]
    version: String,
    #[serde(default = "Vec::new")]
    trust_policies: Vec<S>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OciStatement {
    #[serde(default)]
    name: String,
    #[serde(default)]
    registry_scopes: Vec<String>,
    #[serde(default)]
    signature_verification: SignatureVerification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlobStatement {
    #[serde(default)]
    name: String,
    #[serde(default)]
    signature_verification: SignatureVerification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
    #[serde(default)]
    global_policy: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignatureVerification {
    #[serde(default)]
    level: String,
    #[serde(default, rename = "override")]
    overrides: Overrides,
    verify_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Overrides {
    integrity: Option<String>,
    authenticity: Option<String>,
    authentic_timestamp: Option<String>,
    expiry: Option<String>,
    revocation: Option<String>,
}

impl Overrides {
    fn of(&self, validation: Validation) -> Option<&str> {
        let value = match validation {
            Validation::Integrity => &self.integrity,
            Validation::Authenticity => &self.authenticity,
            Validation::Expiry => &self.expiry,
            Validation::AuthenticTimestamp => &self.authentic_timestamp,
            Validation::Revocation => &self.revocation,
        };
        value.as_deref()
    }
}

impl OciStatement {
    fn core(&self) -> Core<'_> {
        Core {
            name: &self.name,
            verification: &self.signature_verification,
            stores: &self.trust_stores,
            identities: &self.trusted_identities,
        }
    }
}

impl BlobStatement {
    fn core(&self) -> Core<'_> {
        Core {
            name: &self.name,
            verification: &self.signature_verification,
            stores: &self.trust_stores,
            identities: &self.trusted_identities,
        }
    }
}

/// What statements of both documents have, as written.
struct Core<'a> {
    name: &'a str,
    verification: &'a SignatureVerification,
    stores: &'a [String],
    identities: &'a [String],
}

impl Core<'_> {
    fn check(&self, names: &mut BTreeSet<String>) -> Result<PolicyStatement, PolicyError> {
        if self.name.is_empty() {
            return Err(PolicyError::NoName);
        }
        if !names.insert(self.name.to_owned()) {
            return Err(PolicyError::RepeatedName { statement: self.name() });
        }
        for (what, list) in [("trust stores", self.stores), ("trusted identities", self.identities)] {
            if list.len() > ENTRIES_MAX {
                return Err(PolicyError::TooLarge { what, limit: ENTRIES_MAX });
            }
        }
        let level = self.level()?;
        let actions = self.actions(level)?;
        let verify_timestamp = match self.verification.verify_timestamp.as_deref() {
            None | Some("" | "always") => VerifyTimestamp::Always,
            Some("afterCertExpiry") => VerifyTimestamp::AfterCertExpiry,
            Some(found) => {
                return Err(PolicyError::VerifyTimestamp { statement: self.name(), found: found.to_owned() });
            }
        };
        if level == Level::Skip {
            if !self.stores.is_empty() || !self.identities.is_empty() {
                return Err(PolicyError::SkipWithTrust { statement: self.name() });
            }
        } else if self.stores.is_empty() || self.identities.is_empty() {
            return Err(PolicyError::NoTrust { statement: self.name() });
        }
        Ok(PolicyStatement {
            name: self.name(),
            level,
            actions,
            verify_timestamp,
            stores: self.stores()?,
            identities: self.identities()?,
        })
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn level(&self) -> Result<Level, PolicyError> {
        match self.verification.level.as_str() {
            "strict" => Ok(Level::Strict),
            "permissive" => Ok(Level::Permissive),
            "audit" => Ok(Level::Audit),
            "skip" => Ok(Level::Skip),
            found => Err(PolicyError::Level { statement: self.name(), found: found.to_owned() }),
        }
    }

    fn actions(&self, level: Level) -> Result<[Action; 5], PolicyError> {
        let mut actions = [Action::Skip; 5];
        for (slot, validation) in actions.iter_mut().zip(Validation::ALL) {
            *slot = match self.verification.overrides.of(validation) {
                None => level.action(validation),
                Some(_) if level == Level::Skip => {
                    return Err(PolicyError::OverrideOfSkip { statement: self.name() });
                }
                Some(written) => match (validation, written) {
                    (Validation::Integrity, _) => {
                        return Err(PolicyError::OverrideOfIntegrity { statement: self.name() });
                    }
                    (_, "enforce") => Action::Enforce,
                    (_, "log") => Action::Log,
                    (Validation::Revocation, "skip") => Action::Skip,
                    _ => {
                        let found = written.to_owned();
                        return Err(PolicyError::Override { statement: self.name(), validation, found });
                    }
                },
            };
        }
        Ok(actions)
    }

    /// The stores, each once: naming one twice is harmless, and accepted by the tool that the document is written for.
    fn stores(&self) -> Result<Vec<StoreName>, PolicyError> {
        let mut stores: Vec<StoreName> = Vec::new();
        for written in self.stores {
            let refused = |reason: &str| PolicyError::TrustStore {
                statement: self.name(),
                found: written.clone(),
                reason: reason.to_owned(),
            };
            let (kind, name) = written.split_once(':').ok_or_else(|| refused("it is not written KIND:NAME"))?;
            let kind = StoreKind::from_word(kind)
                .ok_or_else(|| refused("its kind is none of ca, signingAuthority and tsa"))?;
            let store = StoreName::new(kind, name)
                .ok_or_else(|| refused("a name has letters, digits, `_`, `.` and `-` only"))?;
            if !stores.contains(&store) {
                stores.push(store);
            }
        }
        Ok(stores)
    }

    fn identities(&self) -> Result<TrustedIdentities, PolicyError> {
        if self.identities.iter().any(|identity| identity == WILDCARD) {
            return match self.identities.len() {
                1 => Ok(TrustedIdentities::Any),
                _ => Err(PolicyError::WildcardIdentity { statement: self.name() }),
            };
        }
        let mut subjects: Vec<(&str, DistinguishedName)> = Vec::new();
        for written in self.identities {
            let refused = |reason| PolicyError::Identity { statement: self.name(), found: written.clone(), reason };
            let (kind, value) = written.split_once(':').ok_or_else(|| refused(IdentityError::NoKind))?;
            // Identities of other kinds belong to verification plugins, which are not run here: they match nobody.
            if kind != "x509.subject" {
                continue;
            }
            let name = DistinguishedName::parse(value).map_err(|error| refused(IdentityError::Name(error)))?;
            let overlaps = |(_, other): &&(&str, DistinguishedName)| name.is_part_of(other) || other.is_part_of(&name);
            if let Some((other, _)) = subjects.iter().find(overlaps) {
                return Err(PolicyError::OverlappingIdentities {
                    statement: self.name(),
                    first: (*other).to_owned(),
                    second: written.clone(),
                });
            }
            subjects.push((written, name));
        }
        Ok(TrustedIdentities::Subjects(subjects.into_iter().map(|(_, name)| name).collect()))
    }
}

fn read<S: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<Document<S>, PolicyError> {
    if json.len() > POLICY_MAX {
        return Err(PolicyError::TooLarge { what: "bytes", limit: POLICY_MAX });
    }
    let document: Document<S> =
        serde_json::from_slice(json).map_err(|error| PolicyError::Malformed { reason: error.to_string() })?;
    if document.version != VERSION {
        return Err(PolicyError::Version { found: document.version });
    }
    match document.trust_policies.len() {
        0 => Err(PolicyError::Empty),
        found if found > ENTRIES_MAX => Err(PolicyError::TooLarge { what: "statements", limit: ENTRIES_MAX }),
        _ => Ok(document),
    }
}

fn check_scopes(statement: &str, scopes: &[String], known: &mut BTreeSet<String>) -> Result<(), PolicyError> {
    let statement = statement.to_owned();
    if scopes.is_empty() {
        return Err(PolicyError::NoScope { statement });
    }
    if scopes.len() > ENTRIES_MAX {
        return Err(PolicyError::TooLarge { what: "registry scopes", limit: ENTRIES_MAX });
    }
    if scopes.len() > 1 && scopes.iter().any(|scope| scope == WILDCARD) {
        return Err(PolicyError::WildcardScope { statement });
    }
    for scope in scopes {
        if scope != WILDCARD && !is_scope(scope) {
            return Err(PolicyError::Scope { statement, found: scope.clone() });
        }
        if !known.insert(scope.clone()) {
            return Err(PolicyError::RepeatedScope { scope: scope.clone() });
        }
    }
    Ok(())
}

/// Why a trusted identity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It has no kind: write `x509.subject: C=..., ST=..., O=...`.
    #[error("it is not written `x509.subject: NAME`")]
    NoKind,
    /// Its name cannot be matched.
    #[error(transparent)]
    Name(NameError),
}

/// Which rule a trust policy breaks. Nothing is verified with it then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is no JSON of the known form, or has a field that is not known (a misspelt check would not be made).
    #[error("the trust policy cannot be read: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// A bound was exceeded.
    #[error("the trust policy has too many {what}: at most {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// Its version is not `1.0`.
    #[error("the trust policy has version `{found}`, known is {VERSION}")]
    Version {
        /// As written.
        found: String,
    },
    /// It has no statement.
    #[error("the trust policy has no statement")]
    Empty,
    /// A statement has no name.
    #[error("a statement has no name")]
    NoName,
    /// Two statements have one name.
    #[error("several statements are named `{statement}`")]
    RepeatedName {
        /// The name.
        statement: String,
    },
    /// The level is missing or unknown.
    #[error("statement `{statement}` has level `{found}`: it is strict, permissive, audit or skip")]
    Level {
        /// Whose.
        statement: String,
        /// As written.
        found: String,
    },
    /// A statement that skips everything overrides something.
    #[error("statement `{statement}` has level skip, which nothing overrides")]
    OverrideOfSkip {
        /// Whose.
        statement: String,
    },
    /// Integrity is always enforced.
    #[error("statement `{statement}` overrides integrity, which is always enforced")]
    OverrideOfIntegrity {
        /// Whose.
        statement: String,
    },
    /// An override is none of the actions that its check may have: only revocation can be skipped.
    #[error("statement `{statement}` overrides {} with `{found}`: it is enforce or log, and for revocation skip", validation.title())]
    Override {
        /// Whose.
        statement: String,
        /// Of which check.
        validation: Validation,
        /// As written.
        found: String,
    },
    /// When timestamps are verified is neither of the two words.
    #[error("statement `{statement}` has verifyTimestamp `{found}`: it is always or afterCertExpiry")]
    VerifyTimestamp {
        /// Whose.
        statement: String,
        /// As written.
        found: String,
    },
    /// A statement that skips everything names whom it trusts.
    #[error("statement `{statement}` has level skip and yet names trust stores or identities: take them out")]
    SkipWithTrust {
        /// Whose.
        statement: String,
    },
    /// A statement trusts nothing or nobody.
    #[error("statement `{statement}` needs both trust stores and trusted identities")]
    NoTrust {
        /// Whose.
        statement: String,
    },
    /// A trust store is not written as one.
    #[error("statement `{statement}` has trust store `{found}`: {reason}")]
    TrustStore {
        /// Whose.
        statement: String,
        /// As written.
        found: String,
        /// What was wrong.
        reason: String,
    },
    /// `*` stands beside other identities.
    #[error("statement `{statement}` trusts `*` beside other identities: it stands alone")]
    WildcardIdentity {
        /// Whose.
        statement: String,
    },
    /// An identity is not written as one.
    #[error("statement `{statement}` has trusted identity `{found}`: {reason}")]
    Identity {
        /// Whose.
        statement: String,
        /// As written.
        found: String,
        /// What was wrong.
        reason: IdentityError,
    },
    /// One certificate could match two identities of a statement.
    #[error("statement `{statement}` has trusted identities that overlap: `{first}` and `{second}`")]
    OverlappingIdentities {
        /// Whose.
        statement: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A statement is for no repository.
    #[error("statement `{statement}` has no registry scope")]
    NoScope {
        /// Whose.
        statement: String,
    },
    /// `*` stands beside other scopes.
    #[error("statement `{statement}` has scope `*` beside others: it stands alone")]
    WildcardScope {
        /// Whose.
        statement: String,
    },
    /// A scope is no full repository name.
    #[error("statement `{statement}` has scope `{found}`: it is REGISTRY/REPOSITORY, without scheme, tag or pattern")]
    Scope {
        /// Whose.
        statement: String,
        /// As written.
        found: String,
    },
    /// Two statements, or one twice, are for one repository.
    #[error("scope `{scope}` is given more than once")]
    RepeatedScope {
        /// Which.
        scope: String,
    },
    /// Two statements are for whoever names none.
    #[error("several statements have globalPolicy set")]
    GlobalTwice,
    /// The statement for whoever names none skips everything.
    #[error("statement `{statement}` is global and skips everything")]
    GlobalSkip {
        /// Whose.
        statement: String,
    },
}

impl Explain for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "trust-policy-malformed",
            Self::TooLarge { .. } => "trust-policy-too-large",
            Self::Version { .. } => "trust-policy-version",
            Self::Empty | Self::NoName => "trust-policy-incomplete",
            Self::RepeatedName { .. } => "trust-policy-name-repeated",
            Self::Level { .. } => "trust-policy-level",
            Self::OverrideOfSkip { .. } | Self::OverrideOfIntegrity { .. } | Self::Override { .. } => {
                "trust-policy-override"
            }
            Self::VerifyTimestamp { .. } => "trust-policy-timestamp",
            Self::SkipWithTrust { .. } | Self::NoTrust { .. } => "trust-policy-trust",
            Self::TrustStore { .. } => "trust-policy-store",
            Self::WildcardIdentity { .. } | Self::Identity { .. } | Self::OverlappingIdentities { .. } => {
                "trust-policy-identity"
            }
            Self::NoScope { .. } | Self::WildcardScope { .. } | Self::Scope { .. } | Self::RepeatedScope { .. } => {
                "trust-policy-scope"
            }
            Self::GlobalTwice | Self::GlobalSkip { .. } => "trust-policy-global",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Identity { .. } => "write x509.subject: C=..., ST=..., O=..., with \\ before a comma in a value",
            Self::TrustStore { .. } => "write ca:NAME, signingAuthority:NAME or tsa:NAME",
            Self::Malformed { .. } => "compare it with notation's trustpolicy.json, version 1.0",
            _ => return None,
        };
        Some(step.to_owned())
    }
}

#[cfg(test)]
mod tests;
