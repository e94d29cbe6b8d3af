//! What the background audit keeps: findings about what runs, and what it has to know of earlier decisions; and changes
//! of policy that somebody has to answer for.

use std::collections::BTreeMap;

use assay_model::{ControlId, Digest, EnvironmentName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::backend::{Mode, Row, values};
use crate::database::{Store, decode, encode, micros, parse, time};

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

/// What became of a change of policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state", content = "why")]
pub enum ChangeState {
    /// It is going to be made. Where this stays so, whoever was about to make it was stopped, and the Environment itself
    /// says whether it was made.
    Intended,
    /// It was made.
    #[default]
    Made,
    /// It could not be made, for this reason.
    Failed(String),
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
    /// What became of it.
    #[serde(default)]
    pub outcome: ChangeState,
}

impl Store {
    /// Keeps findings, open or closed, in place of what was known of them.
    pub fn record_findings(&self, findings: &[FindingRecord]) -> Result<(), StoreError> {
        if findings.is_empty() {
            return Ok(());
        }
        let row = |finding: &FindingRecord| {
            let closed = finding.closed.map(micros);
            let body = encode("finding", finding)?;
            Ok(values![finding.cluster.clone(), finding.id.clone(), micros(finding.opened), closed, body].to_vec())
        };
        let rows = findings.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        self.transaction(Mode::Facts, |session| {
            session.execute_each(
                "INSERT INTO finding(cluster, id, opened, closed, body) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(cluster, id) DO UPDATE
                 SET opened = excluded.opened, closed = excluded.closed, body = excluded.body",
                &rows,
            )
        })?;
        Ok(())
    }

    /// What is open in a cluster, by id.
    pub fn open_findings(&self, cluster: &str) -> Result<BTreeMap<String, FindingRecord>, StoreError> {
        let sql = "SELECT body FROM finding WHERE cluster = ?1 AND closed IS NULL";
        let open: Vec<FindingRecord> = self.read(|session| session.rows(sql, &values![cluster], finding))?;
        Ok(open.into_iter().map(|finding| (finding.id.clone(), finding)).collect())
    }

    /// What was found in a cluster since then, open or closed, oldest first.
    pub fn findings_since(&self, cluster: &str, since: Timestamp) -> Result<Vec<FindingRecord>, StoreError> {
        let sql = "SELECT body FROM finding WHERE cluster = ?1 AND opened >= ?2 ORDER BY opened, id";
        self.read(|session| session.rows(sql, &values![cluster, micros(since)], finding))
    }

    /// What was ever admitted in a namespace: the newest decision about each digest, and when that was.
    pub fn admitted_digests(&self, namespace: &str) -> Result<BTreeMap<Digest, (String, Timestamp)>, StoreError> {
        let sql = "SELECT digest, decision, at FROM admitted_image WHERE namespace = ?1";
        let admitted = self.read(|session| {
            session.rows(sql, &values![namespace], |row| {
                let digest = parse("digest", row.text(0)?)?;
                Ok((digest, (row.text(1)?, time(row.integer(2)?))))
            })
        })?;
        Ok(admitted.into_iter().collect())
    }

    /// Keeps a change of policy, before it is made. The number is for [`Store::settle_policy_change`].
    pub fn put_policy_change(&self, change: &PolicyChange) -> Result<i64, StoreError> {
        let row = values![micros(change.at), encode("policy change", change)?];
        let number = self.transaction(Mode::Record, |session| {
            let sql = "INSERT INTO policy_change(at, body) VALUES (?1, ?2) RETURNING number";
            session.row(sql, &row, |row| row.integer(0))
        })?;
        Ok(number.unwrap_or_default())
    }

    /// Says what became of a change of policy.
    pub fn settle_policy_change(&self, number: i64, change: &PolicyChange) -> Result<(), StoreError> {
        let row = values![number, encode("policy change", change)?];
        self.transaction(Mode::Record, |session| {
            session.execute("UPDATE policy_change SET body = ?2 WHERE number = ?1", &row)
        })?;
        Ok(())
    }

    /// All changes of policy, oldest first.
    pub fn policy_changes(&self) -> Result<Vec<PolicyChange>, StoreError> {
        let sql = "SELECT body FROM policy_change ORDER BY at, number";
        self.read(|session| session.rows(sql, &[], |row| decode("policy change", row.text(0)?.as_bytes())))
    }
}

fn finding(row: &mut Row) -> Result<FindingRecord, StoreError> {
    decode("finding", row.text(0)?.as_bytes())
}
