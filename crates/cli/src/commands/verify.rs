//! `assay verify`: whether the wanted signer signed this digest.

use std::path::{Path, PathBuf};

use assay_gather::Wanted;
use assay_model::{Digest, Explain as _, Timestamp};
use assay_oci::ImageSource;
use assay_trust::{
    Artifact, CheckName, Evidence, EvidenceKind, IdentityPolicy, Pattern, Signer, TrustMaterial, VerifyError,
    verify_file,
};
use serde::Serialize;

use super::build::{BuildOptions, VerifiedBuild, is_npm};
use crate::failure::{CliError, Failure, read_file, read_text};
use crate::session::Session;
use crate::{Result, Status};

/// What must hold.
#[derive(Debug)]
pub(crate) struct VerifyOptions {
    /// What is verified.
    pub(crate) artifact: VerifiedArtifact,
    /// Who must have signed.
    pub(crate) signer: WantedSigner,
    /// What must be there.
    pub(crate) kind: WantedKind,
    /// What is asked of the build.
    pub(crate) build: Option<BuildOptions>,
}

/// What is verified.
#[derive(Debug)]
pub(crate) enum VerifiedArtifact {
    /// An image and what refers to it.
    Image(Box<ImageSource>),
    /// A file or digest, with the bundle about it.
    Bundle {
        /// The file with what was signed.
        bundle: PathBuf,
        /// `sha256:HEX`, or a file.
        artifact: String,
        /// A file with the log entry of an envelope.
        rekor_entry: Option<PathBuf>,
    },
}

/// Who must have signed.
#[derive(Clone, Debug)]
pub(crate) enum WantedSigner {
    /// The holder of this key (PEM file).
    Key(PathBuf),
    /// This identity.
    Identity(Box<IdentityPolicy>),
    /// The builder that is asked for; with the registry's keys for a package of npm.
    Builder(Option<PathBuf>),
    /// Somebody with a certificate of an authority (PEM file).
    Authority {
        /// The authority's certificates.
        file: PathBuf,
        /// Who, if it matters: the subject of the certificate.
        subject: Option<Pattern>,
    },
}

impl WantedSigner {
    /// Whether this one signed; `key` is the fingerprint of the key that is wanted.
    fn accepts(&self, evidence: &Evidence, key: Option<Digest>) -> std::result::Result<(), (&'static str, String)> {
        match (self, evidence.signer()) {
            (Self::Identity(policy), signer) => policy.check(signer).map_err(|error| (error.code(), error.to_string())),
            // Who may sign is a part of what is asked of the build.
            (Self::Builder(_), _) => Ok(()),
            (Self::Key(_), Signer::Key { fingerprint }) if Some(*fingerprint) == key => Ok(()),
            (Self::Key(_), signer) => Err(("signer-mismatch", format!("signed by {signer}, not with the key"))),
            (Self::Authority { subject, .. }, Signer::Certificate { subject: found, authority, .. })
                if authority == OWN_AUTHORITY && subject.as_ref().is_none_or(|wanted| wanted.matches(found)) =>
            {
                Ok(())
            }
            (Self::Authority { .. }, signer) => {
                Err(("signer-mismatch", format!("signed by {signer}, not by the one that is wanted")))
            }
        }
    }
}

/// What verification needs to know of a signer: the material, and the fingerprint of the key that is wanted.
fn material_of(signer: &WantedSigner, session: &Session<'_>) -> Result<(TrustMaterial, Option<Digest>)> {
    let root = trusted_root(session.settings.trusted_root.value.as_deref())?;
    Ok(match signer {
        WantedSigner::Identity(_) | WantedSigner::Builder(None) => (root, None),
        WantedSigner::Builder(Some(path)) => (registry_keys(root, &read_text(path)?)?, None),
        WantedSigner::Key(path) => {
            let material = root.with_public_key(&read_text(path)?)?;
            let fingerprint = material.keys().first().map(assay_trust::TrustedPublicKey::fingerprint);
            (material, fingerprint)
        }
        WantedSigner::Authority { file, .. } => (root.with_authority(OWN_AUTHORITY, &read_text(file)?)?, None),
    })
}

/// What is attached to an image and verifies, each with whether the wanted signer made it; and what does not verify.
pub(super) struct SignedEvidence {
    /// What verifies.
    pub(super) verified: Vec<(std::sync::Arc<Evidence>, bool)>,
    /// What does not.
    pub(super) rejected: Vec<assay_case::RejectedClaim>,
    /// Whether there is more than was read.
    pub(super) truncated: bool,
}

/// Reads what is attached to an image.
pub(super) fn signed_evidence(
    image: &ImageSource,
    signer: &WantedSigner,
    session: &Session<'_>,
) -> Result<SignedEvidence> {
    let (material, key) = material_of(signer, session)?;
    let set = image_evidence(image, material, session)?.evidence;
    let judged = |evidence: std::sync::Arc<Evidence>| {
        let accepted = signer.accepts(&evidence, key).is_ok();
        (evidence, accepted)
    };
    Ok(SignedEvidence {
        verified: set.verified.into_iter().map(judged).collect(),
        rejected: set.rejected,
        truncated: set.truncated,
    })
}

/// Sigstore instances that are known by name.
pub(crate) const INSTANCES: [&str; 3] = ["publicGood", "github", "staging"];

/// The name that evidence of `--ca-roots` carries.
const OWN_AUTHORITY: &str = "ca-roots";

/// The material of an instance that is known by name, or of a trusted root in a file.
fn trusted_root(named: Option<&Path>) -> Result<TrustMaterial> {
    let material = TrustMaterial::new();
    Ok(match named.map(|path| (path, path.to_str())) {
        None | Some((_, Some("publicGood"))) => material.with_public_good()?,
        Some((_, Some("github"))) => material.with_github()?,
        Some((_, Some("staging"))) => material.with_staging()?,
        Some((path, _)) => material.with_trusted_root(&read_file(path)?)?,
    })
}

/// What must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WantedKind {
    /// Anything: a bundle by itself says what it is.
    Any,
    /// A signature.
    Signature,
    /// SLSA provenance of any version.
    Provenance,
    /// An attestation with this predicate type, or a version of it.
    Predicate(String),
}

impl WantedKind {
    fn accepts(&self, evidence: &Evidence) -> bool {
        match self {
            Self::Any => true,
            Self::Signature => evidence.kind() == EvidenceKind::Signature,
            Self::Provenance => evidence.kind() == EvidenceKind::Provenance,
            Self::Predicate(wanted) => evidence.predicate_type().is_some_and(|found| {
                found.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("/v"))
            }),
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Any => "evidence".to_owned(),
            Self::Signature => "signature".to_owned(),
            Self::Provenance => "provenance".to_owned(),
            Self::Predicate(kind) => format!("attestation of type {kind}"),
        }
    }
}

/// What was verified, and what was not.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyOutcome {
    /// What was verified, for people.
    pub(crate) artifact: String,
    /// Its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
    /// Whether what was wanted is there.
    pub(crate) verified: bool,
    /// What was wanted, in words.
    pub(crate) wanted: String,
    /// What counts.
    pub(crate) evidence: Vec<VerifiedEvidence>,
    /// What does not, and why.
    pub(crate) rejected: Vec<RejectedEvidence>,
    /// What is wrong with what counts, where a trust policy only logs it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logged: Vec<RejectedEvidence>,
}

/// Evidence that counts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifiedEvidence {
    /// `signature`, `SBOM`, ...
    pub(crate) kind: &'static str,
    /// Predicate type of an attestation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) predicate_type: Option<String>,
    /// The digest it is about.
    pub(crate) subject: Digest,
    /// Who signed.
    pub(crate) signer: Signer,
    /// The proven time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_at: Option<Timestamp>,
    /// Checks that were made.
    pub(crate) checks: Vec<CheckName>,
    /// Digest of the bundle.
    pub(crate) source: Digest,
    /// The build, where something was asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<VerifiedBuild>,
}

/// What does not count.
#[derive(Debug, Serialize)]
pub(crate) struct RejectedEvidence {
    /// Digest of the bundle or referrer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Digest>,
    /// The failure's code.
    pub(crate) code: String,
    /// Why.
    pub(crate) message: String,
}

impl VerifyOutcome {
    /// Denied where it is not there.
    pub(crate) fn status(&self) -> Status {
        if self.verified { Status::Pass } else { Status::Denied }
    }
}

/// The keys of npm's registry: its `keys.json`, in which they have their periods, or one as PEM.
fn registry_keys(root: TrustMaterial, text: &str) -> Result<TrustMaterial> {
    let json = text.trim_start().starts_with('{');
    Ok(if json { root.with_npm_keys(text.as_bytes())? } else { root.with_public_key(text)? })
}

/// Verifies.
pub(crate) fn verify(options: &VerifyOptions, session: &Session<'_>) -> Result<VerifyOutcome> {
    let (material, key) = material_of(&options.signer, session)?;
    let check = |evidence: &Evidence| -> std::result::Result<Option<VerifiedBuild>, RejectedEvidence> {
        let reject = |code: &str, message: String| RejectedEvidence {
            source: Some(evidence.source()),
            code: code.to_owned(),
            message,
        };
        options.signer.accepts(evidence, key).map_err(|(code, message)| reject(code, message))?;
        if options.kind.accepts(evidence) {
            return options.build.as_ref().map(|build| build.judge(evidence)).transpose();
        }
        let kind = evidence.predicate_type().unwrap_or(evidence.kind().title());
        Err(reject("kind-mismatch", format!("a {kind}, where a {} is wanted", options.kind.title())))
    };
    match &options.artifact {
        VerifiedArtifact::Bundle { bundle, artifact, rekor_entry } => {
            let bytes = read_file(bundle)?;
            let entry = rekor_entry.as_deref().map(read_file).transpose()?;
            let (content, digest);
            let subject = match artifact.parse::<Digest>() {
                Ok(parsed) => {
                    digest = parsed;
                    Artifact::Digest(digest)
                }
                // Something that begins like a digest and is none is not a file by that name either.
                Err(error) if artifact.starts_with("sha256:") || artifact.starts_with("sha512:") => {
                    return Err(error.into());
                }
                Err(_) => {
                    content = read_file(artifact.as_ref())?;
                    Artifact::Bytes(&content)
                }
            };
            let mut outcome = outcome(artifact.clone(), Some(subject.digest()), options);
            if let Some(build) = options.build.as_ref().filter(|_| is_npm(&bytes)) {
                build.judge_package(bundle, &bytes, subject, &material, &mut outcome)?;
                return Ok(outcome);
            }
            let mut undecided = None;
            let results = verify_file(&bytes, subject, &material, entry.as_deref(), Timestamp::now())
                .unwrap_or_else(|error| vec![Err(error)]);
            for result in results {
                match result {
                    Ok(evidence) => outcome.judge(&evidence, check(&evidence)),
                    Err(error) if is_undecided(&error) => drop(undecided.get_or_insert(error)),
                    Err(error) => outcome.rejected.push(RejectedEvidence {
                        source: Some(Digest::of(&bytes)),
                        code: error.code().to_owned(),
                        message: error.to_string(),
                    }),
                }
            }
            if let Some(error) = undecided.filter(|_| !outcome.verified) {
                return Err(Failure::from(error).about(bundle.display()));
            }
            Ok(outcome)
        }
        VerifiedArtifact::Image(image) => {
            let set = image_evidence(image, material, session)?;
            let mut outcome = outcome(image.to_string(), Some(set.digest), options);
            for evidence in &set.evidence.verified {
                outcome.judge(evidence, check(evidence));
            }
            outcome.rejected.extend(set.evidence.rejected.into_iter().map(|claim| RejectedEvidence {
                source: Some(claim.source),
                code: claim.code,
                message: claim.message,
            }));
            if set.evidence.truncated && !outcome.verified {
                let message = "there are more referrers than are read; the newest were".to_owned();
                outcome.rejected.push(RejectedEvidence {
                    source: None,
                    code: "too-many-referrers".to_owned(),
                    message,
                });
            }
            Ok(outcome)
        }
    }
}

/// Whether a failure says nothing about the signature: what could not be read was not verified, nor refuted.
fn is_undecided(error: &VerifyError) -> bool {
    matches!(
        error,
        VerifyError::Malformed { .. }
            | VerifyError::UnsupportedVersion { .. }
            | VerifyError::Unsupported { .. }
            | VerifyError::TooLarge { .. }
            | VerifyError::PredicateMalformed { .. }
            | VerifyError::NoMaterial { .. }
            | VerifyError::Material { .. }
    )
}

fn outcome(artifact: String, digest: Option<Digest>, options: &VerifyOptions) -> VerifyOutcome {
    VerifyOutcome {
        artifact,
        digest,
        verified: false,
        wanted: options.kind.title(),
        evidence: Vec::new(),
        rejected: Vec::new(),
        logged: Vec::new(),
    }
}

impl VerifyOutcome {
    /// Keeps evidence as what counts, or why it does not.
    pub(crate) fn judge(
        &mut self,
        evidence: &Evidence,
        answer: std::result::Result<Option<VerifiedBuild>, RejectedEvidence>,
    ) {
        match answer {
            Ok(build) => {
                self.verified = true;
                self.evidence.push(VerifiedEvidence { build, ..VerifiedEvidence::of(evidence) });
            }
            Err(rejected) => self.rejected.push(rejected),
        }
    }
}

impl VerifiedEvidence {
    /// As it is shown.
    pub(super) fn of(evidence: &Evidence) -> Self {
        Self {
            kind: evidence.kind().title(),
            predicate_type: evidence.predicate_type().map(str::to_owned),
            subject: evidence.subject(),
            signer: evidence.signer().clone(),
            signed_at: evidence.signed_at(),
            checks: evidence.checks().iter().filter(|check| check.made).map(|check| check.name).collect(),
            source: evidence.source(),
            build: None,
        }
    }
}

/// What refers to an image.
pub(super) struct ImageEvidence {
    /// The image's digest.
    pub(super) digest: Digest,
    /// What refers to it.
    pub(super) evidence: assay_case::EvidenceSet,
}

pub(super) fn image_evidence(
    image: &ImageSource,
    material: TrustMaterial,
    session: &Session<'_>,
) -> Result<ImageEvidence> {
    let gatherer = session.gatherer(vec![material], None)?;
    let platforms = session.settings.platform.value.one()?;
    let wanted = Wanted { platforms, contents: false, ..Wanted::default() };
    session.printer.progress(&format!("looking at what refers to {image}"));
    let facts = session.facts(&gatherer, image, &wanted)?;
    let facts = facts.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    let facts = facts.first().ok_or_else(|| CliError::NotFound {
        what: format!("an image in {image}"),
        suggestion: None,
        next: "assay tree shows what is there".to_owned(),
    })?;
    let evidence = facts.evidence.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    Ok(ImageEvidence { digest: facts.subject.digest, evidence: evidence.clone() })
}
