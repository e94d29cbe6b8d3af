//! `assay decisions`: the records leave, or go.

use std::collections::BTreeMap;

use assay_case::{Operation, Outcome};
use assay_model::Timestamp;
use assay_server::KeepDecisions;
use assay_store::{DecisionRecord, Expired, Retention};
use serde::Serialize;

use crate::Result;
use crate::arguments::{DecisionsExpireArguments, DecisionsExportArguments, RecordForm};
use crate::failure::{CliError, Failure};
use crate::session::Session;

/// Who records decisions.
const RECORDED: &str = "assay serve and assay release promote record decisions";
/// Bytes that are written together.
const PORTION: usize = 64 << 10;

/// Writes decisions, one a line. They are never all in memory.
pub(crate) fn export(arguments: &DecisionsExportArguments, session: &Session<'_>) -> Result<()> {
    let store = session.asked_store(RECORDED)?;
    let now = Timestamp::now();
    let since = arguments.since.map_or(Timestamp::MIN, |since| since.before(now));
    let until = arguments.until.map_or(Timestamp::MAX, |until| until.before(now));
    let mut portion = Vec::new();
    let written =
        |source: serde_json::Error| CliError::Malformed { what: "decision".into(), message: source.to_string() };
    store.each_decision(since, until, |record| {
        match arguments.form {
            RecordForm::Records => serde_json::to_writer(&mut portion, &record).map_err(written)?,
            RecordForm::AuditEvents => serde_json::to_writer(&mut portion, &Event::of(&record)).map_err(written)?,
        }
        portion.push(b'\n');
        if portion.len() >= PORTION {
            session.printer.bytes(&portion);
            portion.clear();
        }
        Ok::<(), Failure>(())
    })?;
    session.printer.bytes(&portion);
    Ok(())
}

/// What went.
#[derive(Debug, Serialize)]
pub(crate) struct ExpireOutcome {
    /// Decisions.
    pub(crate) decisions: u64,
    /// Bytes that they took, packed.
    pub(crate) bytes: u64,
    /// Bytes that those take that stay.
    pub(crate) left: u64,
}

/// Lets decisions go.
pub(crate) fn expire(arguments: &DecisionsExpireArguments, session: &Session<'_>) -> Result<ExpireOutcome> {
    let keep = KeepDecisions::from(arguments.retention);
    if keep == KeepDecisions::default() {
        return Err(CliError::Usage {
            message: "nothing says what is to be kept".to_owned(),
            next: "assay decisions expire --keep-decisions 90d".to_owned(),
        }
        .into());
    }
    let store = session.asked_store(RECORDED)?;
    let before = keep.age.and_then(|age| Timestamp::now().checked_sub(age).ok());
    let Expired { decisions, bytes } = store.expire_decisions(Retention { before, bytes: keep.bytes })?;
    Ok(ExpireOutcome { decisions, bytes, left: store.decision_bytes()? })
}

/// An Event of audit.k8s.io/v1 (Kubernetes documentation, "kube-apiserver Audit Configuration"), level Metadata: what the
/// API server's own log would say of the request, and what Assay said, as annotations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    kind: &'static str,
    api_version: &'static str,
    level: &'static str,
    #[serde(rename = "auditID")]
    audit_id: &'r str,
    stage: &'static str,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: &'r str,
    user: EventUser<'r>,
    object_ref: ObjectReference<'r>,
    response_status: ResponseStatus,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct EventUser<'r> {
    username: &'r str,
    groups: &'r [String],
}

#[derive(Debug, Serialize)]
struct ObjectReference<'r> {
    resource: String,
    namespace: &'r str,
    name: &'r str,
}

#[derive(Debug, Serialize)]
struct ResponseStatus {
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl<'r> Event<'r> {
    fn of(record: &'r DecisionRecord) -> Self {
        let (request, verdict) = (&record.request, &record.verdict);
        // As the API conventions name resources: every kind with a Pod template forms its plural with an s.
        let resource = format!("{}s", request.workload.kind.to_ascii_lowercase());
        let mut annotations = BTreeMap::from([
            ("assay.dev/decision".to_owned(), record.id.clone()),
            ("assay.dev/operation".to_owned(), request.operation.name().to_owned()),
            ("assay.dev/environment".to_owned(), verdict.environment.to_string()),
            ("assay.dev/policy".to_owned(), verdict.policy.to_string()),
            ("assay.dev/microseconds".to_owned(), record.microseconds.to_string()),
        ]);
        let mut list = |name: &str, words: Vec<String>| {
            if !words.is_empty() {
                annotations.insert(format!("assay.dev/{name}"), words.join(","));
            }
        };
        list("digests", record.digests().iter().map(ToString::to_string).collect());
        list("exceptions", record.exceptions_used());
        let mut failed: Vec<String> = verdict
            .outcomes
            .iter()
            .filter(|outcome| matches!(outcome.outcome, Outcome::Fail | Outcome::Error))
            .map(|outcome| outcome.control.to_string())
            .collect();
        failed.sort();
        failed.dedup();
        list("failed-controls", failed);
        list("dry-run", record.dry_run.then(|| "true".to_owned()).into_iter().collect());
        let received = std::time::Duration::from_micros(record.microseconds);
        let (code, reason) = if verdict.allowed { (200, None) } else { (403, Some("Forbidden")) };
        Self {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: "Metadata",
            // Commands have no request of an API server.
            audit_id: if record.uid.is_empty() { &record.id } else { &record.uid },
            stage: "ResponseComplete",
            request_uri: format!("/namespaces/{}/{resource}", request.namespace),
            verb: match request.operation {
                Operation::Update => "update",
                Operation::Audit => "get",
                _ => "create",
            },
            user: EventUser { username: &request.user.name, groups: &request.user.groups },
            object_ref: ObjectReference { resource, namespace: &request.namespace, name: &request.workload.name },
            response_status: ResponseStatus { code, reason },
            request_received_timestamp: record.at.checked_sub(received).unwrap_or(record.at),
            stage_timestamp: record.at,
            annotations,
        }
    }
}
