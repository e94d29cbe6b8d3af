//! Lockfiles of Python tools: Poetry, uv, PDM, Pipenv, and the common format of PEP 751.
//!
//! Sources: each tool's documentation of its lockfile; PEP 751, "A file format to record Python dependencies".

use assay_model::PackageType;
use serde_json::Value;

use super::python::requirement_name;
use super::{File, Found, Reader, declared, list, names, object, pypi_name, text};

pub(crate) static TOML: Reader = Reader::declared(
    "Python lockfiles",
    &["poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "pylock.*.toml"],
    read_toml,
);
pub(crate) static PIPENV: Reader = Reader::declared("Pipenv lockfiles", &["Pipfile.lock"], read_pipenv);

/// All of them list tables of name and version; only the form of what a package needs differs.
fn read_toml(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.toml(file) else { return };
    for entry in list(&document, "package").iter().chain(list(&document, "packages")) {
        // uv: the project itself and members of its workspace.
        let is_own = entry
            .get("source")
            .is_some_and(|source| ["editable", "virtual", "directory"].iter().any(|key| source.get(key).is_some()));
        let (name, version) = (text(entry, "name"), text(entry, "version"));
        if is_own || version.is_empty() {
            continue;
        }
        let mut package = declared(PackageType::Pypi, name, version, file);
        let of_table = object(entry, "dependencies").map(|(name, _)| pypi_name(name));
        let of_list = list(entry, "dependencies").iter().filter_map(|need| match need {
            Value::String(requirement) => requirement_name(requirement),
            other => Some(pypi_name(text(other, "name"))),
        });
        package.depends_on = names(of_table.chain(of_list));
        found.add(file, package);
    }
}

fn read_pipenv(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    for (name, entry) in object(&document, "default").chain(object(&document, "develop")) {
        if let Some(version) = text(entry, "version").strip_prefix("==") {
            found.add(file, declared(PackageType::Pypi, name, version, file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn poetry_has_a_table_of_needs() {
        let lock = "[[package]]\nname = \"Flask\"\nversion = \"3.0.0\"\n\n[package.dependencies]\nWerkzeug = \">=3.0.0\"\nimportlib_metadata = {version = \">=3.6\", markers = \"x\"}\n\n[metadata]\nlock-version = \"2.0\"\n";
        assert_eq!(lines(&TOML, "poetry.lock", lock), ["pkg:pypi/flask@3.0.0 -> importlib-metadata, werkzeug"]);
        assert_eq!(read(&TOML, "poetry.lock", "[[package").partial.len(), 1);
    }

    #[test]
    fn uv_has_tables_in_a_list_and_the_project_itself() {
        let lock = "version = 1\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n\n[[package]]\nname = \"anyio\"\nversion = \"4.2.0\"\nsource = { registry = \"https://pypi.org/simple\" }\ndependencies = [\n  { name = \"idna\" },\n  { name = \"sniffio\", marker = \"x\" },\n]\n";
        assert_eq!(lines(&TOML, "uv.lock", lock), ["pkg:pypi/anyio@4.2.0 -> idna, sniffio"]);
    }

    #[test]
    fn pdm_and_the_common_format() {
        let pdm =
            "[[package]]\nname = \"requests\"\nversion = \"2.31.0\"\ndependencies = [\n  \"certifi>=2017.4.17\",\n]\n";
        assert_eq!(lines(&TOML, "pdm.lock", pdm), ["pkg:pypi/requests@2.31.0 -> certifi"]);
        let common = "lock-version = '1.0'\n[[packages]]\nname = 'attrs'\nversion = '25.1.0'\n";
        assert_eq!(lines(&TOML, "pylock.toml", common), ["pkg:pypi/attrs@25.1.0"]);
    }

    #[test]
    fn pipenv_pins_both_groups() {
        let lock = r#"{"_meta":{},"default":{"flask":{"version":"==3.0.0"},"x":{"git":"https://example.org"}},"develop":{"pytest":{"version":"==8.0.0"}}}"#;
        assert_eq!(lines(&PIPENV, "Pipfile.lock", lock), ["pkg:pypi/flask@3.0.0", "pkg:pypi/pytest@8.0.0"]);
    }
}
