//! docker's `config.json` and Podman's `auth.json`: one format (containers-auth.json(5), docker's config reference).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use assay_model::Repository;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use crate::scope::Scope;
use crate::{Credential, CredentialError};

/// Largest credentials file read: docker's own are a few kilobytes.
const FILE_MAX: u64 = 1 << 20;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

/// No `Debug`: it holds secrets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").finish_non_exhaustive()
    }
}

/// What a file knows about a repository.
pub(crate) enum Known {
    Credential(Credential),
    /// Ask `docker-credential-NAME`.
    Helper(String),
    /// Nothing.
    Nothing,
}

impl File {
    /// Reads a file; none where it does not exist.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        let unreadable = |cause: String| CredentialError::Unreadable { path: path.to_owned(), cause };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(unreadable("larger than 1 MiB".to_owned()));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| CredentialError::Malformed {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// The value of a Secret of type `kubernetes.io/dockerconfigjson`, without what would be executed.
    pub(crate) fn of_config(json: &[u8]) -> serde_json::Result<Self> {
        let file: Self = serde_json::from_slice(json)?;
        Ok(Self { auths: file.auths, ..Self::default() })
    }

    /// The value of a Secret of type `kubernetes.io/dockercfg`: the entries alone.
    pub(crate) fn of_entries(json: &[u8]) -> serde_json::Result<Self> {
        Ok(Self { auths: serde_json::from_slice(json)?, ..Self::default() })
    }

    /// The most specific answer: a helper for the host, then entries (longest path first), then the store, as docker does.
    pub(crate) fn look_up(&self, path: &Path, repository: &Repository) -> Result<Known, CredentialError> {
        let helper = self.cred_helpers.iter().find(|(key, _)| {
            Scope::parse(key).is_some_and(|scope| scope.is_whole_registry() && scope.covers(repository).is_some())
        });
        if let Some((_, helper)) = helper {
            return Ok(Known::Helper(helper.clone()));
        }
        let covering = |key: &str| Scope::parse(key).and_then(|scope| scope.covers(repository));
        let entry = self
            .auths
            .iter()
            .filter_map(|(key, entry)| Some((covering(key)?, key, entry)))
            .filter(|(_, _, entry)| !entry.is_empty())
            .max_by_key(|(specific, _, _)| *specific);
        if let Some((_, key, entry)) = entry {
            let bad = || CredentialError::BadEntry { path: path.to_owned(), entry: key.clone() };
            return entry.credential().ok_or_else(bad).map(Known::Credential);
        }
        if self.creds_store.is_empty() {
            return Ok(Known::Nothing);
        }
        Ok(Known::Helper(self.creds_store.clone()))
    }
}

impl Entry {
    /// docker leaves `{}` behind where a store keeps the secret.
    fn is_empty(&self) -> bool {
        [&self.auth, &self.username, &self.password, &self.identitytoken, &self.registrytoken]
            .iter()
            .all(|value| value.is_empty())
    }

    fn credential(&self) -> Option<Credential> {
        if !self.registrytoken.is_empty() {
            return Some(Credential::registry_token(&self.registrytoken));
        }
        if !self.identitytoken.is_empty() {
            return Some(Credential::identity_token(&self.identitytoken));
        }
        if self.auth.is_empty() {
            return Some(Credential::basic(&self.username, &self.password));
        }
        let text = self.auth.trim_end_matches('=');
        let bytes = STANDARD_NO_PAD.decode(text).or_else(|_| STANDARD.decode(&self.auth)).ok()?;
        let decoded = String::from_utf8(bytes).ok()?;
        let (username, password) = decoded.split_once(':')?;
        Some(Credential::basic(username, password.trim_end_matches('\0')))
    }
}
