//! `assay.yaml`: settings by name, a value or a list each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::commands::verify::INSTANCES;
use crate::failure::{CliError, read_text};

use super::{NOT_IN_PROJECT, base, known_setting};

/// The name of a settings file, in a project's root and in the user's folder.
const FILE_NAME: &str = "assay.yaml";

/// A settings file as read.
#[derive(Clone, Debug)]
pub(super) struct SettingsFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Values by setting.
    pub(super) values: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Boolean(bool),
    Text(String),
    List(Vec<String>),
}

/// The nearest `assay.yaml` from `folder` upwards, not beyond the root of a git repository.
pub(super) fn project(folder: &Path) -> Result<Option<SettingsFile>, CliError> {
    for folder in folder.ancestors() {
        let path = folder.join(FILE_NAME);
        if path.is_file() {
            return parse(&path, &read_text(&path)?, true).map(Some);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// The user's own file.
pub(super) fn user(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<SettingsFile>, CliError> {
    let path = base(variable, "XDG_CONFIG_HOME", ".config").join(FILE_NAME);
    if path.is_file() { parse(&path, &read_text(&path)?, false).map(Some) } else { Ok(None) }
}

/// Reads a settings file. Relative paths in it are meant from its own folder.
pub(super) fn parse(path: &Path, text: &str, project: bool) -> Result<SettingsFile, CliError> {
    let shown = path.display().to_string();
    let read: Option<BTreeMap<String, Value>> = serde_saphyr::from_str(text)
        .map_err(|error| CliError::Malformed { what: shown.clone(), message: error.to_string() })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut values = BTreeMap::new();
    for (name, value) in read.unwrap_or_default() {
        if let Err(near) = known_setting(&name) {
            let suggestion = near.map(|near| format!("write {near}"));
            return Err(CliError::Setting { origin: shown, message: format!("`{name}` is not a setting"), suggestion });
        }
        // A project may keep a file of its own, but not have its users speak to somebody's server.
        let server = name == "store" && matches!(&value, Value::Text(text) if !text.starts_with("sqlite:"));
        if project && (server || NOT_IN_PROJECT.contains(&name.as_str())) {
            return Err(CliError::Setting {
                origin: shown,
                message: format!("`{name}` decides whom to trust, which a project cannot set for its users"),
                suggestion: Some(format!("--{name}, or your own file (assay config show --origin)")),
            });
        }
        let list = match value {
            Value::Boolean(value) => vec![value.to_string()],
            Value::Text(text) => vec![text],
            Value::List(list) => list,
        };
        let is_path = matches!(
            name.as_str(),
            "config"
                | "pack"
                | "cache-dir"
                | "state-dir"
                | "trusted-root"
                | "ca-file"
                | "credential-provider-config"
                | "credential-provider-bin-dir"
        );
        // Sigstore instances have names, which are no paths.
        let may_be_name = name == "trusted-root";
        let is_name = |text: &str| may_be_name && INSTANCES.contains(&text);
        let list: Vec<String> = list
            .into_iter()
            .map(|text| if is_path && !is_name(&text) { folder.join(text).display().to_string() } else { text })
            .collect();
        values.insert(name, list);
    }
    Ok(SettingsFile { path: path.to_owned(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_values_and_lists_and_its_paths_are_its_own() {
        let file = parse(Path::new("/p/assay.yaml"), "offline: true\nconfig: [policies, /etc/x]\n", true).unwrap();
        assert_eq!(file.values["offline"], ["true"]);
        assert_eq!(file.values["config"], ["/p/policies", "/etc/x"]);
        assert!(parse(Path::new("assay.yaml"), "", true).unwrap().values.is_empty());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_likely_one() {
        let error = parse(Path::new("a.yaml"), "fial-on: high\n", true).unwrap_err();
        let CliError::Setting { suggestion, .. } = error else { panic!("{error}") };
        assert_eq!(suggestion.as_deref(), Some("write fail-on"));
    }

    #[test]
    fn a_project_cannot_choose_whom_its_users_trust() {
        assert!(parse(Path::new("assay.yaml"), "trusted-root: evil.json\n", true).is_err());
        assert!(parse(Path::new("assay.yaml"), "trusted-root: mine.json\n", false).is_ok());
    }

    #[test]
    fn what_is_not_yaml_is_refused() {
        for text in ["[", "a: {b: c}", "\t- x", "offline: true\noffline: false\n"] {
            assert!(parse(Path::new("a.yaml"), text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn a_project_names_a_store_of_its_own_and_nobody_elses() {
        let store = |text: &str, project| parse(Path::new("/p/assay.yaml"), &format!("store: '{text}'\n"), project);
        assert!(store("sqlite:store.db", true).is_ok());
        for other in ["postgres://a@db.example.com/b", "postgresql://a@db.example.com/b"] {
            assert!(store(other, true).is_err(), "{other}");
            assert!(store(other, false).is_ok(), "in the user's own file: {other}");
        }
    }
}
