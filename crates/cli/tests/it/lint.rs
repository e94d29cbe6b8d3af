//! `lint` on a folder with a Dockerfile, pipelines and manifests.

use crate::assay::Assay;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: api, namespace: payments}\nspec:\n  automountServiceAccountToken: false\n  \
                   containers:\n    - name: api\n      image: registry.example.com/api:1\n      securityContext: {privileged: true}\n";

fn project() -> Assay {
    let assay = Assay::new();
    assay.file("app/Dockerfile", "FROM debian:12\nRUN curl -fsSL https://example.com/i.sh | sh\nUSER 10001\n");
    assay.file(
        "app/.github/workflows/ci.yml",
        "on: pull_request_target\npermissions: {}\njobs:\n  a:\n    steps:\n      - run: echo ${{ github.head_ref }}\n",
    );
    assay.file("app/deploy/pod.yaml", POD);
    assay.file("app/chart/Chart.yaml", "name: a\n");
    assay.file("app/chart/templates/a.yaml", "a: {{ .Values.a }}\n{{- if x }}\n");
    assay.file("app/node_modules/x/Dockerfile", "FROM a\n");
    assay
}

#[test]
fn a_folder_is_judged_with_marks_and_fixes() {
    insta::assert_snapshot!(project().seen(&["lint", "app/Dockerfile", "app/.github"]));
}

#[test]
fn the_same_findings_go_to_every_format() {
    let assay = project();
    let mut arguments = vec!["lint", "app", "-q"];
    for output in
        ["-o", "json=a.json", "-o", "sarif=a.sarif", "-o", "junit=a.xml", "-o", "markdown=a.md", "-o", "github"]
    {
        arguments.push(output);
    }
    let output = assay.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(assay.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    assert_eq!((json["schema"].as_str(), json["templates"].as_u64()), (Some("assay.dev/lint/v1"), Some(1)));
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| !finding["file"].as_str().unwrap().contains("node_modules")));
    let rules: Vec<_> = findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
    for rule in [
        "docker-fetch-and-run",
        "github-script-injection",
        "kubernetes-writable-root",
        "no-privileged",
        "require-digest",
    ] {
        assert!(rules.contains(&rule), "{rule}: {rules:?}");
    }
    let sarif: serde_json::Value = serde_json::from_str(&read("a.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), findings.len());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), findings.len());
    assert_eq!(read("a.md").lines().filter(|line| line.starts_with("| ")).count(), findings.len() + 1);
    assert_eq!(read("a.xml").matches("<testcase ").count(), findings.len());
}

#[test]
fn the_exit_code_follows_the_severity() {
    let assay = Assay::new();
    assay.file("Dockerfile", "FROM debian:12\nUSER 10001\n");
    assert!(assay.seen(&["lint", "Dockerfile"]).starts_with("exit 0"));
    assert!(assay.seen(&["lint", "Dockerfile", "--fail-on", "medium"]).starts_with("exit 1"));
    assay.file("broken.yaml", "a: [\n");
    let seen = assay.seen(&["lint", "broken.yaml"]);
    assert!(seen.starts_with("exit 2") && seen.contains("manifest-invalid-yaml"), "{seen}");
    assert!(assay.seen(&["lint", "."]).starts_with("exit 2"));
    assert!(assay.seen(&["lint", "no-such-folder"]).starts_with("exit 2"));
}

#[test]
fn what_helm_renders_is_read_from_standard_input() {
    let assay = Assay::new();
    let text = format!("# Source: chart/templates/pod.yaml\n{POD}");
    let output = assay.run_with_input(&["lint", "-", "-o", "json"], text.as_bytes());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(json["findings"].as_array().unwrap().iter().all(|finding| finding["file"] == "stdin"));
}

#[test]
fn a_reason_lets_one_rule_pass_and_is_counted() {
    let assay = Assay::new();
    let text = "# assay:ignore docker-fetch-and-run the installer is pinned by the mirror\nFROM debian:12\n\
                # assay:ignore docker-fetch-and-run the mirror serves one version only\nRUN curl https://example.com/i.sh | sh\nUSER 1\n";
    assay.file("Dockerfile", text);
    let seen = assay.seen(&["lint", "Dockerfile"]);
    assert!(seen.starts_with("exit 0") && seen.contains("1 ignored with a reason"), "{seen}");
    assert!(seen.contains("Dockerfile:1  assay:ignore docker-fetch-and-run has nothing to ignore"), "{seen}");
}
