//! `assay verify --emit-vsa`: what the Gate says about an image, as a signed verification summary. Only of what it allows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use assay_case::{
    Case, ContainerRole, Document, Facts, ImageUse, Namespace, Operation, Request, User, Verdict, Workload,
};
use assay_gate::{build_level, decide};
use assay_gather::Wanted;
use assay_model::{BuildLevel, Digest, EnvironmentName, Reference, Timestamp};
use assay_oci::ImageSource;
use assay_sign::Statement;
use assay_trust::{Material, VerificationSummary, predicates};
use serde::Serialize;

use super::sign::signer::SignerOptions;
use super::{check, policies};
use crate::failure::{CliError, Failure};
use crate::session::Session;
use crate::{Result, Status};

/// The word for a build whose level nobody looked at (slsa.dev/spec/v1.0/verification_summary, "SlsaResult").
const UNEVALUATED: &str = "SLSA_BUILD_LEVEL_UNEVALUATED";

/// What to summarise.
pub(crate) struct SummaryOptions {
    /// The image.
    pub(crate) image: ImageSource,
    /// Where the signed summary is written.
    pub(crate) file: PathBuf,
    /// Who verifies.
    pub(crate) verifier: String,
    /// Where the policy can be read.
    pub(crate) policy: Option<String>,
    /// Who signs.
    pub(crate) signer: SignerOptions,
}

/// What was summarised.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SummaryOutcome {
    /// The image as typed.
    pub(crate) image: String,
    /// What was judged.
    pub(crate) subject: Digest,
    /// What the Gate says.
    pub(crate) verdict: Verdict,
    /// The level of the SLSA Build track that is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<BuildLevel>,
    /// The file with the summary; none where it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Digest of the referrer that carries it, where the image is in a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) referrer: Option<Digest>,
}

impl SummaryOutcome {
    /// As the Gate says.
    pub(crate) fn status(&self) -> Status {
        check::status_of(std::iter::once(&self.verdict))
    }
}

/// Judges, and signs what came out of it if that is yes.
pub(crate) fn summarise(options: &SummaryOptions, session: &Session<'_>) -> Result<SummaryOutcome> {
    let policies = policies::load(session.settings)?;
    check::known_environment(&policies, session)?;
    let environment = session.settings.environment.value.clone();
    let environment = environment.unwrap_or_else(|| policies.policy.default_environment().clone());
    let image = &options.image;
    let gatherer = session.gatherer(policies.materials.clone(), session.existing_store()?)?;
    let platforms = session.settings.platform.value.one()?;
    session.printer.progress(&format!("looking at {image}"));
    let known = session.facts(&gatherer, image, &Wanted { platforms, ..Wanted::default() })?;
    let facts = known.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    let [facts] = facts.as_slice() else {
        return Err(CliError::Usage {
            message: format!("{image} has {} platforms to judge, and a summary is about one digest", facts.len()),
            next: "name one: --platform linux/amd64".to_owned(),
        }
        .into());
    };
    let facts = Arc::clone(facts);
    let now = Timestamp::now();
    let written = format!("{}@{}", facts.subject.repository, facts.subject.digest);
    let reference: Reference = written.parse()?;
    let case = Case {
        request: request(&environment, &reference),
        facts: BTreeMap::from([(written.clone(), known)]),
        world: Arc::new(check::world(session)?),
    };
    let verdict = decide(&policies.policy, &case, now);
    let level = build_level(&policies.policy, &case, &facts, now);
    let subject = facts.subject.digest;
    let mut outcome = SummaryOutcome { image: image.to_string(), subject, verdict, level, file: None, referrer: None };
    if !outcome.verdict.allowed {
        return Ok(outcome);
    }
    let summary = VerificationSummary {
        verifier: options.verifier.clone(),
        verified_at: Some(now),
        resource: format!("oci://{written}"),
        policy: options.policy.clone(),
        policy_digest: Some(outcome.verdict.policy.to_string()),
        passed: true,
        levels: vec![level.map_or(UNEVALUATED, BuildLevel::word).to_owned()],
        inputs: inputs(&facts),
    };
    let statement =
        Statement::attestation(&subject, predicates::VERIFICATION_SUMMARY_V1, summary.predicate().as_bytes())?;
    session.run(async {
        let bundle = options.signer.ready(session).await?.sign(&statement).await?;
        std::fs::write(&options.file, bundle.bytes()).map_err(CliError::unwritable(&options.file))?;
        outcome.file = Some(options.file.display().to_string());
        if let ImageSource::Registry(_) = image {
            let client = session.online("attaching the summary")?;
            let about = |error| Failure::from(error).about(&written);
            let manifest = client.manifest(reference.repository(), subject).await.map_err(about)?;
            let artifact = bundle.artifact(Timestamp::now());
            let attached = client.attach(reference.repository(), &manifest.descriptor(), &artifact).await?;
            outcome.referrer = Some(attached.digest);
        }
        Ok(())
    })?;
    Ok(outcome)
}

/// The attestations that were looked at, each once.
fn inputs(facts: &Facts) -> Vec<Material> {
    let verified = facts.evidence.get().map(|set| set.verified.as_slice()).unwrap_or_default();
    let sources: BTreeSet<String> = verified.iter().map(|evidence| evidence.source().to_string()).collect();
    sources.into_iter().map(|digest| Material { uri: String::new(), digest: Some(digest) }).collect()
}

/// The image alone, on its way to an environment: the Pod that will run it is judged when it comes.
fn request(environment: &EnvironmentName, reference: &Reference) -> Request<'static> {
    let name = reference.repository().path().to_owned();
    Request {
        operation: Operation::Promote,
        workload: Workload { kind: "Image".to_owned(), name: name.clone(), owner: None },
        namespace: Namespace { name: environment.to_string(), labels: None },
        environment: Some(environment.clone()),
        service_account: None,
        user: User::default(),
        images: vec![ImageUse {
            role: ContainerRole::Release,
            name,
            field: String::new(),
            written: reference.written().to_owned(),
            reference: Ok(reference.clone()),
            pull_policy: None,
        }],
        document: Document::empty(),
        pod_spec: None,
        pod_metadata: None,
    }
}
