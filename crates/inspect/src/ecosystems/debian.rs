//! Debian and Ubuntu packages: dpkg's status database, and the one-file-a-package form of distroless images.
//!
//! Sources: `dpkg(1)`, "Files"; `deb-control(5)`; `deb-src-control(5)`; the machine-readable copyright format 1.0.

use std::collections::{BTreeSet, HashMap};

use assay_model::{EvidenceTier, Package, PackageType, SourcePackage};

use super::{About, Ecosystem, File, Found, Scope, clip, field, names, optional, package, paragraphs};
use crate::layer::Says;
use crate::limits::DEPENDENCIES;
use crate::merge::{LeftOut, Placed};
use crate::path;

pub(crate) struct Debian;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";
const INFO_DIRECTORY: &str = "var/lib/dpkg/info/";
/// Names of one copyright file that are kept: those of whole distributions' worth of licences say nothing.
const LICENCE_NAMES: usize = 32;

const ABOUT: About = About::installed(
    "Debian packages",
    EvidenceTier::PackageDatabase,
    &["/var/lib/dpkg/status", "/var/lib/dpkg/status.d/*", "/var/lib/dpkg/info/*.list", "/usr/share/doc/*/copyright"],
);

impl Ecosystem for Debian {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: Scope) -> bool {
        path == STATUS || path.starts_with(STATUS_DIRECTORY) || is_file_list(path) || copyright_of(path).is_some()
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        if let Some(package) = copyright_of(file.path) {
            if let Some(licence) = licence(&file.text()) {
                found.says.push(Says::DebianLicence { package: package.to_owned(), licence });
            }
        } else if is_file_list(file.path) {
            found.claim(
                file,
                owner_of(file.path),
                file.text().lines().map(|line| path::ownership_key(line.trim_start_matches('/').trim())),
            );
        } else if file.path.ends_with(".md5sums") {
            let text = file.text();
            let paths = text.lines().filter_map(|line| line.split_once("  "));
            found.claim(
                file,
                owner_of(file.path),
                paths.map(|(_, path)| path::ownership_key(path.trim_start_matches('/').trim())),
            );
        } else {
            read_status(file, found);
        }
    }

    fn settle(&self, facts: &mut Vec<Placed>, _: &mut LeftOut) {
        let mut licences: HashMap<String, String> = HashMap::new();
        facts.retain_mut(|fact| match &mut fact.says {
            Says::DebianLicence { package, licence } => {
                licences.insert(std::mem::take(package), std::mem::take(licence));
                false
            }
            _ => true,
        });
        for fact in facts {
            if let Says::Packages(packages) = &mut fact.says {
                for package in packages.iter_mut().filter(|package| package.kind == PackageType::Deb) {
                    package.licence = licences.get(&package.name).cloned();
                }
            }
        }
    }
}

/// `var/lib/dpkg/info/NAME.list` or `NAME:ARCHITECTURE.list`: the paths of a package.
fn is_file_list(path: &str) -> bool {
    path.strip_prefix(INFO_DIRECTORY).and_then(|name| name.strip_suffix(".list")).is_some()
}

/// The package whose list of files this is: `NAME.list`, `NAME:ARCHITECTURE.list` or `NAME.md5sums`.
fn owner_of(path: &str) -> &str {
    let name = path::split(path).1;
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    name.split(':').next().unwrap_or_default()
}

fn read_status(file: &File<'_>, found: &mut Found) {
    let mut needs: Vec<Vec<String>> = Vec::new();
    let mut providers: HashMap<String, String> = HashMap::new();
    let first = found.packages.len();
    paragraphs(&file.text(), |fields| {
        // `Status: want flag state`; the files of distroless images have none.
        let installed =
            field(fields, "Status").is_none_or(|status| status.split_whitespace().nth(2) == Some("installed"));
        let (Some(name), Some(version)) = (field(fields, "Package"), field(fields, "Version")) else { return };
        if !installed || name.is_empty() || !found.has_room(file) {
            return;
        }
        let mut package = package(PackageType::Deb, name, version, EvidenceTier::PackageDatabase, file.path);
        package.architecture = field(fields, "Architecture").and_then(optional);
        package.supplier = field(fields, "Maintainer").and_then(optional);
        package.source = field(fields, "Source").and_then(|source| parse_source(source, &package));
        let relations = |key| field(fields, key).unwrap_or_default();
        needs.push([relation_names(relations("Pre-Depends")), relation_names(relations("Depends"))].concat());
        for provided in relation_names(relations("Provides")) {
            providers.entry(provided).or_insert_with(|| package.name.clone());
        }
        found.packages.push(package);
    });
    let installed: BTreeSet<String> = found.packages.iter().skip(first).map(|package| package.name.clone()).collect();
    let single = file.path != STATUS;
    for (package, needs) in found.packages.iter_mut().skip(first).zip(needs) {
        // A dependency on a virtual package is one on the package that provides it.
        package.depends_on = names(needs.into_iter().filter_map(|need| {
            if single || installed.contains(&need) { Some(need) } else { providers.get(&need).cloned() }
        }));
    }
}

/// `Source: name` or `Source: name (version)`; none where it says nothing new.
fn parse_source(text: &str, package: &Package) -> Option<SourcePackage> {
    let (name, version) = match text.split_once('(') {
        Some((name, version)) => (name.trim(), version.trim_end_matches(')').trim()),
        None => (text.trim(), package.version.as_str()),
    };
    let source = SourcePackage { name: clip(name), version: clip(version) };
    let new = !source.name.is_empty() && (source.name != package.name || source.version != package.version);
    new.then_some(source)
}

/// The package names of a relation field, all alternatives, without versions and architectures.
fn relation_names(text: &str) -> Vec<String> {
    text.split([',', '|'])
        .filter_map(|relation| relation.trim().split([' ', '(', '[', ':', '\n']).next())
        .filter(|name| !name.is_empty())
        .take(DEPENDENCIES)
        .map(clip)
        .collect()
}

fn copyright_of(path: &str) -> Option<&str> {
    path.strip_prefix("usr/share/doc/")?.strip_suffix("/copyright").filter(|name| !name.contains('/'))
}

/// The licence names of a machine-readable copyright file, sorted; none for free text.
fn licence(text: &str) -> Option<String> {
    let is_machine_readable = text.lines().take(20).any(|line| line.starts_with("Format:"));
    if !is_machine_readable {
        return None;
    }
    let names: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("License:"))
        .map(clip)
        .filter(|name| !name.is_empty() && name.len() <= 100)
        .collect();
    let names: Vec<String> = names.into_iter().take(LICENCE_NAMES).collect();
    (!names.is_empty()).then(|| clip(&names.join(" AND ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn read(path: &str, text: &str) -> Found {
        let mut found = Found::default();
        Debian.read(&File { path, bytes: text.as_bytes(), limits: &Limits::default() }, &mut found);
        found
    }

    #[test]
    fn only_installed_packages_are_listed_with_their_source() {
        let found = read(
            STATUS,
            "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\n\
             Maintainer: GNU Libc Maintainers <x@y>\nDepends: libgcc-s1 (>= 3.0), libcrypt1 | missing\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
             Package: held\nStatus: hold ok installed\nVersion: 1\nSource: held (0.9)\nProvides: libcrypt1 (= 1)\n",
        );
        let [libc, held] = found.packages.as_slice() else { panic!("{found:?}") };
        assert_eq!(libc.source, Some(SourcePackage { name: "glibc".into(), version: "2.36-9".into() }));
        assert_eq!(libc.supplier.as_deref(), Some("GNU Libc Maintainers <x@y>"));
        assert_eq!(libc.depends_on, ["held"], "libcrypt1 is provided by it");
        assert_eq!(held.source, Some(SourcePackage { name: "held".into(), version: "0.9".into() }));
    }

    #[test]
    fn distroless_packages_have_a_file_each() {
        let path = "var/lib/dpkg/status.d/tzdata";
        assert!(Debian.wants(path, Scope::Image));
        let found = read(path, "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\nDepends: debconf\n");
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.packages[0].depends_on, ["debconf"]);
        assert_eq!(found.packages[0].path, path);
        let sums = read("var/lib/dpkg/status.d/tzdata.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/a.jar\n");
        assert_eq!(crate::ecosystems::testing::keys(&sums), [path::ownership_key("usr/share/a.jar")]);
    }

    #[test]
    fn copyright_files_name_licences() {
        let text = "Format: https://www.debian.org/doc/\n\nFiles: *\nLicense: MIT\n\nFiles: debian/*\nLicense: GPL-2+\n\nLicense: MIT\n text\n";
        assert_eq!(licence(text).as_deref(), Some("GPL-2+ AND MIT"));
        assert_eq!(licence("This was packaged by\nLicense: odd\n"), None);
        assert!(Debian.wants("usr/share/doc/libc6/copyright", Scope::Image));
    }
}
