//! `assay sign`, `assay attest`, `assay verify`, resolved.

use assay_model::Secret;
use assay_sign::{SigningConfig, TOKEN_VARIABLE};
use assay_trust::{BuildExpectation, BuilderId, Claim, IdentityPolicy, Pattern};

use crate::Result;
use crate::arguments::{
    AttestArguments, BuildArguments, SignArguments, SignerArguments, SummaryArguments, VerifyArguments,
};
use crate::commands::build::BuildOptions;
use crate::commands::sign::{SignOptions, SignerOptions, Stated, predicate_type};
use crate::commands::summary::SummaryOptions;
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

impl BuildArguments {
    /// What is asked of the build, if anything is.
    fn resolve(&self) -> Result<Option<BuildOptions>> {
        let Some(source) = &self.source_uri else { return Ok(None) };
        let usage = |message: String, next: &str| CliError::Usage { message, next: next.to_owned() };
        let mut expected = BuildExpectation::new(source);
        if let Some(branch) = &self.source_branch {
            expected = expected.with_branch(branch);
        }
        if let Some(tag) = &self.source_tag {
            expected = expected.with_tag(tag);
        }
        if let Some(tag) = &self.source_versioned_tag {
            expected = expected.with_versioned_tag(tag);
        }
        if let Some(text) = &self.builder_id {
            let builder = BuilderId::parse(text).ok_or_else(|| {
                usage(format!("`{text}` is no builder"), "--builder-id NAME, NAME@v1.2.3 or NAME@refs/tags/v1.2.3")
            })?;
            expected = expected.with_builder(builder);
        }
        for text in &self.workflow_input {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| usage(format!("`{text}` is no input with its value"), "--workflow-input NAME=VALUE"))?;
            expected = expected.with_input(name, value);
        }
        Ok(Some(BuildOptions { expected, print: self.print_provenance }))
    }
}

impl VerifyArguments {
    /// What to judge and summarise.
    pub(crate) fn resolve_summary(self) -> Result<SummaryOptions> {
        let SummaryArguments {
            emit_vsa,
            verifier_id,
            policy_uri,
            identity_token,
            fulcio_url,
            rekor_url,
            timestamp_url,
        } = self.summary;
        let (Some(file), Some(verifier)) = (emit_vsa, verifier_id) else {
            let (message, next) = ("a summary needs a file and a verifier", "--emit-vsa FILE --verifier-id URI");
            return Err(CliError::Usage { message: message.to_owned(), next: next.to_owned() }.into());
        };
        let key = self.key;
        let signer = SignerArguments { key, identity_token, fulcio_url, rekor_url, timestamp_url };
        let image = self.artifact.parse()?;
        Ok(SummaryOptions { image, file, verifier, policy: policy_uri, signer: signer.resolve()? })
    }

    /// What must hold.
    pub(crate) fn resolve(self) -> Result<VerifyOptions> {
        let build = self.build.resolve()?;
        let kind = match (&self.predicate_type, &self.bundle) {
            (Some(word), _) => WantedKind::Predicate(predicate_type(word)?),
            (None, _) if build.is_some() => WantedKind::Provenance,
            (None, Some(_)) => WantedKind::Any,
            (None, None) => WantedKind::Signature,
        };
        let signer = self.signer()?;
        let artifact = match self.bundle {
            Some(bundle) => VerifiedArtifact::Bundle { bundle, artifact: self.artifact, rekor_entry: self.rekor_entry },
            None => VerifiedArtifact::Image(Box::new(self.artifact.parse()?)),
        };
        Ok(VerifyOptions { artifact, signer, kind, build })
    }

    /// Both halves of an identity are needed: whoever may choose the issuer may choose the name.
    fn signer(&self) -> Result<WantedSigner> {
        let identity = [
            &self.certificate_identity,
            &self.certificate_identity_regexp,
            &self.certificate_oidc_issuer,
            &self.certificate_oidc_issuer_regexp,
        ];
        if self.build.source_uri.is_some() && self.ca_roots.is_none() && identity.iter().all(|flag| flag.is_none()) {
            return Ok(WantedSigner::Builder(self.key.clone()));
        }
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
