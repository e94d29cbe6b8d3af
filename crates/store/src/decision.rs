//! What was decided, so that it can be explained and replayed.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Case, ContainerRole, Node, Operation, Request, User, Verdict, Workload};
use assay_model::{Digest, Reference, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{record_text, recorded_verdict};

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
    /// The digests that were judged, one a platform; empty where nothing could be resolved. Where no control asked for
    /// facts, the digest that is written.
    pub digests: Vec<Digest>,
    /// The other digests by which the same is called: of the indexes that hold it, and the one that the reference names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covering: Vec<Digest>,
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
            .map(|image| {
                let asked = case.facts.get(&image.written);
                let facts = asked.and_then(|known| known.get().ok()).map(Vec::as_slice).unwrap_or_default();
                let named = image.reference.as_ref().ok().and_then(Reference::digest);
                let digests: Vec<Digest> = match asked {
                    Some(_) => facts.iter().map(|facts| facts.subject.digest).collect(),
                    None => named.into_iter().collect(),
                };
                let indexes = facts.iter().filter_map(|facts| facts.subject.index);
                let covering: BTreeSet<Digest> =
                    indexes.chain(named).filter(|digest| !digests.contains(digest)).collect();
                ImageRecord {
                    role: image.role,
                    name: image.name.clone(),
                    field: image.field.clone(),
                    written: image.written.clone(),
                    digests,
                    covering: covering.into_iter().collect(),
                }
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
#[serde(rename_all = "camelCase", try_from = "Read")]
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
    #[serde(serialize_with = "recorded_verdict::serialize")]
    pub verdict: Verdict,
    /// How long it took, in microseconds, from the first byte read to the verdict.
    pub microseconds: u64,
}

/// A record as it is read: outcomes may point to its images.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    id: String,
    at: Timestamp,
    uid: String,
    dry_run: bool,
    request: RequestProjection,
    verdict: recorded_verdict::Read,
    microseconds: u64,
}

impl TryFrom<Read> for DecisionRecord {
    type Error = recorded_verdict::Missing;

    fn try_from(read: Read) -> Result<Self, Self::Error> {
        let Read { id, at, uid, dry_run, request, verdict, microseconds } = read;
        let verdict = verdict.verdict(&request.images)?;
        Ok(Self { id, at, uid, dry_run, request, verdict, microseconds })
    }
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
#[derive(Clone, Debug)]
pub struct RedactedObject(Box<str>);

impl RedactedObject {
    /// What is kept of an object.
    pub fn of(object: &Node<'_>) -> Self {
        // Nodes have string keys and finite numbers, so that writing them cannot fail; nothing is kept if it does.
        Self(record_text::redacted(object).unwrap_or_else(|| "null".to_owned()).into())
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Serialize for RedactedObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RedactedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl PartialEq for RedactedObject {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}
