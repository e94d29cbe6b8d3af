//! Which rule a trust policy breaks.

use assay_model::Explain;

use super::Validation;
use super::document::VERSION;

use crate::notation::name::NameError;

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
