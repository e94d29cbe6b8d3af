//! Who wrote and who approved an Exception, as the API server vouched for them when it was written.
//!
//! The webhook writes it into an annotation, under a key that only Assay has: what somebody writes there by hand, or copies
//! from another object, does not hold. The record is about what the Exception says; with another text it is about nothing.

use assay_gate::ApprovalState;
use assay_kinds::{Exception, ExceptionSpec};
use assay_model::Digest;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The annotation.
pub(super) const ANNOTATION: &str = "assay.dev/record";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Groups of an approver that are kept: the record lives in an annotation.
const GROUPS_MAX: usize = 128;

/// The key of records.
pub(super) struct RecordKey(hmac::Key);

impl RecordKey {
    /// A new one, base64.
    pub(super) fn generate() -> String {
        let mut bytes = [0; KEY_BYTES];
        // Fails only where the system has no randomness at all; then nothing that is recorded will be believed.
        if rand::fill(&mut bytes).is_err() {
            return String::new();
        }
        STANDARD.encode(bytes)
    }

    /// Reads what [`RecordKey::generate`] gave.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// Who asks, as the API server vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) user: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

/// What is recorded of an Exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    /// Who wrote it, but for the approval.
    author: String,
    /// The digest of what they wrote.
    content: Digest,
    /// Who wrote the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approver: Option<Person>,
    /// The digest of all of it.
    spec: Digest,
    /// HMAC-SHA256 over the rest, base64.
    #[serde(default)]
    mac: String,
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&Self { mac: String::new(), ..self.clone() }).unwrap_or_default()
    }

    /// Reads a record and checks that it was written here.
    fn open(key: &RecordKey, text: &str) -> Result<Self, &'static str> {
        let record: Self = serde_json::from_str(text).map_err(|_| "its record cannot be read")?;
        let mac = STANDARD.decode(&record.mac).map_err(|_| "its record cannot be read")?;
        hmac::verify(&key.0, &record.bytes(), &mac)
            .map_err(|_| "its record was not written by this cluster's webhook")?;
        Ok(record)
    }
}

/// What the Exception says but for its approval.
fn content(exception: &Exception) -> Digest {
    let spec = ExceptionSpec { approval: None, ..exception.spec.clone() };
    Exception { metadata: exception.metadata.clone(), spec }.spec_digest()
}

/// The record of a write: `person` makes or changes an Exception whose record was `before`.
pub(super) fn record(
    key: &RecordKey,
    exception: &Exception,
    before: Option<(&Exception, Option<&str>)>,
    person: &Person,
) -> String {
    let (content, spec) = (content(exception), exception.spec_digest());
    let known = before.and_then(|(old, text)| Some((old, Record::open(key, text?).ok()?)));
    let known = known.filter(|(old, record)| record.spec == old.spec_digest());
    let author = match &known {
        Some((_, record)) if record.content == content => record.author.clone(),
        _ => person.user.clone(),
    };
    let approver = match (&exception.spec.approval, &known) {
        (None, _) => None,
        // Neither the text nor its approval changed: whoever approved it did so.
        (Some(_), Some((_, record))) if record.spec == spec => record.approver.clone(),
        (Some(_), _) => {
            let groups = person.groups.iter().take(GROUPS_MAX).cloned().collect();
            Some(Person { user: person.user.clone(), groups })
        }
    };
    let mut record = Record { author, content, approver, spec, mac: String::new() };
    record.mac = STANDARD.encode(hmac::sign(&key.0, &record.bytes()));
    serde_json::to_string(&record).unwrap_or_default()
}

/// What a record says of an Exception: its author, and whether its approval counts.
pub(super) fn read(
    key: Option<&RecordKey>,
    exception: &Exception,
    text: Option<&str>,
) -> (Option<String>, ApprovalState) {
    let refused = |why: &str| (None, ApprovalState::Refused { why: why.to_owned() });
    let (Some(text), Some(key)) = (text, key) else { return (None, ApprovalState::Unauthenticated) };
    let record = match Record::open(key, text) {
        Ok(record) => record,
        Err(why) => return refused(why),
    };
    if record.spec != exception.spec_digest() {
        return refused("its record is about another text");
    }
    let approval = match record.approver {
        Some(Person { user, groups }) => ApprovalState::Authenticated { by: user, groups },
        None => ApprovalState::Unauthenticated,
    };
    (Some(record.author), approval)
}

#[cfg(test)]
mod tests {
    use assay_kinds::Approval;

    use super::*;

    fn key() -> RecordKey {
        RecordKey::parse(&RecordKey::generate()).unwrap()
    }

    fn person(user: &str) -> Person {
        Person { user: user.into(), groups: vec![format!("group-of-{user}")] }
    }

    fn exception(approved_by: Option<&str>) -> Exception {
        let approval = approved_by.map(|by| Approval {
            by: by.into(),
            reference: None,
            at: "2026-11-21T09:00:00Z".parse().unwrap(),
        });
        let controls = vec!["critical-cve".parse().unwrap()];
        Exception::new("zlib", ExceptionSpec { controls, approval, ..ExceptionSpec::default() })
    }

    fn authenticated(user: &str) -> ApprovalState {
        ApprovalState::Authenticated { by: user.into(), groups: vec![format!("group-of-{user}")] }
    }

    #[test]
    fn one_writes_and_another_approves() {
        let key = key();
        let (asked, approved) = (exception(None), exception(Some("lead")));
        let first = record(&key, &asked, None, &person("dev"));
        assert_eq!(read(Some(&key), &asked, Some(&first)), (Some("dev".into()), ApprovalState::Unauthenticated));
        let second = record(&key, &approved, Some((&asked, Some(&first))), &person("lead"));
        assert_eq!(read(Some(&key), &approved, Some(&second)), (Some("dev".into()), authenticated("lead")));
        // A label is changed by a third: nothing else is.
        let third = record(&key, &approved, Some((&approved, Some(&second))), &person("robot"));
        assert_eq!(third, second);
    }

    #[test]
    fn who_changes_the_text_is_its_author_and_the_approval_is_theirs_alone() {
        let key = key();
        let asked = exception(None);
        let first = record(&key, &asked, None, &person("dev"));
        // Together with the approval: then the approver wrote it all.
        let mut both = exception(Some("lead"));
        both.spec.controls.push("require-digest".parse().unwrap());
        let second = record(&key, &both, Some((&asked, Some(&first))), &person("lead"));
        assert_eq!(read(Some(&key), &both, Some(&second)), (Some("lead".into()), authenticated("lead")));
        // The author afterwards: the approval becomes their own.
        let approved = exception(Some("lead"));
        let approval = record(&key, &approved, Some((&asked, Some(&first))), &person("lead"));
        let mut more = approved.clone();
        more.spec.owner = Some("dev".into());
        let changed = record(&key, &more, Some((&approved, Some(&approval))), &person("dev"));
        assert_eq!(read(Some(&key), &more, Some(&changed)), (Some("dev".into()), authenticated("dev")));
    }

    #[test]
    fn what_was_not_written_here_does_nothing() {
        let (key, other) = (key(), key());
        let approved = exception(Some("lead"));
        let good = record(&key, &approved, None, &person("lead"));
        let refused = |text: &str, key: &RecordKey, exception: &Exception| {
            matches!(read(Some(key), exception, Some(text)), (None, ApprovalState::Refused { .. }))
        };
        assert!(refused(&good, &other, &approved), "another cluster's key");
        assert!(refused(&good.replace("lead", "boss"), &key, &approved), "another name");
        assert!(refused(&good, &key, &exception(None)), "another text");
        let mut renamed = approved.clone();
        renamed.metadata.name = "other".into();
        assert!(refused(&good, &key, &renamed), "copied to another object");
        assert!(refused("{}", &key, &approved) && refused("approved by lead", &key, &approved));
        assert_eq!(read(Some(&key), &approved, None).1, ApprovalState::Unauthenticated);
        assert_eq!(read(None, &approved, Some(&good)).1, ApprovalState::Unauthenticated);
        // A forged record of before is no record.
        let forged = good.replace("lead", "boss");
        let after = record(&key, &approved, Some((&approved, Some(&forged))), &person("eve"));
        assert_eq!(read(Some(&key), &approved, Some(&after)), (Some("eve".into()), authenticated("eve")));
    }
}
