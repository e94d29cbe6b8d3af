//! A trust policy with its trust stores.

use std::fmt::Write as _;

use assay_model::{Algorithm, Digest, Hasher};

use super::policy::{OciTrustPolicy, PolicyStatement, TrustedIdentities, Validation};
use super::store::TrustStores;

/// A trust policy for images, with the stores that it names. What [`TrustMaterial`](crate::TrustMaterial) holds.
#[derive(Clone, Debug)]
pub struct NotationTrust {
    policy: OciTrustPolicy,
    stores: TrustStores,
}

impl NotationTrust {
    /// Puts the two together. A store that is named and missing fails the signatures that need it, not the policy.
    pub fn new(policy: OciTrustPolicy, stores: TrustStores) -> Self {
        Self { policy, stores }
    }

    /// What applies to `registry/path/of/repository`; none where no statement does, and then no signature counts.
    pub fn for_repository(&self, repository: &str) -> Option<StatementTrust<'_>> {
        self.policy.statement(repository).map(|statement| StatementTrust::new(statement, &self.stores))
    }

    /// A hash over everything that decides.
    pub(crate) fn hash(&self) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"assay notation policy v1\n");
        for (scopes, statement) in self.policy.scoped() {
            for scope in scopes {
                hasher.update(scope.as_bytes());
                hasher.update(b"\n");
            }
            hasher.update(StatementTrust::new(statement, &self.stores).hash().as_bytes());
        }
        hasher.finish()
    }
}

/// One statement of a trust policy, with the trust stores. See [`StatementTrust::verify`].
#[derive(Clone, Copy, Debug)]
pub struct StatementTrust<'a> {
    pub(super) statement: &'a PolicyStatement,
    pub(super) stores: &'a TrustStores,
}

impl<'a> StatementTrust<'a> {
    /// A statement, for example one of a [`BlobTrustPolicy`](super::BlobTrustPolicy).
    pub fn new(statement: &'a PolicyStatement, stores: &'a TrustStores) -> Self {
        Self { statement, stores }
    }

    /// The statement.
    pub fn statement(&self) -> &'a PolicyStatement {
        self.statement
    }

    /// A hash over the statement and the certificates of its stores: what
    /// [`Evidence::trust_root`](crate::Evidence::trust_root) is here. Evidence of one statement is none under another,
    /// even if both belong to one policy: the repository decides which applies.
    pub fn hash(&self) -> Digest {
        let statement = self.statement;
        let mut text = String::from("assay notation statement v1\n");
        // Writing to a String cannot fail.
        let _ = write!(text, "{}\n{:?}\n", statement.name(), statement.verify_timestamp());
        for validation in Validation::ALL {
            let _ = writeln!(text, "{validation:?} {:?}", statement.action(validation));
        }
        match statement.identities() {
            TrustedIdentities::Any => text.push_str("any\n"),
            TrustedIdentities::Subjects(names) => {
                for name in names {
                    let _ = writeln!(text, "subject {name:?}");
                }
            }
        }
        for store in statement.stores() {
            let _ = writeln!(text, "store {store}");
            for certificate in self.stores.certificates(store).unwrap_or_default() {
                let _ = writeln!(text, "{}", certificate.fingerprint());
            }
        }
        Digest::of(text.as_bytes())
    }
}
