//! A trust policy with its trust stores.

use std::fmt::Write as _;

use assay_model::{Algorithm, Digest, Hasher};

use super::policy::{OciTrustPolicy, PolicyStatement, TrustedIdentities, Validation};
use super::store::TrustStores;
use crate::x509::Certificate;

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
    /// The hash of the trust material that it is part of.
    material: Option<Digest>,
}

impl<'a> StatementTrust<'a> {
    /// A statement, for example one of a [`BlobTrustPolicy`](super::BlobTrustPolicy).
    pub fn new(statement: &'a PolicyStatement, stores: &'a TrustStores) -> Self {
        Self { statement, stores, material: None }
    }

    /// The statement.
    pub fn statement(&self) -> &'a PolicyStatement {
        self.statement
    }

    /// The certificate of one of its stores that is written with these bytes: it need not be read again.
    pub(super) fn known(&self, der: &[u8]) -> Option<Certificate> {
        let stores = self.statement.stores().iter().filter_map(|store| self.stores.certificates(store));
        stores.flatten().find(|certificate| certificate.der() == der).cloned()
    }

    /// The same as part of trust material: evidence then names that, as evidence of its roots and keys does.
    #[must_use]
    pub(crate) fn of_material(self, material: Digest) -> Self {
        Self { material: Some(material), ..self }
    }

    /// What [`Evidence::trust_root`](crate::Evidence::trust_root) is here: the hash of the trust material that the
    /// statement belongs to, or its own. Which statement of a material applies depends on the repository, so that whoever
    /// keeps evidence of one must keep it by repository, too.
    pub fn trust_root(&self) -> Digest {
        self.material.unwrap_or_else(|| self.hash())
    }

    /// A hash over the statement and the certificates of its stores.
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
