//! `assay sign`, `assay attest`, `assay verify`, resolved.

use assay_model::Secret;
use assay_sign::{SigningConfig, TOKEN_VARIABLE};
use assay_trust::{Claim, IdentityPolicy, Pattern};

use crate::Result;
use crate::arguments::{AttestArguments, SignArguments, SignerArguments, VerifyArguments};
use crate::commands::sign::{SignOptions, SignerOptions, Stated, predicate_type};
use crate::commands::verify::{VerifiedArtifact, VerifyOptions, WantedKind, WantedSigner};
use crate::failure::{CliError, read_text};
use crate::variables;

impl SignerArguments {
    /// Who signs.
    pub(crate) fn resolve(self) -> Result<SignerOptions> {
        if let Some(key) = self.key {
            return Ok(SignerOptions::Key(key));
        }
        let token = match &self.identity_token {
            Some(path) => Some(read_text(path)?),
            None => variables::read(variables::IDENTITY_TOKEN).or_else(|| variables::read(TOKEN_VARIABLE)),
        };
        let token = token.ok_or_else(|| CliError::Usage {
            message: "nothing to sign with: there is neither a key nor an identity token".to_owned(),
            next: format!("--key FILE, --identity-token FILE, or set {}", variables::IDENTITY_TOKEN),
        })?;
        let services =
            SigningConfig { fulcio: self.fulcio_url, rekor: Some(self.rekor_url), timestamp: self.timestamp_url };
        Ok(SignerOptions::Keyless { token: Secret::new(token.trim().to_owned()), services })
    }
}

impl SignArguments {
    /// What is to be signed.
    pub(crate) fn resolve(self) -> Result<SignOptions> {
        let resolve = self.resolve;
        let image = self.image.parse()?;
        Ok(SignOptions { image, resolve, stated: Stated::Signature, signer: self.signer.resolve()? })
    }
}

impl AttestArguments {
    /// What is to be attested.
    pub(crate) fn resolve(self) -> Result<SignOptions> {
        let resolve = self.resolve;
        let stated = match (self.from_scan, self.from_sbom, self.predicate, self.predicate_type.as_deref()) {
            (true, ..) => Stated::Scan,
            (_, true, _, None | Some("cyclonedx")) => Stated::Sbom(assay_sbom::Format::CycloneDx),
            (_, true, _, Some("spdx")) => Stated::Sbom(assay_sbom::Format::Spdx),
            (_, true, _, Some(other)) => {
                return Err(CliError::Usage {
                    message: format!("an SBOM is not written as {other}"),
                    next: "--from-sbom --type cyclonedx | spdx".to_owned(),
                }
                .into());
            }
            (_, _, Some(file), Some(kind)) => Stated::Predicate { kind: predicate_type(kind)?, file },
            _ => {
                return Err(CliError::Usage {
                    message: "a predicate needs its type".to_owned(),
                    next: "--type TYPE --predicate FILE, --from-sbom, or --from-scan".to_owned(),
                }
                .into());
            }
        };
        let image = self.image.parse()?;
        Ok(SignOptions { image, resolve, stated, signer: self.signer.resolve()? })
    }
}

impl VerifyArguments {
    /// What must hold.
    pub(crate) fn resolve(self) -> Result<VerifyOptions> {
        let kind = match (&self.predicate_type, &self.bundle) {
            (Some(word), _) => WantedKind::Predicate(predicate_type(word)?),
            (None, Some(_)) => WantedKind::Any,
            (None, None) => WantedKind::Signature,
        };
        let signer = self.signer()?;
        let artifact = match self.bundle {
            Some(bundle) => VerifiedArtifact::Bundle { bundle, artifact: self.artifact, rekor_entry: self.rekor_entry },
            None => VerifiedArtifact::Image(Box::new(self.artifact.parse()?)),
        };
        Ok(VerifyOptions { artifact, signer, kind })
    }

    /// Both halves of an identity are needed: whoever may choose the issuer may choose the name.
    fn signer(&self) -> Result<WantedSigner> {
        if let Some(key) = &self.key {
            return Ok(WantedSigner::Key(key.clone()));
        }
        let pattern = |exact: &Option<String>, regexp: &Option<String>| -> Result<Option<Pattern>> {
            Ok(match (exact, regexp) {
                (Some(text), _) => Some(Pattern::exact(text)),
                (None, Some(text)) => Some(Pattern::regexp(text)?),
                (None, None) => None,
            })
        };
        let subject = pattern(&self.certificate_identity, &self.certificate_identity_regexp)?;
        if let Some(file) = &self.ca_roots {
            return Ok(WantedSigner::Authority { file: file.clone(), subject });
        }
        let issuer = pattern(&self.certificate_oidc_issuer, &self.certificate_oidc_issuer_regexp)?;
        let (Some(subject), Some(issuer)) = (subject, issuer) else {
            return Err(CliError::Usage {
                message: "a signature by anybody proves nothing: say who must have signed".to_owned(),
                next: "--key FILE, --ca-roots FILE, or --certificate-identity ID with --certificate-oidc-issuer URL"
                    .to_owned(),
            }
            .into());
        };
        let claims = [
            (Claim::WorkflowTrigger, &self.certificate_github_workflow_trigger),
            (Claim::WorkflowSha, &self.certificate_github_workflow_sha),
            (Claim::WorkflowName, &self.certificate_github_workflow_name),
            (Claim::WorkflowRepository, &self.certificate_github_workflow_repository),
            (Claim::WorkflowRef, &self.certificate_github_workflow_ref),
        ];
        let mut policy = IdentityPolicy::new(issuer, subject);
        for (claim, wanted) in claims {
            if let Some(text) = wanted {
                policy = policy.with(claim, Pattern::exact(text));
            }
        }
        Ok(WantedSigner::Identity(Box::new(policy)))
    }
}
