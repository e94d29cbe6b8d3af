//! `assay release`: one artifact contract, the same digest through the environments.

mod approval;
mod create;
mod promotion;
mod rebuilt;

use std::path::PathBuf;
use std::sync::Arc;

use assay_case::{Operation, Promotion, Verdict};
use assay_gather::{Access, Gatherer, Wanted};
use assay_kinds::ReleaseArtifactSpec;
use assay_model::{Digest, EnvironmentName, FindingCounts, Platform, Reference, Repository, Timestamp};
use assay_oci::{ImageSource, Manifest};
use assay_store::{LedgerStatus, Release, Store};
use serde::Serialize;

use super::{check, policies};
use crate::failure::{CliError, Failure};
use crate::session::Session;
use crate::{Result, Status};

pub(crate) use approval::{ApproveOptions, ApproveOutcome, Approved, approve};
pub(crate) use create::{CreateOptions, CreateOutcome, create};
use promotion::Gathered;
pub(crate) use promotion::{Change, moved};
pub(crate) use rebuilt::Rebuilt;

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
    /// The file with the signature of who approved it.
    pub(crate) approval: Option<PathBuf>,
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
    /// Who approved it.
    #[serde(rename = "approvedBy", skip_serializing_if = "Option::is_none")]
    pub(crate) approved_by: Option<String>,
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

/// A release that was recorded.
fn known(store: &Store, name: &str) -> Result<Release> {
    let missing = || CliError::NotFound {
        what: format!("release {name}"),
        suggestion: None,
        next: "assay release status".to_owned(),
    };
    Ok(store.release(name)?.ok_or_else(missing)?)
}

/// Asks the Gate, and writes the promotion to the ledger if it says yes.
pub(crate) fn promote(options: &PromoteOptions, session: &Session<'_>) -> Result<PromoteOutcome> {
    let policies = policies::load(session.settings)?;
    check::exists(&policies, &options.to)?;
    let store = session.asked_store("assay release create NAME --service S --image IMAGE@DIGEST ...")?;
    let release = known(&store, &options.name)?;
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
        approved_by: None,
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
    let approved = Approved {
        release: &release.name,
        digest: release.digest,
        environment: &options.to,
        operation: options.operation,
    };
    let approval = options.approval.as_ref().map(|path| approval::from_file(path, &approved, &policies)).transpose()?;
    outcome.approved_by = approval.as_ref().map(|approval| approval.by.clone());
    let change = Change {
        approval: approval.as_ref(),
        operation: options.operation,
        release: &release.name,
        service: &release.service,
        environment: &options.to,
        by: &options.by,
        image: &target,
        digest: release.digest,
    };
    let judge = |facts| change.judge(facts, &policies.policy, &store, "", Timestamp::now());
    session.printer.progress(&format!("looking at {source}"));
    // Judged as it will be there, before it is there: no image that is refused gets into the target.
    let mut judged = judge(moved(session.run(gathered(&gatherer, &access, &source))?, &repository))?;
    if judged.record.verdict.allowed && from != repository {
        session.printer.progress(&format!("copying to {repository}"));
        let report = session.run(async {
            let (source, target) = (ImageSource::Registry(source), ImageSource::Registry(target.clone()));
            assay_oci::copy(&client, &source, &target).await.map_err(Failure::from)
        })?;
        judged = judge(session.run(gathered(&gatherer, &access, &target))?)?;
        let (manifests, referrers) = (report.manifests, report.referrers);
        outcome.copied = Some(Copied { from, to: repository.clone(), manifests, referrers });
    }
    store.put_decisions(std::slice::from_ref(&judged.record))?;
    outcome.counts = judged.risk.map(|risk| risk.counts);
    if judged.record.verdict.allowed {
        outcome.entry = Some(change.enter(&judged, &store)?.number);
    }
    outcome.decision = Some(judged.record.id);
    outcome.verdict = Some(judged.record.verdict);
    Ok(outcome)
}

/// The facts of every platform: what is promoted runs on any node that can run it.
async fn gathered(gatherer: &Gatherer, access: &Access, reference: &Reference) -> Result<Gathered> {
    let root =
        access.client().root(reference).await.map_err(|error| Failure::from(error).about(reference.written()))?;
    let wanted = Wanted { platforms: platforms(&root.manifest), ..Wanted::default() };
    Ok(gatherer.facts(access, reference, &wanted).await)
}

/// The platforms of an index; none for a single image. Attestations in it (`unknown/unknown`) are no images.
fn platforms(manifest: &Manifest) -> Vec<Platform> {
    let Manifest::Index(index) = manifest else { return Vec::new() };
    let platforms = index.manifests.iter().filter_map(|entry| entry.platform.clone());
    platforms.filter(|platform| platform.os != "unknown").collect()
}

fn pinned(repository: &Repository, digest: Digest) -> Result<Reference> {
    Ok(format!("{repository}@{digest}").parse::<Reference>()?)
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
