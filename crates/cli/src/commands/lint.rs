//! `assay lint`: build hygiene of Dockerfiles, pipelines and manifests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::{Case, Namespace, Outcome, World};
use assay_gate::decide;
use assay_kinds::Kind;
use assay_kube::{Manifests, namespace_of};
use assay_lint::{FileKind, Finding, LintError};
use assay_model::{Explain as _, Severity, Timestamp};
use serde::Serialize;

use super::policies::{self, Policies};
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;
use crate::{Result, Status};

/// The Gate's controls that need nothing but the manifest, and how bad it is to fail one.
const CONTROLS: [(&str, Severity); 5] = [
    ("no-privileged", Severity::High),
    ("run-as-non-root", Severity::Medium),
    ("disallow-latest", Severity::Medium),
    ("require-digest", Severity::Medium),
    ("pull-policy", Severity::Low),
];
/// Folders that hold what others wrote.
const FOREIGN_FOLDERS: [&str; 3] = ["node_modules", "vendor", "target"];

/// What to judge.
#[derive(Debug)]
pub(crate) struct LintOptions {
    /// Files and folders; `-` is standard input, read as manifests.
    pub(crate) paths: Vec<PathBuf>,
    /// From which severity on the exit code is 1.
    pub(crate) fail_on: Severity,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LintOutcome {
    /// Broken rules, by file and line.
    pub(crate) findings: Vec<LintFinding>,
    /// Broken rules that a comment with a reason lets pass.
    pub(crate) ignored: Vec<LintIgnored>,
    /// Comments that ask to ignore something and do nothing.
    pub(crate) void_comments: Vec<LintVoid>,
    /// Files that could not be read, or not to their end.
    pub(crate) unread: Vec<LintUnread>,
    /// Number of files that were judged.
    pub(crate) files: usize,
    /// Templates of charts, which have to be rendered first.
    pub(crate) templates: usize,
    /// From which severity on the exit code is 1.
    pub(crate) fail_on: Severity,
}

/// A broken rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LintFinding {
    /// The file, `stdin` for standard input.
    pub(crate) file: String,
    /// Line, counted from 1.
    pub(crate) line: usize,
    /// Column, counted from 1.
    pub(crate) column: usize,
    /// Characters that it is about, on this line.
    pub(crate) length: usize,
    /// The line.
    pub(crate) text: String,
    /// The rule, or the control of the Gate.
    pub(crate) rule: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// How the rule is broken.
    pub(crate) what: String,
    /// What can happen.
    pub(crate) why: String,
    /// What to do.
    pub(crate) fix: String,
    /// Where others demand the same.
    pub(crate) standards: Vec<String>,
}

/// A broken rule that was let pass.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LintIgnored {
    /// What would have been reported.
    #[serde(flatten)]
    pub(crate) finding: LintFinding,
    /// The reason that the comment gives.
    pub(crate) reason: String,
}

/// A comment that does nothing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LintVoid {
    /// The file.
    pub(crate) file: String,
    /// Line of the comment.
    pub(crate) line: usize,
    /// The rule that it names.
    pub(crate) rule: String,
    /// Why it does nothing.
    pub(crate) why: String,
}

/// A file that was not judged, or not all of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LintUnread {
    /// The file.
    pub(crate) file: String,
    /// The failure's code.
    pub(crate) code: String,
    /// Why.
    pub(crate) message: String,
}

impl LintOutcome {
    /// Denied from the severity on that was asked for; undecided where something could not be read.
    pub(crate) fn status(&self) -> Status {
        if self.findings.iter().any(|finding| finding.severity >= self.fail_on) {
            Status::Denied
        } else if self.unread.is_empty() {
            Status::Pass
        } else {
            Status::Undecided
        }
    }

    /// Whether a finding counts towards the exit code.
    pub(crate) fn denies(&self, finding: &LintFinding) -> bool {
        finding.severity >= self.fail_on
    }
}

/// Judges every file that has rules.
pub(crate) fn lint(options: &LintOptions, session: &Session<'_>) -> Result<LintOutcome> {
    let policies = policies::load(session.settings)?;
    let mut outcome = LintOutcome {
        findings: Vec::new(),
        ignored: Vec::new(),
        void_comments: Vec::new(),
        unread: Vec::new(),
        files: 0,
        templates: 0,
        fail_on: options.fail_on,
    };
    for given in &options.paths {
        let is_named = given == Path::new("-") || given.is_file();
        let enters = |name: &str| {
            (!name.starts_with('.') || name == ".github" || name.contains("gitlab-ci"))
                && !FOREIGN_FOLDERS.contains(&name)
        };
        for path in policies::files_below(given, enters, |path| kind_of(path, false).is_some())? {
            if !is_named && super::pin::is_template(&path) {
                outcome.templates += 1;
                continue;
            }
            let Some(kind) = kind_of(&path, is_named) else { continue };
            file(&path, kind, &policies, session, &mut outcome)?;
        }
    }
    if outcome.files + outcome.unread.len() == 0 {
        let shown: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(CliError::NotFound {
            what: format!("a Dockerfile, pipeline or manifest in {}", shown.join(", ")),
            suggestion: None,
            next: "name a file or a folder; - reads manifests from standard input".to_owned(),
        }
        .into());
    }
    Ok(outcome)
}

/// The kind of a file; one that is named and has no known ending is a manifest, as standard input is.
fn kind_of(path: &Path, is_named: bool) -> Option<FileKind> {
    // A workflow is known by its folder, which a relative path from within may not have.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    FileKind::of(&whole.to_string_lossy()).or_else(|| is_named.then_some(FileKind::Manifest))
}

fn file(
    path: &Path,
    kind: FileKind,
    policies: &Policies,
    session: &Session<'_>,
    outcome: &mut LintOutcome,
) -> Result<()> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let bytes = read_file(path)?;
    let unread = |code: &str, message: String| LintUnread { file: name.clone(), code: code.to_owned(), message };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        outcome.unread.push(unread("lint-not-utf8", "is not UTF-8 text".to_owned()));
        return Ok(());
    };
    let report = match assay_lint::lint(kind, text) {
        Ok(report) => report,
        Err(error) => {
            let next = match &error {
                LintError::Yaml(_) if kind == FileKind::Manifest => error.next_step(),
                _ => None,
            };
            let next = next.map(|next| format!("; {next}")).unwrap_or_default();
            outcome.unread.push(unread(error.code(), format!("{error}{next}")));
            return Ok(());
        }
    };
    outcome.files += 1;
    let lines: Vec<&str> = text.lines().collect();
    let mut own: Vec<LintFinding> = report.findings.iter().map(|finding| finding_of(finding, &name, &lines)).collect();
    if kind == FileKind::Manifest {
        own.extend(asked_of_gate(text, &name, &lines, policies, session)?);
    }
    own.sort_by(|left, right| (left.line, left.column, &left.rule).cmp(&(right.line, right.column, &right.rule)));
    outcome.findings.extend(own);
    outcome.ignored.extend(report.ignored.iter().map(|ignored| LintIgnored {
        finding: finding_of(&ignored.finding, &name, &lines),
        reason: ignored.reason.clone(),
    }));
    outcome.void_comments.extend(report.void.iter().map(|void| LintVoid {
        file: name.clone(),
        line: void.line,
        rule: void.rule.clone(),
        why: void.why.describe().to_owned(),
    }));
    outcome.unread.extend(report.partial.map(|why| unread("lint-partial", why.to_owned())));
    Ok(())
}

fn finding_of(finding: &Finding, file: &str, lines: &[&str]) -> LintFinding {
    let (rule, place) = (finding.rule, &finding.position);
    LintFinding {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        length: place.length,
        text: line(lines, place.line),
        rule: rule.id.to_owned(),
        severity: rule.severity,
        what: finding.what.clone(),
        why: rule.why.to_owned(),
        fix: rule.fix.to_owned(),
        standards: rule.standards.iter().map(ToString::to_string).collect(),
    }
}

fn line(lines: &[&str], number: usize) -> String {
    lines.get(number.saturating_sub(1)).map(|line| (*line).to_owned()).unwrap_or_default()
}

/// What the Gate says of a manifest's Pods without knowing anything of their images.
fn asked_of_gate(
    text: &str,
    file: &str,
    lines: &[&str],
    policies: &Policies,
    session: &Session<'_>,
) -> Result<Vec<LintFinding>> {
    let manifests = match Manifests::parse(text.as_bytes(), &Kind::NAMES) {
        Ok(manifests) => manifests,
        Err(error) => return Err(Failure::from(error).about(file)),
    };
    let world = Arc::new(World::unknown());
    let mut found = Vec::new();
    for manifest in &manifests.workloads {
        let node = manifest.node();
        let name = namespace_of(&node, "default").to_owned();
        let namespace = Namespace { labels: manifests.namespaces.get(&name).cloned(), name };
        let Some(mut request) = manifest.request(namespace) else { continue };
        request.environment.clone_from(&session.settings.environment.value);
        let case = Case { facts: std::iter::empty().collect(), request, world: Arc::clone(&world) };
        let verdict = decide(&policies.policy, &case, Timestamp::now());
        for judged in verdict.outcomes {
            let severity =
                CONTROLS.iter().find(|(control, _)| *control == judged.control.as_str()).map(|(_, severity)| *severity);
            let severity = match (severity, judged.outcome) {
                (Some(severity), Outcome::Fail | Outcome::Error) => severity,
                (Some(_), Outcome::Warn) => Severity::Low,
                _ => continue,
            };
            let place = manifest.place(&judged.target.field);
            let marked = text.get(place.start..place.end).and_then(|value| value.lines().next()).unwrap_or_default();
            let about = if judged.target.name.is_empty() {
                String::new()
            } else {
                format!("container {}: ", judged.target.name)
            };
            found.push(LintFinding {
                file: file.to_owned(),
                line: place.line,
                column: place.column,
                length: marked.trim_end().chars().count().max(1),
                text: line(lines, place.line),
                rule: judged.control.to_string(),
                severity,
                what: format!("{about}{}", judged.message),
                why: format!("assay policy explain {}", judged.control),
                fix: judged.fix.as_deref().unwrap_or_default().replace("-f FILE", &format!("-f {file}")),
                standards: Vec::new(),
            });
        }
    }
    Ok(found)
}
