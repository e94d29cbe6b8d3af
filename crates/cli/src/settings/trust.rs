//! `assay sign`, `assay attest`, `assay verify`, resolved.

use std::path::PathBuf;

use assay_model::Timestamp;
use assay_sign::{Endpoints, Instances, KeyAlgorithm, LogVersions, NotationEnvelope, SigningConfigFile};
use assay_trust::{BuildExpectation, BuilderId, Claim, IdentityPolicy, Pattern};

use crate::Result;
use crate::arguments::{
    AlgorithmArgument, AttachArguments, AttestArguments, BuildArguments, EnvelopeArgument, IdentityArguments,
    KeyFormatArgument, KeyNewArguments, NotationArguments, SignArguments, SignatureFormatArgument, SignerArguments,
    SummaryArguments, VerifyArguments, WitnessArgument, existing_image,
};
use crate::commands::build::BuildOptions;
use crate::commands::key::NewKeyOptions;
use crate::commands::password::PasswordSource;
use crate::commands::sign::signer::{SignerOptions, TokenSource, Who};
use crate::commands::sign::{ImageTarget, SignOptions, SignTarget, SignatureFormat, Stated, predicate_type};
use crate::commands::summary::SummaryOptions;
use crate::commands::verify::{VerifiedArtifact, VerifyOptions, WantedKind, WantedSigner};
use crate::commands::verify_notation::{NotationOptions, SignedFile};
use crate::failure::{CliError, Failure, read_file};

impl KeyNewArguments {
    /// The key pair to make.
    pub(crate) fn resolve(self) -> NewKeyOptions {
        let source = if self.password_stdin { PasswordSource::StandardInput } else { PasswordSource::Ambient };
        NewKeyOptions {
            prefix: self.to,
            algorithm: match self.algorithm {
                AlgorithmArgument::EcdsaP256 => KeyAlgorithm::EcdsaP256,
                AlgorithmArgument::EcdsaP384 => KeyAlgorithm::EcdsaP384,
                AlgorithmArgument::Ed25519 => KeyAlgorithm::Ed25519,
                AlgorithmArgument::Rsa3072 => KeyAlgorithm::Rsa3072,
            },
            encrypted: (self.format == KeyFormatArgument::Cosign).then_some(source),
        }
    }
}

impl SignerArguments {
    /// Who signs.
    pub(crate) fn resolve(&self) -> Result<SignerOptions> {
        let who = match &self.key {
            Some(reference) => Who::Key {
                reference: reference.clone(),
                password: if self.password_stdin { PasswordSource::StandardInput } else { PasswordSource::Ambient },
            },
            None => Who::Identity(match &self.identity_token {
                Some(path) => TokenSource::File(path.clone()),
                None => TokenSource::Ambient { issuer: self.issuer()?, device: self.device_flow },
            }),
        };
        Ok(SignerOptions { who, endpoints: self.endpoints()? })
    }

    fn issuer(&self) -> Result<Option<String>> {
        Ok(match (&self.oidc_issuer, &self.use_signing_config) {
            (Some(issuer), _) => Some(issuer.clone()),
            (None, Some(path)) => {
                let config = SigningConfigFile::parse(&read_file(path)?)?;
                config.issuer(Timestamp::now()).map(str::to_owned)
            }
            (None, None) => None,
        })
    }

    /// Where the witnesses are: by hand where an address is given, else from a signing configuration. What is not to witness
    /// is left out.
    fn endpoints(&self) -> Result<Endpoints> {
        let by_hand = self.fulcio_url.is_some() || self.rekor_url.is_some() || self.timestamp_url.is_some();
        let (log, timestamp) = match self.tlog {
            Some(WitnessArgument::None) => (false, false),
            Some(WitnessArgument::Rekor) => (true, false),
            Some(WitnessArgument::Tsa) => (false, true),
            // A key's signature says nothing of time, so that it needs no witness unless one is named.
            None if self.key.is_some() => {
                let configured = self.use_signing_config.is_some();
                (configured || self.rekor_url.is_some(), configured || self.timestamp_url.is_some())
            }
            Some(WitnessArgument::Both) | None => (true, true),
        };
        let versions = match self.rekor_version {
            Some(1) => LogVersions::One,
            Some(_) => LogVersions::Two,
            None => LogVersions::Highest,
        };
        // Without a log its version does not matter.
        let versions = if log { versions } else { LogVersions::Highest };
        let config = match &self.use_signing_config {
            Some(path) => SigningConfigFile::parse(&read_file(path)?)?,
            None => SigningConfigFile::public_good()?,
        };
        let missing = |flag: &str, what: &str| -> Failure {
            CliError::Usage { message: format!("{what} is to witness, and none is named"), next: format!("{flag} URL") }
                .into()
        };
        let mut endpoints = if by_hand {
            let mut endpoints = Endpoints {
                fulcio: self.fulcio_url.as_ref().map(Instances::one).unwrap_or_default(),
                timestamp: self.timestamp_url.as_ref().map(Instances::one).unwrap_or_default(),
                ..Endpoints::default()
            };
            if self.key.is_none() && self.fulcio_url.is_none() {
                return Err(CliError::Usage {
                    message: "a log or timestamp authority of one's own goes with a certificate authority".to_owned(),
                    next: "--fulcio-url URL".to_owned(),
                }
                .into());
            }
            let rekor = self.rekor_url.as_ref().map(Instances::one).unwrap_or_default();
            *(if versions == LogVersions::Two { &mut endpoints.rekor_v2 } else { &mut endpoints.rekor }) = rekor;
            if self.tlog.is_some() && log && self.rekor_url.is_none() {
                return Err(missing("--rekor-url", "a transparency log"));
            }
            if self.tlog.is_some() && timestamp && self.timestamp_url.is_none() {
                return Err(missing("--timestamp-url", "a timestamp authority"));
            }
            endpoints
        } else if log || timestamp || self.key.is_none() {
            config.endpoints(Timestamp::now(), versions)?
        } else {
            Endpoints::default()
        };
        if !log {
            (endpoints.rekor, endpoints.rekor_v2) = (Instances::default(), Instances::default());
        }
        if !timestamp {
            endpoints.timestamp = Instances::default();
        }
        if self.key.is_some() {
            endpoints.fulcio = Instances::default();
        }
        Ok(endpoints)
    }
}

impl AttachArguments {
    fn target(&self, image: &str, stated: Stated, format: SignatureFormat) -> Result<SignTarget> {
        Ok(SignTarget::Image(Box::new(ImageTarget {
            image: image.parse()?,
            resolve: self.resolve,
            recursive: self.recursive,
            legacy: self.legacy_sig,
            output_bundle: self.output_bundle.clone(),
            stated,
            format,
        })))
    }
}

impl SignArguments {
    /// What is to be signed.
    pub(crate) fn resolve(self) -> Result<SignOptions> {
        let expires = self.expires.as_deref().map(str::parse).transpose()?;
        let format = match (self.format, self.certificate_chain) {
            (SignatureFormatArgument::Notation, Some(chain)) => {
                let envelope = match self.envelope {
                    EnvelopeArgument::Jws => NotationEnvelope::Jws,
                    EnvelopeArgument::Cose => NotationEnvelope::Cose,
                };
                SignatureFormat::Notation { envelope, chain, expires }
            }
            (_, None) if expires.is_none() => SignatureFormat::Sigstore,
            _ => {
                return Err(CliError::Usage {
                    message: "certificates and an expiry belong to notation signatures".to_owned(),
                    next: "--format notation --key KEY --certificate-chain FILE".to_owned(),
                }
                .into());
            }
        };
        let notation = matches!(format, SignatureFormat::Notation { .. });
        if notation && (self.bundle.is_some() || self.attach.legacy_sig || self.attach.output_bundle.is_some()) {
            return Err(CliError::Usage {
                message: "a notation signature is no bundle and has no older form".to_owned(),
                next: "leave out --bundle, --output-bundle and --legacy-sig".to_owned(),
            }
            .into());
        }
        let target = match self.bundle {
            Some(bundle) => SignTarget::File { file: self.artifact.into(), bundle },
            None => self.attach.target(&self.artifact, Stated::Signature, format)?,
        };
        Ok(SignOptions { target, signer: self.signer.resolve()? })
    }
}

impl AttestArguments {
    /// What is to be attested.
    pub(crate) fn resolve(self) -> Result<SignOptions> {
        if self.attach.recursive && (self.from_scan || self.from_sbom) {
            return Err(CliError::Usage {
                message: "what is found is about one platform's image".to_owned(),
                next: "attest each platform without --recursive, with --platform".to_owned(),
            }
            .into());
        }
        let stated = match (self.from_scan, self.from_sbom, self.predicate, self.predicate_type.as_deref()) {
            (true, ..) => Stated::Scan,
            (_, true, _, None | Some("cyclonedx")) => Stated::Sbom(assay_sbom::Format::CYCLONEDX),
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
        let target = self.attach.target(&self.image, stated, SignatureFormat::Sigstore)?;
        Ok(SignOptions { target, signer: self.signer.resolve()? })
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
            ..
        } = self.summary;
        let (Some(file), Some(verifier)) = (emit_vsa, verifier_id) else {
            let (message, next) = ("a summary needs a file and a verifier", "--emit-vsa FILE --verifier-id URI");
            return Err(CliError::Usage { message: message.to_owned(), next: next.to_owned() }.into());
        };
        let key = self.who.key.map(|path| path.to_string_lossy().into_owned());
        let signer =
            SignerArguments { key, identity_token, fulcio_url, rekor_url, timestamp_url, ..SignerArguments::default() };
        let image = self.artifact.parse()?;
        Ok(SummaryOptions { image, file, verifier, policy: policy_uri, signer: signer.resolve()? })
    }

    /// What must hold.
    pub(crate) fn resolve(self) -> Result<VerifyOptions> {
        let asks_for_build = self.build.source_uri.is_some();
        let build = self.build.resolve()?;
        let kind = match (&self.predicate_type, &self.bundle) {
            (Some(word), _) => WantedKind::Predicate(predicate_type(word)?),
            (None, _) if build.is_some() => WantedKind::Provenance,
            (None, Some(_)) => WantedKind::Any,
            (None, None) => WantedKind::Signature,
        };
        let signer = self.who.signer(asks_for_build)?;
        let artifact = match self.bundle {
            Some(bundle) => VerifiedArtifact::Bundle { bundle, artifact: self.artifact, rekor_entry: self.rekor_entry },
            None => VerifiedArtifact::Image(Box::new(existing_image(&self.artifact)?)),
        };
        Ok(VerifyOptions { artifact, signer, kind, build })
    }

    /// What must hold of a Notation signature, if that is what is asked.
    pub(crate) fn notation(&self) -> Result<Option<NotationOptions>> {
        let NotationArguments { notation_policy, trust_store, signature, notation_statement } = &self.notation;
        let (Some(policy), Some(stores)) = (notation_policy, trust_store) else { return Ok(None) };
        let artifact = match signature {
            Some(signature) => SignedFile::File {
                file: PathBuf::from(&self.artifact),
                signature: signature.clone(),
                statement: notation_statement.clone(),
            },
            None => SignedFile::Image(Box::new(self.artifact.parse()?)),
        };
        Ok(Some(NotationOptions { artifact, policy: policy.clone(), stores: stores.clone() }))
    }
}

impl IdentityArguments {
    /// Both halves of an identity are needed: whoever may choose the issuer may choose the name.
    /// Where the source of a build is asked for, its builder stands in for a signer who is not named.
    pub(super) fn signer(&self, asks_for_build: bool) -> Result<WantedSigner> {
        let identity = [
            &self.certificate_identity,
            &self.certificate_identity_regexp,
            &self.certificate_oidc_issuer,
            &self.certificate_oidc_issuer_regexp,
        ];
        if asks_for_build && self.ca_roots.is_none() && identity.iter().all(|flag| flag.is_none()) {
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
