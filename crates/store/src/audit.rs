//! What the background audit keeps: findings about what runs, and what it has to know of earlier decisions; and changes
//! of policy that somebody has to answer for.

use std::collections::BTreeMap;

use assay_model::{ControlId, Digest, EnvironmentName, Timestamp};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::database::{Store, decode, encode, micros, parse, time};
use crate::decision_batch::{lines, unpack};
use crate::{DecisionRecord, StoreError};

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A running Pod does not meet a control by what is known today.
    ControlNotMet,
    /// A Pod runs that nobody decided about.
    NoDecision,
    /// Assay's own registration or definitions were changed by somebody else.
    Tampering,
    /// An Exception ends soon, or has ended.
    ExceptionEnds,
}

impl FindingKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ControlNotMet, Self::NoDecision, Self::Tampering, Self::ExceptionEnds];

    /// The kebab-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlNotMet => "control-not-met",
            Self::NoDecision => "no-decision",
            Self::Tampering => "tampering",
            Self::ExceptionEnds => "exception-ends",
        }
    }
}

/// Something that stands against what runs, from when to when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingRecord {
    /// Its id: the same for the same matter, whoever finds it.
    pub id: String,
    /// Cluster.
    pub cluster: String,
    /// What it is about.
    pub kind: FindingKind,
    /// Namespace; empty where it is about none.
    pub namespace: String,
    /// `Kind/name` of the workload or object.
    pub workload: String,
    /// The container or image volume; empty where it is about all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// The control, where one is not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlId>,
    /// The Environment that judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Who is responsible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether the same would be denied as a new deployment.
    pub denies: bool,
    /// What was found, one clause without a final period.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Pods that it is about.
    pub pods: u64,
    /// Since when it is known.
    pub opened: Timestamp,
    /// Until when it was so; none = it still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

/// A change of policy, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// The Environment.
    pub environment: EnvironmentName,
    /// The control.
    pub control: ControlId,
    /// The action from then on, as files write it.
    pub action: String,
    /// Deployments that would have been blocked in the time that was looked at.
    pub would_block: u64,
    /// Why it was done all the same; none = nothing stood against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Store {
    /// Keeps findings, open or closed, in place of what was known of them.
    pub fn record_findings(&self, findings: &[FindingRecord]) -> Result<(), StoreError> {
        if findings.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        for finding in findings {
            transaction
                .prepare_cached(
                    "INSERT INTO finding VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(cluster, id) DO UPDATE
                     SET opened = excluded.opened, closed = excluded.closed, body = excluded.body",
                )?
                .execute(params![
                    finding.cluster,
                    finding.id,
                    micros(finding.opened),
                    finding.closed.map(micros),
                    encode("finding", finding)?,
                ])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What is open in a cluster, by id.
    pub fn open_findings(&self, cluster: &str) -> Result<BTreeMap<String, FindingRecord>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT body FROM finding WHERE cluster = ?1 AND closed IS NULL")?;
        let mut rows = statement.query([cluster])?;
        let mut open = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let finding: FindingRecord = decode("finding", row.get::<_, String>(0)?.as_bytes())?;
            open.insert(finding.id.clone(), finding);
        }
        Ok(open)
    }

    /// What was found in a cluster since then, open or closed, oldest first.
    pub fn findings_since(&self, cluster: &str, since: Timestamp) -> Result<Vec<FindingRecord>, StoreError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached("SELECT body FROM finding WHERE cluster = ?1 AND opened >= ?2 ORDER BY opened, id")?;
        let rows = statement.query_map(params![cluster, micros(since)], |row| row.get::<_, String>(0))?;
        rows.map(|body| decode("finding", body?.as_bytes())).collect()
    }

    /// What was ever admitted in a namespace: the newest decision about each digest, and when that was.
    pub fn admitted_digests(&self, namespace: &str) -> Result<BTreeMap<Digest, (String, Timestamp)>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT digest, decision, at FROM admitted_image WHERE namespace = ?1")?;
        let mut rows = statement.query([namespace])?;
        let mut admitted = BTreeMap::new();
        while let Some(row) = rows.next()? {
            admitted.insert(parse("digest", row.get(0)?)?, (row.get(1)?, time(row.get(2)?)));
        }
        Ok(admitted)
    }

    /// Shows every decision since then, batch by batch; in no order.
    pub fn visit_decisions(&self, since: Timestamp, mut visit: impl FnMut(DecisionRecord)) -> Result<(), StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT body, size FROM decision_batch WHERE last >= ?1")?;
        let mut rows = statement.query([micros(since)])?;
        while let Some(row) = rows.next()? {
            for line in lines(&unpack(row.get(0)?, row.get(1)?)?) {
                let record: DecisionRecord = decode("decision", line)?;
                if record.at >= since {
                    visit(record);
                }
            }
        }
        Ok(())
    }

    /// Keeps a change of policy.
    pub fn put_policy_change(&self, change: &PolicyChange) -> Result<(), StoreError> {
        let body = encode("policy change", change)?;
        self.connection()
            .prepare_cached("INSERT INTO policy_change(at, body) VALUES (?1, ?2)")?
            .execute(params![micros(change.at), body])?;
        Ok(())
    }

    /// All changes of policy, oldest first.
    pub fn policy_changes(&self) -> Result<Vec<PolicyChange>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT body FROM policy_change ORDER BY at, number")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|body| decode("policy change", body?.as_bytes())).collect()
    }
}
