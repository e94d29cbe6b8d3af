//! `Cargo.lock` of a source directory: what a Rust build would use (The Cargo Book, "Cargo.toml vs Cargo.lock").
//!
//! The file is generated, so its subset of TOML is fixed: tables `[[package]]`, string values, and arrays of strings.

use assay_model::{EvidenceTier, PackageType};

use super::{About, Ecosystem, File, Found, clip, names, package};

pub(crate) struct CargoLock;

const ABOUT: About = About::declared("Cargo lockfiles", &["Cargo.lock"]);

impl Ecosystem for CargoLock {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let text = file.text();
        for table in text.split("[[package]]").skip(1) {
            if !found.has_room(file) {
                break;
            }
            let value = |key: &str| {
                table.lines().take_while(|line| !line.starts_with('[')).find_map(|line| {
                    let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
                    value.trim().strip_prefix('"')?.strip_suffix('"')
                })
            };
            let (Some(name), Some(version)) = (value("name"), value("version")) else {
                found.malformed(file.path);
                continue;
            };
            let mut package = package(PackageType::Cargo, name, version, EvidenceTier::Declared, file.path);
            // `"name"`, `"name version"` or `"name version (source)"`.
            let dependencies = table
                .split_once("dependencies = [")
                .and_then(|(_, rest)| rest.split_once(']'))
                .map(|(list, _)| list)
                .unwrap_or_default();
            // Of the archive that the registry hands out.
            package.digest = value("checksum").and_then(|checksum| format!("sha256:{checksum}").parse().ok());
            package.depends_on = names(
                dependencies
                    .split('"')
                    .skip(1)
                    .step_by(2)
                    .filter_map(|dependency| dependency.split(' ').next())
                    .map(clip),
            );
            found.packages.push(package);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::Scope;
    use crate::limits::Limits;

    #[test]
    fn crates_and_their_dependencies_are_declared() {
        let bytes = b"version = 4\n\n[[package]]\nname = \"aho-corasick\"\nversion = \"1.1.3\"\nsource = \"registry+https://x\"\n\
                      checksum = \"8e60d3430d3a69478ad0993f19238d2df97c507009a52b3c10addcd7f6bcb916\"\n\
                      dependencies = [\n \"memchr\",\n \"log 0.4.1 (registry+https://x)\",\n]\n\n[[package]]\nname = \"memchr\"\nversion = \"2.7.4\"\n";
        let mut found = Found::default();
        assert!(CargoLock.wants("a/Cargo.lock", Scope::Directory) && !CargoLock.wants("a/Cargo.lock", Scope::Image));
        CargoLock.read(&File { path: "Cargo.lock", bytes, limits: &Limits::default() }, &mut found);
        let list: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(list, [("aho-corasick", "1.1.3"), ("memchr", "2.7.4")]);
        assert_eq!(found.packages[0].depends_on, ["log", "memchr"]);
        assert_eq!(found.packages[0].tier, EvidenceTier::Declared);
        let digests: Vec<_> = found.packages.iter().map(|p| p.digest.map(|digest| digest.short())).collect();
        assert_eq!(digests, [Some("sha256:8e60d3430d3a".to_owned()), None]);
    }
}
