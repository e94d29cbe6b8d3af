//! Each rule has an example that breaks it and one that does not.

use std::collections::BTreeMap;
use std::path::Path;

use assay_lint::{FileKind, lint, rules};

/// An example of a rule: what breaks it, what does not.
pub(crate) struct Example {
    pub(crate) kind: FileKind,
    pub(crate) breaks: String,
    pub(crate) holds: String,
}

/// The examples, by rule. A file is `=== RULE`, `--- breaks`, text, `--- holds`, text, and so on.
pub(crate) fn examples() -> BTreeMap<String, Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rules");
    let files = [
        ("docker.txt", FileKind::Dockerfile),
        ("github.txt", FileKind::GithubWorkflow),
        ("gitlab.txt", FileKind::GitlabPipeline),
        ("kubernetes.txt", FileKind::Manifest),
        ("control-plane.txt", FileKind::Manifest),
    ];
    let mut found = BTreeMap::new();
    for (name, kind) in files {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        for section in text.split("=== ").skip(1) {
            let (id, rest) = section.split_once("\n--- breaks\n").unwrap();
            let (breaks, holds) = rest.split_once("\n--- holds\n").unwrap();
            let example = Example { kind, breaks: format!("{breaks}\n"), holds: holds.to_owned() };
            assert!(found.insert(id.to_owned(), example).is_none(), "{id} has two examples");
        }
    }
    found
}

fn broken(kind: FileKind, text: &str) -> Vec<&'static str> {
    let report = lint(kind, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    report.findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn every_rule_finds_what_breaks_it_and_nothing_else() {
    let examples = examples();
    let mut wrong = Vec::new();
    for rule in rules() {
        let Some(example) = examples.get(rule.id) else {
            wrong.push(format!("{} has no example", rule.id));
            continue;
        };
        if !broken(example.kind, &example.breaks).contains(&rule.id) {
            wrong.push(format!("{} is silent on\n{}", rule.id, example.breaks));
        }
        if broken(example.kind, &example.holds).contains(&rule.id) {
            wrong.push(format!("{} cries on\n{}", rule.id, example.holds));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(examples.len(), rules().count(), "an example of a rule that is no more");
}

#[test]
fn every_rule_says_what_why_and_how_in_a_few_words() {
    let mut seen = std::collections::BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.id), "{} stands twice", rule.id);
        assert!(rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.id);
        for text in [rule.title, rule.why, rule.fix] {
            let ends = text.ends_with('.') && !text.ends_with("...");
            assert!(!text.is_empty() && text.len() < 200 && !ends, "{}: {text}", rule.id);
        }
        assert!(["docker-", "github-", "gitlab-", "kubernetes-"].iter().any(|start| rule.id.starts_with(start)));
    }
}

#[test]
fn rules_find_the_same_twice() {
    for (id, example) in examples() {
        let say = || format!("{:?}", lint(example.kind, &example.breaks).unwrap());
        assert_eq!(say(), say(), "{id}");
    }
}
