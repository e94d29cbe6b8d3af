//! Haskell packages: GHC's package database, and the freeze files of Cabal and Stack.
//!
//! Sources: GHC User's Guide, "Packages" (`InstalledPackageInfo`); Cabal User Guide, `cabal freeze`; Stack, "Lock files".

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, declared, field, installed, list, names, optional, paragraphs, text};

pub(crate) static INSTALLED: Reader = Reader::installed(
    "Haskell packages",
    EvidenceTier::Installed,
    &["package.conf.d/*.conf", "package.db/*.conf"],
    read_installed,
);
pub(crate) static CABAL: Reader = Reader::declared("Cabal freeze files", &["cabal.project.freeze"], read_cabal);
pub(crate) static STACK: Reader = Reader::declared("Stack lockfiles", &["stack.yaml.lock"], read_stack);

fn read_installed(file: &File<'_>, found: &mut Found) {
    paragraphs(&file.text(), |fields| {
        let (Some(name), Some(version)) = (field(fields, "name"), field(fields, "version")) else { return };
        let mut package = installed(PackageType::Hackage, name, version, file);
        package.licence = field(fields, "license").and_then(optional);
        package.supplier = field(fields, "maintainer").and_then(optional);
        let needs = field(fields, "depends").unwrap_or_default();
        package.depends_on =
            names(needs.split_whitespace().filter_map(|unit| split_unit(unit).map(|(name, _)| super::clip(name))));
        found.add(file, package);
    });
}

/// `name-1.2.3` or `name-1.2.3-hash`.
fn split_unit(unit: &str) -> Option<(&str, &str)> {
    unit.match_indices('-').find_map(|(at, _)| {
        let (name, rest) = (unit.get(..at)?, unit.get(at + 1..)?);
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| (name, rest.split('-').next().unwrap_or_default()))
    })
}

/// `constraints: any.aeson ==2.2.1.0,`
fn read_cabal(file: &File<'_>, found: &mut Found) {
    for line in file.text().lines() {
        let line = line.trim().trim_start_matches("constraints:").trim().trim_end_matches(',');
        let Some((name, version)) = line.split_once("==") else { continue };
        found.add(file, declared(PackageType::Hackage, name.trim().trim_start_matches("any."), version.trim(), file));
    }
}

/// `completed: { hackage: name-1.2.3@sha256:...,1234 }`
fn read_stack(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for entry in list(&document, "packages") {
        let Some(completed) = entry.get("completed") else { continue };
        let unit = text(completed, "hackage").split('@').next().unwrap_or_default();
        if let Some((name, version)) = split_unit(unit) {
            found.add(file, declared(PackageType::Hackage, name, version, file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn the_database_has_a_file_for_each_package() {
        let text = "name:                 aeson\nversion:              2.2.1.0\nlicense:              BSD-3-Clause\ndepends:\n    base-4.18.1.0 text-short-0.1.5-abc\n    bytestring-0.11.5.2\n";
        assert_eq!(
            lines(&INSTALLED, "usr/lib/ghc/package.conf.d/aeson-2.2.1.0.conf", text),
            ["pkg:hackage/aeson@2.2.1.0 -> base, bytestring, text-short"]
        );
    }

    #[test]
    fn freeze_files_pin_exact_versions() {
        let cabal = "active-repositories: hackage.haskell.org:merge\nconstraints: any.OneTuple ==0.4.1.1,\n             any.aeson ==2.2.1.0,\n             aeson +ordered-keymap\n";
        assert_eq!(
            lines(&CABAL, "cabal.project.freeze", cabal),
            ["pkg:hackage/OneTuple@0.4.1.1", "pkg:hackage/aeson@2.2.1.0"]
        );
        let stack = "packages:\n- completed:\n    hackage: acme-missiles-0.3@sha256:2ba6,613\n    pantry-tree:\n      size: 226\n  original:\n    hackage: acme-missiles-0.3\nsnapshots: []\n";
        assert_eq!(lines(&STACK, "stack.yaml.lock", stack), ["pkg:hackage/acme-missiles@0.3"]);
    }
}
