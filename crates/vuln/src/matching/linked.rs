//! Which Go symbols are linked into a binary, against those that an advisory names.
//!
//! The Go linker leaves out what is never called, so a vulnerable function that is not in a binary's symbol table cannot be
//! reached in it (go.dev/doc/security/vuln/database, `imports`; golang.org/s/govulncheck-thesis).

use std::collections::{BTreeMap, BTreeSet};

/// Symbol tables of Go binaries, by the path of the binary as [`Package::path`](assay_model::Package::path) has it.
///
/// Names are as the symbol table writes them: `golang.org/x/net/http2.(*Transport).RoundTrip`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkedSymbols {
    of_binary: BTreeMap<String, BTreeSet<String>>,
}

impl LinkedSymbols {
    /// Nothing known: no finding is suppressed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the *whole* symbol table of a binary. An incomplete one must not be added, since a missing name counts as proof.
    pub fn insert(&mut self, path: impl Into<String>, symbols: impl IntoIterator<Item = String>) {
        self.of_binary.insert(path.into(), symbols.into_iter().collect());
    }

    /// Whether the symbols of a binary are known.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.of_binary.get(path).is_some_and(|table| !table.is_empty())
    }

    /// Whether any of the imports is linked into the binary, or nothing is known of it.
    pub(crate) fn links(&self, path: &str, imports: &[(String, Vec<String>)]) -> bool {
        let Some(table) = self.of_binary.get(path).filter(|table| !table.is_empty()) else { return true };
        imports.iter().any(|(import, symbols)| {
            let package = escape(import);
            if symbols.is_empty() {
                // The whole package is vulnerable: any name of it counts.
                let begins = format!("{package}.");
                return table.range(begins.clone()..).next().is_some_and(|name| name.starts_with(&begins));
            }
            symbols.iter().any(|symbol| names(&package, symbol).iter().any(|name| is_linked(table, name)))
        })
    }
}

/// Itself, or a closure or instantiation of it (`F.func1`, `F[...]`).
fn is_linked(table: &BTreeSet<String>, name: &str) -> bool {
    let follows = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[', '-']);
    table
        .range(name.to_owned()..)
        .take_while(|other| other.starts_with(name))
        .any(|other| other.get(name.len()..).is_some_and(follows))
}

/// How the symbol table may write an advisory's symbol: `Type.Method` is `Type.Method` or `(*Type).Method`.
fn names(package: &str, symbol: &str) -> Vec<String> {
    let plain = format!("{package}.{symbol}");
    match symbol.split_once('.') {
        Some((kind, method)) => vec![plain, format!("{package}.(*{kind}).{method}")],
        None => vec![plain],
    }
}

/// Dots in the last element of an import path are written as `%2e` in symbol names.
fn escape(import: &str) -> String {
    match import.rsplit_once('/') {
        Some((start, last)) => format!("{start}/{}", last.replace('.', "%2e")),
        None => import.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(path: &str, symbols: &[&str]) -> Vec<(String, Vec<String>)> {
        vec![(path.to_owned(), symbols.iter().map(|symbol| (*symbol).to_owned()).collect())]
    }

    #[test]
    fn symbols_are_found_under_the_names_that_the_linker_gives_them() {
        let mut linked = LinkedSymbols::new();
        linked.insert(
            "app",
            ["golang.org/x/net/http2.(*Transport).RoundTrip", "gopkg.in/yaml%2ev2.Unmarshal.func1", "net/http.Get"]
                .map(str::to_owned),
        );
        for (path, symbols, expected) in [
            ("golang.org/x/net/http2", &["Transport.RoundTrip"][..], true),
            ("golang.org/x/net/http2", &["Server.ServeConn"], false),
            ("golang.org/x/net/http2", &["Transport.Round"], false),
            ("golang.org/x/net/http2", &[], true),
            ("golang.org/x/net/http", &[], false),
            ("gopkg.in/yaml.v2", &["Unmarshal"], true),
            ("net/http", &["Get"], true),
            ("net/http", &["Server.Serve", "Post"], false),
        ] {
            assert_eq!(linked.links("app", &import(path, symbols)), expected, "{path} {symbols:?}");
        }
        assert!(!linked.knows("other") && linked.links("other", &import("net/http", &["Post"])), "no table, no claim");
    }
}
