//! Trust material: what Claims are verified against.

use std::sync::Arc;

use assay_model::{Algorithm, Digest, Explain, Hasher};

use crate::notation::NotationTrust;
use crate::sigstore::{PublicKey, Root};

/// Largest `trusted_root.json` read; the public-good instance's has 8 KiB.
const ROOT_MAX: usize = 4 << 20;

/// Most roots and most keys of one material: every one of them may be tried for every bundle.
const ENTRIES_MAX: usize = 64;

/// Sigstore trusted roots and public keys, parsed and checked once. Cheap to clone.
///
/// Keys of logs and authorities come from here only, never from a bundle or a service.
#[derive(Clone, Debug)]
pub struct TrustMaterial {
    roots: Vec<Arc<Root>>,
    keys: Vec<TrustedPublicKey>,
    notation: Option<Arc<NotationTrust>>,
    hash: Digest,
}

impl Default for TrustMaterial {
    fn default() -> Self {
        let mut empty = Self { roots: Vec::new(), keys: Vec::new(), notation: None, hash: Digest::of(b"") };
        empty.rehash();
        empty
    }
}

/// A public key that may sign.
#[derive(Clone, Debug)]
pub struct TrustedPublicKey {
    name: Option<String>,
    key: Arc<PublicKey>,
}

impl TrustedPublicKey {
    /// The name given to it, for people.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// SHA-256 of its DER-encoded SubjectPublicKeyInfo: what [`crate::Signer::Key`] carries.
    pub fn fingerprint(&self) -> Digest {
        self.key.fingerprint()
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl TrustMaterial {
    /// Material that trusts nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the root of Sigstore's public-good instance that is compiled in.
    pub fn with_public_good(self) -> Result<Self, MaterialError> {
        self.with_trusted_root(crate::sigstore::PUBLIC_GOOD.as_bytes())
    }

    /// Adds a Sigstore trusted root: the bytes of a `trusted_root.json`
    /// (sigstore/protobuf-specs, `sigstore_trustroot.proto`).
    pub fn with_trusted_root(mut self, json: &[u8]) -> Result<Self, MaterialError> {
        if json.len() > ROOT_MAX {
            return Err(MaterialError::TooLarge { what: "bytes of a trusted root", limit: ROOT_MAX });
        }
        if self.roots.len() >= ENTRIES_MAX {
            return Err(MaterialError::TooLarge { what: "trusted roots", limit: ENTRIES_MAX });
        }
        self.roots.push(Arc::new(Root::parse(json)?));
        self.rehash();
        Ok(self)
    }

    /// Adds a public key: PEM text of a SubjectPublicKeyInfo (ECDSA P-256 or P-384, Ed25519, RSA of 2048 bits or more).
    pub fn with_public_key(self, pem: &str) -> Result<Self, MaterialError> {
        self.add_key(None, pem)
    }

    /// Adds a public key under a name.
    pub fn with_named_key(self, name: &str, pem: &str) -> Result<Self, MaterialError> {
        self.add_key(Some(name.to_owned()), pem)
    }

    fn add_key(mut self, name: Option<String>, pem: &str) -> Result<Self, MaterialError> {
        if self.keys.len() >= ENTRIES_MAX {
            return Err(MaterialError::TooLarge { what: "public keys", limit: ENTRIES_MAX });
        }
        self.keys.push(TrustedPublicKey { name, key: Arc::new(PublicKey::from_pem(pem)?) });
        self.rehash();
        Ok(self)
    }

    /// Takes a Notation trust policy with its trust stores, in place of an earlier one.
    #[must_use]
    pub fn with_notation(mut self, trust: NotationTrust) -> Self {
        self.notation = Some(Arc::new(trust));
        self.rehash();
        self
    }

    /// The Notation trust policy, if there is one.
    pub fn notation(&self) -> Option<&NotationTrust> {
        self.notation.as_deref()
    }

    /// The keys, in the order added.
    pub fn keys(&self) -> &[TrustedPublicKey] {
        &self.keys
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&TrustedPublicKey> {
        self.keys.iter().find(|key| key.name() == Some(name))
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.keys.is_empty() && self.notation.is_none()
    }

    /// A hash over the bytes of all roots and keys, the same in whatever order they were added; names do not count.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    pub(crate) fn roots(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter().map(AsRef::as_ref)
    }

    fn rehash(&mut self) {
        let roots = self.roots.iter().map(|root| (b'r', root.digest()));
        let notation = self.notation.iter().map(|trust| (b'n', trust.hash()));
        let keys = self.keys.iter().map(|key| (b'k', key.fingerprint()));
        let mut parts: Vec<_> = roots.chain(keys).chain(notation).collect();
        parts.sort_unstable();
        parts.dedup();
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"assay trust material v1\n");
        for (sort, digest) in parts {
            hasher.update(&[sort]);
            hasher.update(digest.as_bytes());
        }
        self.hash = hasher.finish();
    }
}

/// Why trust material was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// The bytes are no trusted root, or hold a key or certificate that cannot be used. Fetch the file again.
    #[error("the trusted root cannot be used: {reason}")]
    Root {
        /// What was wrong.
        reason: String,
    },
    /// The text is no PEM public key of a known algorithm.
    #[error("the public key cannot be used: {reason}")]
    Key {
        /// What was wrong.
        reason: String,
    },
    /// A bound was exceeded.
    #[error("too many {what}: at most {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

impl Explain for MaterialError {
    fn code(&self) -> &'static str {
        match self {
            Self::Root { .. } => "trusted-root-invalid",
            Self::Key { .. } => "public-key-invalid",
            Self::TooLarge { .. } => "trust-material-too-large",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_hash_does_not_depend_on_order_names_or_repetition() {
        let one = TrustMaterial::new().with_public_good().unwrap().with_public_key(KEY).unwrap();
        let other = TrustMaterial::new().with_named_key("release", KEY).unwrap().with_public_good().unwrap();
        let twice = other.clone().with_public_key(KEY).unwrap();
        assert_eq!(one.hash(), other.hash());
        assert_eq!(other.hash(), twice.hash());
        assert_ne!(one.hash(), TrustMaterial::new().hash());
        assert_ne!(one.hash(), TrustMaterial::new().with_public_good().unwrap().hash());
    }

    #[test]
    fn keys_are_found_by_name() {
        let material = TrustMaterial::new().with_named_key("release", KEY).unwrap();
        assert_eq!(material.key("release").map(TrustedPublicKey::fingerprint), Some(material.keys()[0].fingerprint()));
        assert!(material.key("other").is_none());
    }

    #[test]
    fn what_is_no_material_is_refused() {
        for bytes in [&b""[..], b"{}", b"[]", b"{\"mediaType\":1}", b"\xff"] {
            assert!(matches!(TrustMaterial::new().with_trusted_root(bytes), Err(MaterialError::Root { .. })));
        }
        for pem in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "key"] {
            assert!(matches!(TrustMaterial::new().with_public_key(pem), Err(MaterialError::Key { .. })));
        }
    }
}
