//! New controls and ecosystems.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xtask::{Name, ScaffoldError, new_control, new_ecosystem};

const FOLDERS: [&str; 4] = ["crates/gate/src", "crates/inspect/src", "crates/version/src", "policies"];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).unwrap() }
    }
}

/// A copy of what the scaffolds touch, and every file of it.
fn tree() -> (TempDir, BTreeMap<PathBuf, String>) {
    let copied = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in FOLDERS {
        copy(&root.join(folder), &copied.path().join(folder));
    }
    let files = files(copied.path());
    (copied, files)
}

fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The files that differ, and the lines that were added to each. Nothing is ever removed.
fn added(before: &BTreeMap<PathBuf, String>, root: &Path) -> BTreeMap<String, Vec<String>> {
    let mut changes = BTreeMap::new();
    for (path, text) in files(root) {
        let old = before.get(&path).map_or("", String::as_str);
        if text != old {
            let mut rest = old.lines().peekable();
            let mut new = Vec::new();
            for line in text.lines() {
                if rest.peek() == Some(&line) {
                    rest.next();
                } else {
                    new.push(line.to_owned());
                }
            }
            assert_eq!(rest.next(), None, "{} lost a line", path.display());
            changes.insert(path.display().to_string(), new);
        }
    }
    changes
}

#[test]
fn a_control_is_one_file_and_one_row() {
    let (copied, before) = tree();
    let said = new_control(copied.path(), &name("require-owner")).unwrap();
    let changes = added(&before, copied.path());
    let touched: Vec<_> = changes.keys().map(String::as_str).collect();
    assert_eq!(touched, ["crates/gate/src/controls/require_owner.rs", "policies/controls.yaml"]);
    let row = &changes["policies/controls.yaml"];
    assert_eq!(row[..2], ["", "- id: require-owner"]);
    assert!(row.iter().any(|line| line.contains(r#"prod: "off""#)), "a scaffold denies nothing: {row:?}");
    assert!(changes["crates/gate/src/controls/require_owner.rs"][0].contains("`require-owner`"));
    assert!(said.contains("crates/gate/src/controls/require_owner.rs"), "{said}");
}

#[test]
fn an_ecosystem_is_two_files_and_the_lines_that_name_them() {
    let (copied, before) = tree();
    new_ecosystem(copied.path(), &name("nu-get")).unwrap();
    let changes = added(&before, copied.path());
    let touched: Vec<_> = changes.keys().map(String::as_str).collect();
    assert_eq!(
        touched,
        [
            "crates/inspect/src/ecosystems.rs",
            "crates/inspect/src/ecosystems/nu_get.rs",
            "crates/version/src/lib.rs",
            "crates/version/src/nu_get.rs",
            "crates/version/src/scheme.rs",
        ]
    );
    assert_eq!(changes["crates/inspect/src/ecosystems.rs"], ["mod nu_get;", "    &nu_get::NuGet,"]);
    assert_eq!(changes["crates/version/src/lib.rs"], ["mod nu_get;"]);
    assert_eq!(changes["crates/version/src/scheme.rs"][1..], ["    NuGet = nu_get,"]);
}

#[test]
fn what_exists_is_refused_and_nothing_is_written() {
    let (copied, before) = tree();
    for result in [
        new_control(copied.path(), &name("require-digest")),
        new_ecosystem(copied.path(), &name("debian")),
        // One of the two is there: an order without a finder of its own.
        new_ecosystem(copied.path(), &name("semver")),
        new_ecosystem(copied.path(), &name("npm-lock")),
    ] {
        assert!(matches!(result, Err(ScaffoldError::Taken { .. })), "{result:?}");
    }
    assert_eq!(files(copied.path()), before);
}
