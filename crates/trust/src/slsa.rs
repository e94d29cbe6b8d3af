//! What a build must have been: from which source, at which branch or tag, by which builder, with which inputs.
//!
//! The questions are those of `slsa-verifier`, and they are answered in the same way: a builder is a workflow of GitHub
//! Actions that signs with its own identity, so that its name in the provenance counts only if the certificate says it
//! too. Whether the signature holds is not judged here.

mod builder;
mod version;

use std::collections::BTreeMap;

use assay_model::{BuildLevel, Explain};

pub use self::builder::BuilderId;
use self::builder::{DELEGATORS, GITHUB_ISSUER, RUNNER, RUNNER_HOSTED, TRUSTED, is_release, known_level};
use crate::predicates::provenance::Source;
use crate::{Provenance, Signer, WorkflowClaims};

/// What is asked of a build. Everything that is given must hold.
///
/// ```
/// use assay_trust::BuildExpectation;
///
/// let expected = BuildExpectation::new("github.com/company/payments").with_branch("main").with_input("target", "prod");
/// # let _ = expected;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildExpectation {
    source: String,
    branch: Option<String>,
    tag: Option<String>,
    versioned_tag: Option<String>,
    builder: Option<BuilderId>,
    inputs: BTreeMap<String, String>,
}

/// A build that is what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBuild {
    /// The builder's identity, as the certificate (for delegated builders the provenance) states it.
    pub builder: String,
    /// The level of the SLSA Build track that this builder is known for. None: its operator has to be asked, and an
    /// Environment can name it.
    pub level: Option<BuildLevel>,
    /// Source commit, where the provenance has it.
    pub commit: Option<String>,
}

impl BuildExpectation {
    /// Asks for this source repository: `github.com/owner/name`, with or without `https://` or `git+https://`.
    pub fn new(source: &str) -> Self {
        let bare = source.strip_prefix("git+").unwrap_or(source);
        let source = if bare.contains("://") { bare.to_owned() } else { format!("https://{bare}") };
        Self { source, ..Self::default() }
    }

    /// Asks for this branch.
    #[must_use]
    pub fn with_branch(mut self, branch: &str) -> Self {
        self.branch = Some(branch.to_owned());
        self
    }

    /// Asks for exactly this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Asks for a tag of this version: `v1` is every `v1.x.y`, `v1.2` every `v1.2.x`.
    #[must_use]
    pub fn with_versioned_tag(mut self, tag: &str) -> Self {
        self.versioned_tag = Some(tag.to_owned());
        self
    }

    /// Asks for this builder. Without it, the builders of slsa-framework are trusted and no other.
    #[must_use]
    pub fn with_builder(mut self, builder: BuilderId) -> Self {
        self.builder = Some(builder);
        self
    }

    /// Asks for an input of a workflow that was started by hand.
    #[must_use]
    pub fn with_input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The builder that is asked for.
    pub fn builder(&self) -> Option<&BuilderId> {
        self.builder.as_ref()
    }

    /// Whether the build was as expected; if not, the first difference.
    ///
    /// # Errors
    /// [`BuildMismatch`].
    pub fn check(&self, signer: &Signer, provenance: &Provenance) -> Result<VerifiedBuild, BuildMismatch> {
        let (identity, claims) = match signer {
            Signer::Keyless { issuer, subject, claims } if issuer == GITHUB_ISSUER => (subject, claims),
            other => return Err(BuildMismatch::NoWorkflow { signer: other.to_string() }),
        };
        let signing = BuilderId::parse(identity)
            .filter(|id| id.reference().is_some())
            .ok_or_else(|| BuildMismatch::NoWorkflow { signer: identity.clone() })?;
        if claims.runner_environment.as_deref() == Some("self-hosted") {
            return Err(BuildMismatch::SelfHosted);
        }
        let builder = self.check_builder(&signing, claims, provenance)?;
        self.check_certificate(claims)?;
        self.check_source(provenance)?;
        self.check_refs(provenance)?;
        for (name, wanted) in &self.inputs {
            let found = provenance.inputs.get(name);
            if found != Some(wanted) {
                let (name, wanted, found) = (name.clone(), wanted.clone(), found.cloned());
                return Err(BuildMismatch::Input { name, wanted, found });
            }
        }
        let level = known_level(&builder);
        Ok(VerifiedBuild { builder: builder.to_string(), level, commit: provenance.source_digest.clone() })
    }

    /// The repository in the certificate. Both generations of claims must agree where both are there.
    fn check_certificate(&self, claims: &WorkflowClaims) -> Result<(), BuildMismatch> {
        let first = claims.workflow_repository.as_ref().map(|name| format!("https://github.com/{name}"));
        let stated = [claims.source_repository.clone(), first];
        let stated: Vec<String> = stated.into_iter().flatten().collect();
        match stated.iter().find(|found| **found != self.source) {
            None if !stated.is_empty() => Ok(()),
            other => Err(BuildMismatch::Source { wanted: self.source.clone(), found: other.cloned() }),
        }
    }

    fn check_builder(
        &self,
        signing: &BuilderId,
        claims: &WorkflowClaims,
        provenance: &Provenance,
    ) -> Result<BuilderId, BuildMismatch> {
        let untrusted = |found: &BuilderId| BuildMismatch::Builder {
            found: found.to_string(),
            wanted: self.builder.as_ref().map_or("a builder of slsa-framework".to_owned(), ToString::to_string),
        };
        let stated = BuilderId::parse(&provenance.builder_id).ok_or_else(|| untrusted(signing))?;
        if let Some(wanted) = self.builder.as_ref().filter(|wanted| [RUNNER, RUNNER_HOSTED].contains(&wanted.name())) {
            // The runner signs nothing itself: any workflow of the repository does, so that what the provenance says
            // counts only as far as the certificate says the same. The short name is what older provenance has.
            let fits = stated == *wanted || (stated.name() == RUNNER && wanted.name() == RUNNER_HOSTED);
            if !fits {
                return Err(untrusted(&stated));
            }
            if claims.runner_environment.as_deref() != Some("github-hosted") {
                return Err(BuildMismatch::SelfHosted);
            }
            check_forgeable(claims, provenance)?;
            return Ok(stated);
        }
        if DELEGATORS.contains(&signing.name()) {
            // The delegator signs for the workflow that it calls, and names that one in the provenance.
            let trusted = match &self.builder {
                Some(wanted) => stated.matches(wanted),
                None => stated.is_of_slsa_framework(),
            };
            if !trusted {
                return Err(untrusted(&stated));
            }
            release(signing)?;
            release(&stated)?;
            return Ok(stated);
        }
        let trusted = match &self.builder {
            Some(wanted) => signing.matches(wanted),
            None => TRUSTED.contains(&signing.name()),
        };
        if !trusted {
            return Err(untrusted(signing));
        }
        release(signing)?;
        if !signing.matches(&stated) || stated.reference().is_none() {
            let (stated, signing) = (stated.to_string(), signing.to_string());
            return Err(BuildMismatch::BuilderStated { stated, signing });
        }
        Ok(signing.clone())
    }

    /// What asked for the build and what was built must both be the source.
    fn check_source(&self, provenance: &Provenance) -> Result<(), BuildMismatch> {
        let wanted = &self.source;
        let differs = |found: &Option<String>| BuildMismatch::Source { wanted: wanted.clone(), found: found.clone() };
        if provenance.trigger_repository.as_ref() != Some(wanted) {
            return Err(differs(&provenance.trigger_repository));
        }
        let Some(asked) = &provenance.trigger_ref else { return Err(differs(&provenance.trigger_ref)) };
        let built = provenance.materials.first().map(|material| Source::split(&material.uri)).unwrap_or_default();
        if built.repository.as_ref() != Some(wanted) {
            return Err(differs(&built.repository));
        }
        match &built.reference {
            Some(reference) if reference != asked => {
                Err(BuildMismatch::SourceRef { asked: asked.clone(), built: reference.clone() })
            }
            _ => Ok(()),
        }
    }

    fn check_refs(&self, provenance: &Provenance) -> Result<(), BuildMismatch> {
        if let Some(wanted) = &self.branch
            && provenance.branch.as_ref() != Some(wanted)
        {
            return Err(BuildMismatch::Branch { wanted: wanted.clone(), found: provenance.branch.clone() });
        }
        if let Some(wanted) = &self.tag
            && provenance.tag.as_ref() != Some(wanted)
        {
            return Err(BuildMismatch::Tag { wanted: wanted.clone(), found: provenance.tag.clone() });
        }
        if let Some(wanted) = &self.versioned_tag {
            let prefix =
                version::Prefix::parse(wanted).ok_or_else(|| BuildMismatch::NoVersion { text: wanted.clone() })?;
            if !provenance.tag.as_deref().is_some_and(|tag| prefix.holds(tag)) {
                return Err(BuildMismatch::VersionedTag { wanted: wanted.clone(), found: provenance.tag.clone() });
            }
        }
        Ok(())
    }
}

fn release(builder: &BuilderId) -> Result<(), BuildMismatch> {
    if is_release(builder) { Ok(()) } else { Err(BuildMismatch::BuilderRef { builder: builder.to_string() }) }
}

/// Provenance that a workflow wrote about itself must not say more than its certificate.
fn check_forgeable(claims: &WorkflowClaims, provenance: &Provenance) -> Result<(), BuildMismatch> {
    let digest = claims.source_digest.as_ref().or(claims.workflow_sha.as_ref());
    let reference = claims.source_ref.as_ref().or(claims.workflow_ref.as_ref());
    let pairs = [
        ("source commit", provenance.source_digest.as_ref(), digest),
        ("source ref", provenance.trigger_ref.as_ref(), reference),
    ];
    for (what, stated, certified) in pairs {
        if certified.is_none() || stated != certified {
            let text = |value: Option<&String>| value.cloned().unwrap_or_else(|| "nothing".to_owned());
            return Err(BuildMismatch::Forgeable { what, stated: text(stated), certified: text(certified) });
        }
    }
    Ok(())
}

/// How a build differs from what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildMismatch {
    /// Not signed by a workflow of GitHub Actions.
    #[error("signed by {signer}, which is no workflow of a build platform")]
    NoWorkflow {
        /// Who signed.
        signer: String,
    },
    /// Another builder. Name it with `--builder-id` if it is to be trusted.
    #[error("built by {found}; wanted is {wanted}")]
    Builder {
        /// The builder.
        found: String,
        /// What is asked for.
        wanted: String,
    },
    /// The builder was used at a branch or commit, which can change after it was looked at.
    #[error("the builder {builder} is not used at a release tag of the form vX.Y.Z")]
    BuilderRef {
        /// The builder.
        builder: String,
    },
    /// The provenance names another builder than the one that signed it.
    #[error("the provenance names the builder {stated}, but {signing} signed it")]
    BuilderStated {
        /// As the provenance has it.
        stated: String,
        /// As the certificate has it.
        signing: String,
    },
    /// It was built on a runner that the platform does not operate.
    #[error("built on a self-hosted or unknown runner")]
    SelfHosted,
    /// Another source repository.
    #[error("built from {}, not from {wanted}", found.as_deref().unwrap_or("an unnamed source"))]
    Source {
        /// What is asked for.
        wanted: String,
        /// What the certificate or the provenance says.
        found: Option<String>,
    },
    /// The ref that was built is another than the one that asked for it.
    #[error("the build was asked for at {asked}, but {built} was built")]
    SourceRef {
        /// The trigger's ref.
        asked: String,
        /// The source's ref.
        built: String,
    },
    /// Another branch, or none is known.
    #[error("built from {}, not from branch {wanted}", named("branch", found.as_ref()))]
    Branch {
        /// What is asked for.
        wanted: String,
        /// What the provenance says.
        found: Option<String>,
    },
    /// Another tag, or none.
    #[error("built from {}, not from tag {wanted}", named("tag", found.as_ref()))]
    Tag {
        /// What is asked for.
        wanted: String,
        /// What the provenance says.
        found: Option<String>,
    },
    /// Another version, or no tag.
    #[error("built from {}, which is no {wanted}", named("tag", found.as_ref()))]
    VersionedTag {
        /// What is asked for.
        wanted: String,
        /// What the provenance says.
        found: Option<String>,
    },
    /// What is asked for is no version.
    #[error("`{text}` is no version such as v1, v1.2 or v1.2.3")]
    NoVersion {
        /// As written.
        text: String,
    },
    /// An input has another value, or is not there.
    #[error("the workflow input {name} is {}, not `{wanted}`", found.as_ref().map_or("absent".to_owned(), |value| format!("`{value}`")))]
    Input {
        /// Its name.
        name: String,
        /// What is asked for.
        wanted: String,
        /// What the provenance says.
        found: Option<String>,
    },
    /// The provenance says something else than the certificate about the build.
    #[error("the provenance says {stated} about the {what}, the certificate {certified}")]
    Forgeable {
        /// About what.
        what: &'static str,
        /// As the provenance has it.
        stated: String,
        /// As the certificate has it.
        certified: String,
    },
}

fn named(what: &str, found: Option<&String>) -> String {
    found.map_or_else(|| format!("no known {what}"), |found| format!("{what} {found}"))
}

impl Explain for BuildMismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::NoWorkflow { .. } => "builder-not-a-workflow",
            Self::Builder { .. } => "builder-untrusted",
            Self::BuilderRef { .. } => "builder-not-released",
            Self::BuilderStated { .. } => "builder-disagrees",
            Self::SelfHosted => "builder-self-hosted",
            Self::Source { .. } => "source-mismatch",
            Self::SourceRef { .. } => "source-ref-disagrees",
            Self::Branch { .. } => "branch-mismatch",
            Self::Tag { .. } => "tag-mismatch",
            Self::VersionedTag { .. } => "version-mismatch",
            Self::NoVersion { .. } => "version-invalid",
            Self::Input { .. } => "input-mismatch",
            Self::Forgeable { .. } => "provenance-disagrees",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Builder { .. } => "if this builder is to be trusted, name it: --builder-id ID",
            Self::BuilderRef { .. } => "build with the builder at a release tag",
            Self::Branch { found: None, .. } => {
                "for a build of a tag, ask for the tag: --source-tag or --source-versioned-tag"
            }
            Self::Tag { found: None, .. } | Self::VersionedTag { found: None, .. } => {
                "for a build of a branch, ask for the branch: --source-branch"
            }
            _ => return None,
        };
        Some(step.to_owned())
    }
}

#[cfg(test)]
mod tests;
