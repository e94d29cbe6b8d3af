//! Where credentials are looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Files in the order in which they are asked, and the folders that hold credential helpers. Empty by default:
/// everything anonymous.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// docker's `config.json` and Podman's `auth.json` (one format): the first file that covers a registry wins. Files
    /// that do not exist are passed over.
    pub files: Vec<PathBuf>,
    /// Folders searched for `docker-credential-NAME`.
    pub helper_folders: Vec<PathBuf>,
}

impl Sources {
    /// The files and folders that docker and Podman would use: `DOCKER_CONFIG` (a folder) or `~/.docker/config.json`;
    /// then `REGISTRY_AUTH_FILE`, or `$XDG_RUNTIME_DIR/containers/auth.json` and `~/.config/containers/auth.json`; helpers
    /// from `PATH`. `variable` looks up an environment variable (`|name| std::env::var_os(name)`), `home` is the home folder.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Self {
        let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut files = Vec::new();
        let docker = folder("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
        files.extend(docker.map(|folder| folder.join("config.json")));
        if let Some(file) = folder("REGISTRY_AUTH_FILE") {
            files.push(file);
        } else {
            files.extend(folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")));
            let config = folder("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
            files.extend(config.map(|folder| folder.join("containers/auth.json")));
        }
        let path = variable("PATH").unwrap_or_default();
        // A relative entry of PATH would run whatever lies in the current folder.
        let helper_folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        Self { files, helper_folders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(variables: &[(&str, &str)]) -> Sources {
        let look_up = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Sources::from_environment(look_up, Some(Path::new("/home/u")))
    }

    #[test]
    fn without_variables_the_home_folder_is_used() {
        let files = sources(&[]).files;
        let expected = ["/home/u/.docker/config.json", "/home/u/.config/containers/auth.json"];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn variables_come_before_the_home_folder_and_relative_search_folders_are_left_out() {
        let found = sources(&[
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("XDG_RUNTIME_DIR", "/run/u"),
            ("PATH", "/bin:.:relative:/usr/bin"),
        ]);
        assert_eq!(found.files, ["/d/config.json", "/a.json"].map(PathBuf::from));
        assert_eq!(found.helper_folders, ["/bin", "/usr/bin"].map(PathBuf::from));
        assert_eq!(sources(&[("XDG_RUNTIME_DIR", "/run/u")]).files[1], PathBuf::from("/run/u/containers/auth.json"));
    }
}
