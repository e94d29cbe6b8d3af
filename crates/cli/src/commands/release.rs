//! `assay release`: one artifact contract, the same digest through the environments.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::{
    Case, ContainerRole, Document, ImageUse, Known, Namespace, Operation, Promotion, Request, User, Verdict, Workload,
};
use assay_gate::decide;
use assay_gather::Wanted;
use assay_kinds::{ReleaseArtifact, ReleaseArtifactSpec, ReleaseEvidence, ReleaseImage, ReleaseRisk, ReleaseSource};
use assay_model::{Digest, EnvironmentName, FindingCounts, Reference, Repository, Timestamp};
use assay_store::{DecisionRecord, LedgerEvent, LedgerStatus, Release, RequestProjection, decision_id};
use serde::Serialize;

use super::{check, policies};
use crate::failure::CliError;
use crate::session::Session;
use crate::{Result, Status};

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
    /// The release.
    pub(crate) name: String,
    /// Where to.
    pub(crate) to: EnvironmentName,
    /// By whom.
    pub(crate) by: String,
    /// Who approved it.
    pub(crate) approved_by: Option<String>,
    /// Where the digest is, if elsewhere than in the release.
    pub(crate) repository: Option<Repository>,
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
    /// The decision's id.
    pub(crate) decision: String,
    /// What the Gate says.
    pub(crate) verdict: Verdict,
}

impl PromoteOutcome {
    /// As the Gate says.
    pub(crate) fn status(&self) -> Status {
        check::status_of(std::iter::once(&self.verdict))
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
    let repository = options.repository.clone().unwrap_or(declared.image.repository);
    let reference: Reference = format!("{repository}@{}", release.digest).parse()?;
    let gatherer = session.gatherer(policies.materials.clone(), Some(Arc::clone(&store)))?;
    session.online("promoting")?;
    let access = session.access()?;
    session.printer.progress(&format!("looking at {reference}"));
    let facts = session.run(async { Ok(gatherer.facts(&access, &reference, &Wanted::default()).await) })?;
    let now = Timestamp::now();
    let findings = facts.get().ok().and_then(|facts| Some(Arc::clone(facts.first()?.findings.get().ok()?)));
    let case = Case {
        request: request(&release, &reference, options),
        facts: BTreeMap::from([(reference.written().to_owned(), facts)]),
        world: Arc::new(check::world(session)?),
    };
    let verdict = decide(&policies.policy, &case, now);
    let decision = decision_id(&format!("release/{}", release.name), now, 0);
    store.put_decisions(&[DecisionRecord {
        id: decision.clone(),
        at: now,
        uid: String::new(),
        dry_run: false,
        request: RequestProjection::of(&case),
        verdict: verdict.clone(),
        microseconds: 0,
    }])?;
    let mut entry = None;
    if verdict.allowed {
        let used = verdict.exceptions.iter().filter(|note| note.ignored.is_none()).map(|note| note.name.clone());
        let mut exceptions: Vec<String> = used.collect();
        exceptions.sort();
        exceptions.dedup();
        let bytes = findings.as_ref().and_then(|findings| serde_json::to_vec(findings.as_ref()).ok());
        let written = store.append_ledger(LedgerEvent::Promotion {
            promotion: Box::new(Promotion {
                number: 0,
                release: release.name.clone(),
                service: release.service.clone(),
                digest: release.digest,
                repository,
                environment: options.to.clone(),
                at: now,
                by: options.by.clone(),
                retired: None,
                counts: findings.as_ref().map_or_else(FindingCounts::default, |findings| findings.counts()),
            }),
            rollback: false,
            findings: bytes.map(|bytes| Digest::of(&bytes)),
            pack: findings.as_ref().map(|findings| findings.pack.digest),
            exceptions,
            approved_by: options.approved_by.clone(),
            decision: Some(decision.clone()),
        })?;
        entry = Some(written.number);
    }
    let (environment, digest) = (options.to.clone(), release.digest);
    Ok(PromoteOutcome { release: release.name, digest, environment, entry, decision, verdict })
}

fn request(release: &Release, reference: &Reference, options: &PromoteOptions) -> Request<'static> {
    Request {
        operation: Operation::Promote,
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

/// Facts that nothing is known of, for questions that need no image.
pub(crate) fn no_facts() -> BTreeMap<String, Known<Vec<Arc<assay_case::Facts>>>> {
    BTreeMap::new()
}
