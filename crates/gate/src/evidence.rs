//! Which evidence counts, and whose.
//!
//! Evidence counts for a Subject when it is about the Subject's digest or about the index through which it was resolved,
//! was verified against a trust root that the Environment names, and has not run out. Whose it is counts per kind: a
//! generator signs provenance with its own workflow's identity, so one list of signers for all kinds is wrong.

use assay_case::{EvidenceSet, Facts};
use assay_kinds::{CertificateIdentity, KeylessIdentity, PatternSpec, SignerPurpose};
use assay_model::{Digest, Repository};
use assay_trust::{Evidence, EvidenceKind, Pattern, PatternError, Signer, WorkflowClaims};

use crate::report::Context;

/// A registry or repository prefix that ends at a path boundary.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    registry: String,
    path: String,
}

impl Prefix {
    /// Reads `registry[/path]`. Patterns, tags, digests and schemes are no prefixes.
    pub(crate) fn parse(written: &str) -> Option<Self> {
        let (registry, path) = written.split_once('/').unwrap_or((written, ""));
        let plain = |text: &str| !text.contains(['*', '?', '@', ' ', '\\']);
        let ok = !registry.is_empty()
            && !registry.ends_with(':')
            && plain(written)
            && !path.starts_with('/')
            && !path.contains("//")
            && !path.contains(':');
        ok.then(|| Self { registry: registry.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }

    /// Whether `repository` is this or lies below it.
    pub(crate) fn holds(&self, repository: &Repository) -> bool {
        self.registry == repository.registry()
            && (self.path.is_empty()
                || repository
                    .path()
                    .strip_prefix(self.path.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

/// A signer that an Environment names, compiled.
#[derive(Debug)]
pub(crate) struct TrustedSigner {
    pub(crate) name: String,
    pub(crate) purposes: Vec<SignerPurpose>,
    pub(crate) repositories: Vec<Prefix>,
    pub(crate) identity: Identity,
}

/// Who a trusted signer is.
#[derive(Debug)]
pub(crate) enum Identity {
    Key { fingerprint: Digest },
    Keyless(Box<Keyless>),
    Certificate(Box<Certificate>),
}

/// A certificate of an X.509 authority, compiled: all that is given must match.
#[derive(Debug)]
pub(crate) struct Certificate {
    subject: Pattern,
    issuer: Option<Pattern>,
    authority: Option<String>,
}

impl Certificate {
    pub(crate) fn compile(written: &CertificateIdentity) -> Result<Self, PatternProblem> {
        if written.authority.as_ref().is_some_and(String::is_empty) {
            return Err(PatternProblem::Empty);
        }
        Ok(Self {
            subject: pattern(&written.subject)?,
            issuer: written.issuer.as_ref().map(pattern).transpose()?,
            authority: written.authority.clone(),
        })
    }

    /// What of the certificate is not as it is wanted, after its subject.
    fn difference(&self, issuer: &str, authority: &str) -> Option<(String, String)> {
        if let Some(wanted) = self.issuer.as_ref().filter(|wanted| !wanted.matches(issuer)) {
            return Some((format!("issuer {issuer}"), format!("issuer {}", wanted.written())));
        }
        let wanted = self.authority.as_ref().filter(|wanted| *wanted != authority)?;
        Some((format!("authority {authority}"), format!("authority {wanted}")))
    }
}

/// A certificate identity, compiled: all that is given must match.
#[derive(Debug)]
pub(crate) struct Keyless {
    issuer: Pattern,
    subject: Pattern,
    claims: Vec<(&'static str, ClaimOf, Pattern)>,
}

type ClaimOf = fn(&WorkflowClaims) -> &Option<String>;

impl Keyless {
    pub(crate) fn compile(written: &KeylessIdentity) -> Result<Self, PatternProblem> {
        let claims: [(&'static str, ClaimOf, &Option<PatternSpec>); 10] = [
            ("workflow", |claims| &claims.build_signer_uri, &written.workflow),
            ("source ref", |claims| &claims.source_ref, &written.source_ref),
            ("source repository", |claims| &claims.source_repository, &written.repository),
            ("trigger", |claims| &claims.build_trigger, &written.trigger),
            ("runner environment", |claims| &claims.runner_environment, &written.runner_environment),
            ("source commit", |claims| &claims.source_digest, &written.digest),
            ("source owner", |claims| &claims.source_owner, &written.owner),
            ("source visibility", |claims| &claims.source_visibility, &written.visibility),
            ("build configuration", |claims| &claims.build_config_uri, &written.build_config),
            ("run", |claims| &claims.run_invocation_uri, &written.run_invocation),
        ];
        let mut compiled = Vec::new();
        for (name, claim, wanted) in claims {
            if let Some(wanted) = wanted {
                compiled.push((name, claim, pattern(wanted)?));
            }
        }
        Ok(Self { issuer: pattern(&written.issuer)?, subject: pattern(&written.subject)?, claims: compiled })
    }
}

impl TrustedSigner {
    /// Whether this is who signed.
    pub(crate) fn is(&self, signer: &Signer) -> bool {
        match (&self.identity, signer) {
            (Identity::Key { fingerprint: wanted }, Signer::Key { fingerprint }) => wanted == fingerprint,
            (Identity::Keyless(wanted), Signer::Keyless { issuer, subject, claims }) => {
                wanted.issuer.matches(issuer)
                    && wanted.subject.matches(subject)
                    && wanted
                        .claims
                        .iter()
                        .all(|(_, claim, pattern)| claim(claims).as_deref().is_some_and(|value| pattern.matches(value)))
            }
            (Identity::Certificate(wanted), Signer::Certificate { subject, issuer, authority, .. }) => {
                wanted.subject.matches(subject) && wanted.difference(issuer, authority).is_none()
            }
            _ => false,
        }
    }

    /// What is wrong with a certificate whose subject is the wanted one, for messages.
    fn difference(&self, signer: &Signer) -> Option<(String, String)> {
        let (wanted, issuer, subject, claims) = match (&self.identity, signer) {
            (Identity::Keyless(wanted), Signer::Keyless { issuer, subject, claims }) => {
                (wanted, issuer, subject, claims)
            }
            (Identity::Certificate(wanted), Signer::Certificate { subject, issuer, authority, .. }) => {
                return wanted.subject.matches(subject).then(|| wanted.difference(issuer, authority))?;
            }
            _ => return None,
        };
        if !wanted.subject.matches(subject) {
            return None;
        }
        if !wanted.issuer.matches(issuer) {
            return Some((format!("issuer {issuer}"), format!("issuer {}", wanted.issuer.written())));
        }
        wanted.claims.iter().find_map(|(name, claim, pattern)| match claim(claims).as_deref() {
            Some(value) if pattern.matches(value) => None,
            Some(value) => Some((format!("{name} {value}"), format!("{name} {}", pattern.written()))),
            None => Some((format!("no {name}"), format!("{name} {}", pattern.written()))),
        })
    }

    /// Who is wanted, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.identity {
            Identity::Key { fingerprint } => format!("{} (key {})", self.name, fingerprint.short()),
            Identity::Keyless(wanted) => format!("{} ({})", self.name, wanted.subject.written()),
            Identity::Certificate(wanted) => format!("{} ({})", self.name, wanted.subject.written()),
        }
    }

    fn serves(&self, purpose: SignerPurpose, repository: &Repository) -> bool {
        self.purposes.contains(&purpose)
            && (self.repositories.is_empty() || self.repositories.iter().any(|prefix| prefix.holds(repository)))
    }
}

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternProblem {
    /// It does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A star in an exact text is meant as a wildcard, and would never match.
    #[error("`{0}` is matched exactly, so that its `*` stands for itself; write {{glob: \"{0}\"}}")]
    StarInExact(String),
    /// An empty text matches a missing value.
    #[error("an empty text identifies nobody")]
    Empty,
}

/// Compiles a pattern as written.
pub(crate) fn pattern(written: &PatternSpec) -> Result<Pattern, PatternProblem> {
    match written {
        PatternSpec::Exact(text) | PatternSpec::Glob(text) | PatternSpec::Regexp(text) if text.is_empty() => {
            Err(PatternProblem::Empty)
        }
        PatternSpec::Exact(text) if text.contains('*') => Err(PatternProblem::StarInExact(text.clone())),
        PatternSpec::Exact(text) => Ok(Pattern::exact(text.clone())),
        PatternSpec::Glob(text) => Ok(Pattern::glob(text)?),
        PatternSpec::Regexp(text) => Ok(Pattern::regexp(text)?),
    }
}

/// The kind of evidence that signers are named for with a word.
pub(crate) fn kind_of(purpose: SignerPurpose) -> EvidenceKind {
    match purpose {
        SignerPurpose::Signature => EvidenceKind::Signature,
        SignerPurpose::Sbom => EvidenceKind::Sbom,
        SignerPurpose::Provenance => EvidenceKind::Provenance,
        SignerPurpose::Scan => EvidenceKind::Scan,
        SignerPurpose::Vex => EvidenceKind::Vex,
        SignerPurpose::Test => EvidenceKind::Test,
        SignerPurpose::Vsa => EvidenceKind::Vsa,
        SignerPurpose::Release => EvidenceKind::Release,
        SignerPurpose::Attributes => EvidenceKind::Attributes,
        SignerPurpose::Link => EvidenceKind::Link,
    }
}

/// Why a piece of evidence does not count here, whoever signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCounted {
    OtherSubject,
    OtherTrustRoot,
    RanOut,
}

impl<'c> Context<'c> {
    /// Whether a piece of evidence counts for a Subject, whoever signed it.
    fn counts(&self, facts: &Facts, evidence: &Evidence) -> Result<(), NotCounted> {
        if !facts.subject.covering_digests().any(|digest| digest == evidence.subject()) {
            return Err(NotCounted::OtherSubject);
        }
        if !self.environment.trust_roots.contains(&evidence.trust_root()) {
            return Err(NotCounted::OtherTrustRoot);
        }
        if evidence.valid_until().is_some_and(|end| self.clock.is_over(end)) {
            return Err(NotCounted::RanOut);
        }
        Ok(())
    }

    /// The evidence of one kind that counts for a Subject, whoever signed it.
    pub(crate) fn evidence<'f>(
        &self,
        facts: &'f Facts,
        set: &'f EvidenceSet,
        kind: EvidenceKind,
    ) -> impl Iterator<Item = &'f Evidence> {
        set.verified
            .iter()
            .map(AsRef::as_ref)
            .filter(move |evidence| evidence.kind() == kind && self.counts(facts, evidence).is_ok())
    }

    /// The signers that the Environment names for a kind of evidence about a repository.
    pub(crate) fn signers(
        &self,
        purpose: SignerPurpose,
        repository: &Repository,
    ) -> impl Iterator<Item = &'c TrustedSigner> {
        self.environment.signers.iter().filter(move |signer| signer.serves(purpose, repository))
    }

    /// The named signer who made a piece of evidence, if one of them did.
    pub(crate) fn signer_of(
        &self,
        purpose: SignerPurpose,
        facts: &Facts,
        evidence: &Evidence,
    ) -> Option<&'c TrustedSigner> {
        self.signers(purpose, &facts.subject.repository).find(|signer| signer.is(evidence.signer()))
    }

    /// The evidence of one kind that counts, made by a signer whom the Environment names for it.
    pub(crate) fn trusted<'f>(
        &self,
        facts: &'f Facts,
        set: &'f EvidenceSet,
        purpose: SignerPurpose,
    ) -> impl Iterator<Item = (&'f Evidence, &'c TrustedSigner)> {
        self.evidence(facts, set, kind_of(purpose))
            .filter_map(move |evidence| Some((evidence, self.signer_of(purpose, facts, evidence)?)))
    }

    /// Why there is no evidence of a kind that counts: what was found instead, for the end of a message.
    pub(crate) fn instead(&self, facts: &Facts, set: &EvidenceSet, kind: EvidenceKind) -> String {
        let environment = &self.environment.name;
        for evidence in set.verified.iter().filter(|evidence| evidence.kind() == kind) {
            match self.counts(facts, evidence) {
                Err(NotCounted::OtherTrustRoot) => {
                    return format!(
                        "; one by {} comes from a trust root that {environment} does not name",
                        evidence.signer()
                    );
                }
                Err(NotCounted::RanOut) => return format!("; one by {} has run out", evidence.signer()),
                Err(NotCounted::OtherSubject) => {
                    return format!(
                        "; one by {} is about another digest, {}",
                        evidence.signer(),
                        evidence.subject().short()
                    );
                }
                Ok(()) => {}
            }
        }
        match set.rejected.iter().find(|claim| claim.kind.is_none_or(|claimed| claimed == kind)) {
            Some(claim) => format!("; one was found that does not verify: {} ({})", claim.message, claim.code),
            None => String::new(),
        }
    }

    /// Who signed, instead of whom: the difference where it is one of detail, else both names.
    pub(crate) fn who_instead(&self, purpose: SignerPurpose, repository: &Repository, signer: &Signer) -> String {
        let environment = &self.environment.name;
        match self.signers(purpose, repository).find_map(|wanted| wanted.difference(signer)) {
            Some((found, wanted)) => format!("by {signer} with {found}; {environment} wants {wanted}"),
            None => format!("by {signer}; {environment} wants {}", self.wanted(purpose, repository)),
        }
    }

    /// The names of the signers that are wanted for a kind of evidence about a repository.
    pub(crate) fn wanted(&self, purpose: SignerPurpose, repository: &Repository) -> String {
        let names: Vec<String> = self.signers(purpose, repository).map(TrustedSigner::describe).collect();
        names.join(" or ")
    }
}

/// Where the evidence hangs: nothing for the digest itself, ` on its index ...` for the index.
pub(crate) fn place(facts: &Facts, evidence: &Evidence) -> String {
    if evidence.subject() == facts.subject.digest {
        String::new()
    } else {
        format!(" on its index {}", evidence.subject().short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_path_boundary() {
        let holds = |prefix: &str, repository: &str| {
            Prefix::parse(prefix).unwrap().holds(&repository.parse::<Repository>().unwrap())
        };
        assert!(holds("registry.example.com/release/", "registry.example.com/release/payments/api"));
        assert!(holds("registry.example.com/release", "registry.example.com/release"));
        assert!(holds("registry.example.com", "registry.example.com/anything"));
        assert!(holds("docker.io/library", "nginx"));
        assert!(!holds("registry.example.com/release", "registry.example.com/release-evil/api"));
        assert!(!holds("registry.example.com", "registry.example.com.evil.test/api"));
        assert!(!holds("registry.example.com", "registry.example.com:5000/api"));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for bad in
            ["", "/", "/x", "*", "registry.example.com/*", "a/b:1", "https://registry.example.com/x", "a/b@sha256:x"]
        {
            assert!(Prefix::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_star_in_an_exact_text_is_refused() {
        let error = pattern(&PatternSpec::Exact("https://github.com/company/*".into())).unwrap_err();
        assert!(error.to_string().contains("{glob: \"https://github.com/company/*\"}"), "{error}");
        assert!(matches!(pattern(&PatternSpec::Regexp(String::new())), Err(PatternProblem::Empty)));
        assert!(matches!(pattern(&PatternSpec::Regexp("company".into())), Err(PatternProblem::Pattern(_))));
    }
}
