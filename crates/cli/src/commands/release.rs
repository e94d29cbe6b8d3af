//! `assay release`: one artifact contract, the same digest through the environments.

mod rebuilt;

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::{
    Case, ContainerRole, Document, Facts, ImageUse, Known, Namespace, Operation, Promotion, Request, User, Verdict,
    Workload,
};
use assay_gate::decide;
use assay_gather::{Access, Gatherer, Wanted};
use assay_kinds::{ReleaseArtifact, ReleaseArtifactSpec, ReleaseEvidence, ReleaseImage, ReleaseRisk, ReleaseSource};
use assay_model::{Digest, EnvironmentName, FindingCounts, Findings, Reference, Repository, Timestamp};
use assay_oci::ImageSource;
use assay_store::{DecisionRecord, LedgerEvent, LedgerStatus, Release, RequestProjection, decision_id};
use serde::Serialize;

use super::policies::Policies;
use super::{check, policies};
use crate::failure::{CliError, Failure};
use crate::session::Session;
use crate::{Result, Status};

pub(crate) use rebuilt::Rebuilt;

/// A release to record.
#[derive(Debug)]
pub(crate) struct CreateOptions {
    /// Its name.
    pub(crate) name: String,
    /// Its service.
    pub(crate) service: String,
    /// The image, with a digest.
    pub(crate) image: Reference,
    /// Source repository.
    pub(crate) source: String,
    /// Source commit.
    pub(crate) commit: String,
}

/// A release that was recorded.
#[derive(Debug, Serialize)]
pub(crate) struct CreateOutcome {
    /// The contract.
    pub(crate) release: ReleaseArtifact,
}

/// A promotion to make.
#[derive(Debug)]
pub(crate) struct PromoteOptions {
    /// [`Operation::Promote`], or [`Operation::Rollback`], which is one by what is known today.
    pub(crate) operation: Operation,
    /// The release.
    pub(crate) name: String,
    /// Where to.
    pub(crate) to: EnvironmentName,
    /// By whom.
    pub(crate) by: String,
    /// Where the digest is, if elsewhere than in the release.
    pub(crate) repository: Option<Repository>,
    /// Where it is copied to.
    pub(crate) target: Option<Repository>,
    /// The image that is about to be deployed.
    pub(crate) image: Option<Reference>,
}

/// What came of a promotion.
#[derive(Debug, Serialize)]
pub(crate) struct PromoteOutcome {
    /// The release.
    pub(crate) release: String,
    /// The digest.
    pub(crate) digest: Digest,
    /// Where to.
    pub(crate) environment: EnvironmentName,
    /// Number in the ledger; none = it was refused.
    pub(crate) entry: Option<u64>,
    /// Promote or roll back.
    pub(crate) operation: Operation,
    /// What was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copied: Option<Copied>,
    /// Set where another digest was offered: nothing was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rebuilt: Option<Rebuilt>,
    /// What was known of its risk at this moment; none = its vulnerabilities are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<FindingCounts>,
    /// The decision's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<String>,
    /// What the Gate says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<Verdict>,
}

/// What was copied, byte for byte.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Copied {
    /// Where from.
    pub(crate) from: Repository,
    /// Where to.
    pub(crate) to: Repository,
    /// Manifests, referrers included.
    pub(crate) manifests: usize,
    /// Referrers among them.
    pub(crate) referrers: usize,
}

/// The ledger, read from end to end.
#[derive(Debug, Serialize)]
pub(crate) struct LedgerOutcome {
    /// What was found.
    #[serde(flatten)]
    pub(crate) ledger: LedgerStatus,
}

impl PromoteOutcome {
    /// As the Gate says.
    pub(crate) fn status(&self) -> Status {
        match &self.verdict {
            Some(verdict) => check::status_of(std::iter::once(verdict)),
            None => Status::Denied,
        }
    }
}

/// Where releases stand.
#[derive(Debug, Serialize)]
pub(crate) struct StatusOutcome {
    /// Each release.
    pub(crate) releases: Vec<ReleaseStatus>,
    /// The ledger, read from end to end.
    pub(crate) ledger: LedgerStatus,
}

/// Where one release stands.
#[derive(Debug, Serialize)]
pub(crate) struct ReleaseStatus {
    /// Its name.
    pub(crate) name: String,
    /// Its service.
    pub(crate) service: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its promotions, oldest first.
    pub(crate) promotions: Vec<Promotion>,
}

/// Records a release.
pub(crate) fn create(options: CreateOptions, session: &Session<'_>) -> Result<CreateOutcome> {
    let Some(digest) = options.image.digest() else {
        return Err(CliError::Usage {
            message: format!("{} has no digest: a release is one digest", options.image.written()),
            next: "--image registry/repository@sha256:... (assay tree IMAGE shows it)".to_owned(),
        }
        .into());
    };
    let store = session.store()?;
    if let Some(existing) = store.release(&options.name)?
        && existing.digest != digest
    {
        return Err(CliError::Usage {
            message: format!("release {} exists with another digest, {}", options.name, existing.digest),
            next: "a rebuilt image is another release: choose another name".to_owned(),
        }
        .into());
    }
    let spec = ReleaseArtifactSpec {
        service: options.service.clone(),
        source: ReleaseSource { repository: options.source, commit: options.commit },
        image: ReleaseImage { repository: options.image.repository().clone(), digest },
        evidence: ReleaseEvidence::default(),
        risk: ReleaseRisk::default(),
    };
    let release = ReleaseArtifact::new(options.name.clone(), spec);
    let object = serde_json::to_value(&release)
        .map_err(|error| CliError::Malformed { what: "the release".to_owned(), message: error.to_string() })?;
    store.put_release(&Release { name: options.name, service: options.service, digest, object })?;
    Ok(CreateOutcome { release })
}

/// Asks the Gate, and writes the promotion to the ledger if it says yes.
pub(crate) fn promote(options: &PromoteOptions, session: &Session<'_>) -> Result<PromoteOutcome> {
    let policies = policies::load(session.settings)?;
    check::exists(&policies, &options.to)?;
    let store = session.asked_store("assay release create NAME --service S --image IMAGE@DIGEST ...")?;
    let release = store.release(&options.name)?.ok_or_else(|| CliError::NotFound {
        what: format!("release {}", options.name),
        suggestion: None,
        next: "assay release status".to_owned(),
    })?;
    let declared: ReleaseArtifactSpec = serde_json::from_value(release.object["spec"].clone()).map_err(|error| {
        CliError::Malformed { what: format!("release {}", release.name), message: error.to_string() }
    })?;
    let image = declared.image;
    let client = session.online("promoting")?;
    let mut outcome = PromoteOutcome {
        release: release.name.clone(),
        digest: release.digest,
        environment: options.to.clone(),
        entry: None,
        operation: options.operation,
        copied: None,
        rebuilt: None,
        counts: None,
        decision: None,
        verdict: None,
    };
    if let Some(offered) = &options.image {
        let head = async { client.head(offered).await.map_err(|error| Failure::from(error).about(offered)) };
        let digest = session.run(head)?;
        if digest != image.digest {
            outcome.rebuilt = Some(rebuilt::compare(&image, &offered.pinned(digest), session)?);
            return Ok(outcome);
        }
    }
    let from = options.repository.clone().unwrap_or(image.repository);
    let repository = options.target.clone().unwrap_or_else(|| from.clone());
    let (source, target) = (pinned(&from, release.digest)?, pinned(&repository, release.digest)?);
    let gatherer = session.gatherer(policies.materials.clone(), Some(Arc::clone(&store)))?;
    let access = Access::new(client.clone());
    session.printer.progress(&format!("looking at {source}"));
    let facts = moved(session.run(gathered(&gatherer, &access, &source))?, &repository);
    // Judged as it will be there, before it is there: no image that is refused gets into the target.
    let mut judged = judge(options, &release, &target, facts, &policies, session)?;
    if judged.record.verdict.allowed && from != repository {
        session.printer.progress(&format!("copying to {repository}"));
        let report = session.run(async {
            let (source, target) = (ImageSource::Registry(source), ImageSource::Registry(target.clone()));
            assay_oci::copy(&client, &source, &target).await.map_err(Failure::from)
        })?;
        let arrived = session.run(gathered(&gatherer, &access, &target))?;
        judged = judge(options, &release, &target, arrived, &policies, session)?;
        let (manifests, referrers) = (report.manifests, report.referrers);
        outcome.copied = Some(Copied { from, to: repository.clone(), manifests, referrers });
    }
    let Judged { record, findings } = judged;
    store.put_decisions(std::slice::from_ref(&record))?;
    outcome.counts = findings.as_ref().map(|findings| findings.counts());
    if record.verdict.allowed {
        let bytes = findings.as_ref().and_then(|findings| serde_json::to_vec(findings.as_ref()).ok());
        let written = store.append_ledger(LedgerEvent::Promotion {
            promotion: Box::new(Promotion {
                number: 0,
                release: release.name.clone(),
                service: release.service.clone(),
                digest: release.digest,
                repository,
                environment: options.to.clone(),
                at: record.at,
                by: options.by.clone(),
                retired: None,
                counts: outcome.counts.unwrap_or_default(),
            }),
            rollback: options.operation == Operation::Rollback,
            findings: bytes.map(|bytes| Digest::of(&bytes)),
            pack: findings.as_ref().map(|findings| findings.pack.digest),
            exceptions: record.exceptions_used(),
            decision: Some(record.id.clone()),
        })?;
        outcome.entry = Some(written.number);
    }
    outcome.decision = Some(record.id);
    outcome.verdict = Some(record.verdict);
    Ok(outcome)
}

type Gathered = Known<Vec<Arc<Facts>>>;

async fn gathered(gatherer: &Gatherer, access: &Access, reference: &Reference) -> Result<Gathered> {
    Ok(gatherer.facts(access, reference, &Wanted::default()).await)
}

fn pinned(repository: &Repository, digest: Digest) -> Result<Reference> {
    Ok(format!("{repository}@{digest}").parse::<Reference>()?)
}

/// The facts of the same digest as they will be in another repository.
fn moved(facts: Gathered, repository: &Repository) -> Gathered {
    match facts {
        Known::Known { value, at } => {
            let moved = value.iter().map(|facts| {
                let mut facts = Facts::clone(facts);
                facts.subject.repository = repository.clone();
                Arc::new(facts)
            });
            Known::new(moved.collect(), at)
        }
        unknown @ Known::Unknown { .. } => unknown,
    }
}

/// A decision, and the findings it was made by.
struct Judged {
    record: DecisionRecord,
    findings: Option<Arc<Findings>>,
}

fn judge(
    options: &PromoteOptions,
    release: &Release,
    reference: &Reference,
    facts: Gathered,
    policies: &Policies,
    session: &Session<'_>,
) -> Result<Judged> {
    let now = Timestamp::now();
    let findings = facts.get().ok().and_then(|facts| Some(Arc::clone(facts.first()?.findings.get().ok()?)));
    let case = Case {
        request: request(release, reference, options),
        facts: BTreeMap::from([(reference.written().to_owned(), facts)]),
        world: Arc::new(check::world(session)?),
    };
    let verdict = decide(&policies.policy, &case, now);
    let record = DecisionRecord {
        id: decision_id(&format!("release/{}", release.name), now, 0),
        at: now,
        uid: String::new(),
        dry_run: false,
        request: RequestProjection::of(&case),
        verdict,
        microseconds: 0,
    };
    Ok(Judged { record, findings })
}

fn request(release: &Release, reference: &Reference, options: &PromoteOptions) -> Request<'static> {
    Request {
        operation: options.operation,
        workload: Workload { kind: "ReleaseArtifact".to_owned(), name: release.name.clone(), owner: None },
        namespace: Namespace { name: options.to.to_string(), labels: None },
        environment: Some(options.to.clone()),
        service_account: None,
        user: User { name: options.by.clone(), groups: Vec::new() },
        images: vec![ImageUse {
            role: ContainerRole::Release,
            name: release.name.clone(),
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

/// Shows where releases stand. A ledger that was changed after the fact is an error, not a status.
pub(crate) fn status(name: Option<&str>, session: &Session<'_>) -> Result<StatusOutcome> {
    let store = session.asked_store("assay release create NAME --service S --image IMAGE@DIGEST ...")?;
    let promotions = store.promotions()?;
    let wanted = |release: &Release| name.is_none_or(|name| name == release.name);
    let releases: Vec<ReleaseStatus> = store
        .releases()?
        .into_iter()
        .filter(wanted)
        .map(|release| ReleaseStatus {
            promotions: promotions.iter().filter(|promotion| promotion.release == release.name).cloned().collect(),
            name: release.name,
            service: release.service,
            digest: release.digest,
        })
        .collect();
    if let Some(name) = name.filter(|_| releases.is_empty()) {
        let (what, next) = (format!("release {name}"), "assay release status".to_owned());
        return Err(CliError::NotFound { what, suggestion: None, next }.into());
    }
    Ok(StatusOutcome { releases, ledger: store.verify_ledger()? })
}

/// Reads the ledger from end to end. One that was changed after the fact is an error.
pub(crate) fn verify_ledger(session: &Session<'_>) -> Result<LedgerOutcome> {
    let store = session.asked_store("assay release create NAME --service S --image IMAGE@DIGEST ...")?;
    Ok(LedgerOutcome { ledger: store.verify_ledger()? })
}
