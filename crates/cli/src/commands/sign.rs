//! `assay sign` and `assay attest`.

use std::path::PathBuf;

use assay_gather::Wanted;
use assay_model::{Digest, Reference, Secret, Timestamp};
use assay_sbom::{Generation, Lifecycle, Root};
use assay_sign::{
    HttpServices, IdentityToken, KeySigner, KeylessSigner, PrivateKey, SignedBundle, Signer as _, SigningConfig,
    Statement,
};
use assay_trust::{ScanSummary, predicates};
use serde::Serialize;

use crate::Result;
use crate::failure::{CliError, Failure, read_file, read_text};
use crate::session::Session;

/// Who signs.
pub(crate) enum SignerOptions {
    /// A private key (PEM file).
    Key(PathBuf),
    /// An identity, by a token.
    Keyless {
        /// The token.
        token: Secret<String>,
        /// Where the services are.
        services: SigningConfig,
    },
}

/// What is stated.
pub(crate) enum Stated {
    /// Nothing but the digest.
    Signature,
    /// A predicate from a file.
    Predicate {
        /// Its type.
        kind: String,
        /// The file.
        file: PathBuf,
    },
    /// The scan of the image, made now.
    Scan,
    /// The SBOM of the image, made now.
    Sbom(assay_sbom::Format),
}

/// What to sign.
pub(crate) struct SignOptions {
    /// The image.
    pub(crate) image: Reference,
    /// Whether a tag may be resolved.
    pub(crate) resolve: bool,
    /// What is stated about it.
    pub(crate) stated: Stated,
    /// Who signs.
    pub(crate) signer: SignerOptions,
}

/// What was signed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignOutcome {
    /// Repository.
    pub(crate) repository: String,
    /// What the statement is about.
    pub(crate) subject: Digest,
    /// What is stated.
    pub(crate) predicate_type: String,
    /// Digest of the referrer that carries it.
    pub(crate) referrer: Digest,
}

/// Signs, and attaches the bundle to the image.
pub(crate) fn sign(options: &SignOptions, session: &Session<'_>) -> Result<SignOutcome> {
    if options.image.digest().is_none() && !options.resolve {
        return Err(CliError::Usage {
            message: format!("{} is a tag: it may mean another image a second from now", options.image.written()),
            next: "sign registry/repository@sha256:..., or add --resolve to sign what the tag means now".to_owned(),
        }
        .into());
    }
    let client = session.online("signing an image")?;
    session.run(async {
        let about = |error| Failure::from(error).about(options.image.written());
        let mut subject = client.root(&options.image).await.map_err(about)?;
        let repository = options.image.repository();
        let statement = match &options.stated {
            Stated::Signature => Statement::image_signature(&subject.digest),
            Stated::Predicate { kind, file } => Statement::attestation(&subject.digest, kind, &read_file(file)?)?,
            made => {
                // What was found is about one platform's image, not about the index that lists it.
                let (digest, kind, predicate) = found(made, &options.image, session).await?;
                if digest != subject.digest {
                    subject = client.manifest(repository, digest).await.map_err(about)?;
                }
                Statement::attestation(&digest, kind, &predicate)?
            }
        };
        let bundle = signed(&options.signer, &statement).await?;
        let artifact = bundle.artifact(Timestamp::now());
        let referrer = client.attach(repository, &subject.descriptor(), &artifact).await?.digest;
        Ok(SignOutcome {
            repository: repository.to_string(),
            subject: subject.digest,
            predicate_type: bundle.predicate_type().to_owned(),
            referrer,
        })
    })
}

/// Signs a statement.
pub(crate) async fn signed(signer: &SignerOptions, statement: &Statement) -> Result<SignedBundle> {
    Ok(match signer {
        SignerOptions::Key(path) => KeySigner::new(PrivateKey::from_pem(&read_text(path)?)?).sign_now(statement)?,
        SignerOptions::Keyless { token, services } => {
            let token = IdentityToken::new(token.expose())?;
            KeylessSigner::new(HttpServices::new(services.clone())?, token).sign(statement).await?
        }
    })
}

/// What is found in the image, as a predicate, and the digest it is about.
async fn found(stated: &Stated, image: &Reference, session: &Session<'_>) -> Result<(Digest, &'static str, Vec<u8>)> {
    let gatherer = session.gatherer(Vec::new(), session.existing_store()?)?;
    let platforms = session.settings.platform.value.iter().cloned().collect();
    let wanted = Wanted { platforms, evidence: false, ..Wanted::default() };
    let about = |cause: &assay_case::Cause| Failure::from_cause(cause).about(image.written());
    let facts = gatherer.facts(&session.access()?, image, &wanted).await;
    let facts = facts.get().map_err(about)?;
    let facts = facts.first().ok_or_else(|| CliError::NotFound {
        what: format!("an image in {}", image.written()),
        suggestion: None,
        next: "assay tree shows what is there".to_owned(),
    })?;
    let contents = facts.contents.get().map_err(about)?;
    if let Some(partial) = contents.partial.first() {
        return Err(CliError::Malformed {
            what: image.written().to_owned(),
            message: format!("{} was not read to its end, so that nothing is attested", partial.what),
        }
        .into());
    }
    let mut predicate = Vec::new();
    let written = |source| CliError::System { what: "the predicate could not be written", source };
    let kind = if let Stated::Sbom(format) = stated {
        let subject = &facts.subject;
        let root = Root::image(&subject.repository, subject.digest, image.effective_tag());
        let created = contents.config.created.unwrap_or_else(Timestamp::now);
        let tool_version = env!("CARGO_PKG_VERSION");
        let generation = Generation { tool_version, created, lifecycle: Lifecycle::PostBuild };
        assay_sbom::write(&mut predicate, contents, &root, &generation, *format).map_err(written)?;
        format.predicate_type()
    } else {
        let findings = facts.findings.get().map_err(about)?;
        let summary = ScanSummary {
            scanner: format!("assay {}", env!("CARGO_PKG_VERSION")),
            database: Some(findings.pack.digest.to_string()),
            finished_at: Some(findings.matched_at),
            counts: Some(findings.counts()),
        };
        serde_json::to_writer(&mut predicate, &summary).map_err(|error| written(error.into()))?;
        predicates::ASSAY_SCAN_V1
    };
    Ok((facts.subject.digest, kind, predicate))
}

/// The predicate type that a short word stands for.
pub(crate) fn predicate_type(word: &str) -> Result<String> {
    Ok(match word {
        "spdx" => predicates::SPDX_DOCUMENT,
        "cyclonedx" => predicates::CYCLONEDX_BOM,
        "slsaprovenance1" => predicates::SLSA_PROVENANCE_V1,
        "slsaprovenance" => predicates::SLSA_PROVENANCE_V02,
        "vuln" => predicates::COSIGN_VULN_V1,
        "scan" => predicates::ASSAY_SCAN_V1,
        "openvex" => predicates::OPENVEX,
        uri if uri.contains("://") => uri,
        _ => {
            let known = ["spdx", "cyclonedx", "slsaprovenance1", "slsaprovenance", "vuln", "scan", "openvex"];
            return Err(CliError::NotFound {
                what: format!("predicate type {word}"),
                suggestion: assay_kinds::suggestion(word, known).map(str::to_owned),
                next: format!("--type {}, or the type's URI", known.join(" | ")),
            }
            .into());
        }
    }
    .to_owned())
}
