//! `assay sign` and `assay attest`.

mod older;
pub(crate) mod signer;

use std::path::{Path, PathBuf};

use assay_gather::Wanted;
use assay_kinds::Span;
use assay_model::{Digest, Reference, Repository, Timestamp};
use assay_oci::{Client, Manifest, RawManifest};
use assay_sbom::{Generation, Lifecycle, Root};
use assay_sign::{NOTATION_CONFIG_TYPE, NotationEnvelope, NotationRequest, NotationSigner, Statement};
use assay_trust::{ScanSummary, predicates};
use serde::Serialize;

use self::signer::{ReadySigner, SignerOptions};
use crate::Result;
use crate::failure::{CliError, Failure, read_file, read_text, write_file};
use crate::session::Session;

/// Largest file that is signed; it is held in memory.
const ARTIFACT_MAX: u64 = 4 << 30;
/// Most manifests that `--recursive` signs: an index of more is none of a build.
const RECURSIVE_MAX: usize = 200;
/// How deep indexes may lie in indexes.
const DEPTH_MAX: usize = 3;

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

/// In whose format.
pub(crate) enum SignatureFormat {
    /// A Sigstore bundle.
    Sigstore,
    /// A Notary Project signature.
    Notation {
        /// The envelope.
        envelope: NotationEnvelope,
        /// File of the certificates.
        chain: PathBuf,
        /// How long it is good.
        expires: Option<Span>,
    },
}

/// What to sign.
pub(crate) enum SignTarget {
    /// A file, whose bundle is written beside it.
    File {
        /// The file.
        file: PathBuf,
        /// Where the bundle goes.
        bundle: PathBuf,
    },
    /// An image.
    Image(Box<ImageTarget>),
}

/// An image to sign.
pub(crate) struct ImageTarget {
    /// The image.
    pub(crate) image: Reference,
    /// Whether a tag may be resolved.
    pub(crate) resolve: bool,
    /// Whether the manifests of an index are signed too.
    pub(crate) recursive: bool,
    /// Whether the older form is written too.
    pub(crate) legacy: bool,
    /// Where the bundle is written to as well.
    pub(crate) output_bundle: Option<PathBuf>,
    /// What is stated about it.
    pub(crate) stated: Stated,
    /// In whose format.
    pub(crate) format: SignatureFormat,
}

/// What to sign, and who signs.
pub(crate) struct SignOptions {
    /// What to sign.
    pub(crate) target: SignTarget,
    /// Who signs.
    pub(crate) signer: SignerOptions,
}

/// What was signed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignOutcome {
    /// Repository, or the file.
    pub(crate) target: String,
    /// Each signature that was made.
    pub(crate) signatures: Vec<SignatureOutcome>,
    /// File that the bundle was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bundle: Option<PathBuf>,
}

/// One signature that was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignatureOutcome {
    /// What it is about.
    pub(crate) subject: Digest,
    /// What is stated, or the kind of signature.
    pub(crate) predicate_type: String,
    /// Digest of the referrer that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) referrer: Option<Digest>,
    /// Tag of the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) legacy_tag: Option<String>,
}

/// Signs a file, or an image whose bundle is attached to it.
pub(crate) fn sign(options: &SignOptions, session: &Session<'_>) -> Result<SignOutcome> {
    match &options.target {
        SignTarget::File { file, bundle } => {
            let message = read_artifact(file)?;
            let signed = session.run(async { options.signer.ready(session).await?.sign_message(&message).await })?;
            write_file(bundle, signed.bytes())?;
            let signature = SignatureOutcome {
                subject: signed.digest(),
                predicate_type: "message signature".to_owned(),
                referrer: None,
                legacy_tag: None,
            };
            Ok(SignOutcome {
                target: file.display().to_string(),
                signatures: vec![signature],
                bundle: Some(bundle.clone()),
            })
        }
        SignTarget::Image(target) => sign_image(target, &options.signer, session),
    }
}

/// The file whole: a signature is over all of its bytes.
fn read_artifact(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::metadata(path).map_err(CliError::unreadable(path))?.len();
    if bytes > ARTIFACT_MAX {
        return Err(CliError::TooLarge { path: path.to_owned(), bytes, limit: ARTIFACT_MAX }.into());
    }
    Ok(std::fs::read(path).map_err(CliError::unreadable(path))?)
}

fn sign_image(target: &ImageTarget, signer: &SignerOptions, session: &Session<'_>) -> Result<SignOutcome> {
    if target.image.digest().is_none() && !target.resolve {
        return Err(CliError::Usage {
            message: format!("{} is a tag: it may mean another image a second from now", target.image.written()),
            next: "sign registry/repository@sha256:..., or add --resolve to sign what the tag means now".to_owned(),
        }
        .into());
    }
    let client = session.online("signing an image")?;
    session.run(async {
        let about = |error| Failure::from(error).about(target.image.written());
        let repository = target.image.repository();
        let root = client.root(&target.image).await.map_err(about)?;
        let mut subjects = vec![root];
        if target.recursive {
            add_children(&client, repository, &mut subjects).await?;
        }
        let mut signatures = Vec::new();
        if let SignatureFormat::Notation { envelope, chain, expires } = &target.format {
            let notation = NotationSigner::new(signer.key(session).await?, &read_text(chain)?)?;
            let witnesses = signer.witnesses(session)?;
            for subject in &subjects {
                let descriptor = subject.descriptor();
                let signed_at = Timestamp::now();
                let expires = expires.map(|span| signed_at + span.duration());
                let annotations = std::collections::BTreeMap::new();
                let request =
                    NotationRequest { subject: &descriptor, envelope: *envelope, signed_at, expires, annotations };
                let signature = notation.sign(&request, &witnesses).await?;
                for (media_type, bytes) in signature.blobs() {
                    client.push_blob(repository, media_type, bytes.into()).await?;
                }
                let bytes = signature.manifest(&descriptor, signed_at);
                let raw = RawManifest::parse(bytes.clone().into(), Digest::of(&bytes), None, "signature")?;
                client.push_referrer(repository, &raw).await?;
                signatures.push(SignatureOutcome {
                    subject: subject.digest,
                    predicate_type: NOTATION_CONFIG_TYPE.to_owned(),
                    referrer: Some(raw.digest),
                    legacy_tag: None,
                });
            }
        } else {
            let ready = signer.ready(session).await?;
            for subject in subjects {
                signatures.push(bundle(target, &ready, subject, &client, session).await?);
            }
        }
        let bundle = target.output_bundle.clone();
        Ok(SignOutcome { target: repository.to_string(), signatures, bundle })
    })
}

/// Signs one manifest, and attaches the bundle.
async fn bundle(
    target: &ImageTarget,
    signer: &ReadySigner,
    mut subject: RawManifest,
    client: &Client,
    session: &Session<'_>,
) -> Result<SignatureOutcome> {
    let about = |error| Failure::from(error).about(target.image.written());
    let repository = target.image.repository();
    let statement = match &target.stated {
        Stated::Signature => Statement::image_signature(&subject.digest),
        Stated::Predicate { kind, file } => Statement::attestation(&subject.digest, kind, &read_file(file)?)?,
        made => {
            // What was found is about one platform's image, not about the index that lists it.
            let (digest, kind, predicate) = found(made, &target.image, session).await?;
            if digest != subject.digest {
                subject = client.manifest(repository, digest).await.map_err(about)?;
            }
            Statement::attestation(&digest, kind, &predicate)?
        }
    };
    let bundle = signer.sign(&statement).await?;
    if let Some(path) = &target.output_bundle {
        write_file(path, bundle.bytes())?;
    }
    let artifact = bundle.artifact(Timestamp::now());
    let referrer = client.attach(repository, &subject.descriptor(), &artifact).await?.digest;
    let legacy_tag = if target.legacy {
        Some(older::add(client, repository, subject.digest, &target.stated, &bundle, signer).await?)
    } else {
        None
    };
    Ok(SignatureOutcome {
        subject: subject.digest,
        predicate_type: bundle.predicate_type().to_owned(),
        referrer: Some(referrer),
        legacy_tag,
    })
}

/// Adds what the first manifest, an index, lists, and what that lists.
async fn add_children(client: &Client, repository: &Repository, subjects: &mut Vec<RawManifest>) -> Result<()> {
    let mut level = 0..subjects.len();
    for _ in 0..DEPTH_MAX {
        let listed: Vec<Digest> = subjects
            .get(level.clone())
            .unwrap_or_default()
            .iter()
            .filter_map(|raw| match &raw.manifest {
                Manifest::Index(index) => Some(index.manifests.iter().map(|entry| entry.digest)),
                Manifest::Image(_) => None,
            })
            .flatten()
            .collect();
        let begin = subjects.len();
        for digest in listed {
            if subjects.iter().any(|known| known.digest == digest) {
                continue;
            }
            if subjects.len() == RECURSIVE_MAX {
                return Err(CliError::Malformed {
                    what: repository.to_string(),
                    message: format!("the index lists more than {RECURSIVE_MAX} manifests; nothing was signed"),
                }
                .into());
            }
            subjects.push(client.manifest(repository, digest).await?);
        }
        level = begin..subjects.len();
    }
    Ok(())
}

/// What is found in the image, as a predicate, and the digest it is about.
async fn found(stated: &Stated, image: &Reference, session: &Session<'_>) -> Result<(Digest, &'static str, Vec<u8>)> {
    let gatherer = session.gatherer(Vec::new(), session.existing_store()?)?;
    let platforms = session.settings.platform.value.one()?;
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
        "vsa" => predicates::VERIFICATION_SUMMARY_V1,
        "test" => predicates::TEST_RESULT_V01,
        uri if uri.contains("://") => uri,
        _ => {
            let known =
                ["spdx", "cyclonedx", "slsaprovenance1", "slsaprovenance", "vuln", "scan", "openvex", "vsa", "test"];
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
