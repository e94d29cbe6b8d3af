//! OCaml packages: those that an opam switch holds, and locked opam files.
//!
//! Source: opam manual, "Common file format", "switch-state" and `opam lock`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, declared, installed, optional};

pub(crate) static INSTALLED: Reader =
    Reader::installed("OCaml packages", EvidenceTier::Installed, &[".opam-switch/packages/*.*/opam"], read_installed);
pub(crate) static LOCK: Reader = Reader::declared("opam lock files", &["*.opam.locked"], read_lock);

/// The directory is `NAME.VERSION`.
fn read_installed(file: &File<'_>, found: &mut Found) {
    let folder = file.path.rsplit('/').nth(1).unwrap_or_default();
    let Some((name, version)) = folder.split_once('.') else { return };
    let mut package = installed(PackageType::Opam, name, version, file);
    let text = file.text();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
        line.split('"').nth(1)
    };
    package.licence = value("license").and_then(optional);
    package.supplier = value("maintainer").and_then(optional);
    found.add(file, package);
}

/// `"ocaml" {= "4.14.1"}`
fn read_lock(file: &File<'_>, found: &mut Found) {
    for line in file.text().lines() {
        let Some((name, rest)) = line.trim().strip_prefix('"').and_then(|line| line.split_once('"')) else { continue };
        let Some(constraint) = rest.trim().strip_prefix("{= ").or_else(|| rest.trim().strip_prefix("{=")) else {
            continue;
        };
        if let Some(version) = constraint.split('"').nth(1) {
            found.add(file, declared(PackageType::Opam, name, version, file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn a_switch_has_a_directory_for_each_package() {
        let path = "home/opam/.opam/4.14/.opam-switch/packages/cmdliner.1.2.0/opam";
        let text = "opam-version: \"2.0\"\nlicense: \"ISC\"\nmaintainer: \"D <d@example.org>\"\n";
        assert_eq!(lines(&INSTALLED, path, text), ["pkg:opam/cmdliner@1.2.0"]);
        assert_eq!(read(&INSTALLED, path, text).packages[0].licence.as_deref(), Some("ISC"));
    }

    #[test]
    fn locked_files_have_exact_versions() {
        let text =
            "depends: [\n  \"astring\" {= \"0.8.5\"}\n  \"dune\" {>= \"3\"}\n  \"fmt\" {= \"0.9.0\" & with-test}\n]\n";
        assert_eq!(lines(&LOCK, "x.opam.locked", text), ["pkg:opam/astring@0.8.5", "pkg:opam/fmt@0.9.0"]);
    }
}
