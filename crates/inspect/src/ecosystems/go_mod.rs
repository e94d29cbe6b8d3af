//! `go.mod` of a source directory (Go Modules Reference, "go.mod files"): required modules, with replacements.

use std::collections::BTreeMap;

use assay_model::{EvidenceTier, PackageType};

use super::{About, Ecosystem, File, Found, package};

pub(crate) struct GoMod;

const ABOUT: About = About::declared("Go module files", &["go.mod"]);

impl Ecosystem for GoMod {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let mut modules: BTreeMap<String, (String, String)> = BTreeMap::new();
        let mut replacements: Vec<(String, Option<String>, String, String)> = Vec::new();
        let mut block = String::new();
        for line in file.text().lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            if line == ")" {
                block.clear();
                continue;
            }
            let (verb, rest) = if block.is_empty() {
                line.split_once(char::is_whitespace).unwrap_or((line, ""))
            } else {
                (block.as_str(), line)
            };
            let words: Vec<&str> = rest.split_whitespace().map(|word| word.trim_matches('"')).collect();
            match (verb, words.as_slice()) {
                (verb, ["("]) => block = verb.to_owned(),
                ("require", [name, version]) => {
                    modules.insert((*name).to_owned(), ((*name).to_owned(), (*version).to_owned()));
                }
                ("replace", [from, "=>", to, version]) => {
                    replacements.push(((*from).to_owned(), None, (*to).to_owned(), (*version).to_owned()));
                }
                ("replace", [from, only, "=>", to, version]) => {
                    replacements.push((
                        (*from).to_owned(),
                        Some((*only).to_owned()),
                        (*to).to_owned(),
                        (*version).to_owned(),
                    ));
                }
                _ => {}
            }
        }
        for (from, only, to, version) in replacements {
            if let Some(module) = modules.get_mut(&from)
                && only.is_none_or(|only| only == module.1)
            {
                *module = (to, version);
            }
        }
        found.packages.extend(
            modules
                .values()
                .map(|(name, version)| package(PackageType::Golang, name, version, EvidenceTier::Declared, file.path)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn requirements_are_declared_with_their_replacements() {
        let bytes = b"module example.com/x\n\ngo 1.22\n\nrequire (\n\tgolang.org/x/net v0.20.0 // indirect\n\tgithub.com/a/b v1.0.0\n)\n\
                      require github.com/c/d v2.0.0+incompatible\nreplace github.com/a/b => github.com/fork/b v1.0.1\n\
                      replace golang.org/x/net v0.1.0 => golang.org/x/net v0.2.0\n";
        let mut found = Found::default();
        GoMod.read(&File { path: "go.mod", bytes, limits: &Limits::default() }, &mut found);
        let list: Vec<_> = found.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
        assert_eq!(
            list,
            ["github.com/fork/b v1.0.1", "github.com/c/d v2.0.0+incompatible", "golang.org/x/net v0.20.0"]
        );
    }
}
