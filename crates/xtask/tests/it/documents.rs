//! What the pages of `docs/` claim, as far as a machine can tell.

use std::fs;
use std::path::{Path, PathBuf};

use assay_kinds::load_yaml;

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Lines that stand in a file between a fence of this language and its end, one text each.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            open = match open.take() {
                Some(block) => {
                    found.extend((!block.is_empty()).then_some(block));
                    None
                }
                None => Some(String::new()).filter(|_| fence == language),
            };
        } else if let Some(block) = &mut open {
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

/// Rows of a table in `docs/security.md` cite tests as `name` (`path`). A row without one gives a reason instead.
#[test]
fn every_test_that_the_security_page_cites_exists() {
    let text = read("docs/security.md");
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| advisory")).collect();
    let (mut cited, mut reasoned) = (0, 0);
    for row in &rows {
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [advisory, weakness, kept_out] = columns.as_slice() else { panic!("three columns: {row}") };
        assert!(!advisory.is_empty() && !weakness.is_empty() && !kept_out.is_empty(), "{row}");
        let words: Vec<&str> = quoted(kept_out).collect();
        let mut tests = Vec::new();
        for word in words {
            if word.contains('/') && has_extension(word, "rs") {
                let source = read(word);
                assert!(!tests.is_empty(), "{word} follows no test: {row}");
                for name in tests.drain(..) {
                    let found = source.contains(&format!("fn {name}("));
                    assert!(found, "{word} has no test {name}");
                    cited += 1;
                }
            } else if word.contains('_') && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                tests.push(word);
            }
        }
        assert!(tests.is_empty(), "in which file are {tests:?}? {row}");
        reasoned += usize::from(!kept_out.contains(".rs"));
    }
    said!("docs/security.md: {cited} tests cited, {reasoned} of {} rows give a reason instead", rows.len());
    assert!(rows.len() >= 50, "{} rows", rows.len());
}

#[test]
fn every_yaml_block_of_the_guide_is_read_as_the_kinds_are() {
    let mut parsed = 0;
    for entry in fs::read_dir(root().join("docs/guide")).unwrap() {
        let path = entry.unwrap().path();
        for block in blocks(&fs::read_to_string(&path).unwrap(), "yaml") {
            let loaded =
                load_yaml(&block, "guide").unwrap_or_else(|error| panic!("{}: {error}\n{block}", path.display()));
            // Kinds of Kubernetes itself are counted as skipped, not read.
            assert!(!loaded.objects.is_empty() || loaded.skipped > 0, "{}: {block}", path.display());
            parsed += loaded.objects.len();
        }
    }
    said!("docs/guide: {parsed} objects of assay.dev/v1");
    assert!(parsed >= 4, "one of each kind, {parsed} found");
}

/// `[text](target)` in the pages for people who work here or with it.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = vec!["README.md".into(), "ARCHITECTURE.md".into(), "CONTRIBUTING.md".into(), "SECURITY.md".into()];
    for folder in ["docs", "docs/guide", "docs/adr"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
        let names = entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy()));
        pages.extend(names.filter(|name| has_extension(name, "md")));
    }
    let mut checked = 0;
    for page in pages {
        let page: String = page;
        for link in read(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let from = root().join(&page);
            assert!(from.parent().unwrap().join(target).exists(), "{page} links to {target}");
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked} links");
}
