//! `docs/reference/lint.md`, rendered from the rules. `ASSAY_UPDATE_REFERENCE=1` writes it, otherwise it must be what it says.

use std::fmt::Write as _;
use std::path::Path;

use assay_lint::rules;

const PARTS: [(&str, &str); 4] = [
    ("docker-", "Dockerfiles"),
    ("github-", "Workflows and actions of GitHub"),
    ("gitlab-", "Pipelines of GitLab"),
    ("kubernetes-", "Kubernetes manifests"),
];

fn rendered() -> String {
    let mut out = String::from(
        "# What lint judges\n\nGenerated from the rules of `crates/lint`; change them there, then run `.ci/generated`.\n\n\
         `assay lint PATH...` reads Dockerfiles (`Dockerfile`, `Containerfile`, `Dockerfile.NAME`, `NAME.Dockerfile`), workflows and\n\
         actions of GitHub, pipelines of GitLab, and Kubernetes manifests, also those that `helm template` writes to standard input\n\
         (`-`). Of manifests the Gate is asked as well: what its [controls](controls.md) judge without looking at an image is reported\n\
         under their names, and not repeated here.\n\n\
         A finding is let pass by a comment with a reason, which is counted and shown: `# assay:ignore RULE reason` on the line before\n\
         (of a Dockerfile: before the instruction) or behind it in YAML, `# assay:ignore-file RULE reason` for the whole file. Without a\n\
         reason it does nothing.\n\n\
         `negligible` rules are shown with `-v` and in the formats for machines. `--fail-on SEVERITY` says from where on the exit code is 1\n\
         (default: high).\n",
    );
    for (prefix, title) in PARTS {
        let own: Vec<_> = rules().filter(|rule| rule.id.starts_with(prefix)).collect();
        let _ = write!(
            out,
            "\n## {title}\n\n{} rules.\n\n| rule | severity | what it demands | why | fix | as in |\n|---|---|---|---|---|---|\n",
            own.len()
        );
        for rule in own {
            let standards: Vec<String> = rule.standards.iter().map(ToString::to_string).collect();
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} |",
                rule.id,
                rule.severity.name(),
                cell(rule.title),
                cell(rule.why),
                cell(rule.fix),
                standards.join("; ")
            );
        }
    }
    out
}

#[test]
fn the_reference_of_lint_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/lint.md");
    let text = rendered();
    if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == committed, "docs/reference/lint.md is stale; write it with: .ci/generated");
}
