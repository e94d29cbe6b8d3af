//! R packages: the `DESCRIPTION` of each installed one, and renv's lockfile.
//!
//! Sources: Writing R Extensions, section 1.1.1; renv, "lockfiles".

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, declared, field, installed, list, names, object, optional, paragraphs, text};

pub(crate) static INSTALLED: Reader = Reader::installed(
    "R packages",
    EvidenceTier::Installed,
    &["library/*/DESCRIPTION", "site-library/*/DESCRIPTION"],
    read_description,
);
pub(crate) static LOCK: Reader = Reader::declared("renv lockfiles", &["renv.lock"], read_lock);

fn read_description(file: &File<'_>, found: &mut Found) {
    paragraphs(&file.text(), |fields| {
        let (Some(name), Some(version)) = (field(fields, "Package"), field(fields, "Version")) else { return };
        let mut package = installed(PackageType::Cran, name, version, file);
        package.licence = field(fields, "License").and_then(optional);
        package.supplier = field(fields, "Maintainer").and_then(optional);
        let needs = ["Depends", "Imports", "LinkingTo"].iter().filter_map(|key| field(fields, key));
        package.depends_on = names(
            needs
                .flat_map(|text| text.split(','))
                .map(|need| clip(need.split('(').next().unwrap_or_default()))
                .filter(|name| name != "R"),
        );
        found.add(file, package);
    });
}

fn read_lock(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    for (name, entry) in object(&document, "Packages") {
        let mut package = declared(PackageType::Cran, name, text(entry, "Version"), file);
        let requirements = list(entry, "Requirements").iter().filter_map(serde_json::Value::as_str);
        package.depends_on = names(requirements.filter(|name| *name != "R").map(clip));
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn a_description_names_what_it_imports() {
        let text = "Package: dplyr\nTitle: A Grammar\nVersion: 1.1.4\nLicense: MIT + file LICENSE\nDepends: R (>= 3.5.0)\n\
                    Imports: cli (>= 3.4.0), generics,\n    glue\nLinkingTo: cpp11\n";
        assert_eq!(
            lines(&INSTALLED, "usr/lib/R/site-library/dplyr/DESCRIPTION", text),
            ["pkg:cran/dplyr@1.1.4 -> cli, cpp11, generics, glue"]
        );
    }

    #[test]
    fn lockfiles_of_renv() {
        let lock = r#"{"R":{"Version":"4.3.1"},"Packages":{"cli":{"Package":"cli","Version":"3.6.1","Source":"Repository",
            "Requirements":["R","utils"]}}}"#;
        assert_eq!(lines(&LOCK, "renv.lock", lock), ["pkg:cran/cli@3.6.1 -> utils"]);
    }
}
