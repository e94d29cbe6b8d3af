//! Installed npm packages: npm's hidden lockfile, and the `package.json` of each installed folder.
//!
//! Sources: npm documentation, "package-lock.json" ("Hidden Lockfiles"); "folders"; "package.json". A `package.json` anywhere
//! else (the application's own, test fixtures, stubs) is no installed package and is not listed.

use std::collections::{HashMap, HashSet};

use assay_model::{Digest, EvidenceTier, Package, PackageType, SuppressionReason};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{About, Ecosystem, File, Found, Scope, names, optional, package};
use crate::layer::Says;
use crate::merge::{LeftOut, Placed};

pub(crate) struct Npm;

const HIDDEN_LOCKFILE: &str = "/node_modules/.package-lock.json";

const ABOUT: About = About::installed(
    "npm packages",
    EvidenceTier::Installed,
    &["node_modules/.package-lock.json", "node_modules/*/package.json"],
);

impl Ecosystem for Npm {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: Scope) -> bool {
        is_hidden_lockfile(path) || installed_name(path).is_some()
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let Some(document) = found.json(file) else {
            // Packages carry broken files on purpose, as test data; a broken record of npm's own is another matter.
            if is_hidden_lockfile(file.path) && found.partial.is_empty() {
                found.malformed(file.path);
            }
            return;
        };
        if is_hidden_lockfile(file.path) {
            read_hidden_lockfile(file.path, &document, found);
        } else if let Some(folder) = installed_name(file.path) {
            found.packages.push(read_manifest(file.path, folder, &document));
        }
    }

    /// Where npm recorded a tree, exactly the folders of the record that exist are installed.
    fn settle(&self, facts: &mut Vec<Placed>, left_out: &mut LeftOut) {
        let mut trees: Vec<(String, Vec<Package>)> = Vec::new();
        for fact in facts.iter_mut() {
            if let Says::NpmTree { below, packages } = &mut fact.says {
                trees.push((format!("{below}/"), std::mem::take(packages)));
            }
        }
        let recorded: HashMap<&str, &Package> =
            trees.iter().flat_map(|(_, packages)| packages).map(|package| (package.path.as_str(), package)).collect();
        let covered: HashSet<&str> = trees.iter().map(|(below, _)| below.as_str()).collect();
        facts.retain_mut(|fact| match &mut fact.says {
            Says::NpmTree { .. } => false,
            Says::Packages(packages) if installed_name(&fact.path).is_some() => {
                let record = recorded.get(fact.path.as_str());
                if record.is_none() && is_covered(&fact.path, &covered) {
                    for package in packages {
                        left_out.add(package, fact.layer, SuppressionReason::NotInstalled, None);
                    }
                    return false;
                }
                if let (Some(record), Some(package)) = (record, packages.first_mut()) {
                    // What npm resolved is more exact than the ranges' names in the manifest.
                    package.depends_on.clone_from(&record.depends_on);
                    if package.version.is_empty() {
                        package.version.clone_from(&record.version);
                        package.purl = record.purl.clone();
                    }
                }
                packages.retain(|package| {
                    // A folder without a version in it is a stub of a package beside it.
                    let keep = !package.version.is_empty();
                    if !keep {
                        left_out.add(package, fact.layer, SuppressionReason::NotInstalled, None);
                    }
                    keep
                });
                !packages.is_empty()
            }
            _ => true,
        });
    }
}

fn is_hidden_lockfile(path: &str) -> bool {
    path.ends_with(HIDDEN_LOCKFILE) || path == &HIDDEN_LOCKFILE[1..]
}

/// Whether one of the recorded trees contains the path.
fn is_covered(path: &str, covered: &HashSet<&str>) -> bool {
    path.match_indices('/').any(|(at, _)| covered.contains(&path[..=at]))
}

/// `name` or `@scope/name` of `.../node_modules/NAME/package.json`.
fn installed_name(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/package.json")?;
    let name = match folder.rfind("node_modules/") {
        Some(0) => folder.get("node_modules/".len()..)?,
        Some(at) if folder.as_bytes().get(at - 1) == Some(&b'/') => folder.get(at + "node_modules/".len()..)?,
        _ => return None,
    };
    let segments = name.split('/').count();
    let expected = if name.starts_with('@') { 2 } else { 1 };
    (segments == expected && !name.starts_with('.')).then_some(name)
}

fn read_manifest(path: &str, folder: &str, document: &Value) -> Package {
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    // The folder may be an alias: the manifest has the real name.
    let name = if text("name").is_empty() { folder } else { text("name") };
    let mut package = package(PackageType::Npm, name, text("version"), EvidenceTier::Installed, path);
    package.licence = licence(document);
    package.supplier = document.get("author").and_then(person);
    package.depends_on = dependency_names(document);
    package
}

/// The strongest known digest of an integrity text (W3C, Subresource Integrity, section 3.5): `sha512-BASE64`, several with
/// spaces between. It is of the archive that the registry hands out.
pub(super) fn integrity(text: &str) -> Option<Digest> {
    let find = |algorithm: &str| {
        let of = |each: &str| {
            let encoded = each.strip_prefix(algorithm)?.strip_prefix('-')?.split('?').next()?;
            let digest = STANDARD.decode(encoded).ok()?;
            format!("{algorithm}:{}", hex::encode(digest)).parse().ok()
        };
        text.split_ascii_whitespace().find_map(of)
    };
    find("sha512").or_else(|| find("sha256"))
}

/// `license` as a string, as `{type}`, or the old list `licenses`.
pub(super) fn licence(document: &Value) -> Option<String> {
    let one = |value: &Value| value.as_str().or_else(|| value.get("type")?.as_str()).and_then(optional);
    if let Some(licence) = document.get("license").and_then(one) {
        return Some(licence);
    }
    let list: Vec<String> = document.get("licenses")?.as_array()?.iter().filter_map(one).collect();
    (!list.is_empty()).then(|| list.join(" OR "))
}

fn person(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return optional(text);
    }
    let name = value.get("name")?.as_str()?;
    match value.get("email").and_then(Value::as_str) {
        Some(email) => optional(&format!("{name} <{email}>")),
        None => optional(name),
    }
}

pub(super) fn dependency_names(document: &Value) -> Vec<String> {
    let keys = ["dependencies", "optionalDependencies", "peerDependencies"];
    names(
        keys.iter()
            .filter_map(|key| document.get(key)?.as_object())
            .flat_map(|object| object.keys())
            .map(|name| super::clip(name)),
    )
}

fn read_hidden_lockfile(path: &str, document: &Value, found: &mut Found) {
    let Some(entries) = document.get("packages").and_then(Value::as_object) else {
        found.malformed(path);
        return;
    };
    let below = path.trim_end_matches("/.package-lock.json");
    let root = below.trim_end_matches("node_modules");
    let packages = entries
        .iter()
        .filter_map(|(key, value)| {
            let (_, folder) = key.rsplit_once("node_modules/")?;
            let name = value.get("name").and_then(Value::as_str).unwrap_or(folder);
            let version = value.get("version").and_then(Value::as_str)?;
            let place = format!("{root}{key}/package.json");
            let mut package = package(PackageType::Npm, name, version, EvidenceTier::Installed, &place);
            package.depends_on = dependency_names(value);
            Some(package)
        })
        .collect();
    found.says.push(Says::NpmTree { below: below.to_owned(), packages });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_digest_of_an_integrity_is_taken() {
        let short = |text: &str| integrity(text).map(|digest| digest.short());
        let (of_nothing, zeros) = ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", format!("{}==", "A".repeat(86)));
        assert_eq!(short(&format!("sha256-{of_nothing}?a=b")).as_deref(), Some("sha256:e3b0c44298fc"));
        let several = format!("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= sha256-{of_nothing} sha512-{zeros}");
        assert_eq!(short(&several).as_deref(), Some("sha512:000000000000"));
        for other in ["", "sha512-", "sha512-AA==", "sha512-x==", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha384-AA=="] {
            assert_eq!(short(other), None, "{other}");
        }
    }

    #[test]
    fn only_folders_directly_below_node_modules_are_installed() {
        for (path, expected) in [
            ("app/node_modules/rxjs/package.json", Some("rxjs")),
            ("node_modules/@babel/core/package.json", Some("@babel/core")),
            ("a/node_modules/b/node_modules/c/package.json", Some("c")),
            ("app/node_modules/rxjs/ajax/package.json", None),
            ("app/node_modules/.cache/package.json", None),
            ("app/not_node_modules/x/package.json", None),
            ("app/package.json", None),
        ] {
            assert_eq!(installed_name(path), expected, "{path}");
        }
    }

    #[test]
    fn licence_and_author_are_read_in_all_their_forms() {
        let of = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(licence(&of(r#"{"license":{"type":"MIT"}}"#)).as_deref(), Some("MIT"));
        assert_eq!(licence(&of(r#"{"licenses":[{"type":"MIT"},"BSD"]}"#)).as_deref(), Some("MIT OR BSD"));
        assert_eq!(person(&of(r#"{"name":"A","email":"a@b"}"#)).as_deref(), Some("A <a@b>"));
        assert_eq!(person(&of(r#""A <a@b>""#)).as_deref(), Some("A <a@b>"));
        assert_eq!(person(&of("3")), None);
    }
}
