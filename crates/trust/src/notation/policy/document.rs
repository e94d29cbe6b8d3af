//! The documents as they are written, and the rules that they have to keep.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    Action, IdentityError, Level, PolicyError, PolicyStatement, TrustedIdentities, Validation, VerifyTimestamp,
};
use crate::notation::name::DistinguishedName;
use crate::notation::scope::is_scope;
use crate::notation::store::{StoreKind, StoreName};

/// Largest trust policy that is read, bytes.
pub(super) const POLICY_MAX: usize = 1 << 20;
/// Most statements, scopes of one, stores of one, and identities of one.
const ENTRIES_MAX: usize = 1024;
/// The version that is read.
pub(super) const VERSION: &str = "1.0";
/// Stands for every repository, or every identity.
pub(super) const WILDCARD: &str = "*";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document<S> {
    #[serde(default)]
    version: String,
    #[serde(default = "Vec::new")]
    pub(super) trust_policies: Vec<S>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OciStatement {
    #[serde(default)]
    name: String,
    #[serde(default)]
    pub(super) registry_scopes: Vec<String>,
    #[serde(default)]
    signature_verification: SignatureVerification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BlobStatement {
    #[serde(default)]
    name: String,
    #[serde(default)]
    signature_verification: SignatureVerification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
    #[serde(default)]
    pub(super) global_policy: bool,
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
    pub(super) fn core(&self) -> Core<'_> {
        Core {
            name: &self.name,
            verification: &self.signature_verification,
            stores: &self.trust_stores,
            identities: &self.trusted_identities,
        }
    }
}

impl BlobStatement {
    pub(super) fn core(&self) -> Core<'_> {
        Core {
            name: &self.name,
            verification: &self.signature_verification,
            stores: &self.trust_stores,
            identities: &self.trusted_identities,
        }
    }
}

/// What statements of both documents have, as written.
pub(super) struct Core<'a> {
    pub(super) name: &'a str,
    verification: &'a SignatureVerification,
    stores: &'a [String],
    identities: &'a [String],
}

impl Core<'_> {
    pub(super) fn check(&self, names: &mut BTreeSet<String>) -> Result<PolicyStatement, PolicyError> {
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

pub(super) fn read<S: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<Document<S>, PolicyError> {
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

pub(super) fn check_scopes(
    statement: &str,
    scopes: &[String],
    known: &mut BTreeSet<String>,
) -> Result<(), PolicyError> {
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
