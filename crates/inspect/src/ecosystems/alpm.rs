//! Arch Linux packages: pacman's local database, a directory for each package.
//!
//! Source: libalpm, `lib/libalpm/be_local.c`: `desc` and `files`, sections `%NAME%` of lines up to an empty one.

use assay_model::{EvidenceTier, PackageType, SourcePackage};

use super::{File, Found, Reader, clip, names, optional, package};
use crate::path;

pub(crate) static ALPM: Reader = Reader::installed(
    "Arch Linux packages",
    EvidenceTier::PackageDatabase,
    &["/var/lib/pacman/local/*/desc", "/var/lib/pacman/local/*/files"],
    read,
);

fn read(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    if file.path.ends_with("/files") {
        let files = section(&text, "FILES");
        let owner = crate::path::split(crate::path::split(file.path).0).1;
        // `name-version-release`
        let owner = owner.rsplitn(3, '-').nth(2).unwrap_or(owner);
        return found.claim(file, owner, files.map(|path| path::ownership_key(path.trim())));
    }
    let one = |name| section(&text, name).next().unwrap_or_default();
    let (name, version) = (one("NAME"), one("VERSION"));
    if name.is_empty() || version.is_empty() {
        return found.malformed(file.path);
    }
    let mut package = package(PackageType::Alpm, name, version, EvidenceTier::PackageDatabase, file.path);
    package.architecture = optional(one("ARCH"));
    package.supplier = optional(one("PACKAGER")).filter(|name| name != "Unknown Packager");
    let licences: Vec<&str> = section(&text, "LICENSE").collect();
    package.licence = optional(&licences.join(" AND "));
    let base = one("BASE");
    package.source = (!base.is_empty() && base != name)
        .then(|| SourcePackage { name: clip(base), version: package.version.clone() });
    package.depends_on =
        names(section(&text, "DEPENDS").map(|need| clip(need.split(['<', '>', '=']).next().unwrap_or_default())));
    found.add(file, package);
}

/// The lines of one section.
fn section<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_head = move |line: &&str| line.strip_prefix('%').and_then(|line| line.strip_suffix('%')) == Some(name);
    text.lines().skip_while(move |line| !is_head(line)).skip(1).take_while(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{keys, lines, read};

    #[test]
    fn a_package_is_described_by_sections() {
        let desc = "%NAME%\ngcc-libs\n\n%VERSION%\n14.2.1+r134-1\n\n%BASE%\ngcc\n\n%ARCH%\nx86_64\n\n\
                    %PACKAGER%\nF B <f@example.org>\n\n%LICENSE%\nGPL-3.0-or-later\n\n%DEPENDS%\nglibc>=2.27\nsh\n\n";
        let path = "var/lib/pacman/local/gcc-libs-14.2.1-1/desc";
        assert_eq!(lines(&ALPM, path, desc), ["pkg:alpm/gcc-libs@14.2.1%2Br134-1 -> glibc, sh"]);
        let found = read(&ALPM, path, desc);
        assert_eq!(found.packages[0].source.as_ref().unwrap().name, "gcc");
        assert_eq!(found.packages[0].licence.as_deref(), Some("GPL-3.0-or-later"));
    }

    #[test]
    fn its_files_are_its_own() {
        let path = "var/lib/pacman/local/x-1-1/files";
        let found = read(&ALPM, path, "%FILES%\nusr/\nusr/lib/a.jar\n\n%BACKUP%\netc/x\n");
        assert!(keys(&found).contains(&path::ownership_key("usr/lib/a.jar")));
        assert!(!keys(&found).contains(&path::ownership_key("etc/x")));
        assert_eq!(found.owners, ["x"]);
        assert_eq!(read(&ALPM, "var/lib/pacman/local/x-1-1/desc", "").partial.len(), 1);
    }
}
