//! Licence texts beside packages that declare none: they say under which licence the package of their folder is.

use std::collections::HashMap;

use assay_model::EvidenceTier;

use super::{About, Ecosystem, File, Found};
use crate::layer::Says;
use crate::merge::{LeftOut, Placed};
use crate::{licence, path};

pub(crate) struct LicenceFiles;

const ABOUT: About = About::installed(
    "Licence texts of packages",
    EvidenceTier::Installed,
    &[
        "node_modules/*/LICENSE",
        "node_modules/*/LICENSE*",
        "node_modules/@*/*/LICENSE",
        "node_modules/@*/*/LICENSE*",
        "*.dist-info/LICENSE",
        "*.dist-info/LICENSE*",
        "*.dist-info/licenses/LICENSE",
        "*.dist-info/licenses/LICENSE*",
        "*.dist-info/COPYING",
    ],
);

impl Ecosystem for LicenceFiles {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        if let Some(licence) = licence::classify(file.bytes) {
            let folder = path::split(file.path).0;
            let folder = folder.strip_suffix("/licenses").unwrap_or(folder).to_owned();
            found.says.push(Says::LicenceText { folder, licence: licence.to_owned() });
        }
    }

    fn settle(&self, facts: &mut Vec<Placed>, _: &mut LeftOut) {
        let mut texts: HashMap<String, String> = HashMap::new();
        facts.retain_mut(|fact| match &mut fact.says {
            Says::LicenceText { folder, licence } => {
                texts.entry(std::mem::take(folder)).or_insert_with(|| std::mem::take(licence));
                false
            }
            _ => true,
        });
        for fact in facts {
            if let Says::Packages(packages) = &mut fact.says {
                for package in packages {
                    match &package.licence {
                        Some(licence) => package.licence = Some(licence::normalise(licence)),
                        None => package.licence = texts.get(path::split(&package.path).0).cloned(),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::read;

    #[test]
    fn a_text_speaks_for_the_package_of_its_folder() {
        let isc = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is \
                   hereby granted, provided that the above copyright notice appears.";
        let found = read(&LicenceFiles, "app/site-packages/a-1.dist-info/licenses/LICENSE", isc);
        let expected = Says::LicenceText { folder: "app/site-packages/a-1.dist-info".into(), licence: "ISC".into() };
        assert_eq!(found.says, [expected]);
        assert!(read(&LicenceFiles, "node_modules/a/LICENSE", "ask us").is_empty());
    }
}
