//! Findings point at what they are about.

use assay_lint::{FileKind, lint, pipeline_images, used_actions};

/// What the finding of a rule marks.
fn marked(kind: FileKind, text: &str, rule: &str) -> (usize, String) {
    let report = lint(kind, text).unwrap();
    let finding =
        report.findings.iter().find(|finding| finding.rule.id == rule).unwrap_or_else(|| panic!("{rule}: {report:?}"));
    let place = &finding.position;
    let line = text.lines().nth(place.line - 1).unwrap();
    (place.line, line.chars().skip(place.column - 1).take(place.length).collect())
}

#[test]
fn words_of_a_dockerfile_are_marked_behind_continued_lines() {
    let text = "FROM debian:12\nRUN set -e; \\\n # why\n    curl -k https://example.com; \\\n    sudo make\n";
    assert_eq!(marked(FileKind::Dockerfile, text, "docker-unpinned-base"), (1, "debian:12".into()));
    assert_eq!(marked(FileKind::Dockerfile, text, "docker-unchecked-fetch"), (4, "curl -k https://example.com".into()));
    assert_eq!(marked(FileKind::Dockerfile, text, "docker-sudo"), (5, "sudo".into()));
    let heredoc = "FROM a\nRUN <<EOF\nset -e\n  sudo make\nEOF\n";
    assert_eq!(marked(FileKind::Dockerfile, heredoc, "docker-sudo"), (4, "sudo".into()));
}

#[test]
fn expressions_of_a_workflow_are_marked_in_every_kind_of_text() {
    for (run, line, marked_text) in [
        ("run: echo ${{ github.head_ref }}", 6, "${{ github.head_ref }}"),
        ("run: \"echo ${{ github.head_ref }}\"", 6, "${{ github.head_ref }}"),
        ("run: |\n          echo größe\n          echo ${{ github.head_ref }}", 8, "${{ github.head_ref }}"),
        ("run: >-\n          echo a\n          ${{ github.head_ref }}", 8, "${{ github.head_ref }}"),
    ] {
        let text = format!("on: push\njobs:\n  a:\n    steps:\n      - name: x\n        {run}\n");
        assert_eq!(
            marked(FileKind::GithubWorkflow, &text, "github-script-injection"),
            (line, marked_text.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn lists_and_documents_of_manifests_are_walked() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: List\nitems:\n  - apiVersion: batch/v1\n    kind: CronJob\n    metadata: {name: b}\n    spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, ports: [{hostPort: 80}]}]}}}}}\n";
    assert_eq!(marked(FileKind::Manifest, text, "kubernetes-host-port"), (11, "80".into()));
    let helm = "# Source: chart/templates/a.yaml\napiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n        - name: i\n          securityContext: {readOnlyRootFilesystem: false}\n";
    assert_eq!(marked(FileKind::Manifest, helm, "kubernetes-writable-root"), (9, "false".into()));
}

#[test]
fn images_of_pipelines_are_found_where_a_digest_can_be_written() {
    let github = "on: push\njobs:\n  a:\n    container: {image: 'node:22'}\n    services: {db: {image: postgres:17}}\n    steps:\n      - uses: docker://alpine:3 # tools\n      - uses: actions/checkout@v5\n";
    let images = pipeline_images(github).unwrap();
    let written: Vec<_> = images.iter().map(|image| (image.written.as_str(), &github[image.bytes.clone()])).collect();
    assert_eq!(written, [("node:22", "node:22"), ("postgres:17", "postgres:17"), ("alpine:3", "alpine:3")]);
    let gitlab = "image: ruby:3.4\na: {services: [{name: redis:8}], script: x}\nb: {image: $X}\n";
    let images: Vec<_> = pipeline_images(gitlab).unwrap().into_iter().map(|image| image.written).collect();
    assert_eq!(images, ["ruby:3.4", "redis:8"]);
}

#[test]
fn actions_of_other_repositories_are_found_where_a_commit_can_be_written() {
    let commit = "08c6903cd8c0fde910a37f88322edcfb5dd907a8";
    let text = format!(
        "on: push\njobs:\n  a:\n    steps:\n      - uses: 'actions/cache/restore@v4'\n      - uses: actions/checkout@{commit} # v5\n      - uses: ./own\n      - uses: docker://a:1\n      - uses: --upload-pack=x/y@v1\n  b: {{uses: o/r/.github/workflows/w.yml@main}}\n"
    );
    let found = used_actions(&text).unwrap();
    let said: Vec<_> =
        found.iter().map(|own| (own.repository.as_str(), &text[own.bytes.clone()], own.is_pinned())).collect();
    assert_eq!(said, [("actions/cache", "v4", false), ("actions/checkout", commit, true), ("o/r", "main", false)]);
}
