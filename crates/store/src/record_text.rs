//! A decision as the line of text that is kept of it. Every answer waits for it, so that it is written without a detour: no
//! tree, no formatting, strings that need no escapes copied as they are.
//!
//! It is JSON (RFC 8259) and reads as a [`DecisionRecord`], which is printed in another form: see
//! [`crate::recorded_verdict`].

use assay_case::{Node, Statement, Target};
use assay_model::Digest;
use serde::Serialize;

use crate::recorded_verdict::{Grouped, is_target_of};
use crate::{DecisionRecord, ImageRecord};

/// Room for a record: that of a Pod of ten images.
const RECORD_BYTES: usize = 12 << 10;
/// Longest hexadecimal part of a digest.
const HEX_MAX: usize = 128;

/// The text of a record, with a line feed at its end and no other one.
pub(crate) fn line(record: &DecisionRecord) -> serde_json::Result<Vec<u8>> {
    let mut text = Text(Vec::with_capacity(RECORD_BYTES));
    let DecisionRecord { id, at, uid, dry_run, request, verdict, microseconds } = record;
    text.raw("{\"id\":");
    text.string(id)?;
    let at = at.to_string();
    text.raw(",\"at\":");
    text.string(&at)?;
    text.raw(",\"uid\":");
    text.string(uid)?;
    text.raw(",\"dryRun\":");
    text.value(dry_run)?;
    text.raw(",\"request\":{\"operation\":");
    text.string(request.operation.name())?;
    text.raw(",\"namespace\":");
    text.string(&request.namespace)?;
    text.raw(",\"namespaceLabels\":");
    text.value(&request.namespace_labels)?;
    text.raw(",\"workload\":");
    text.value(&request.workload)?;
    text.raw(",\"serviceAccount\":");
    text.value(&request.service_account)?;
    text.raw(",\"user\":");
    text.value(&request.user)?;
    text.raw(",\"images\":");
    text.list(&request.images, Text::image)?;
    text.raw(",\"object\":");
    text.raw(request.object.text());
    text.raw("},\"verdict\":{\"allowed\":");
    text.value(&verdict.allowed)?;
    text.raw(",\"operation\":");
    text.string(verdict.operation.name())?;
    text.raw(",\"workload\":");
    text.string(&verdict.workload)?;
    text.raw(",\"environment\":");
    text.string(verdict.environment.as_str())?;
    text.raw(",\"policy\":");
    text.digest(&verdict.policy)?;
    text.raw(",\"decidedAt\":");
    if verdict.decided_at == record.at {
        text.string(&at)?;
    } else {
        text.value(&verdict.decided_at)?;
    }
    let grouped = Grouped::of(&verdict.outcomes);
    text.raw(",\"targets\":");
    // Targets follow one another as the images do.
    let mut guess = 0;
    text.list(&grouped.targets, |text, target| {
        let images = &request.images;
        let is_it = |image: &ImageRecord| is_target_of(target, image);
        let found = images.get(guess).is_some_and(is_it).then_some(guess).or_else(|| images.iter().position(is_it));
        match found {
            Some(number) => {
                guess = number + 1;
                text.value(&number)
            }
            None => text.target(target),
        }
    })?;
    text.raw(",\"statements\":");
    text.list(&grouped.statements, |text, statement| text.statement(statement))?;
    text.raw(",\"said\":");
    text.list(&grouped.said, |text, (statements, targets)| {
        text.raw("[");
        text.list(statements, Text::value)?;
        text.raw(",");
        text.list(targets, Text::value)?;
        text.raw("]");
        Ok(())
    })?;
    text.some(",\"exceptions\":", &verdict.exceptions)?;
    text.some(",\"unbound\":", &verdict.unbound)?;
    text.some(",\"notes\":", &verdict.notes)?;
    text.raw("},\"microseconds\":");
    text.value(microseconds)?;
    text.raw("}\n");
    Ok(text.0)
}

/// JSON in the making.
#[derive(Default)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// What is JSON already.
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Anything, the long way.
    fn value(&mut self, value: &impl Serialize) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.0, value)
    }

    fn string(&mut self, text: &str) -> serde_json::Result<()> {
        if !is_plain(text.as_bytes()) {
            return self.value(&text);
        }
        // The quotes, and what most often follows.
        self.0.reserve(text.len() + 3);
        self.0.push(b'"');
        self.raw(text);
        self.0.push(b'"');
        Ok(())
    }

    fn digest(&mut self, digest: &Digest) -> serde_json::Result<()> {
        let bytes = digest.as_bytes();
        let mut buffer = [0; HEX_MAX];
        let hex = buffer.get_mut(..2 * bytes.len()).and_then(|hex| {
            hex::encode_to_slice(bytes, hex).ok()?;
            std::str::from_utf8(hex).ok()
        });
        let Some(hex) = hex else { return self.value(digest) };
        self.raw("\"");
        self.raw(digest.algorithm().name());
        self.raw(":");
        self.raw(hex);
        self.raw("\"");
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> serde_json::Result<()>,
    ) -> serde_json::Result<()> {
        self.raw("[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, item)?;
        }
        self.raw("]");
        Ok(())
    }

    /// A list with its key, unless it is empty.
    fn some<T: Serialize>(&mut self, key: &str, list: &[T]) -> serde_json::Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        self.raw(key);
        self.value(&list)
    }

    fn image(&mut self, image: &ImageRecord) -> serde_json::Result<()> {
        let ImageRecord { role, name, field, written, digests, covering } = image;
        self.raw("{\"role\":");
        self.value(role)?;
        self.raw(",\"name\":");
        self.string(name)?;
        self.raw(",\"field\":");
        self.string(field)?;
        self.raw(",\"written\":");
        self.string(written)?;
        self.raw(",\"digests\":");
        self.list(digests, Self::digest)?;
        if !covering.is_empty() {
            self.raw(",\"covering\":");
            self.list(covering, Self::digest)?;
        }
        self.raw("}");
        Ok(())
    }

    fn target(&mut self, target: &Target) -> serde_json::Result<()> {
        self.value(target)
    }

    fn statement(&mut self, statement: &Statement) -> serde_json::Result<()> {
        let Statement { control, action, outcome, message, fix, severity, vulnerabilities, packages, excepted_by } =
            statement;
        self.raw("{\"control\":");
        self.string(control.as_str())?;
        self.raw(",\"action\":");
        self.string(action.name())?;
        self.raw(",\"outcome\":");
        self.string(outcome.name())?;
        self.raw(",\"message\":");
        self.string(message)?;
        if let Some(fix) = fix {
            self.raw(",\"fix\":");
            self.string(fix)?;
        }
        if let Some(severity) = severity {
            self.raw(",\"severity\":");
            self.value(severity)?;
        }
        self.some(",\"vulnerabilities\":", vulnerabilities)?;
        self.some(",\"packages\":", packages)?;
        if let Some(exception) = excepted_by {
            self.raw(",\"exceptedBy\":");
            self.string(exception)?;
        }
        self.raw("}");
        Ok(())
    }

    /// Writes a node without what must not be kept; `parent` is the nearest key above it. A node is no deeper than what
    /// [`Document`](assay_case::Document) reads.
    fn redacted(&mut self, node: &Node<'_>, parent: &str) -> serde_json::Result<()> {
        match node {
            Node::String(text) => self.string(text),
            Node::List(items) => self.list(items, |text, node| text.redacted(node, parent)),
            Node::Object(fields) => {
                // Nearly every object is none of those of which something is left out.
                let is_kept: fn(&str) -> bool = match parent {
                    "" => |key| key != "status",
                    "metadata" => |key| key != "managedFields",
                    "annotations" => |key| key.starts_with("assay.dev/"),
                    _ => |_| true,
                };
                let is_environment = parent == "env";
                let mut separator = b'{';
                for (key, node) in fields.iter().filter(|(key, _)| is_kept(key)) {
                    self.0.push(separator);
                    separator = b',';
                    self.string(key)?;
                    self.0.push(b':');
                    if is_environment && key == "value" {
                        self.raw("\"***\"");
                    } else {
                        self.redacted(node, key)?;
                    }
                }
                self.raw(if separator == b'{' { "{}" } else { "}" });
                Ok(())
            }
            Node::Null => {
                self.raw("null");
                Ok(())
            }
            Node::Bool(value) => {
                self.raw(if *value { "true" } else { "false" });
                Ok(())
            }
            Node::Integer(number) => self.value(number),
            Node::Float(number) => self.value(number),
        }
    }
}

/// What may be kept of an object, as text; none where it cannot be written.
pub(crate) fn redacted(object: &Node<'_>) -> Option<String> {
    let mut text = Text(Vec::with_capacity(RECORD_BYTES / 2));
    text.redacted(object, "").ok()?;
    String::from_utf8(text.0).ok()
}

/// Whether a string stands for itself in JSON: no quote, no backslash, no control character (RFC 8259, section 7). Sixteen
/// bytes at a time, which the compiler makes one step of.
fn is_plain(text: &[u8]) -> bool {
    let needs_escape = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let is_plain = |part: &[u8; 16]| part.iter().fold(0, |found, byte| found | needs_escape(*byte)) == 0;
    match text.last_chunk() {
        // The last part overlaps the one before it.
        Some(last) => text.as_chunks().0.iter().all(is_plain) && is_plain(last),
        None => !text.iter().any(|byte| needs_escape(*byte) != 0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use assay_case::{
        Action, ContainerRole, ControlOutcome, Document, ExceptionNote, Operation, Outcome, User, Verdict, Workload,
    };
    use assay_model::{Severity, Timestamp};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{RedactedObject, RequestProjection};

    fn image(name: String, digests: Vec<Digest>) -> ImageRecord {
        ImageRecord {
            role: ContainerRole::InitContainer,
            field: format!("spec.initContainers[{name}].image"),
            written: format!("registry.example.com/{name}"),
            name,
            covering: digests.iter().map(|digest| Digest::of(digest.as_bytes())).collect(),
            digests,
        }
    }

    fn said(number: u8, text: &str) -> Statement {
        let some = |bit: u8| number & bit != 0;
        Statement {
            control: if some(1) { "high-cve" } else { "require-sbom" }.parse().unwrap(),
            action: if some(2) { Action::EnforceWithException } else { Action::Audit },
            outcome: if some(4) { Outcome::Fail } else { Outcome::Skip },
            message: text.to_owned().into(),
            fix: some(8).then(|| text.to_owned().into()),
            severity: some(16).then_some(Severity::High),
            vulnerabilities: if some(32) { vec![text.to_owned()] } else { Vec::new() },
            packages: if some(64) { vec![text.to_owned(), "b".to_owned()] } else { Vec::new() },
            excepted_by: some(128).then(|| text.to_owned()),
        }
    }

    /// Records about some images and other things, whose outcomes repeat one another.
    fn records() -> impl Strategy<Value = DecisionRecord> {
        let text = || prop_oneof![3 => "[a-z]{0,9}", 1 => ".{0,12}"];
        let outcomes = proptest::collection::vec((any::<u8>(), text(), 0_usize..6, any::<bool>()), 0..30);
        let images = proptest::collection::vec((text(), 0_usize..3), 0..4);
        (images, outcomes, text(), any::<[bool; 4]>(), 0_i64..2).prop_map(|(images, outcomes, text, flags, later)| {
            let digest = |n: usize| Digest::of(n.to_string().as_bytes());
            let images: Vec<ImageRecord> =
                images.into_iter().map(|(name, digests)| image(name, (0..digests).map(digest).collect())).collect();
            let outcomes = outcomes.into_iter().map(|(number, text, about, whole)| {
                let mut target = images.get(about).map(crate::recorded_verdict::target_of).unwrap_or_default();
                if !whole {
                    target.platform = Some("linux/amd64".to_owned());
                }
                ControlOutcome::new(said(number % 7, &text), target)
            });
            let (at, plain): (Timestamp, _) = ("2026-11-21T08:00:00Z".parse().unwrap(), text.clone());
            let note = ExceptionNote { name: text.clone(), control: "high-cve".parse().unwrap(), ignored: None };
            let verdict = Verdict {
                allowed: flags[0],
                operation: Operation::Reschedule,
                workload: text.clone(),
                environment: "prod".parse().unwrap(),
                policy: digest(0),
                decided_at: Timestamp::from_second(at.as_second() + later).unwrap(),
                outcomes: outcomes.collect(),
                exceptions: if flags[1] { vec![note] } else { Vec::new() },
                unbound: if flags[2] { vec![text.clone()] } else { Vec::new() },
                notes: if flags[3] { vec![text.clone()] } else { Vec::new() },
            };
            let object = serde_json::json!({"metadata": {"name": text}, "n": [1, -2.5, null, true], "empty": {}});
            let object = object.to_string();
            let request = RequestProjection {
                operation: Operation::Create,
                namespace: text.clone(),
                namespace_labels: flags[1].then(|| std::iter::once((text.clone(), plain)).collect()),
                workload: Workload { kind: "Pod".into(), name: text.clone(), owner: flags[2].then(|| text.clone()) },
                service_account: flags[3].then(|| text.clone()),
                user: User { name: text.clone(), groups: vec![text] },
                images,
                object: RedactedObject::of(Document::from_json(object.as_bytes()).unwrap().root()),
            };
            let id = "0123456789abcdef".to_owned();
            DecisionRecord { id, at, uid: "u\"id".into(), dry_run: flags[0], request, verdict, microseconds: u64::MAX }
        })
    }

    /// What [`Text::redacted`] does, the plain way.
    fn redacted_plainly(value: &Value, parent: &str) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| redacted_plainly(item, parent)).collect(),
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| match parent {
                    "" => *key != "status",
                    "metadata" => *key != "managedFields",
                    "annotations" => key.starts_with("assay.dev/"),
                    _ => true,
                });
                let kept = kept.map(|(key, value)| match (parent, key.as_str()) {
                    ("env", "value") => (key.clone(), "***".into()),
                    _ => (key.clone(), redacted_plainly(value, key)),
                });
                Value::Object(kept.collect())
            }
            scalar => scalar.clone(),
        }
    }

    fn objects() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,9}".prop_map(Value::from)];
        let key = prop_oneof![
            4 => proptest::sample::select(vec!["metadata", "annotations", "managedFields", "env", "value", "status", "assay.dev/a"]).prop_map(str::to_owned),
            1 => ".{0,4}",
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(key.clone(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_line_says_what_the_record_says(record in records()) {
            let text = line(&record).unwrap();
            prop_assert_eq!(text.iter().position(|byte| *byte == b'\n'), Some(text.len() - 1));
            let read: DecisionRecord = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(&read, &record);
            let printed = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), &printed[..]);
            prop_assert_eq!(&serde_json::from_str::<DecisionRecord>(&printed).unwrap(), &record, "as earlier versions kept it");
            let (kept, printed): (Value, Value) = (serde_json::from_slice(&text).unwrap(), serde_json::from_str(&printed).unwrap());
            prop_assert_eq!(&kept["request"], &printed["request"]);
            prop_assert_eq!(&kept["verdict"]["statements"], &printed["verdict"]["statements"]);
        }

        #[test]
        fn strings_are_written_as_serde_writes_them(text in ".{0,40}", odd in any::<char>(), place in 0_usize..20) {
            let mut odd_one: Vec<char> = text.chars().collect();
            odd_one.insert(place.min(odd_one.len()), odd);
            for text in [text, odd_one.into_iter().collect()] {
                let mut written = Text::default();
                written.string(&text).unwrap();
                prop_assert_eq!(String::from_utf8(written.0).unwrap(), serde_json::to_string(&text).unwrap());
            }
        }

        #[test]
        fn what_is_kept_of_an_object_is_what_may_be_kept(object in objects()) {
            let text = object.to_string();
            let kept = redacted(Document::from_json(text.as_bytes()).unwrap().root()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), redacted_plainly(&object, ""));
        }
    }

    #[test]
    fn what_is_the_same_is_written_once() {
        let (target, other) = (Arc::new(Target::default()), Arc::new(Target { name: "b".into(), ..Target::default() }));
        let statements: Vec<_> = (0..3).map(|number| Arc::new(said(number, "x"))).collect();
        let about = |target: &Arc<Target>| {
            statements.iter().map(|own| ControlOutcome::new(Arc::clone(own), Arc::clone(target))).collect::<Vec<_>>()
        };
        let outcomes = [about(&target), about(&other)].concat();
        let grouped = Grouped::of(&outcomes);
        assert_eq!(grouped.said, [(vec![0, 1, 2], vec![0, 1])]);
        assert_eq!((grouped.targets.len(), grouped.statements.len()), (2, 3));
    }
}
