//! The TUF repositories that are known.

use std::borrow::Cow;

/// The name of the trusted root in every repository of Sigstore's kind.
pub(super) const TRUSTED_ROOT: &str = "trusted_root.json";
/// The name of the signing configuration that current clients read.
pub(super) const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// A Sigstore instance's TUF repository: where it is and which root it began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TufInstance {
    pub(super) name: String,
    pub(super) mirror: String,
    pub(super) targets: Option<String>,
    pub(super) root: Cow<'static, [u8]>,
}

impl TufInstance {
    /// Sigstore's public-good instance.
    pub fn public_good() -> Self {
        let root = include_bytes!("../../data/tuf/public-good.root.json");
        Self::embedded("public-good", "https://tuf-repo-cdn.sigstore.dev", root)
    }

    /// Sigstore's staging instance: for tests of signers, never for production.
    pub fn staging() -> Self {
        let root = include_bytes!("../../data/tuf/staging.root.json");
        Self::embedded("staging", "https://tuf-repo-cdn.sigstage.dev", root)
    }

    /// GitHub's instance, which signs attestations of private repositories.
    pub fn github() -> Self {
        let root = include_bytes!("../../data/tuf/github.root.json");
        Self::embedded("github", "https://tuf-repo.github.com", root)
    }

    /// The embedded instances.
    pub fn all() -> [Self; 3] {
        [Self::public_good(), Self::staging(), Self::github()]
    }

    /// An instance of one's own. The root, any version of it, was obtained in a way that is trusted: everything later
    /// follows from it. The name becomes a folder: lower-case letters, digits and dashes, others become dashes.
    pub fn custom(name: &str, mirror: &str, root: Vec<u8>) -> Self {
        let name = name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
        Self { name, mirror: mirror.to_owned(), targets: None, root: Cow::Owned(root) }
    }

    /// The same with another address, for a mirror in one's own network.
    #[must_use]
    pub fn with_mirror(mut self, mirror: &str) -> Self {
        mirror.clone_into(&mut self.mirror);
        self
    }

    /// The same with targets elsewhere than in `targets/` below the mirror.
    #[must_use]
    pub fn with_targets(mut self, address: &str) -> Self {
        self.targets = Some(address.to_owned());
        self
    }

    /// Its name, which is also its folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its metadata is.
    pub fn mirror(&self) -> &str {
        &self.mirror
    }

    fn embedded(name: &str, mirror: &str, root: &'static [u8]) -> Self {
        Self { name: name.to_owned(), mirror: mirror.to_owned(), targets: None, root: Cow::Borrowed(root) }
    }
}
