//! Matching a signer against what is wanted of it.

use assay_model::Explain;

use crate::{Pattern, Signer, WorkflowClaims};

/// What is asked of a keyless signer. Everything given must match; what is not given is not asked.
///
/// ```
/// use assay_trust::{Claim, IdentityPolicy, Pattern};
///
/// let policy = IdentityPolicy::new(
///     Pattern::exact("https://token.actions.githubusercontent.com"),
///     Pattern::glob("https://github.com/company/*/.github/workflows/release.yml@refs/heads/main")?,
/// )
/// .with(Claim::BuildTrigger, Pattern::exact("push"));
/// # let _ = policy;
/// # Ok::<(), assay_trust::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct IdentityPolicy {
    issuer: Pattern,
    subject: Pattern,
    claims: Vec<(Claim, Pattern)>,
}

/// A claim of the certificate, by which field of [`WorkflowClaims`] it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `build_signer_uri`.
    BuildSignerUri,
    /// `runner_environment`.
    RunnerEnvironment,
    /// `source_repository`.
    SourceRepository,
    /// `source_digest`.
    SourceDigest,
    /// `source_ref`.
    SourceRef,
    /// `source_owner`.
    SourceOwner,
    /// `build_config_uri`.
    BuildConfigUri,
    /// `build_trigger`.
    BuildTrigger,
    /// `run_invocation_uri`.
    RunInvocation,
    /// `source_visibility`.
    SourceVisibility,
    /// `workflow_trigger`: cosign's `--certificate-github-workflow-trigger`.
    WorkflowTrigger,
    /// `workflow_sha`: cosign's `--certificate-github-workflow-sha`.
    WorkflowSha,
    /// `workflow_name`: cosign's `--certificate-github-workflow-name`.
    WorkflowName,
    /// `workflow_repository`: cosign's `--certificate-github-workflow-repository`.
    WorkflowRepository,
    /// `workflow_ref`: cosign's `--certificate-github-workflow-ref`.
    WorkflowRef,
}

impl Claim {
    /// The words for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::BuildSignerUri => "build signer",
            Self::RunnerEnvironment => "runner environment",
            Self::SourceRepository => "source repository",
            Self::SourceDigest => "source commit",
            Self::SourceRef => "source ref",
            Self::SourceOwner => "source owner",
            Self::BuildConfigUri => "build configuration",
            Self::BuildTrigger => "build trigger",
            Self::RunInvocation => "run",
            Self::SourceVisibility => "source visibility",
            Self::WorkflowTrigger => "workflow trigger",
            Self::WorkflowSha => "workflow commit",
            Self::WorkflowName => "workflow name",
            Self::WorkflowRepository => "workflow repository",
            Self::WorkflowRef => "workflow ref",
        }
    }

    /// Its value in a certificate's claims.
    pub fn of(self, claims: &WorkflowClaims) -> Option<&str> {
        let value = match self {
            Self::BuildSignerUri => &claims.build_signer_uri,
            Self::RunnerEnvironment => &claims.runner_environment,
            Self::SourceRepository => &claims.source_repository,
            Self::SourceDigest => &claims.source_digest,
            Self::SourceRef => &claims.source_ref,
            Self::SourceOwner => &claims.source_owner,
            Self::BuildConfigUri => &claims.build_config_uri,
            Self::BuildTrigger => &claims.build_trigger,
            Self::RunInvocation => &claims.run_invocation_uri,
            Self::SourceVisibility => &claims.source_visibility,
            Self::WorkflowTrigger => &claims.workflow_trigger,
            Self::WorkflowSha => &claims.workflow_sha,
            Self::WorkflowName => &claims.workflow_name,
            Self::WorkflowRepository => &claims.workflow_repository,
            Self::WorkflowRef => &claims.workflow_ref,
        };
        value.as_deref()
    }
}

impl IdentityPolicy {
    /// Asks for an issuer and a subject. Both always count: a subject means nothing without who vouches for it.
    pub fn new(issuer: Pattern, subject: Pattern) -> Self {
        Self { issuer, subject, claims: Vec::new() }
    }

    /// Asks for a claim besides. A certificate without it does not match.
    #[must_use]
    pub fn with(mut self, claim: Claim, pattern: Pattern) -> Self {
        self.claims.push((claim, pattern));
        self
    }

    /// Whether this is the wanted signer; if not, the first difference.
    pub fn check(&self, signer: &Signer) -> Result<(), IdentityMismatch> {
        let Signer::Keyless { issuer, subject, claims } = signer else { return Err(IdentityMismatch::Key) };
        let wanted =
            [("issuer", &self.issuer, Some(issuer.as_str())), ("subject", &self.subject, Some(subject.as_str()))];
        let claimed = self.claims.iter().map(|(claim, pattern)| (claim.title(), pattern, claim.of(claims)));
        for (field, pattern, found) in wanted.into_iter().chain(claimed) {
            if !found.is_some_and(|found| pattern.matches(found)) {
                return Err(IdentityMismatch::Field {
                    field,
                    wanted: pattern.written().to_owned(),
                    found: found.map(str::to_owned),
                });
            }
        }
        Ok(())
    }
}

/// How a signer differs from the wanted one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityMismatch {
    /// The signature was made with a key, which has no identity. Verify it with the key.
    #[error("signed with a key, not with an identity")]
    Key,
    /// A field has another value or is absent.
    #[error("the signer's {field} is {}, not `{wanted}`", found.as_ref().map_or("absent".to_owned(), |text| format!("`{text}`")))]
    Field {
        /// Which field.
        field: &'static str,
        /// The pattern as written.
        wanted: String,
        /// The value in the certificate.
        found: Option<String>,
    },
}

impl Explain for IdentityMismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::Key => "signer-is-key",
            Self::Field { .. } => "signer-mismatch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::Keyless {
            issuer: "https://issuer.example".to_owned(),
            subject: "https://github.com/company/api/.github/workflows/release.yml@refs/heads/main".to_owned(),
            claims: Box::new(WorkflowClaims {
                build_trigger: Some("push".to_owned()),
                workflow_repository: Some("company/api".to_owned()),
                ..WorkflowClaims::default()
            }),
        }
    }

    fn wanted() -> IdentityPolicy {
        IdentityPolicy::new(
            Pattern::exact("https://issuer.example"),
            Pattern::regexp("^https://github\\.com/company/.*@refs/heads/main$").unwrap(),
        )
    }

    #[test]
    fn the_wanted_signer_matches() {
        let policy = wanted()
            .with(Claim::BuildTrigger, Pattern::exact("push"))
            .with(Claim::WorkflowRepository, Pattern::glob("company/*").unwrap());
        assert_eq!(policy.check(&signer()), Ok(()));
    }

    #[test]
    fn cve_2025_29778_every_given_field_is_enforced() {
        let other_issuer = IdentityPolicy::new(Pattern::exact("https://other.example"), Pattern::glob("**").unwrap());
        assert!(matches!(other_issuer.check(&signer()), Err(IdentityMismatch::Field { field: "issuer", .. })));
        let other_subject = IdentityPolicy::new(Pattern::glob("**").unwrap(), Pattern::exact("someone@example.com"));
        assert!(matches!(other_subject.check(&signer()), Err(IdentityMismatch::Field { field: "subject", .. })));
        let other_trigger = wanted().with(Claim::BuildTrigger, Pattern::exact("pull_request"));
        assert!(matches!(other_trigger.check(&signer()), Err(IdentityMismatch::Field { field: "build trigger", .. })));
        for claim in [Claim::SourceRef, Claim::WorkflowName, Claim::RunnerEnvironment] {
            let absent = wanted().with(claim, Pattern::glob("**").unwrap()).check(&signer());
            assert!(matches!(absent, Err(IdentityMismatch::Field { found: None, .. })), "{claim:?}");
        }
    }

    #[test]
    fn a_key_has_no_identity() {
        let key = Signer::Key { fingerprint: assay_model::Digest::of(b"key") };
        assert_eq!(wanted().check(&key), Err(IdentityMismatch::Key));
    }
}
