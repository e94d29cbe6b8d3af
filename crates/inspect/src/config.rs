//! The image configuration: who runs what, and how the image came about (OCI image-spec, config.md).

use std::collections::BTreeMap;

use assay_model::{Bound, Contents, Digest, ImageConfig, Partial, Platform, SecretMatch, Timestamp};
use serde::Deserialize;

use crate::error::ConfigError;
use crate::secrets::Scanner;

/// Bytes of an image configuration that are read at most.
pub const CONFIG_BYTES: usize = 4 << 20;
/// Characters of one history command that are kept.
const COMMAND_CHARACTERS: usize = 2000;
/// What findings in the environment or history name as their file.
pub const CONFIG_PATH: &str = "image configuration";

/// An image configuration, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfiguration {
    /// What decisions and reports need.
    pub config: ImageConfig,
    /// `config.Env`, as `NAME=value`. May hold secrets.
    pub environment: Vec<String>,
    /// `history[].created_by` of all steps, oldest first. May hold secrets.
    pub history: Vec<String>,
    /// `history[].created_by` of the steps that made a layer.
    pub layer_history: Vec<String>,
    /// `rootfs.diff_ids`: what the configuration claims.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    created: Option<Lenient<String>>,
    os: Option<Lenient<String>>,
    architecture: Option<Lenient<String>>,
    variant: Option<Lenient<String>>,
    config: Option<Inner>,
    history: Option<Vec<Step>>,
    rootfs: Option<RootFs>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Inner {
    user: Option<Lenient<String>>,
    env: Option<Lenient<Vec<String>>>,
    entrypoint: Option<Lenient<Vec<String>>>,
    cmd: Option<Lenient<Vec<String>>>,
    labels: Option<Lenient<BTreeMap<String, String>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Step {
    created_by: Option<String>,
    empty_layer: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// A value of the expected form, or whatever else stands there.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Expected(T),
    Other(serde::de::IgnoredAny),
}

fn expected<T>(value: Option<Lenient<T>>) -> Option<T> {
    match value? {
        Lenient::Expected(value) => Some(value),
        Lenient::Other(_) => None,
    }
}

impl ImageConfiguration {
    /// Reads a configuration of at most [`CONFIG_BYTES`]. Fields of an unexpected form are left out, as runtimes of other
    /// makers write their own.
    ///
    /// ```
    /// let json = br#"{"os":"linux","architecture":"amd64","config":{"User":"65532","Entrypoint":["/app"],"Cmd":["run"]}}"#;
    /// let configuration = assay_inspect::ImageConfiguration::parse(json)?;
    /// assert_eq!(configuration.config.user.as_deref(), Some("65532"));
    /// assert_eq!(configuration.config.command, ["/app", "run"]);
    /// # Ok::<(), assay_inspect::ConfigError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() > CONFIG_BYTES {
            return Err(ConfigError::TooLarge { bytes: bytes.len(), limit: CONFIG_BYTES });
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|source| ConfigError::Malformed { source })?;
        let inner = document.config.unwrap_or_default();
        let mut command = expected(inner.entrypoint).unwrap_or_default();
        command.extend(expected(inner.cmd).unwrap_or_default());
        let platform = match (expected(document.os), expected(document.architecture)) {
            (Some(os), Some(architecture)) if !os.is_empty() && !architecture.is_empty() => {
                let variant = expected(document.variant).filter(|variant| !variant.is_empty());
                Some(Platform { os, architecture, variant })
            }
            _ => None,
        };
        let steps = document.history.unwrap_or_default();
        let text = |step: &Step| step.created_by.clone().unwrap_or_default();
        Ok(Self {
            config: ImageConfig {
                user: expected(inner.user).filter(|user| !user.is_empty()),
                command,
                labels: expected(inner.labels).unwrap_or_default(),
                created: expected(document.created).and_then(|created| created.parse::<Timestamp>().ok()),
                platform,
            },
            environment: expected(inner.env).unwrap_or_default(),
            history: steps.iter().map(text).collect(),
            layer_history: steps.iter().filter(|step| !step.empty_layer).map(text).collect(),
            diff_ids: document.rootfs.unwrap_or_default().diff_ids.iter().filter_map(|id| id.parse().ok()).collect(),
        })
    }
}

/// Searches the environment and the history for secrets: they ship with the image like any file.
pub fn scan_config(configuration: &ImageConfiguration) -> Vec<SecretMatch> {
    let mut scanner = Scanner::default();
    scanner.begin();
    for line in configuration.environment.iter().chain(&configuration.history) {
        scanner.push(line.replace('\n', " ").as_bytes());
        scanner.push(b"\n");
    }
    scanner.finish(CONFIG_PATH).0
}

/// Adds what the configuration knows to the contents of its layers.
pub(crate) fn apply(configuration: &ImageConfiguration, contents: &mut Contents) {
    contents.config = configuration.config.clone();
    if configuration.layer_history.len() == contents.layers.len() {
        for (layer, command) in contents.layers.iter_mut().zip(&configuration.layer_history) {
            layer.created_by = Some(redacted(command)).filter(|command| !command.is_empty());
        }
    }
    // No runtime starts an image whose layers are not the ones its configuration names.
    let computed = contents.layers.iter().map(|layer| &layer.diff_id);
    // A layer that was read by its table of contents has no digest of its tar, and is partial by itself.
    let by_table = contents.partial.iter().any(|partial| partial.bound == Bound::NotFetched);
    if !contents.layers.is_empty() && !by_table && !computed.eq(&configuration.diff_ids) {
        contents.partial.push(Partial { what: format!("{CONFIG_PATH}: diff_ids"), bound: Bound::Malformed });
        contents.partial.sort();
    }
    contents.secrets.extend(scan_config(configuration));
    contents.secrets.sort();
    contents.secrets.dedup();
}

/// A history line without the secrets in it.
fn redacted(command: &str) -> String {
    let mut scanner = Scanner::default();
    scanner.begin();
    scanner.push(command.as_bytes());
    scanner.redact(command).chars().take(COMMAND_CHARACTERS).collect()
}
