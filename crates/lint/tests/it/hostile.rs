//! Texts that mean no good: bounded time, no panic, and what was not read is said.

use assay_lint::{FileKind, LintError, lint};
use assay_model::Explain as _;
use proptest::prelude::*;

const KINDS: [FileKind; 5] = [
    FileKind::Dockerfile,
    FileKind::GithubWorkflow,
    FileKind::GithubAction,
    FileKind::GitlabPipeline,
    FileKind::Manifest,
];

#[test]
fn a_file_that_is_too_large_is_refused() {
    let text = "#\n".repeat(600_000);
    let error = lint(FileKind::Dockerfile, &text).unwrap_err();
    assert!(matches!(error, LintError::TooLarge { .. }) && error.code() == "lint-file-too-large");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    let error = lint(FileKind::Manifest, "a: {{ .Values.x }}\nb: [\n").unwrap_err();
    assert!(error.to_string().starts_with("line "), "{error}");
    assert!(error.next_step().is_some_and(|step| step.contains("helm template")));
}

#[test]
fn more_findings_than_anybody_reads_are_cut_and_said() {
    let text = format!("FROM a\n{}", "EXPOSE 0\n".repeat(9_990));
    assert!(lint(FileKind::Dockerfile, &text).unwrap().partial.is_none());
    let ports = " 0".repeat(20_000);
    let report = lint(FileKind::Dockerfile, &format!("FROM a\nEXPOSE{ports}\n")).unwrap();
    assert_eq!(report.findings.len() + report.ignored.len(), 10_000);
    assert!(report.partial.is_some());
}

#[test]
fn nesting_without_end_is_cut() {
    let deep = format!("FROM a\nRUN {}curl x | sh{}\n", "$(".repeat(5_000), ")".repeat(5_000));
    lint(FileKind::Dockerfile, &deep).unwrap();
    let onbuild = format!("FROM a\n{}RUN x\n", "ONBUILD ".repeat(10_000));
    lint(FileKind::Dockerfile, &onbuild).unwrap();
    let continued = format!("FROM a\nRUN x{}\n", " \\\n y".repeat(100_000));
    lint(FileKind::Dockerfile, &continued).unwrap();
    let aliases = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f]\n";
    assert!(lint(FileKind::GitlabPipeline, aliases).is_err());
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "(on: |jobs:|steps:|uses: |run: \\||image: |kind: Pod|apiVersion: v1|spec:|FROM |RUN |<<E|\\$\\{\\{|\\}\\}|github\\.head_ref|# assay:ignore |- |  |\n|[a-z:{}\\[\\]'\"@&*|]|\\PC){0,80}") {
        for kind in KINDS {
            if let Ok(report) = lint(kind, &text) {
                let lines = text.lines().count().max(1);
                for finding in report.findings {
                    prop_assert!(finding.position.line <= lines + 1 && finding.position.column >= 1);
                }
            }
        }
    }
}
