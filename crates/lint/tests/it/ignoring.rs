//! Comments that let one rule pass at one place.

use assay_lint::{FileKind, VoidReason, lint};

#[test]
fn a_comment_with_a_reason_lets_the_next_instruction_pass() {
    let text = "# assay:ignore docker-unpinned-base the base is built in the same pipeline\nFROM debian:12\n\
                # assay:ignore docker-sudo the tool calls it itself\nRUN a && \\\n    sudo b\nFROM alpine:3\n";
    let report = lint(FileKind::Dockerfile, text).unwrap();
    let lines = |rule: &str| {
        report
            .findings
            .iter()
            .filter(|finding| finding.rule.id == rule)
            .map(|finding| finding.position.line)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("docker-unpinned-base"), [6]);
    assert!(lines("docker-sudo").is_empty());
    assert_eq!(report.ignored.len(), 2);
    assert_eq!(report.ignored[0].reason, "the base is built in the same pipeline");
    assert!(report.void.is_empty());
}

#[test]
fn a_comment_without_reason_or_use_does_nothing_and_says_so() {
    let text = "# assay:ignore docker-unpinned-base\nFROM debian:12\n# assay:ignore docker-no-such-rule because\n\
                # assay:ignore docker-sudo there is none\nRUN a\n";
    let report = lint(FileKind::Dockerfile, text).unwrap();
    assert!(report.findings.iter().any(|finding| finding.rule.id == "docker-unpinned-base"));
    let why: Vec<_> = report.void.iter().map(|void| (void.line, void.why)).collect();
    assert_eq!(why, [(1, VoidReason::NoReason), (3, VoidReason::UnknownRule), (4, VoidReason::NothingToIgnore)]);
}

#[test]
fn a_comment_may_stand_behind_the_line_or_speak_for_the_file() {
    let text = "# assay:ignore-file github-kept-token the jobs end with the checkout\non: push\npermissions: {}\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v5 # assay:ignore github-unpinned-action first party\n      - uses: actions/checkout@v5\n";
    let report = lint(FileKind::GithubWorkflow, text).unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.rule.id, finding.position.line)).collect();
    assert_eq!(found, [("github-unpinned-action", 8)]);
    assert_eq!(report.ignored.len(), 3);
}
