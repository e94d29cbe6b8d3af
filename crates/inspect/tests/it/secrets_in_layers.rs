//! Secrets of an image: also the ones that a later layer seems to remove.

use assay_inspect::merge;
use assay_model::Severity;

use crate::archive::Tar;

/// A token that no scanner takes for one, since it stands in pieces.
fn token() -> String {
    format!("ghp_{}", "q7ZkP2mXv9RtB4nLs8WcY3hJd6FgT1aEu5Ko")
}

#[test]
fn a_secret_in_a_deleted_or_replaced_file_still_ships() {
    let text = format!("# settings\nTOKEN={}\n", token());
    let bottom = Tar::default().file("app/.env", &text).file("app/b.env", &text).file("app/kept", &text).layer();
    let top = Tar::default().file("app/.wh..env", "").file("app/b.env", "TOKEN=\n").layer();
    let contents = merge(&[bottom, top], None);
    let found: Vec<_> = contents
        .secrets
        .iter()
        .map(|secret| (secret.file.path.as_str(), secret.file.layer, secret.line, secret.deleted_later))
        .collect();
    assert_eq!(
        found,
        [("app/.env", Some(0), 2, true), ("app/b.env", Some(0), 2, true), ("app/kept", Some(0), 2, false)]
    );
    assert!(contents.secrets.iter().all(|secret| secret.severity == Severity::Critical));
}

#[test]
fn no_output_holds_the_secret_itself() {
    let layer = Tar::default().file("root/.npmrc", format!("//registry.example/:_authToken={}", token())).layer();
    let kept = serde_json::to_string(&layer).unwrap();
    let contents = serde_json::to_string(&merge(&[layer], None)).unwrap();
    assert!(!kept.contains(&token()) && !contents.contains(&token()));
    assert!(contents.contains("=***"));
}

#[test]
fn files_that_parsers_read_are_searched_too() {
    let manifest = format!(r#"{{"name":"a","version":"1.0.0","token":"{}"}}"#, token());
    let contents = merge(&[Tar::default().file("node_modules/a/package.json", manifest).layer()], None);
    assert_eq!((contents.packages.len(), contents.secrets.len()), (1, 1));
}

#[test]
fn binaries_and_documentation_are_not_searched() {
    let text = format!("{} ", token());
    let tar = Tar::default().file("usr/share/doc/x/example", &text).file("data", ["\0", &text].concat());
    assert_eq!(merge(&[tar.layer()], None).secrets, []);
}

#[test]
fn a_hard_link_ships_the_secret_at_both_names() {
    let tar = Tar::default().file("a", token()).hard_link("b", "a");
    let paths: Vec<_> = merge(&[tar.layer()], None).secrets.into_iter().map(|secret| secret.file.path).collect();
    assert_eq!(paths, ["a", "b"]);
}
