//! Builders by name.

use std::fmt;

use assay_model::BuildLevel;

use super::version;

/// The issuer of the identities of GitHub Actions.
pub(super) const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// GitHub's own runners, as provenance before 1.0 named them.
pub(super) const RUNNER: &str = "https://github.com/actions/runner";
/// GitHub's own runners.
pub(super) const RUNNER_HOSTED: &str = "https://github.com/actions/runner/github-hosted";

/// The workflows of slsa-framework (slsa-framework/slsa-github-generator, README, "Specifications").
const SLSA_FRAMEWORK: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/";

/// Builders that are trusted where none is named: each of them signs with its own identity and reaches Build L3.
pub(super) const TRUSTED: [&str; 4] = [
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml",
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml",
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_go_slsa3.yml",
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_container-based_slsa3.yml",
];

/// Workflows that run another builder and sign for it.
pub(super) const DELEGATORS: [&str; 2] = [
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_generic_slsa3.yml",
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/delegator_lowperms-generic_slsa3.yml",
];

/// A builder: its name, and the ref at which it is used, `NAME[@REF]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuilderId {
    name: String,
    reference: Option<String>,
}

impl BuilderId {
    /// Reads `NAME`, `NAME@v1.2.3` or `NAME@refs/tags/v1.2.3`. A tag by itself stands for its ref.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('@');
        let (name, reference) = (parts.next().filter(|name| !name.is_empty())?, parts.next());
        if parts.next().is_some() || reference.is_some_and(str::is_empty) {
            return None;
        }
        let full = |reference: &str| {
            if reference.starts_with("refs/") { reference.to_owned() } else { format!("refs/tags/{reference}") }
        };
        Some(Self { name: name.to_owned(), reference: reference.map(full) })
    }

    /// Without the ref.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ref, `refs/tags/v1.2.3`.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Whether this is the wanted builder: by name, and by ref where one is wanted.
    pub fn matches(&self, wanted: &Self) -> bool {
        self.name == wanted.name && (wanted.reference.is_none() || self.reference == wanted.reference)
    }

    pub(super) fn is_of_slsa_framework(&self) -> bool {
        self.name.starts_with(SLSA_FRAMEWORK)
    }
}

impl fmt::Display for BuilderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.reference.as_ref().map_or(Ok(()), |reference| write!(f, "@{reference}"))
    }
}

/// Whether a builder is used at a tag `vX.Y.Z`, which is looked at before it is published.
pub(super) fn is_release(builder: &BuilderId) -> bool {
    builder.reference().and_then(|reference| reference.strip_prefix("refs/tags/")).is_some_and(version::is_release)
}

/// The level that a builder is known for: the workflows of slsa-framework state L3, GitHub's runners reach L2.
pub(super) fn known_level(builder: &BuilderId) -> Option<BuildLevel> {
    match builder.name() {
        RUNNER | RUNNER_HOSTED => Some(BuildLevel::L2),
        _ if builder.is_of_slsa_framework() => Some(BuildLevel::L3),
        _ => None,
    }
}
