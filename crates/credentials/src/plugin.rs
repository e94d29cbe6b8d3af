//! The node's credential-provider plugins: the kubelet's configuration and protocol.
//!
//! Source: Kubernetes documentation, "Configure a kubelet image credential provider"; kubelet configuration API
//! `kubelet.config.k8s.io/v1`, kind CredentialProviderConfig; `credentialprovider.kubelet.k8s.io/v1`. What matches is what
//! the kubelet matches (`pkg/credentialprovider`, `URLsMatch`): as many parts of the host, each a pattern, the same port,
//! and the same beginning of the path.

mod pattern;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::time::{Duration, Instant};

use assay_model::Repository;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{Credential, CredentialError, Provider, process};

/// The protocol.
const PROTOCOL: &str = "credentialprovider.kubelet.k8s.io/v1";
/// The kubelet gives a plugin a minute; an admission request has ten seconds.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Largest configuration read.
const CONFIG_MAX: u64 = 1 << 20;
/// Answers that are remembered; beyond that all are asked for again.
const REMEMBERED: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    api_version: String,
    kind: String,
    providers: Vec<Plugin>,
}

/// One plugin.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    name: String,
    match_images: Vec<String>,
    default_cache_duration: String,
    api_version: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
    /// Wants a token of the Pod's ServiceAccount, which this process has not.
    #[serde(default)]
    token_attributes: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    api_version: &'static str,
    kind: &'static str,
    image: &'a str,
}

/// No `Debug`: it holds secrets.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    api_version: String,
    kind: String,
    cache_key_type: CacheKey,
    #[serde(default)]
    cache_duration: Option<String>,
    #[serde(default)]
    auth: Option<BTreeMap<String, Login>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum CacheKey {
    Image,
    Registry,
    Global,
}

#[derive(Clone, Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// What a plugin said, and until when that counts. The most specific pattern comes first.
#[derive(Clone)]
struct Answer {
    logins: Vec<(String, Login)>,
    until: Instant,
}

impl Answer {
    fn credential(&self, image: &str) -> Option<Credential> {
        let (_, login) = self.logins.iter().find(|(of, _)| pattern::matches(of, image))?;
        Some(Credential::basic(&login.username, &login.password))
    }
}

/// Plugin, kind of key, and key.
type Key = (usize, CacheKey, String);

/// The plugins of a node, as its kubelet would use them.
pub struct KubeletPlugins {
    plugins: Vec<(Plugin, Duration)>,
    folder: PathBuf,
    timeout: Duration,
    /// Asked one at a time, so that nobody asks twice.
    answers: Mutex<BTreeMap<Key, Answer>>,
}

impl std::fmt::Debug for KubeletPlugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeletPlugins").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl KubeletPlugins {
    /// Reads what the kubelet is given as `--image-credential-provider-config` and `--image-credential-provider-bin-dir`.
    pub fn read(config: &Path, folder: &Path) -> Result<Self, CredentialError> {
        let wrong = |cause: String| CredentialError::PluginConfig { path: config.to_owned(), cause };
        let size = std::fs::metadata(config).map_err(|error| wrong(error.to_string()))?.len();
        if size > CONFIG_MAX {
            return Err(wrong("larger than 1 MiB".to_owned()));
        }
        let text = std::fs::read_to_string(config).map_err(|error| wrong(error.to_string()))?;
        // YAML, of which JSON is a part.
        let read: Config = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if read.api_version != "kubelet.config.k8s.io/v1" || read.kind != "CredentialProviderConfig" {
            return Err(wrong("it is no CredentialProviderConfig of kubelet.config.k8s.io/v1".to_owned()));
        }
        let mut plugins = Vec::new();
        for plugin in read.providers {
            let wrong = |cause: &str| wrong(format!("provider {}: {cause}", plugin.name));
            if plugin.name.is_empty() || plugin.name.contains(['/', ' ', '\0']) || [".", ".."].contains(&&*plugin.name)
            {
                return Err(wrong("its name is no file name"));
            }
            if plugin.api_version != PROTOCOL {
                return Err(wrong("it does not speak credentialprovider.kubelet.k8s.io/v1"));
            }
            if plugin.token_attributes.is_some() {
                return Err(wrong("it wants a ServiceAccount token (tokenAttributes), which is not supported"));
            }
            if plugin.match_images.is_empty() || !plugin.match_images.iter().all(|of| pattern::is_valid(of)) {
                return Err(wrong("matchImages is empty, or holds what is no pattern"));
            }
            let default = duration(&plugin.default_cache_duration)
                .ok_or_else(|| wrong("defaultCacheDuration is no duration, such as 12h"))?;
            plugins.push((plugin, default));
        }
        Ok(Self { plugins, folder: folder.to_owned(), timeout: TIMEOUT, answers: Mutex::default() })
    }

    /// The same with another limit for each plugin's answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn find(&self, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        let image = format!("{}/{}", repository.registry(), repository.path());
        let keys =
            [(CacheKey::Image, image.as_str()), (CacheKey::Registry, repository.registry()), (CacheKey::Global, "")];
        let mut answers = self.answers.lock().await;
        for (number, (plugin, default)) in self.plugins.iter().enumerate() {
            if !plugin.match_images.iter().any(|of| pattern::matches(of, &image)) {
                continue;
            }
            let known = keys.iter().find_map(|(kind, key)| answers.get(&(number, *kind, (*key).to_owned())));
            if let Some(answer) = known.filter(|answer| Instant::now() < answer.until) {
                if let Some(credential) = answer.credential(&image) {
                    return Ok(Some(credential));
                }
                continue;
            }
            let failed = |cause: String| CredentialError::PluginFailed {
                plugin: plugin.name.clone(),
                image: image.clone(),
                cause,
            };
            let response = self.ask(plugin, &image).await.map_err(failed)?;
            let lasts = match response.cache_duration.as_deref() {
                Some(text) => duration(text).ok_or_else(|| failed("its cacheDuration is none".to_owned()))?,
                None => *default,
            };
            // The kubelet's own order: the longer pattern before the shorter one that it begins with.
            let logins = response.auth.unwrap_or_default().into_iter().rev().collect();
            let until = Instant::now().checked_add(lasts).unwrap_or_else(Instant::now);
            let answer = Answer { logins, until };
            let credential = answer.credential(&image);
            if let Some((kind, key)) = keys.into_iter().find(|(kind, _)| *kind == response.cache_key_type)
                && !lasts.is_zero()
            {
                if answers.len() >= REMEMBERED {
                    answers.clear();
                }
                answers.insert((number, kind, key.to_owned()), answer);
            }
            if credential.is_some() {
                return Ok(credential);
            }
        }
        Ok(None)
    }

    async fn ask(&self, plugin: &Plugin, image: &str) -> Result<Response, String> {
        let request = Request { api_version: PROTOCOL, kind: "CredentialProviderRequest", image };
        let request = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        let mut command = Command::new(self.folder.join(&plugin.name));
        command.args(&plugin.args).envs(plugin.env.iter().map(|variable| (&variable.name, &variable.value)));
        let timeout = self.timeout;
        let (status, output) = tokio::task::spawn_blocking(move || process::ask(&mut command, &request, timeout))
            .await
            .map_err(|error| error.to_string())??;
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        // The error's text would quote the secret: only its place is told.
        let response: Response = serde_json::from_slice(&output)
            .map_err(|error| format!("its answer is no CredentialProviderResponse (column {})", error.column()))?;
        if response.api_version != PROTOCOL || response.kind != "CredentialProviderResponse" {
            return Err("its answer is of another version or kind".to_owned());
        }
        Ok(response)
    }
}

impl Provider for KubeletPlugins {
    fn credential<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Credential>, CredentialError>> + Send + 'a>> {
        Box::pin(self.find(repository))
    }
}

/// A duration as Go writes it: `12h`, `1h30m`, `90s`, `500ms`, `0`.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
        let (number, after) = rest.split_at(end);
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let (after, unit) = units.iter().find_map(|(unit, length)| Some((after.strip_prefix(unit)?, *length)))?;
        sum = sum.checked_add(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit)?))?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests;
