//! What the caller's surroundings say: environment variables, and where the home folder is.
//!
//! Nothing else in this crate reads the process's environment, so that a test says what is set.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use assay_model::Secret;

/// Largest file that is read as a key, a token or a credential.
const FILE_MAX: u64 = 1 << 20;

/// Variables and the home folder. Values do not print: some are secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("variables", &self.variables.len()).field("home", &self.home).finish()
    }
}

impl Environment {
    /// The environment of this process, as it is now.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect(), home: std::env::home_dir() }
    }

    /// The same with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// The same with another home folder.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that may be set to nothing: an empty password is a password.
    pub fn get_even_empty(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(crate) fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.get(name).map(|value| Secret::new(value.to_owned()))
    }

    pub(crate) fn home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }
}

/// The text of a small file. The error names the file and never its content.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    std::fs::File::open(path).map_err(failed)?.take(FILE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_MAX {
        return Err(format!("{}: longer than {FILE_MAX} bytes", path.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_only_where_asked_for() {
        let environment = Environment::default().with("A", "").with("B", "secret");
        assert_eq!((environment.get("A"), environment.get_even_empty("A")), (None, Some("")));
        assert_eq!(environment.first(&["A", "B"]), Some("secret"));
        assert!(!format!("{environment:?}").contains("secret"));
    }

    #[test]
    fn a_file_is_read_within_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, vec![b'a'; FILE_MAX as usize + 1]).unwrap();
        assert!(read_file(&path).unwrap_err().ends_with("bytes"));
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_file(&path).unwrap(), "text");
        assert!(read_file(&folder.path().join("none")).is_err());
    }
}
