//! `assay exception`.

mod approve;

use std::path::PathBuf;

use assay_kinds::{Exception, ExceptionScope, ExceptionSpec, ExceptionSubject};
use assay_model::Timestamp;
use serde::Serialize;

pub(crate) use approve::{ApproveOptions, ApproveOutcome, approve};

use crate::Result;
use crate::failure::{CliError, write_file};

/// What a new Exception shall say.
#[derive(Debug)]
pub(crate) struct NewException {
    /// Its name, made up where missing.
    pub(crate) name: Option<String>,
    /// Its specification.
    pub(crate) spec: ExceptionSpec,
    /// File to write to.
    pub(crate) to: Option<PathBuf>,
}

/// A new Exception.
#[derive(Debug, Serialize)]
pub(crate) struct NewExceptionOutcome {
    /// The object.
    pub(crate) exception: Exception,
    /// Fields that must be filled in before it does anything.
    pub(crate) missing: Vec<&'static str>,
    /// File it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// Its YAML.
    #[serde(skip)]
    pub(crate) yaml: String,
}

/// Makes a new Exception, and says what it still lacks.
pub(crate) fn new(wanted: NewException) -> Result<NewExceptionOutcome> {
    let spec = wanted.spec;
    let name = wanted.name.unwrap_or_else(|| made_up_name(&spec));
    let missing = [
        ("owner", spec.owner.is_none()),
        ("reason", spec.reason.is_none()),
        ("subjects", spec.subjects.is_empty()),
        ("scope.namespaces", spec.scope.namespaces.is_empty()),
        ("compensatingControl", spec.compensating_control.is_none()),
        ("approval", spec.approval.is_none()),
    ];
    let missing = missing.into_iter().filter(|(_, missing)| *missing).map(|(field, _)| field).collect();
    let exception = Exception::new(name, spec);
    let yaml = yaml(&exception);
    if let Some(path) = &wanted.to {
        if path.exists() {
            return Err(CliError::Usage {
                message: format!("{} exists already", path.display()),
                next: "--to another file, or delete it first".to_owned(),
            }
            .into());
        }
        write_file(path, yaml.as_bytes())?;
    }
    Ok(NewExceptionOutcome { exception, missing, file: wanted.to, yaml })
}

/// When an Exception that lasts `span` from `now` ends: a whole second is easier to read.
pub(crate) fn expiry(now: Timestamp, span: assay_kinds::Span) -> Option<Timestamp> {
    let end = now.checked_add(span.duration()).ok()?;
    Timestamp::from_second(end.as_second()).ok()
}

/// `critical-cve-cve-2026-1234`: what it lifts and for what.
fn made_up_name(spec: &ExceptionSpec) -> String {
    let control = spec.controls.first().map_or("exception", |control| control.as_str());
    let subject = spec.subjects.first().map(|subject| match subject {
        ExceptionSubject::Digest(digest) => digest.hex().chars().take(12).collect(),
        ExceptionSubject::Repository(text)
        | ExceptionSubject::Package(text)
        | ExceptionSubject::Vulnerability(text) => text.to_lowercase(),
    });
    let words = [Some(control.to_owned()), subject].into_iter().flatten().collect::<Vec<_>>().join("-");
    let mut name = String::new();
    for character in words.chars() {
        let plain = character.is_ascii_lowercase() || character.is_ascii_digit();
        if plain {
            name.push(character);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.chars().take(63).collect::<String>().trim_matches('-').to_owned()
}

/// The object as people write it: what is still to be filled in is there, as a comment.
fn yaml(exception: &Exception) -> String {
    let spec = &exception.spec;
    let mut lines = vec![
        "apiVersion: assay.dev/v1".to_owned(),
        "kind: Exception".to_owned(),
        format!("metadata: {{name: {}}}", scalar(&exception.metadata.name)),
        "spec:".to_owned(),
    ];
    let mut field = |name: &str, value: Option<&str>, hint: &str| {
        lines.push(match value {
            Some(text) => format!("  {name}: {}", scalar(text)),
            None => format!("  # {name}: {hint}"),
        });
    };
    field("owner", spec.owner.as_deref(), "the team that answers for it");
    if spec.requested_by.is_some() {
        field("requestedBy", spec.requested_by.as_deref(), "");
    }
    field("reason", spec.reason.as_deref(), "why the risk is acceptable for now");
    let controls: Vec<_> = spec.controls.iter().map(|control| control.as_str().to_owned()).collect();
    lines.push(format!("  controls: [{}]", controls.join(", ")));
    let subjects: Vec<_> = spec
        .subjects
        .iter()
        .map(|subject| match subject {
            ExceptionSubject::Digest(digest) => format!("{{digest: \"{digest}\"}}"),
            ExceptionSubject::Repository(text) => format!("{{repository: {}}}", scalar(text)),
            ExceptionSubject::Package(text) => format!("{{package: {}}}", scalar(text)),
            ExceptionSubject::Vulnerability(text) => format!("{{vulnerability: {}}}", scalar(text)),
        })
        .collect();
    lines.push(if subjects.is_empty() {
        "  # subjects: [{vulnerability: CVE-...}]".to_owned()
    } else {
        format!("  subjects: [{}]", subjects.join(", "))
    });
    lines.push(scope(&spec.scope));
    if let Some(at) = spec.expires_at {
        lines.push(format!("  expiresAt: {at}"));
    }
    let text = |text: &Option<String>, name, hint| match text {
        Some(text) => format!("  {name}: {}", scalar(text)),
        None => format!("  # {name}: {hint}"),
    };
    lines.push(text(&spec.compensating_control, "compensatingControl", "what protects instead"));
    if spec.break_glass {
        lines.push("  breakGlass: true".to_owned());
    }
    lines.push("  # approval: {by: ..., reference: TICKET, at: ...}".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

fn scope(scope: &ExceptionScope) -> String {
    let list = |names: &[String]| names.iter().map(|name| scalar(name)).collect::<Vec<_>>().join(", ");
    match (scope.namespaces.is_empty(), scope.workloads.is_empty()) {
        (true, true) => "  # scope: {namespaces: [...], workloads: [Kind/name]}".to_owned(),
        (true, false) => {
            format!("  scope: {{workloads: [{}]}}  # namespaces: [...] is missing", list(&scope.workloads))
        }
        (false, true) => format!("  scope: {{namespaces: [{}]}}", list(&scope.namespaces)),
        (false, false) => {
            format!("  scope: {{namespaces: [{}], workloads: [{}]}}", list(&scope.namespaces), list(&scope.workloads))
        }
    }
}

/// A YAML scalar: plain where nothing about it could be read as anything else, in double quotes otherwise (JSON strings
/// are YAML: 1.2.2, section 1.3).
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | ' ' | '@');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use assay_kinds::{Kind, load_yaml};
    use proptest::prelude::*;

    use super::*;

    fn wanted(subject: &str, reason: Option<&str>) -> NewException {
        NewException {
            name: None,
            spec: ExceptionSpec {
                controls: vec!["critical-cve".parse().unwrap()],
                subjects: vec![ExceptionSubject::Vulnerability(subject.to_owned())],
                reason: reason.map(str::to_owned),
                ..ExceptionSpec::default()
            },
            to: None,
        }
    }

    #[test]
    fn what_is_missing_is_named_and_left_as_a_comment() {
        let outcome = new(wanted("CVE-2026-1234", None)).unwrap();
        assert_eq!(outcome.exception.metadata.name, "critical-cve-cve-2026-1234");
        assert_eq!(outcome.missing, ["owner", "reason", "scope.namespaces", "compensatingControl", "approval"]);
        assert!(outcome.yaml.contains("  # owner: "));
    }

    proptest! {
        #[test]
        fn every_exception_reads_back_as_it_was_meant(subject in "\\PC{1,20}", reason in "[ -~\\n\\t]{0,40}", owner in "\\PC{0,10}") {
            let mut wanted = wanted(&subject, Some(&reason));
            wanted.spec.owner = Some(owner);
            wanted.spec.scope.namespaces = vec!["no".to_owned(), "1".to_owned()];
            let outcome = new(wanted).unwrap();
            let loaded = load_yaml(&outcome.yaml, "new.yaml").unwrap();
            let Kind::Exception(read) = &loaded.objects[0].value else { panic!("an Exception") };
            prop_assert_eq!(&read.spec, &outcome.exception.spec);
        }
    }
}
