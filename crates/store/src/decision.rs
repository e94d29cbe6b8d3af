//! What was decided, so that it can be explained and replayed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use assay_case::{
    Case, ContainerRole, ExceptionNote, Node, Operation, PriorAdmission, Request, User, Verdict, Workload,
};
use assay_model::{Digest, Timestamp};
use rusqlite::params;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::StoreError;
use crate::database::{Store, decode, encode, micros, parse, time};

/// Hexadecimal digits of a decision id. Commands take any unique beginning.
const ID_DIGITS: usize = 16;

/// An image of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// How it is used.
    pub role: ContainerRole,
    /// Container or volume name.
    pub name: String,
    /// Field of the object.
    pub field: String,
    /// As written.
    pub written: String,
    /// The digests that were judged, one a platform; empty where nothing could be resolved.
    pub digests: Vec<Digest>,
}

/// What was asked, without what must not be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestProjection {
    /// What was to be done.
    pub operation: Operation,
    /// Where.
    pub namespace: String,
    /// Labels of the namespace as they were then; none = not known.
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// The object's kind, name and owner.
    pub workload: Workload,
    /// ServiceAccount of the Pod.
    pub service_account: Option<String>,
    /// Who asked.
    pub user: User,
    /// The images.
    pub images: Vec<ImageRecord>,
    /// The object, redacted.
    pub object: RedactedObject,
}

impl RequestProjection {
    /// What is kept of a case.
    pub fn of(case: &Case<'_>) -> Self {
        let Request { operation, workload, namespace, service_account, user, images, document, .. } = &case.request;
        let images = images
            .iter()
            .map(|image| ImageRecord {
                role: image.role,
                name: image.name.clone(),
                field: image.field.clone(),
                written: image.written.clone(),
                digests: case
                    .facts_of(&image.written)
                    .get()
                    .map(|facts| facts.iter().map(|facts| facts.subject.digest).collect())
                    .unwrap_or_default(),
            })
            .collect();
        Self {
            operation: *operation,
            namespace: namespace.name.clone(),
            namespace_labels: namespace.labels.clone(),
            workload: workload.clone(),
            service_account: service_account.clone(),
            user: user.clone(),
            images,
            object: RedactedObject::of(document.root()),
        }
    }

    /// `Kind/name`.
    pub fn workload_name(&self) -> String {
        format!("{}/{}", self.workload.kind, self.workload.name)
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// Its id, 16 hexadecimal digits.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The API server's uid of the request, empty for commands.
    pub uid: String,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
    /// What was asked.
    pub request: RequestProjection,
    /// What was answered. Written with each target once.
    #[serde(with = "crate::recorded_verdict")]
    pub verdict: Verdict,
    /// How long it took, in microseconds, from the first byte read to the verdict.
    pub microseconds: u64,
}

impl DecisionRecord {
    /// Names of the Exceptions that lifted something.
    pub fn exceptions_used(&self) -> Vec<String> {
        let used = self.verdict.exceptions.iter().filter(|note| note.ignored.is_none());
        used.map(|note| note.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The digests that were judged.
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.request.images.iter().flat_map(|image| image.digests.iter().copied()).collect()
    }
}

/// An id for a decision: no two requests of one API server share a uid, and a retry has another time.
pub fn decision_id(uid: &str, at: Timestamp, nonce: u64) -> String {
    let mut text = format!("{uid}\n{}\n{nonce}", at.as_nanosecond());
    text = Digest::of(text.as_bytes()).hex();
    text.truncate(ID_DIGITS);
    text
}

/// An object as it may be kept: values of environment variables and all annotations but our own are replaced or left out
/// (`kubectl.kubernetes.io/last-applied-configuration` repeats the whole object), managed fields and status too. It is
/// held as the text that is written, since every answer waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedactedObject(Box<RawValue>);

impl RedactedObject {
    /// What is kept of an object.
    pub fn of(object: &Node<'_>) -> Self {
        // Nodes have string keys and finite numbers, so that writing them cannot fail; nothing is kept if it does.
        Self(to_raw_value(&Redact { node: object, parent: "" }).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for RedactedObject {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// Writes a node without what must not be kept; `parent` is the nearest key above it.
struct Redact<'n> {
    node: &'n Node<'n>,
    parent: &'n str,
}

impl Serialize for Redact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parent = self.parent;
        match self.node {
            Node::List(items) => serializer.collect_seq(items.iter().map(|node| Redact { node, parent })),
            Node::Object(fields) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, node) in fields {
                    let key = key.as_ref();
                    let dropped = matches!((parent, key), ("metadata", "managedFields") | ("", "status"))
                        || (parent == "annotations" && !key.starts_with("assay.dev/"));
                    if dropped {
                        continue;
                    }
                    if parent == "env" && key == "value" {
                        map.serialize_entry(key, "***")?;
                    } else {
                        map.serialize_entry(key, &Redact { node, parent: key })?;
                    }
                }
                map.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

/// What the tables need of a record; the rest of its text is only skipped over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    at: Timestamp,
    dry_run: bool,
    #[serde(borrow)]
    request: RequestKeys<'a>,
    verdict: VerdictKeys,
}

#[derive(Deserialize)]
struct RequestKeys<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    workload: Workload,
    #[serde(borrow)]
    images: Vec<ImageKeys<'a>>,
}

#[derive(Deserialize)]
struct ImageKeys<'a> {
    #[serde(borrow)]
    digests: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct VerdictKeys {
    allowed: bool,
    #[serde(default)]
    exceptions: Vec<ExceptionNote>,
}

impl Store {
    /// Keeps decisions, all or none. One that is there already is left alone: segments may be replayed.
    pub fn put_decisions(&self, records: &[DecisionRecord]) -> Result<(), StoreError> {
        let lines = records.iter().map(|record| encode("decision", record)).collect::<Result<Vec<_>, _>>()?;
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.put_decision_lines(&lines).map(|_| ())
    }

    /// The same with records as they stand in a segment, whose text is kept as it is. Returns how many are no records.
    pub(crate) fn put_decision_lines(&self, lines: &[&str]) -> Result<usize, StoreError> {
        let mut damaged = 0;
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        for line in lines {
            let Ok(keys) = serde_json::from_str::<Keys<'_>>(line) else {
                damaged += 1;
                continue;
            };
            let workload = format!("{}/{}", keys.request.workload.kind, keys.request.workload.name);
            let added = transaction
                .prepare_cached("INSERT OR IGNORE INTO decision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![
                    keys.id,
                    micros(keys.at),
                    keys.request.namespace,
                    workload,
                    keys.verdict.allowed,
                    keys.dry_run,
                    line,
                ])?;
            if added == 0 {
                continue;
            }
            for digest in keys.request.images.iter().flat_map(|image| &image.digests) {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO decision_image VALUES (?1, ?2)")?
                    .execute(params![digest, keys.id])?;
            }
            for note in keys.verdict.exceptions.iter().filter(|note| note.ignored.is_none()) {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO exception_use VALUES (?1, ?2, ?3)")?
                    .execute(params![note.name, keys.id, micros(keys.at)])?;
            }
        }
        transaction.commit()?;
        Ok(damaged)
    }

    /// The decision whose id begins so.
    pub fn decision(&self, prefix: &str) -> Result<Option<DecisionRecord>, StoreError> {
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let prefix = prefix.to_ascii_lowercase();
        let connection = self.connection();
        // A range, which the key answers; LIKE would read the whole table. `g` follows the last hexadecimal digit.
        let mut statement =
            connection.prepare_cached("SELECT body FROM decision WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 100")?;
        let bodies: Vec<String> = statement.query_map([&prefix], |row| row.get(0))?.collect::<Result<_, _>>()?;
        match bodies.as_slice() {
            [] => Ok(None),
            [body] => decode("decision", body.as_bytes()).map(Some),
            many => Err(StoreError::Ambiguous { prefix, count: many.len() }),
        }
    }

    /// The newest decisions, newest first.
    pub fn decisions(&self, limit: usize) -> Result<Vec<DecisionRecord>, StoreError> {
        self.decisions_where("SELECT body FROM decision ORDER BY at DESC, id LIMIT ?1", &[&(limit as i64)])
    }

    /// The decisions about an image, newest first.
    pub fn decisions_of(&self, digest: Digest) -> Result<Vec<DecisionRecord>, StoreError> {
        let query = "SELECT body FROM decision JOIN decision_image ON decision.id = decision_image.decision
             WHERE decision_image.digest = ?1 ORDER BY at DESC, id";
        self.decisions_where(query, &[&digest.to_string()])
    }

    fn decisions_where(
        &self,
        query: &'static str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<DecisionRecord>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(query)?;
        let bodies: Vec<String> = statement.query_map(parameters, |row| row.get(0))?.collect::<Result<_, _>>()?;
        bodies.iter().map(|body| decode("decision", body.as_bytes())).collect()
    }

    /// What was admitted since, for good and not as a dry run, oldest first.
    pub fn admissions_since(&self, since: Timestamp) -> Result<Vec<PriorAdmission>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT digest, namespace, workload, id, at FROM decision JOIN decision_image ON decision.id = decision_image.decision
             WHERE allowed AND NOT dry_run AND at >= ?1 ORDER BY at, id, digest",
        )?;
        let mut rows = statement.query([micros(since)])?;
        let mut admissions = Vec::new();
        while let Some(row) = rows.next()? {
            admissions.push(PriorAdmission {
                digest: parse("digest", row.get(0)?)?,
                namespace: row.get(1)?,
                workload: row.get(2)?,
                decision: row.get(3)?,
                at: time(row.get(4)?),
            });
        }
        Ok(admissions)
    }

    /// How often each Exception was used, and when last.
    pub fn exceptions_used(&self) -> Result<BTreeMap<String, (u64, Timestamp)>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT exception, count(*), max(at) FROM exception_use GROUP BY exception")?;
        let rows = statement.query_map([], |row| {
            let count: i64 = row.get(1)?;
            Ok((row.get(0)?, (u64::try_from(count).unwrap_or(0), time(row.get(2)?))))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
