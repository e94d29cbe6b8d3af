//! Alpine, Wolfi and other apk packages: the installed database.
//!
//! Source: apk-tools, `doc/apk-v2.5.scd` ("Installed Database") and the letters that `apk` writes: `P` name, `V` version,
//! `A` architecture, `L` licence, `o` origin, `m` maintainer, `D` depends, `p` provides, `F` directory, `R` file.

use std::collections::HashMap;

use assay_model::{EvidenceTier, PackageType, SourcePackage};

use super::{About, Ecosystem, File, Found, clip, names, optional, package};
use crate::limits::DEPENDENCIES;
use crate::path;

pub(crate) struct Apk;

const ABOUT: About = About::installed(
    "Alpine packages",
    EvidenceTier::PackageDatabase,
    &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"],
);

impl Ecosystem for Apk {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let text = file.text();
        let first = found.packages.len();
        let mut needs: Vec<Vec<String>> = Vec::new();
        let mut providers: HashMap<String, String> = HashMap::new();
        for block in text.split("\n\n") {
            let value = |letter: &str| {
                block.lines().find_map(|line| line.strip_prefix(letter)?.strip_prefix(':')).unwrap_or_default()
            };
            let (name, version) = (value("P"), value("V"));
            if name.is_empty() || !found.has_room(file) {
                continue;
            }
            let mut package = package(PackageType::Apk, name, version, EvidenceTier::PackageDatabase, file.path);
            package.architecture = optional(value("A"));
            package.licence = optional(value("L"));
            package.supplier = optional(value("m"));
            package.source = optional(value("o"))
                .filter(|origin| *origin != package.name)
                .map(|name| SourcePackage { name, version: package.version.clone() });
            needs.push(relation_names(value("D")));
            for provided in relation_names(value("p")) {
                providers.entry(provided).or_insert_with(|| package.name.clone());
            }
            providers.insert(package.name.clone(), package.name.clone());
            found.packages.push(package);
            let mut directory = "";
            let files = block.lines().filter_map(|line| {
                if let Some(entered) = line.strip_prefix("F:") {
                    directory = entered;
                }
                line.strip_prefix("R:").map(|name| path::ownership_key(&path::join(directory, name)))
            });
            found.claim(file, name, files);
        }
        for (package, needs) in found.packages.iter_mut().skip(first).zip(needs) {
            let own = &package.name;
            package.depends_on =
                names(needs.into_iter().filter_map(|need| providers.get(&need).cloned()).filter(|name| name != own));
        }
    }
}

/// `musl>=1.2 so:libc.so !conflict` without versions and conflicts.
fn relation_names(text: &str) -> Vec<String> {
    text.split_whitespace()
        .filter(|relation| !relation.starts_with('!'))
        .filter_map(|relation| relation.split(['<', '>', '=', '~', '@']).next())
        .take(DEPENDENCIES)
        .map(clip)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn packages_have_origin_dependencies_and_files() {
        let text = "P:busybox\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\no:busybox\nm:S <s@a.org>\nD:so:libc.musl-x86_64.so.1\nF:bin\nR:busybox\n\n\
                    P:musl-utils\nV:1.2.4-r2\nA:x86_64\no:musl\nD:musl=1.2.4-r2 !gone scanelf\n\n\
                    P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\np:so:libc.musl-x86_64.so.1=1\n";
        let mut found = Found::default();
        Apk.read(
            &File { path: "lib/apk/db/installed", bytes: text.as_bytes(), limits: &Limits::default() },
            &mut found,
        );
        let [busybox, utils, musl] = found.packages.as_slice() else { panic!("{found:?}") };
        assert_eq!((busybox.source.as_ref(), busybox.licence.as_deref()), (None, Some("GPL-2.0-only")));
        assert_eq!(busybox.depends_on, ["musl"]);
        assert_eq!(utils.source, Some(SourcePackage { name: "musl".into(), version: "1.2.4-r2".into() }));
        assert_eq!(utils.depends_on, ["musl"]);
        assert!(musl.depends_on.is_empty());
        assert_eq!(crate::ecosystems::testing::keys(&found), [path::ownership_key("usr/bin/busybox")]);
    }
}
