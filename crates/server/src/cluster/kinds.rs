//! The webhook on Assay's own kinds and on the labels of namespaces: what no schema can know is said when an object is
//! written, who wrote and approved an Exception is recorded, and no namespace slips out of its Environment.

use std::sync::{Arc, Mutex, PoisonError};

use assay_case::Namespace;
use assay_gate::{Loosening, PolicyError};
use assay_kinds::{Exception, Kind, load_yaml};
use assay_kube::{NAMESPACES, Response, StoredObject};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::book::{Book, Id, Part, Sort};
use super::vouch::{self, ANNOTATION, Person};
use crate::admission::{Answer, Snapshot};
use crate::{Clock, Namespaces};

/// Answers for Assay's own kinds.
pub(crate) struct Kinds {
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) namespaces: Arc<Snapshot<Namespaces>>,
    pub(super) clock: Clock,
}

/// A request about an object of ours.
struct Asked {
    uid: String,
    /// `None`: a namespace.
    sort: Option<Sort>,
    person: Person,
    object: StoredObject,
    old: Option<StoredObject>,
}

impl Asked {
    fn parse(body: &[u8]) -> Result<Self, Answer> {
        let failed = |message: &str| Answer::Failed { status: 400, code: "review-field", message: message.to_owned() };
        let mut review: Value = serde_json::from_slice(body).map_err(|error| Answer::Failed {
            status: 400,
            code: "review-invalid-json",
            message: error.to_string(),
        })?;
        let request = review["request"].take();
        let uid =
            request["uid"].as_str().filter(|uid| !uid.is_empty()).ok_or_else(|| failed("request.uid is missing"))?;
        let resource = request["resource"]["resource"].as_str().unwrap_or_default();
        let sort = Sort::ALL.into_iter().find(|sort| sort.resource().plural == resource);
        if sort.is_none() && resource != NAMESPACES.plural {
            return Err(failed("request.resource is none that this webhook is registered for"));
        }
        let user = &request["userInfo"];
        let groups = user["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let person =
            Person { user: user["username"].as_str().unwrap_or_default().to_owned(), groups: groups.collect() };
        let object = StoredObject(request["object"].clone());
        if !object.0.is_object() {
            return Err(failed("request.object is missing"));
        }
        let old = Some(StoredObject(request["oldObject"].clone())).filter(|old| old.0.is_object());
        Ok(Self { uid: uid.to_owned(), sort, person, object, old })
    }

    fn is_same(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.0["spec"] == self.object.0["spec"])
    }
}

impl Kinds {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an object can be meant.
    pub(crate) fn validate(&self, body: &[u8]) -> Answer {
        let asked = match Asked::parse(body) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let Some(sort) = asked.sort else { return self.relabelling(&asked) };
        // A status, a label, a finalizer: what stands there already is not judged again, or nobody could remove it.
        if asked.is_same() {
            return Answer::Review(Response::allow(asked.uid).to_json());
        }
        let book = self.book();
        let deny = |why: &str| Answer::Review(Response::deny(asked.uid.clone(), 422, "Invalid", why).to_json());
        let part = match book.read(sort, &asked.object) {
            Ok(part) => part,
            Err(why) => return deny(&why),
        };
        let mut response = Response::allow(asked.uid.clone());
        let name = asked.object.name();
        match &part {
            Part::Exception(input) => {
                let (namespaces, now) = (self.namespaces.get(), (self.clock)());
                if let Some(why) = book.objection(&input.exception, &namespaces, now) {
                    return deny(&why);
                }
                if let Err(problem) = book.standing(input, &namespaces, now) {
                    response.warnings.push(format!("Exception {name} does nothing yet: {problem}"));
                }
            }
            _ => match book.trial(&Id { sort, name: name.to_owned() }, &part) {
                Ok(()) => {}
                // What it names may come in the next document.
                Err(error) if names_a_root(&error) => {
                    response.warnings.push(format!("not in force yet: {error}"));
                }
                Err(error) => return deny(&error.to_string()),
            },
        }
        Answer::Review(response.to_json())
    }

    /// Whether a namespace may have other labels: not where less would be denied then, unless somebody says so who may
    /// approve Exceptions where it is.
    fn relabelling(&self, asked: &Asked) -> Answer {
        let name = asked.object.name();
        let with = |object: &StoredObject| Namespace { name: name.to_owned(), labels: Some(object.labels()) };
        let policy = self.book().policy().map(Arc::clone);
        let (Some(policy), Some(old)) = (policy, &asked.old) else {
            return Answer::Review(Response::allow(asked.uid.clone()).to_json());
        };
        let loosening = policy.loosening(&with(old), &with(&asked.object));
        let Some(Loosening { from, to, control }) =
            loosening.filter(|own| !policy.is_approver(&own.from, &asked.person.user, &asked.person.groups))
        else {
            return Answer::Review(Response::allow(asked.uid.clone()).to_json());
        };
        let why = format!(
            "with these labels namespace {name} would be judged by {to} instead of {from}, where {control} denies. Whoever may \
             approve Exceptions of {from} may do that (exceptions.approvers)"
        );
        Answer::Review(Response::deny(asked.uid.clone(), 403, "Forbidden", &why).to_json())
    }

    /// Records who writes and who approves an Exception.
    pub(crate) fn record(&self, body: &[u8]) -> Answer {
        let asked = match Asked::parse(body) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        if asked.sort != Some(Sort::Exception) {
            return Answer::Review(Response::allow(asked.uid).to_json());
        }
        // Who cannot be recorded now could never be believed later.
        let book = self.book();
        let Some(key) = book.key() else {
            let why = "who writes this cannot be recorded yet (not-ready). Try again in a moment";
            return Answer::Review(Response::deny(asked.uid, 503, "ServiceUnavailable", why).to_json());
        };
        let written = match exception(&asked.object) {
            Ok(written) => written,
            Err(why) => return Answer::Review(Response::deny(asked.uid, 422, "Invalid", &why).to_json()),
        };
        let old = asked.old.as_ref().and_then(|old| Some((exception(old).ok()?, old.annotation(ANNOTATION))));
        let old = old.as_ref().map(|(old, record)| (old, *record));
        let record = vouch::record(key, &written, old, &asked.person);
        let mut patch = Vec::new();
        if !asked.object.0["metadata"]["annotations"].is_object() {
            patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
        }
        let path = format!("/metadata/annotations/{}", ANNOTATION.replace('/', "~1"));
        patch.push(json!({"op": "add", "path": path, "value": record}));
        let patch = STANDARD.encode(Value::Array(patch).to_string());
        let review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": asked.uid, "allowed": true, "patchType": "JSONPatch", "patch": patch},
        });
        Answer::Review(review.to_string().into_bytes())
    }
}

/// Whether what is missing is a trust root or a key of one.
fn names_a_root(error: &PolicyError) -> bool {
    matches!(error, PolicyError::Unknown { what, .. } if *what == "trust root" || what.starts_with("key in the trust root"))
}

fn exception(object: &StoredObject) -> Result<Exception, String> {
    let loaded =
        load_yaml(&object.0.to_string(), "object").map_err(|error| super::book::without_place(&error.to_string()))?;
    match loaded.objects.into_iter().next().map(|located| located.value) {
        Some(Kind::Exception(exception)) => Ok(*exception),
        _ => Err("is no Exception".to_owned()),
    }
}
