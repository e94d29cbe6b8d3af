//! PHP packages: Composer's record of what it installed, and its lockfile.
//!
//! Source: Composer, "Composer schema" and "Basic usage" (`composer.lock`, `vendor/composer/installed.json`).

use assay_model::{EvidenceTier, PackageType};
use serde_json::Value;

use super::{File, Found, Reader, clip, list, names, object, optional, package, text};

pub(crate) static INSTALLED: Reader =
    Reader::installed("Composer packages", EvidenceTier::Installed, &["composer/installed.json"], |file, found| {
        read(file, found, EvidenceTier::Installed);
    });
pub(crate) static LOCK: Reader = Reader::declared("Composer lockfiles", &["composer.lock"], |file, found| {
    read(file, found, EvidenceTier::Declared);
});

fn read(file: &File<'_>, found: &mut Found, tier: EvidenceTier) {
    let Some(document) = found.whole_json(file) else { return };
    // Composer 1 wrote a bare list.
    let bare = document.as_array().map(Vec::as_slice).unwrap_or_default();
    for entry in bare.iter().chain(list(&document, "packages")).chain(list(&document, "packages-dev")) {
        let mut package = package(PackageType::Composer, text(entry, "name"), text(entry, "version"), tier, file.path);
        let licences: Vec<&str> = list(entry, "license").iter().filter_map(Value::as_str).collect();
        package.licence = optional(&licences.join(" OR "));
        package.supplier = list(entry, "authors").first().and_then(|author| optional(text(author, "name")));
        // `php`, `ext-json` and `lib-curl` are the platform, not packages.
        package.depends_on =
            names(object(entry, "require").map(|(name, _)| clip(name)).filter(|name| name.contains('/')));
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    const ENTRY: &str = r#"{"name":"monolog/monolog","version":"3.5.0","license":["MIT"],
        "authors":[{"name":"J B"}],"require":{"php":">=8.1","psr/log":"^2"}}"#;

    #[test]
    fn both_forms_of_the_record_are_read() {
        let expected = ["pkg:composer/monolog/monolog@3.5.0 -> psr/log"];
        let path = "app/vendor/composer/installed.json";
        assert_eq!(lines(&INSTALLED, path, format!("[{ENTRY}]")), expected);
        assert_eq!(lines(&INSTALLED, path, format!(r#"{{"packages":[{ENTRY}],"dev":true}}"#)), expected);
    }

    #[test]
    fn lockfiles_have_development_packages_too() {
        let lock = format!(r#"{{"packages":[{ENTRY}],"packages-dev":[{{"name":"a/b","version":"v1.0"}}]}}"#);
        assert_eq!(lines(&LOCK, "composer.lock", lock)[0], "pkg:composer/a/b@v1.0");
    }
}
