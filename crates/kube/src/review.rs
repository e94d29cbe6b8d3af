//! AdmissionReview v1, parsed once (`admission.k8s.io/v1`, Kubernetes "Dynamic Admission Control", "Request").

use std::collections::BTreeMap;

use assay_case::{Namespace, Node, Operation, Request, User};
use assay_model::Explain;

use crate::workload::{Origin, request_of, runs_the_same};

/// Largest AdmissionReview that is read. It holds an object up to twice (`object`, `oldObject`), and the API server
/// takes objects up to about 3 MiB.
const BYTES_MAX: usize = 8 << 20;

/// What the API server is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReviewOperation {
    /// `CREATE`.
    Create,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `CONNECT`: exec, attach, port-forward, proxy.
    Connect,
}

impl ReviewOperation {
    /// The lowercase word, for metrics and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Connect => "connect",
        }
    }
}

/// An admission request.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    /// Names this request; the answer repeats it.
    pub uid: String,
    /// API group of the object, empty for the core group.
    pub group: String,
    /// Kind of the object.
    pub kind: String,
    /// Subresource, empty for the object itself.
    pub sub_resource: String,
    /// What is being done.
    pub operation: ReviewOperation,
    /// Namespace, empty for what lies in none.
    pub namespace: String,
    /// Name of the object, empty where the API server will make one.
    pub name: String,
    /// Who asks.
    pub user: User,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    object: Node<'a>,
    old_object: Node<'a>,
}

/// What is to be done with an admission request.
#[derive(Debug)]
pub enum Admission<'a> {
    /// The Gate is asked.
    Judge(Box<Request<'a>>),
    /// Nothing new would run: let through, and say why.
    Pass(PassReason),
}

/// Why a request needs no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassReason {
    /// `DELETE` and `CONNECT` run no image.
    NothingRuns(ReviewOperation),
    /// The scale subresource carries no template; the Pods that follow are judged themselves.
    Scale,
    /// A subresource that cannot bring in an image.
    SubResource(String),
    /// A kind without a Pod template.
    OtherKind(String),
    /// An `UPDATE` that changes neither the Pod specification nor labels.
    Unchanged,
}

impl std::fmt::Display for PassReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NothingRuns(operation) => write!(f, "{} runs no image", operation.name()),
            Self::Scale => f.write_str("scale changes no template; each new Pod is judged itself"),
            Self::SubResource(name) => write!(f, "the subresource {name} brings in no image"),
            Self::OtherKind(kind) => write!(f, "{kind} holds no Pod template"),
            Self::Unchanged => f.write_str("neither the Pod specification nor labels change"),
        }
    }
}

/// Subresources of workloads that cannot change an image. Any other one is judged.
const HARMLESS: [&str; 12] = [
    "approve",
    "attach",
    "binding",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "resize",
    "rollback",
    "status",
    "token",
];

impl<'a> Review<'a> {
    /// Reads an AdmissionReview. Every way in which it can be wrong is an error; none is an empty request.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        if body.len() > BYTES_MAX {
            return Err(ReviewError::TooLarge { bytes: body.len() });
        }
        let text = std::str::from_utf8(body).map_err(|error| ReviewError::NotUtf8 { offset: error.valid_up_to() })?;
        let mut root = Node::from_json(text).map_err(|source| ReviewError::Json {
            line: source.line(),
            column: source.column(),
            source,
        })?;
        let api_version = root.get("apiVersion").as_str().unwrap_or_default();
        let kind = root.get("kind").as_str().unwrap_or_default();
        if (api_version, kind) != ("admission.k8s.io/v1", "AdmissionReview") {
            return Err(ReviewError::NotAReview { api_version: api_version.to_owned(), kind: kind.to_owned() });
        }
        let request = take(&mut root, "request");
        if !matches!(request, Node::Object(_)) {
            return Err(ReviewError::NoRequest { found: request.kind() });
        }
        Self::from_request(request)
    }

    fn from_request(mut request: Node<'a>) -> Result<Self, ReviewError> {
        let uid = match request.get("uid").as_str() {
            Some(uid) if !uid.is_empty() => uid.to_owned(),
            _ => return Err(field(None, "request.uid", "a string", request.get("uid"))),
        };
        let wrong = |name, want, found: &Node<'_>| field(Some(uid.clone()), name, want, found);
        let operation = match request.get("operation").as_str() {
            Some("CREATE") => ReviewOperation::Create,
            Some("UPDATE") => ReviewOperation::Update,
            Some("DELETE") => ReviewOperation::Delete,
            Some("CONNECT") => ReviewOperation::Connect,
            _ => {
                let want = "CREATE, UPDATE, DELETE or CONNECT";
                return Err(wrong("request.operation", want, request.get("operation")));
            }
        };
        let optional = |name: &'static str, node: &Node<'_>| match node {
            Node::Null => Ok(String::new()),
            Node::String(text) => Ok(text.clone().into_owned()),
            other => Err(wrong(name, "a string", other)),
        };
        let kind = request.get("kind");
        let group = optional("request.kind.group", kind.get("group"))?;
        let kind = match kind.get("kind") {
            Node::String(kind) if !kind.is_empty() => kind.clone().into_owned(),
            other => return Err(wrong("request.kind.kind", "a string", other)),
        };
        let sub_resource = optional("request.subResource", request.get("subResource"))?;
        let namespace = optional("request.namespace", request.get("namespace"))?;
        let name = optional("request.name", request.get("name"))?;
        let dry_run = match request.get("dryRun") {
            Node::Null => false,
            Node::Bool(value) => *value,
            other => return Err(wrong("request.dryRun", "a boolean", other)),
        };
        let user = request.get("userInfo");
        let user = User {
            name: optional("request.userInfo.username", user.get("username"))?,
            groups: user.get("groups").items().iter().filter_map(Node::as_str).map(str::to_owned).collect(),
        };
        let object = take(&mut request, "object");
        let old_object = take(&mut request, "oldObject");
        let runs = matches!(operation, ReviewOperation::Create | ReviewOperation::Update);
        if !matches!(object, Node::Object(_)) && (runs || !object.is_null()) {
            return Err(wrong("request.object", "an object", &object));
        }
        Ok(Self { uid, group, kind, sub_resource, operation, namespace, name, user, dry_run, object, old_object })
    }

    /// Whether the Gate is to be asked, and what. `labels` are those of the namespace; `None` where they are not known.
    pub fn admission(self, labels: Option<BTreeMap<String, String>>) -> Admission<'a> {
        let operation = match self.operation {
            ReviewOperation::Create => Operation::Create,
            ReviewOperation::Update => Operation::Update,
            other => return Admission::Pass(PassReason::NothingRuns(other)),
        };
        if self.sub_resource == "scale" {
            return Admission::Pass(PassReason::Scale);
        }
        if HARMLESS.contains(&self.sub_resource.as_str()) {
            return Admission::Pass(PassReason::SubResource(self.sub_resource));
        }
        // Compared with what the API server itself holds, never with what the user claims was there.
        if operation == Operation::Update && runs_the_same(&self.group, &self.kind, &self.object, &self.old_object) {
            return Admission::Pass(PassReason::Unchanged);
        }
        let origin = Origin {
            operation,
            namespace: Namespace { name: self.namespace, labels },
            user: self.user,
            name: self.name,
        };
        match request_of(&self.group, &self.kind, self.object, origin) {
            Some(request) => Admission::Judge(Box::new(request)),
            None => Admission::Pass(PassReason::OtherKind(self.kind)),
        }
    }
}

/// Moves a field's value out of an object.
fn take<'a>(object: &mut Node<'a>, key: &str) -> Node<'a> {
    match object {
        Node::Object(fields) => fields
            .iter_mut()
            .find(|(name, _)| name == key)
            .map_or(Node::Null, |(_, value)| std::mem::replace(value, Node::Null)),
        _ => Node::Null,
    }
}

fn field(uid: Option<String>, field: &'static str, want: &'static str, found: &Node<'_>) -> ReviewError {
    ReviewError::Field { uid, field, want, found: if found.is_null() { "missing" } else { found.kind() } }
}

/// Why a body is not an admission request. None of these may ever be answered with "allowed".
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Larger than any that the API server sends.
    #[error("the AdmissionReview has {bytes} bytes, at most {BYTES_MAX} are read")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
    },
    /// JSON is UTF-8 (RFC 8259, section 8.1).
    #[error("the AdmissionReview is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// Not JSON, a doubled key, or nested too deeply.
    #[error("the AdmissionReview is not valid JSON at line {line}, column {column}: {source}")]
    Json {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// Some other document, or a version that Assay does not speak. Register the webhook with
    /// `admissionReviewVersions: [v1]`.
    #[error("this is `{kind}` of `{api_version}`, not AdmissionReview of admission.k8s.io/v1")]
    NotAReview {
        /// `apiVersion` found.
        api_version: String,
        /// `kind` found.
        kind: String,
    },
    /// A review without a request is an answer, or nothing.
    #[error("the AdmissionReview has no request: that field is {found}")]
    NoRequest {
        /// What stands there.
        found: &'static str,
    },
    /// A field is missing or of the wrong type.
    #[error("{field} must be {want}, it is {found}")]
    Field {
        /// The request's uid, where that much could be read: the answer can then be a proper refusal.
        uid: Option<String>,
        /// The field.
        field: &'static str,
        /// What it must be.
        want: &'static str,
        /// What it is.
        found: &'static str,
    },
}

impl ReviewError {
    /// The uid of the request, where it could be read.
    pub fn uid(&self) -> Option<&str> {
        match self {
            Self::Field { uid, .. } => uid.as_deref(),
            _ => None,
        }
    }
}

impl Explain for ReviewError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "review-too-large",
            Self::NotUtf8 { .. } => "review-not-utf8",
            Self::Json { .. } => "review-invalid-json",
            Self::NotAReview { .. } => "review-wrong-kind",
            Self::NoRequest { .. } => "review-without-request",
            Self::Field { .. } => "review-field",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::NotAReview { .. } => Some("Set admissionReviewVersions: [v1] in the webhook configuration".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
