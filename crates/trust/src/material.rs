//! Trust material: what Claims are verified against.

use std::sync::Arc;

use assay_model::{Algorithm, Digest, Explain, Hasher, Timestamp};

use crate::crypto::PublicKey;
use crate::notation::{NotationTrust, StatementTrust};
use crate::sigstore::root::{self, Root};
use crate::x509::{Anchor, Certificate};

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
    authorities: Vec<Arc<Authority>>,
    hash: Digest,
}

impl Default for TrustMaterial {
    fn default() -> Self {
        let mut empty = Self {
            roots: Vec::new(),
            keys: Vec::new(),
            authorities: Vec::new(),
            notation: None,
            hash: Digest::of(b""),
        };
        empty.rehash();
        empty
    }
}

/// A pinned X.509 authority: certificates that are trusted under a name.
#[derive(Debug)]
pub(crate) struct Authority {
    name: String,
    anchors: Vec<Anchor>,
    digest: Digest,
}

impl Authority {
    /// The name given to it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its certificates.
    pub(crate) fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// Whether it has the issuer of one of these certificates, or one of them itself.
    pub(crate) fn may_have_issued(&self, certificates: &[Certificate]) -> bool {
        let anchors = || self.anchors.iter().map(Anchor::certificate);
        certificates.iter().any(|certificate| {
            anchors().any(|anchor| anchor.subject() == certificate.issuer() || anchor.der() == certificate.der())
        })
    }
}

/// A public key that may sign.
#[derive(Clone, Debug)]
pub struct TrustedPublicKey {
    name: Option<String>,
    key: Arc<PublicKey>,
    validity: KeyValidity,
}

/// When a key may sign, both ends included; none means no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyValidity {
    /// First moment.
    pub from: Option<Timestamp>,
    /// Last moment.
    pub until: Option<Timestamp>,
}

impl KeyValidity {
    /// Whether a signature of this time counts.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at <= until)
    }
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

    /// When it may sign.
    pub fn validity(&self) -> KeyValidity {
        self.validity
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What of it decides: the key, and its validity where it has ends.
    fn digest(&self) -> Digest {
        let KeyValidity { from, until } = self.validity;
        if (from, until) == (None, None) {
            return self.fingerprint();
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(self.fingerprint().as_bytes());
        hasher.update(format!("{from:?} {until:?}").as_bytes());
        hasher.finish()
    }
}

impl TrustMaterial {
    /// Material that trusts nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the root of Sigstore's public-good instance that is compiled in.
    pub fn with_public_good(self) -> Result<Self, MaterialError> {
        self.with_trusted_root(root::PUBLIC_GOOD.as_bytes())
    }

    /// Adds the root of GitHub's own instance that is compiled in: it signs attestations of private repositories.
    pub fn with_github(self) -> Result<Self, MaterialError> {
        self.with_trusted_root(root::GITHUB.as_bytes())
    }

    /// Adds the root of Sigstore's staging instance that is compiled in. Anyone can get a certificate of it for anything
    /// they can log in as, and its logs are thrown away now and then: for tests only.
    pub fn with_staging(self) -> Result<Self, MaterialError> {
        self.with_trusted_root(root::STAGING.as_bytes())
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

    /// Adds a pinned X.509 authority under a name: PEM text of one or more certificates, each of which is trusted by
    /// itself. Leaves below it are verified for code signing, and signers are [`crate::Signer::Certificate`] with this
    /// name.
    ///
    /// Its leaves need no transparency log. An entry or timestamp that is there must hold in one of the trusted roots; it
    /// then tells the time. Without one the leaf must be valid when it is verified.
    pub fn with_authority(mut self, name: &str, pem: &str) -> Result<Self, MaterialError> {
        if self.authorities.len() >= ENTRIES_MAX {
            return Err(MaterialError::TooLarge { what: "authorities", limit: ENTRIES_MAX });
        }
        let refuse = |reason: String| MaterialError::Authority { name: name.to_owned(), reason };
        let certificates = Certificate::parse_pem(pem, ENTRIES_MAX).map_err(|error| refuse(error.to_string()))?;
        if let Some(other) = certificates.iter().find(|certificate| certificate.authority().is_none()) {
            return Err(refuse(format!("`{}` is no certificate of an authority", other.subject_text())));
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(Digest::of(name.as_bytes()).as_bytes());
        for certificate in &certificates {
            hasher.update(certificate.fingerprint().as_bytes());
        }
        let anchors = certificates.into_iter().map(Anchor::new).collect();
        self.authorities.push(Arc::new(Authority { name: name.to_owned(), anchors, digest: hasher.finish() }));
        self.rehash();
        Ok(self)
    }

    /// Adds a public key: PEM text of a SubjectPublicKeyInfo (ECDSA P-256, P-384 or P-521, Ed25519,
    /// RSA of 2048 bits or more).
    pub fn with_public_key(self, pem: &str) -> Result<Self, MaterialError> {
        self.add_key(None, public_key(pem)?, KeyValidity::default())
    }

    /// Adds a public key under a name.
    pub fn with_named_key(self, name: &str, pem: &str) -> Result<Self, MaterialError> {
        self.add_key(Some(name.to_owned()), public_key(pem)?, KeyValidity::default())
    }

    /// Adds the keys with which npm's registry signs attestations: the bytes of its `keys.json`, as the registry
    /// (`/-/npm/v1/keys`) or Sigstore's TUF repository (`registry.npmjs.org/keys.json`) gives it. A key counts for what was
    /// signed while it was valid.
    pub fn with_npm_keys(mut self, json: &[u8]) -> Result<Self, MaterialError> {
        for key in crate::npm::keys::parse(json)? {
            self = self.add_key(Some(key.name), key.key, key.validity)?;
        }
        Ok(self)
    }

    fn add_key(mut self, name: Option<String>, key: PublicKey, validity: KeyValidity) -> Result<Self, MaterialError> {
        if self.keys.len() >= ENTRIES_MAX {
            return Err(MaterialError::TooLarge { what: "public keys", limit: ENTRIES_MAX });
        }
        self.keys.push(TrustedPublicKey { name, key: Arc::new(key), validity });
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

    /// What the Notation trust policy says about signatures in a repository, `registry/path`; none where it says nothing, or
    /// there is none.
    pub fn notation_for(&self, repository: &str) -> Option<StatementTrust<'_>> {
        self.notation()?.for_repository(repository).map(|statement| statement.of_material(self.hash))
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
        self.roots.is_empty() && self.keys.is_empty() && self.authorities.is_empty() && self.notation.is_none()
    }

    /// Whether there is something that bundles and cosign's documents could be verified against: a root, a key or an
    /// authority, and not only a Notation trust policy.
    pub fn has_sigstore(&self) -> bool {
        !(self.roots.is_empty() && self.keys.is_empty() && self.authorities.is_empty())
    }

    /// A hash over the bytes of all roots, keys and authorities, the same in whatever order they were added. Names of keys
    /// do not count; names of authorities do, since evidence carries them.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    pub(crate) fn roots(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter().map(AsRef::as_ref)
    }

    pub(crate) fn authorities(&self) -> &[Arc<Authority>] {
        &self.authorities
    }

    fn rehash(&mut self) {
        let roots = self.roots.iter().map(|root| (b'r', root.digest()));
        let roots = roots.chain(self.authorities.iter().map(|authority| (b'a', authority.digest)));
        let notation = self.notation.iter().map(|trust| (b'n', trust.hash()));
        let keys = self.keys.iter().map(|key| (b'k', key.digest()));
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

fn public_key(pem: &str) -> Result<PublicKey, MaterialError> {
    PublicKey::from_pem(pem).map_err(|error| MaterialError::Key { reason: error.to_string() })
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
    /// The text holds no certificates of an authority. Give the PEM of the root, or of intermediates that are trusted.
    #[error("the authority `{name}` cannot be used: {reason}")]
    Authority {
        /// Its name.
        name: String,
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
            Self::Authority { .. } => "authority-invalid",
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
    fn every_root_that_is_compiled_in_can_be_used() {
        let all = TrustMaterial::new().with_public_good().unwrap().with_github().unwrap().with_staging().unwrap();
        assert_eq!(all.roots().count(), 3);
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
