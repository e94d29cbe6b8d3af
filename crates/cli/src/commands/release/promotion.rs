//! The core of a promotion or rollback: one judgement and one way into the ledger, for the command and for the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assay_case::{
    Case, ContainerRole, Document, Facts, ImageUse, Known, Namespace, Operation, Promotion, PromotionApproval, Request,
    User, Workload, World,
};
use assay_gate::{Policy, decide};
use assay_model::{
    Digest, EnvironmentName, FindingCounts, Findings, Reference, Repository, Timestamp, VulnerabilityFinding,
};
use assay_store::{DecisionRecord, LedgerEntry, LedgerEvent, RequestProjection, Store, decision_id};

use crate::Result;
use crate::failure::CliError;

/// The facts of every platform of an image, or why there are none.
pub(crate) type Gathered = Known<Vec<Arc<Facts>>>;

/// A digest that is to move to an environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    /// [`Operation::Promote`] or [`Operation::Rollback`].
    pub(crate) operation: Operation,
    /// Name of the release.
    pub(crate) release: &'a str,
    /// Its service.
    pub(crate) service: &'a str,
    /// Where to.
    pub(crate) environment: &'a EnvironmentName,
    /// By whom.
    pub(crate) by: &'a str,
    /// The image where it is to be, by digest.
    pub(crate) image: &'a Reference,
    /// The digest.
    pub(crate) digest: Digest,
    /// Who approved it.
    pub(crate) approval: Option<&'a PromotionApproval>,
}

/// A change, judged.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The decision.
    pub(crate) record: DecisionRecord,
    /// What was known of the risk; none = not of every platform.
    pub(crate) risk: Option<KnownRisk>,
}

/// What was known of the risk at that moment, on all platforms of the image together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownRisk {
    /// Different findings; what several platforms share counts once.
    pub(crate) counts: FindingCounts,
    /// SHA-256 of the findings' JSON: a list, one item a platform.
    pub(crate) findings: Digest,
    /// The vulnerability pack they were matched against.
    pub(crate) pack: Digest,
}

impl Change<'_> {
    /// Asks the Gate. `uid` names the review where there is one.
    pub(crate) fn judge(
        &self,
        facts: Gathered,
        policy: &Policy,
        store: &Store,
        uid: &str,
        now: Timestamp,
    ) -> Result<Judged> {
        let risk = known_risk(&facts)?;
        let world = World {
            promotions: Known::new(store.promotions()?.into(), now),
            proposed: Some(Box::new(self.promotion(now))),
            ..World::unknown()
        };
        let written = self.image.written().to_owned();
        let case = Case { request: self.request(), facts: BTreeMap::from([(written, facts)]), world: Arc::new(world) };
        let verdict = decide(policy, &case, now);
        let seed = if uid.is_empty() { format!("release/{}", self.release) } else { uid.to_owned() };
        let record = DecisionRecord {
            id: decision_id(&seed, now, 0),
            at: now,
            uid: uid.to_owned(),
            dry_run: false,
            request: RequestProjection::of(&case),
            verdict,
            microseconds: 0,
        };
        Ok(Judged { record, risk })
    }

    /// Enters it in the ledger, with what was known at that moment.
    pub(crate) fn enter(&self, judged: &Judged, store: &Store) -> Result<LedgerEntry> {
        let promotion = Promotion {
            counts: judged.risk.map(|risk| risk.counts).unwrap_or_default(),
            ..self.promotion(judged.record.at)
        };
        Ok(store.append_ledger(LedgerEvent::Promotion {
            promotion: Box::new(promotion),
            rollback: self.operation == Operation::Rollback,
            findings: judged.risk.map(|risk| risk.findings),
            pack: judged.risk.map(|risk| risk.pack),
            exceptions: judged.record.exceptions_used(),
            decision: Some(judged.record.id.clone()),
        })?)
    }

    /// The entry, before anything is known of its risk.
    pub(crate) fn promotion(&self, at: Timestamp) -> Promotion {
        Promotion {
            number: 0,
            release: self.release.to_owned(),
            service: self.service.to_owned(),
            digest: self.digest,
            repository: self.image.repository().clone(),
            environment: self.environment.clone(),
            at,
            by: self.by.to_owned(),
            retired: None,
            counts: FindingCounts::default(),
            approval: self.approval.cloned(),
        }
    }

    fn request(&self) -> Request<'static> {
        Request {
            operation: self.operation,
            workload: Workload { kind: "ReleaseArtifact".to_owned(), name: self.release.to_owned(), owner: None },
            namespace: Namespace { name: self.environment.to_string(), labels: None },
            environment: Some(self.environment.clone()),
            service_account: None,
            user: User { name: self.by.to_owned(), groups: Vec::new() },
            images: vec![ImageUse {
                role: ContainerRole::Release,
                name: self.release.to_owned(),
                field: String::new(),
                written: self.image.written().to_owned(),
                reference: Ok(self.image.clone()),
                pull_policy: None,
            }],
            document: Document::empty(),
            pod_spec: None,
            pod_metadata: None,
        }
    }
}

/// The facts of the same digests as they will be in another repository: what is in them and who signed them does not
/// change.
pub(crate) fn moved(facts: Gathered, repository: &Repository) -> Gathered {
    let Known::Known { value, at } = facts else { return facts };
    let moved = value.into_iter().map(|facts| {
        let mut facts = Facts::clone(&facts);
        facts.subject.repository = repository.clone();
        Arc::new(facts)
    });
    Known::new(moved.collect(), at)
}

/// What is known of all platforms together; nothing where one of them is not known.
fn known_risk(facts: &Gathered) -> Result<Option<KnownRisk>> {
    let Ok(platforms) = facts.get() else { return Ok(None) };
    let findings: Vec<&Findings> = platforms.iter().filter_map(|facts| Some(&**facts.findings.get().ok()?)).collect();
    let Some(first) = findings.first().filter(|_| findings.len() == platforms.len()) else { return Ok(None) };
    let mut earlier = BTreeSet::new();
    let mut different = Vec::new();
    for platform in &findings {
        let named = |found: &'_ VulnerabilityFinding| {
            let package = &found.package;
            (found.vulnerability.id.to_string(), package.kind, package.name.clone(), package.version.clone())
        };
        let new = platform.vulnerabilities.iter().filter(|found| !earlier.contains(&named(found)));
        different.extend(new);
        earlier.extend(platform.vulnerabilities.iter().map(named));
    }
    let counts = FindingCounts::of(different);
    let bytes = serde_json::to_vec(&findings)
        .map_err(|error| CliError::Malformed { what: "the findings".to_owned(), message: error.to_string() })?;
    Ok(Some(KnownRisk { counts, findings: Digest::of(&bytes), pack: first.pack.digest }))
}

#[cfg(test)]
mod tests {
    use assay_case::Resolution;
    use assay_model::{PackInfo, Subject};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A platform with findings of these ids, or with findings that are not known.
    fn platform(ids: Option<&[&str]>) -> Arc<Facts> {
        let finding = |id: &&str| {
            serde_json::from_value::<VulnerabilityFinding>(serde_json::json!({
                "vulnerability": {"id": id, "severity": "critical"},
                "package": {"type": "deb", "name": "zlib1g", "version": "1", "purl": "pkg:deb/debian/zlib1g@1",
                    "tier": "package-database", "path": "var/lib/dpkg/status"},
                "fix": {"state": "not-fixed"},
                "reason": {"record": id, "ecosystem": "Debian:12", "name": "zlib", "version": "1", "range": "any"}
            }))
        };
        let findings = ids.map(|ids| Findings {
            vulnerabilities: ids.iter().map(|id| finding(id).unwrap()).collect(),
            matched_at: NOW,
            pack: PackInfo { digest: Digest::of(b"pack"), data_until: NOW, records: 1, ecosystems: Vec::new() },
            uncovered: 0,
        });
        let image: Reference = format!("registry.example.com/a@{}", Digest::of(b"a")).parse().unwrap();
        Arc::new(Facts {
            subject: Subject {
                repository: image.repository().clone(),
                digest: Digest::of(b"a"),
                index: None,
                platform: None,
            },
            resolution: Resolution::ByDigest,
            contents: Known::unknown("none", "not looked at"),
            findings: findings.map_or_else(|| Known::unknown("none", "x"), |own| Known::new(Arc::new(own), NOW)),
            evidence: Known::unknown("none", "not looked at"),
        })
    }

    fn risk(platforms: &[Option<&[&str]>]) -> Option<KnownRisk> {
        known_risk(&Known::new(platforms.iter().map(|ids| platform(*ids)).collect(), NOW)).unwrap()
    }

    #[test]
    fn the_risk_is_that_of_all_platforms_and_what_they_share_counts_once() {
        let both = risk(&[Some(&["CVE-1"]), Some(&["CVE-1", "CVE-2"])]).unwrap();
        assert_eq!(both.counts.critical, 2);
        let one = risk(&[Some(&["CVE-1"])]).unwrap();
        assert_eq!(one.counts.critical, 1);
        assert_ne!(both.findings, one.findings);
    }

    #[test]
    fn of_a_platform_that_is_not_known_the_whole_is_not() {
        assert_eq!(risk(&[Some(&[]), None]), None);
        assert_eq!(risk(&[]), None);
        assert_eq!(known_risk(&Known::unknown("offline", "x")).unwrap(), None);
    }
}
