//! The answer to an AdmissionReview (Kubernetes "Dynamic Admission Control", "Response").

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Serialize;

/// Longest warning: the API server may cut longer ones.
const WARNING_CHARACTERS_MAX: usize = 256;
/// Of all warnings together: the API server ignores what comes after.
const WARNINGS_CHARACTERS_MAX: usize = 4096;
/// Longest message of a refusal. `kubectl` prints it whole; this is about a page.
const MESSAGE_CHARACTERS_MAX: usize = 4096;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// HTTP status that the user's client sees, for example 403.
    pub code: u16,
    /// A word of Kubernetes' `metav1.StatusReason`, for example `Forbidden`.
    pub reason: &'static str,
    /// The sentence that `kubectl` prints.
    pub message: String,
}

/// One change to the object (RFC 6902).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatchOperation {
    /// `replace`, `add` or `test`.
    pub op: &'static str,
    /// JSON pointer (RFC 6901) to the value.
    pub path: String,
    /// The new value.
    pub value: String,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The uid of the request.
    pub uid: String,
    /// Whether it may go ahead.
    pub allowed: bool,
    /// Why not.
    pub status: Option<Status>,
    /// Shown to the user by `kubectl`, whatever the answer.
    pub warnings: Vec<String>,
    /// Written to the API server's audit log under the webhook's name. Keys without a slash.
    pub audit_annotations: BTreeMap<String, String>,
    /// Changes to the object; only a mutating webhook may send any.
    pub patch: Vec<PatchOperation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Body<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

impl Response {
    /// Lets it through.
    pub fn allow(uid: impl Into<String>) -> Self {
        Self { uid: uid.into(), allowed: true, ..Self::default() }
    }

    /// Refuses it.
    pub fn deny(uid: impl Into<String>, code: u16, reason: &'static str, message: &str) -> Self {
        let message = one_line(message, MESSAGE_CHARACTERS_MAX);
        Self { uid: uid.into(), status: Some(Status { code, reason, message }), ..Self::default() }
    }

    /// The AdmissionReview to send. Warnings are cut to what the API server passes on.
    pub fn to_json(&self) -> Vec<u8> {
        let patch = (!self.patch.is_empty() && self.allowed)
            .then(|| serde_json::to_vec(&self.patch).unwrap_or_default())
            .map(|patch| base64::engine::general_purpose::STANDARD.encode(patch));
        let envelope = Envelope {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Body {
                uid: &self.uid,
                allowed: self.allowed,
                status: self.status.as_ref(),
                warnings: bounded(&self.warnings),
                audit_annotations: &self.audit_annotations,
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch,
            },
        };
        // Plain data with string keys: this cannot fail, and an empty body would be read as a failed webhook, not as an allow.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

/// As many whole warnings as the API server passes on; the last one says how many more there are.
fn bounded(warnings: &[String]) -> Vec<String> {
    const ROOM_FOR_REST: usize = 32;
    let mut kept = Vec::new();
    let mut characters = 0;
    for (index, warning) in warnings.iter().enumerate() {
        let warning = one_line(warning, WARNING_CHARACTERS_MAX);
        characters += warning.chars().count();
        if characters > WARNINGS_CHARACTERS_MAX - ROOM_FOR_REST {
            kept.push(format!("{} more warnings", warnings.len() - index));
            break;
        }
        kept.push(warning);
    }
    kept
}

/// Warnings travel as HTTP headers and messages are printed after a prefix: one line, no control characters.
fn one_line(text: &str, characters_max: usize) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= characters_max {
        return text.chars().map(printable).collect();
    }
    text.chars().take(characters_max - 1).map(printable).chain(['…']).collect()
}

/// The JSON pointer of a field such as `spec.containers[0].image`: `/spec/containers/0/image`.
pub fn json_pointer(field: &str) -> String {
    let mut pointer = String::with_capacity(field.len() + 1);
    for segment in field.split(['.', '[']) {
        pointer.push('/');
        pointer.push_str(&segment.trim_end_matches(']').replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(response: &Response) -> serde_json::Value {
        serde_json::from_slice(&response.to_json()).unwrap()
    }

    #[test]
    fn an_allow_is_bare() {
        let value = json(&Response::allow("u-1"));
        let want = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "u-1", "allowed": true}
        });
        assert_eq!(value, want);
    }

    #[test]
    fn a_refusal_says_why_on_one_line() {
        let value = json(&Response::deny("u-1", 403, "Forbidden", "no\ndigest"));
        assert_eq!(value["response"]["allowed"], false);
        assert_eq!(value["response"]["status"]["message"], "no digest");
        assert_eq!(value["response"]["status"]["code"], 403);
    }

    #[test]
    fn warnings_stay_within_what_the_api_server_passes_on() {
        let mut response = Response::allow("u-1");
        response.warnings = vec!["é".repeat(300); 40];
        let value = json(&response);
        let warnings: Vec<_> =
            value["response"]["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        assert!(warnings.iter().all(|w| w.chars().count() <= 256));
        assert!(warnings.iter().map(|w| w.chars().count()).sum::<usize>() <= 4096);
        assert_eq!(*warnings.last().unwrap(), "25 more warnings");
    }

    #[test]
    fn a_patch_is_sent_only_with_an_allow() {
        let patch = vec![PatchOperation {
            op: "replace",
            path: json_pointer("spec.containers[0].image"),
            value: "a@sha256:b".into(),
        }];
        let mut response = Response { patch, ..Response::allow("u-1") };
        let value = json(&response);
        let text =
            base64::engine::general_purpose::STANDARD.decode(value["response"]["patch"].as_str().unwrap()).unwrap();
        assert_eq!(text, br#"[{"op":"replace","path":"/spec/containers/0/image","value":"a@sha256:b"}]"#);
        assert_eq!(value["response"]["patchType"], "JSONPatch");
        response.allowed = false;
        assert!(json(&response)["response"].get("patch").is_none());
    }
}
