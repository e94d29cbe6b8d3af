//! Installed Python distributions: wheels' `METADATA`, eggs' `PKG-INFO`.
//!
//! Sources: PyPA specifications, "Recording installed projects" and "Core metadata"; setuptools, "Internal structure of
//! eggs".

use assay_model::{EvidenceTier, PackageType};

use super::{About, Ecosystem, File, Found, Scope, clip, field, names, optional, package, paragraphs, pypi_name};

pub(crate) struct Python;

const ABOUT: About = About::installed(
    "Python distributions",
    EvidenceTier::Installed,
    &["*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg/EGG-INFO/PKG-INFO", "*.egg-info"],
);

impl Ecosystem for Python {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: Scope) -> bool {
        path.ends_with(".dist-info/METADATA")
            || path.ends_with(".egg-info/PKG-INFO")
            || path.ends_with(".egg/EGG-INFO/PKG-INFO")
            || path.ends_with(".egg-info")
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let text = file.text();
        // Headers end at the first empty line; the description follows.
        let mut is_first = true;
        paragraphs(&text, |fields| {
            if !std::mem::take(&mut is_first) {
                return;
            }
            let (Some(name), Some(version)) = (field(fields, "Name"), field(fields, "Version")) else { return };
            if name.is_empty() || version.is_empty() {
                return;
            }
            let mut package = package(PackageType::Pypi, name, version, EvidenceTier::Installed, file.path);
            let classified = || {
                fields.iter().find_map(|(key, value)| {
                    let licence = (*key == "Classifier").then(|| value.strip_prefix("License ::"))??;
                    licence.rsplit("::").next().and_then(optional)
                })
            };
            // A whole licence text in the field is no licence name.
            let named =
                |key| field(fields, key).filter(|text| text.len() <= 200 && !text.contains('\n')).and_then(optional);
            package.licence = named("License-Expression").or_else(|| named("License")).or_else(classified);
            package.supplier = ["Author", "Author-email", "Maintainer", "Maintainer-email"]
                .iter()
                .find_map(|key| field(fields, key).and_then(optional));
            package.depends_on = names(
                fields
                    .iter()
                    .filter(|(key, value)| key.eq_ignore_ascii_case("Requires-Dist") && !is_extra(value))
                    .filter_map(|(_, value)| requirement_name(value)),
            );
            found.packages.push(package);
        });
    }
}

/// Whether a requirement holds only with an extra that somebody has to ask for.
fn is_extra(requirement: &str) -> bool {
    requirement.split_once(';').is_some_and(|(_, marker)| marker.contains("extra"))
}

/// The normalised name at the start of a requirement (PEP 508).
pub(super) fn requirement_name(requirement: &str) -> Option<String> {
    let end = requirement
        .trim_start()
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(requirement.trim_start().len());
    let name = pypi_name(requirement.trim_start().get(..end)?);
    (!name.is_empty()).then(|| clip(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_wheel_names_licence_author_and_requirements() {
        let text = "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\nAuthor-email: Pallets <contact@palletsprojects.com>\n\
                    Classifier: License :: OSI Approved :: BSD License\nRequires-Dist: Werkzeug>=3.0.0\n\
                    Requires-Dist: asgiref>=3.2; extra == 'async'\nRequires-Dist: importlib_metadata (>=3.6) ; python_version < '3.10'\n\n\
                    Name: not this\nVersion: 9\n";
        let mut found = Found::default();
        let path = "app/site-packages/flask-3.0.0.dist-info/METADATA";
        assert!(Python.wants(path, Scope::Image));
        Python.read(&File { path, bytes: text.as_bytes(), limits: &Limits::default() }, &mut found);
        let [flask] = found.packages.as_slice() else { panic!("{found:?}") };
        assert_eq!((flask.name.as_str(), flask.version.as_str()), ("Flask", "3.0.0"));
        assert_eq!(flask.licence.as_deref(), Some("BSD License"));
        assert_eq!(flask.supplier.as_deref(), Some("Pallets <contact@palletsprojects.com>"));
        assert_eq!(flask.depends_on, ["importlib-metadata", "werkzeug"]);
        assert_eq!(flask.purl.to_string(), "pkg:pypi/flask@3.0.0");
    }

    #[test]
    fn a_whole_licence_text_is_no_name() {
        let text = format!("Name: a\nVersion: 1\nLicense: {}\n", "Permission is hereby granted ".repeat(20));
        let mut found = Found::default();
        let file = File { path: "a-1.egg-info/PKG-INFO", bytes: text.as_bytes(), limits: &Limits::default() };
        Python.read(&file, &mut found);
        assert_eq!(found.packages[0].licence, None);
    }
}
