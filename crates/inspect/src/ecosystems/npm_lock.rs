//! `package-lock.json` and `npm-shrinkwrap.json` of a source directory (npm documentation, "package-lock.json", versions 1
//! to 3): what `npm ci` would install.

use assay_model::{EvidenceTier, Package, PackageType};
use serde_json::{Map, Value};

use super::{About, Ecosystem, File, Found, Scope, names, npm, package};

pub(crate) struct NpmLock;

/// Nesting of `dependencies` in version 1 files that is followed.
const DEPTH: u32 = 32;

const ABOUT: About = About::declared("npm lockfiles", &["package-lock.json", "npm-shrinkwrap.json"]);

impl Ecosystem for NpmLock {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, scope: Scope) -> bool {
        let is_lockfile = matches!(crate::path::split(path).1, "package-lock.json" | "npm-shrinkwrap.json");
        scope == Scope::Directory && is_lockfile && !path.contains("node_modules/")
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let Some(document) = found.json(file) else {
            if found.partial.is_empty() {
                found.malformed(file.path);
            }
            return;
        };
        let object = |key: &str| document.get(key).and_then(Value::as_object);
        if let Some(packages) = object("packages") {
            found.packages.extend(packages.iter().filter_map(|(key, value)| {
                let (_, folder) = key.rsplit_once("node_modules/")?;
                let name = value.get("name").and_then(Value::as_str).unwrap_or(folder);
                declared(file.path, name, value)
            }));
        } else if let Some(dependencies) = object("dependencies") {
            read_nested(file.path, dependencies, DEPTH, found);
        }
    }
}

fn declared(path: &str, name: &str, value: &Value) -> Option<Package> {
    let version = value.get("version").and_then(Value::as_str)?;
    let mut package = package(PackageType::Npm, name, version, EvidenceTier::Declared, path);
    package.licence = npm::licence(value);
    package.depends_on = npm::dependency_names(value);
    package.digest = value.get("integrity").and_then(Value::as_str).and_then(npm::integrity);
    Some(package)
}

fn read_nested(path: &str, dependencies: &Map<String, Value>, depth: u32, found: &mut Found) {
    for (name, value) in dependencies {
        if let Some(mut package) = declared(path, name, value) {
            let needs = value.get("requires").and_then(Value::as_object);
            package.depends_on = names(needs.into_iter().flat_map(Map::keys).cloned());
            found.packages.push(package);
        }
        if let Some(inner) = value.get("dependencies").and_then(Value::as_object) {
            match depth.checked_sub(1) {
                Some(depth) => read_nested(path, inner, depth, found),
                None => found.bound(path, assay_model::Bound::Depth),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn list(json: &str) -> Vec<String> {
        let mut found = Found::default();
        NpmLock
            .read(&File { path: "package-lock.json", bytes: json.as_bytes(), limits: &Limits::default() }, &mut found);
        let digest = |digest: &assay_model::Digest| format!(" {}", digest.short());
        let line = |p: &Package| {
            let digest = p.digest.as_ref().map(digest).unwrap_or_default();
            format!("{}@{} {:?}{digest}", p.name, p.version, p.depends_on)
        };
        found.packages.iter().map(line).collect()
    }

    #[test]
    fn all_three_versions_are_read() {
        let three = r#"{"lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},
            "node_modules/a":{"version":"1.1.0","integrity":"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","dependencies":{"b":"^2"}},
            "node_modules/a/node_modules/@s/b":{"version":"2.0.0"},"node_modules/link":{"link":true}}}"#;
        assert_eq!(list(three), ["a@1.1.0 [\"b\"] sha256:e3b0c44298fc", "@s/b@2.0.0 []"]);
        let one = r#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.1.0","requires":{"b":"^2"},
            "dependencies":{"b":{"version":"2.0.0"}}}}}"#;
        assert_eq!(list(one), ["a@1.1.0 [\"b\"]", "b@2.0.0 []"]);
    }
}
