//! Conda packages: the record of each installed one, environment files and conda-lock's lockfiles.
//!
//! Sources: conda documentation, "Package specification" and "Managing environments"; conda-lock, `lockfile` schema 1.

use assay_model::{EvidenceTier, Package, PackageType};
use serde_json::Value;

use super::{File, Found, Reader, clip, declared, installed, list, names, object, optional, text};

pub(crate) static INSTALLED: Reader =
    Reader::installed("Conda packages", EvidenceTier::Installed, &["conda-meta/*.json"], read_record);
pub(crate) static ENVIRONMENT: Reader =
    Reader::declared("Conda environments", &["environment.yml", "environment.yaml"], read_environment);
pub(crate) static LOCK: Reader =
    Reader::declared("conda-lock lockfiles", &["conda-lock.yml", "*.conda-lock.yml"], read_lock);

fn read_record(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let (name, version) = (text(&document, "name"), text(&document, "version"));
    if name.is_empty() || version.is_empty() {
        return found.malformed(file.path);
    }
    let mut package = installed(PackageType::Conda, name, version, file);
    package.licence = optional(text(&document, "license"));
    qualify(&mut package, text(&document, "build"), text(&document, "channel"), text(&document, "subdir"));
    package.depends_on = names(list(&document, "depends").iter().filter_map(Value::as_str).map(name_of));
    found.add(file, package);
}

/// purl-spec, type conda: `build`, `channel` and `subdir`.
fn qualify(package: &mut Package, build: &str, channel: &str, directory: &str) {
    // A channel may be a URL: its last parts are the channel and the platform.
    let channel = channel.trim_end_matches('/');
    let channel = channel.strip_suffix(directory).unwrap_or(channel).trim_end_matches('/');
    let channel = channel.rsplit('/').next().unwrap_or_default();
    let purl = package.purl.clone();
    package.purl =
        purl.with_qualifier("build", build).with_qualifier("channel", channel).with_qualifier("subdir", directory);
}

/// The name in front of a match specification: `python >=3.10,<3.11.0a0`.
fn name_of(specification: &str) -> String {
    clip(specification.split([' ', '=', '<', '>', '!', '~', '[']).next().unwrap_or_default())
}

/// Exact versions only: `name=1.2=build`, `name==1.2`, and the pip requirements inside.
fn read_environment(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for entry in list(&document, "dependencies") {
        if let Some(specification) = entry.as_str() {
            let specification = specification.rsplit("::").next().unwrap_or_default();
            let mut parts = specification.split('=').filter(|part| !part.is_empty()).map(str::trim);
            if let (Some(name), Some(version)) = (parts.next(), parts.next())
                && !name.contains(['<', '>', '!', '~', ' '])
                && !version.contains(['*', '<', '>', ',', '|'])
            {
                found.add(file, declared(PackageType::Conda, name, version, file));
            }
        }
        for requirement in list(entry, "pip").iter().filter_map(Value::as_str) {
            if let Some((name, version)) = super::requirements::exact(requirement) {
                found.add(file, declared(PackageType::Pypi, name, version, file));
            }
        }
    }
}

fn read_lock(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for entry in list(&document, "package") {
        let kind = if text(entry, "manager") == "pip" { PackageType::Pypi } else { PackageType::Conda };
        let mut package = declared(kind, text(entry, "name"), text(entry, "version"), file);
        if kind == PackageType::Conda {
            package.purl = package.purl.with_qualifier("subdir", text(entry, "platform"));
        }
        package.depends_on = names(object(entry, "dependencies").map(|(name, _)| clip(name)));
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn an_installed_package_has_build_and_channel() {
        let record = r#"{"name":"zlib","version":"1.2.13","build":"h4dc3f6a_5","subdir":"linux-64","license":"Zlib",
            "channel":"https://conda.anaconda.org/conda-forge/linux-64","depends":["libgcc-ng >=12","libzlib 1.2.13 *_5"]}"#;
        assert_eq!(
            lines(&INSTALLED, "opt/conda/conda-meta/zlib-1.2.13-h4dc3f6a_5.json", record),
            ["pkg:conda/zlib@1.2.13?build=h4dc3f6a_5&channel=conda-forge&subdir=linux-64 -> libgcc-ng, libzlib"]
        );
        assert_eq!(read(&INSTALLED, "conda-meta/x.json", "{}").partial.len(), 1);
    }

    #[test]
    fn environments_declare_exact_versions() {
        let environment = "name: x\ndependencies:\n  - python=3.11.4=hab00c5b_0_cpython\n  - conda-forge::numpy==1.26.0\n\
                           \x20 - pandas>=2\n  - scipy\n  - pip:\n    - flask==3.0.0\n    - requests\n";
        assert_eq!(
            lines(&ENVIRONMENT, "environment.yml", environment),
            ["pkg:conda/numpy@1.26.0", "pkg:conda/python@3.11.4", "pkg:pypi/flask@3.0.0"]
        );
    }

    #[test]
    fn lockfiles_have_both_managers() {
        let lock = "version: 1\npackage:\n- name: ca-certificates\n  version: 2023.7.22\n  manager: conda\n\
                    \x20 platform: linux-64\n  dependencies:\n    openssl: '>=3'\n- name: idna\n  version: '3.4'\n\
                    \x20 manager: pip\n  platform: linux-64\n";
        assert_eq!(
            lines(&LOCK, "conda-lock.yml", lock),
            ["pkg:conda/ca-certificates@2023.7.22?subdir=linux-64 -> openssl", "pkg:pypi/idna@3.4"]
        );
    }
}
