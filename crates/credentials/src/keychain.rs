//! One place to ask: which credential goes to this repository?

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use assay_model::{Repository, Secret};
use tokio::sync::Mutex;

use crate::file::{File, Known};
use crate::scope::{self, Scope};
use crate::{CredentialError, Sources, helper};

/// A credential helper may ask a cloud; docker itself waits for ever.
const HELPER_TIMEOUT: Duration = Duration::from_secs(20);

/// A credential. It prints as `***`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// User name and password, for HTTP basic authentication and for token servers.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret<String>,
    },
    /// An OAuth2 refresh token, exchanged at the token server.
    IdentityToken(Secret<String>),
    /// A bearer token, sent to the registry as it is.
    RegistryToken(Secret<String>),
}

impl Credential {
    /// User name and password.
    pub fn basic(username: &str, password: &str) -> Self {
        Self::Basic { username: username.to_owned(), password: Secret::new(password.to_owned()) }
    }

    /// A refresh token.
    pub fn identity_token(token: &str) -> Self {
        Self::IdentityToken(Secret::new(token.to_owned()))
    }

    /// A bearer token.
    pub fn registry_token(token: &str) -> Self {
        Self::RegistryToken(Secret::new(token.to_owned()))
    }
}

/// Whoever knows credentials that are in no file: the plugins of a node, a cloud. It remembers its answers itself, for as
/// long as they are good.
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// The credential for `repository`; none where it knows none.
    fn credential<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Credential>, CredentialError>> + Send + 'a>>;
}

/// Finds the credential of a repository: what the caller gave, then pull Secrets, the files, in order, then the providers.
/// Helpers are asked once per registry; files are read once.
#[derive(Debug)]
pub struct Keychain {
    explicit: Vec<(Scope, Credential)>,
    secrets: Vec<(String, File)>,
    providers: Vec<Arc<dyn Provider>>,
    sources: Sources,
    helper_timeout: Duration,
    files: Mutex<Option<Arc<Files>>>,
    /// Answers of helpers, by helper and server URL; asked one at a time, so that a helper never prompts twice.
    answers: Mutex<BTreeMap<(String, String), Option<Credential>>>,
}

#[derive(Default)]
struct Files(Vec<(std::path::PathBuf, File)>);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(path, _)| path)).finish()
    }
}

impl Keychain {
    /// Looks where `sources` says.
    pub fn new(sources: Sources) -> Self {
        Self {
            explicit: Vec::new(),
            secrets: Vec::new(),
            providers: Vec::new(),
            sources,
            helper_timeout: HELPER_TIMEOUT,
            files: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// Knows nothing: every registry is asked without credentials.
    pub fn anonymous() -> Self {
        Self::new(Sources::default())
    }

    /// Adds a credential for a registry (`registry.example.com`) or a path below one; it comes before every file.
    pub fn with(mut self, scope: &str, credential: Credential) -> Result<Self, CredentialError> {
        let scope = Scope::parse(scope).ok_or_else(|| CredentialError::BadScope { scope: scope.to_owned() })?;
        self.explicit.push((scope, credential));
        Ok(self)
    }

    /// Asks a provider, after the files and the providers before it.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.providers.push(provider);
        self
    }

    /// Adds a pull Secret: its name for messages, its `type`, and the decoded value of `.dockerconfigjson` or `.dockercfg`
    /// (Kubernetes documentation, "Pull an Image from a Private Registry"). Helpers that it names are not run: what lies in
    /// a cluster says who somebody is, not what is executed here.
    pub fn with_pull_secret(mut self, secret: &str, kind: &str, value: &[u8]) -> Result<Self, CredentialError> {
        let bad = |cause: String| CredentialError::BadSecret { secret: secret.to_owned(), cause };
        let file = match kind {
            "kubernetes.io/dockerconfigjson" => File::of_config(value),
            "kubernetes.io/dockercfg" => File::of_entries(value),
            other => return Err(bad(format!("its type is {other}"))),
        };
        let file = file
            .map_err(|error| bad(format!("not JSON of docker's, line {}, column {}", error.line(), error.column())))?;
        self.secrets.push((secret.to_owned(), file));
        Ok(self)
    }

    /// Whether a credential for `repository` was handed to it, by itself or in a pull Secret; files and providers are not
    /// asked.
    pub fn is_given(&self, repository: &Repository) -> bool {
        let is_secret = |(name, file): &(String, File)| {
            !matches!(file.look_up(std::path::Path::new(name), repository), Ok(Known::Nothing))
        };
        self.explicit.iter().any(|(scope, _)| scope.covers(repository).is_some()) || self.secrets.iter().any(is_secret)
    }

    /// The credential for `repository`; none means anonymous.
    pub async fn credential(&self, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        let explicit =
            self.explicit.iter().filter_map(|(scope, credential)| Some((scope.covers(repository)?, credential)));
        if let Some((_, credential)) = explicit.max_by_key(|(specific, _)| *specific) {
            return Ok(Some(credential.clone()));
        }
        for (secret, file) in &self.secrets {
            if let Known::Credential(credential) = file.look_up(std::path::Path::new(secret), repository)? {
                return Ok(Some(credential));
            }
        }
        let files = self.files().await?;
        for (path, file) in &files.0 {
            match file.look_up(path, repository)? {
                Known::Credential(credential) => return Ok(Some(credential)),
                Known::Helper(name) => {
                    if let Some(credential) = self.ask(&name, repository.registry()).await? {
                        return Ok(Some(credential));
                    }
                }
                Known::Nothing => {}
            }
        }
        for provider in &self.providers {
            if let Some(credential) = provider.credential(repository).await? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    async fn files(&self) -> Result<Arc<Files>, CredentialError> {
        let mut slot = self.files.lock().await;
        if let Some(files) = slot.as_ref() {
            return Ok(Arc::clone(files));
        }
        let mut files = Files::default();
        for path in &self.sources.files {
            if let Some(file) = File::read(path)? {
                files.0.push((path.clone(), file));
            }
        }
        let files = Arc::new(files);
        *slot = Some(Arc::clone(&files));
        Ok(files)
    }

    async fn ask(&self, name: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let key = (name.to_owned(), scope::server_url(registry));
        let mut answers = self.answers.lock().await;
        if let Some(answer) = answers.get(&key) {
            return Ok(answer.clone());
        }
        let (folders, timeout) = (self.sources.helper_folders.clone(), self.helper_timeout);
        let (helper, server) = key.clone();
        let answer = tokio::task::spawn_blocking(move || helper::ask(&helper, &folders, &server, timeout)).await;
        let answer = answer.map_err(|error| CredentialError::HelperFailed {
            helper: name.to_owned(),
            registry: registry.to_owned(),
            cause: error.to_string(),
        })??;
        answers.insert(key, answer.clone());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
