//! What was typed, set and written, resolved to one value each: flags, then `ASSAY_*`, then the project's `assay.yaml`,
//! then the user's, then the default. Each value remembers where it comes from.

mod files;
mod image;
mod operate;
mod platform;
mod policy;
mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use assay_model::{EnvironmentName, NameError, Severity};
use assay_sbom::LicenceRule;
use assay_sign::RegistryCloud;
use assay_vuln::Threshold;

use crate::Result;
use crate::failure::CliError;
use crate::output::Output;
use crate::variables::{self, VARIABLES};

use files::SettingsFile;
pub(crate) use platform::PlatformChoice;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A settings file.
    File(PathBuf),
    /// Nothing said otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag("progress") => f.write_str("--no-progress"),
            Self::Flag("environment") => f.write_str("--env"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What makes a scan fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FailOn {
    /// A finding that reaches this.
    Threshold(Threshold),
    /// A licence that the rules deny.
    Licence,
}

impl std::str::FromStr for FailOn {
    type Err = <Threshold as std::str::FromStr>::Err;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if text == "licence" { Ok(Self::Licence) } else { text.parse().map(Self::Threshold) }
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threshold(threshold) => threshold.fmt(f),
            Self::Licence => f.write_str("licence"),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColorChoice {
    /// On a terminal that has not said otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Everything that is set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Result formats and files.
    pub(crate) outputs: Vec<Output>,
    /// Colour.
    pub(crate) color: Sourced<ColorChoice>,
    /// Progress line.
    pub(crate) progress: Sourced<bool>,
    /// Files and folders with kinds.
    pub(crate) config: Sourced<Vec<PathBuf>>,
    /// The Environment that judges.
    pub(crate) environment: Sourced<Option<EnvironmentName>>,
    /// No network.
    pub(crate) offline: Sourced<bool>,
    /// Folder of things that can be made again.
    pub(crate) cache_dir: Sourced<PathBuf>,
    /// Folder of what belongs to this machine: the store's file, or what stands beside a shared store.
    pub(crate) state_dir: Sourced<PathBuf>,
    /// The store.
    pub(crate) store: Sourced<String>,
    /// Whether layers with a table of contents are read by it.
    pub(crate) by_table: Sourced<bool>,
    /// The platform to choose.
    pub(crate) platform: Sourced<PlatformChoice>,
    /// Severities to show; empty = all.
    pub(crate) severity: Sourced<Vec<Severity>>,
    /// What fails a scan: any of these.
    pub(crate) fail_on: Sourced<Vec<FailOn>>,
    /// Which licences may be there; empty = they are not judged.
    pub(crate) licences: Sourced<Vec<LicenceRule>>,
    /// Vulnerability pack; none = the embedded sample.
    pub(crate) pack: Sourced<Option<PathBuf>>,
    /// Sigstore trusted root; none = public good.
    pub(crate) trusted_root: Sourced<Option<PathBuf>>,
    /// Certificates of registries' own authorities.
    pub(crate) ca_file: Sourced<Option<PathBuf>>,
    /// Clouds whose identity opens registries.
    pub(crate) registry_identity: Sourced<Vec<RegistryCloud>>,
    /// The kubelet's configuration of its credential-provider plugins.
    pub(crate) credential_provider_config: Sourced<Option<PathBuf>>,
    /// The folder of these plugins.
    pub(crate) credential_provider_bin_dir: Sourced<Option<PathBuf>>,
    /// Registries without TLS.
    pub(crate) plain_http: Sourced<Vec<String>>,
    /// Log filter.
    pub(crate) log: Option<String>,
    /// Where spans are written.
    pub(crate) spans: Option<String>,
}

impl Settings {
    /// Resolves the settings of this process. `flags` holds the values of flags by the name of their setting.
    pub(crate) fn resolve(outputs: Vec<Output>, flags: Flags) -> Result<Self> {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let project = files::project(&folder)?;
        let user = files::user(&variables::read)?;
        Self::from_layers(outputs, &Layers { flags, variable: &variables::read, project, user })
    }

    fn from_layers(outputs: Vec<Output>, layers: &Layers<'_>) -> Result<Self> {
        let data = base(layers.variable, "XDG_DATA_HOME", ".local/share");
        let cache = base(layers.variable, "XDG_CACHE_HOME", ".cache");
        let state_dir =
            layers.pick("state-dir", |values| Ok(values.first().map_or_else(|| data.clone(), PathBuf::from)))?;
        let boolean = |default| move |values: &[String]| values.first().map_or(Ok(default), |text| parse_bool(text));
        let path = |values: &[String]| Ok(values.first().map(PathBuf::from));
        Ok(Self {
            outputs,
            color: layers
                .pick("color", |values| values.first().map_or(Ok(ColorChoice::Auto), |text| parse_color(text)))?,
            progress: layers.pick("progress", boolean(true))?,
            config: layers.pick("config", |values| Ok(values.iter().map(PathBuf::from).collect()))?,
            environment: layers.pick("environment", |values| {
                values.first().map(|text| text.parse().map_err(|error: NameError| error.to_string())).transpose()
            })?,
            offline: layers.pick("offline", boolean(false))?,
            cache_dir: layers
                .pick("cache-dir", |values| Ok(values.first().map_or_else(|| cache.clone(), PathBuf::from)))?,
            store: layers.pick("store", |values| {
                let default = || format!("sqlite:{}", state_dir.value.join("assay.db").display());
                Ok(values.first().cloned().unwrap_or_else(default))
            })?,
            state_dir,
            by_table: layers.pick("by-table", boolean(false))?,
            platform: layers
                .pick("platform", |values| values.first().map_or(Ok(PlatformChoice::Usual), |text| text.parse()))?,
            severity: layers.pick("severity", |values| values.iter().map(|text| text.parse()).collect())?,
            fail_on: layers.pick("fail-on", |values| values.iter().map(|text| text.parse()).collect())?,
            licences: layers.pick("licences", |values| values.iter().map(|text| text.parse()).collect())?,
            pack: layers.pick("pack", path)?,
            trusted_root: layers.pick("trusted-root", path)?,
            ca_file: layers.pick("ca-file", path)?,
            registry_identity: layers
                .pick("registry-identity", |values| values.iter().map(|text| text.parse()).collect())?,
            credential_provider_config: layers.pick("credential-provider-config", path)?,
            credential_provider_bin_dir: layers.pick("credential-provider-bin-dir", path)?,
            plain_http: layers.pick("plain-http", |values| Ok(values.to_vec()))?,
            log: (layers.variable)(variables::LOG),
            spans: (layers.variable)(variables::SPANS),
        })
    }

    /// Name, value and origin of each setting, by name.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        fn row<T>(name: &'static str, setting: &Sourced<T>, text: String) -> (&'static str, String, Origin) {
            (name, text, setting.origin.clone())
        }
        let join = |paths: &[PathBuf]| paths.iter().map(display).collect::<Vec<_>>().join(" ");
        let optional = |path: &Option<PathBuf>| path.as_deref().map(display).unwrap_or_default();
        fn text(value: Option<&impl ToString>) -> String {
            value.map(ToString::to_string).unwrap_or_default()
        }
        let color = match self.color.value {
            ColorChoice::Auto => "auto",
            ColorChoice::Always => "always",
            ColorChoice::Never => "never",
        };
        let licences: Vec<_> = self.licences.value.iter().map(ToString::to_string).collect();
        let thresholds: Vec<_> = self.fail_on.value.iter().map(ToString::to_string).collect();
        let severities = self.severity.value.iter().map(|severity| severity.name()).collect::<Vec<_>>().join(" ");
        let clouds: Vec<_> = self.registry_identity.value.iter().map(ToString::to_string).collect();
        vec![
            row("by-table", &self.by_table, self.by_table.value.to_string()),
            row("ca-file", &self.ca_file, optional(&self.ca_file.value)),
            row("cache-dir", &self.cache_dir, display(&self.cache_dir.value)),
            row("color", &self.color, color.to_owned()),
            row("config", &self.config, join(&self.config.value)),
            row(
                "credential-provider-bin-dir",
                &self.credential_provider_bin_dir,
                optional(&self.credential_provider_bin_dir.value),
            ),
            row(
                "credential-provider-config",
                &self.credential_provider_config,
                optional(&self.credential_provider_config.value),
            ),
            row("environment", &self.environment, text(self.environment.value.as_ref())),
            row("fail-on", &self.fail_on, thresholds.join(" ")),
            row("licences", &self.licences, licences.join(", ")),
            row("offline", &self.offline, self.offline.value.to_string()),
            row("pack", &self.pack, optional(&self.pack.value)),
            row("plain-http", &self.plain_http, self.plain_http.value.join(" ")),
            row("platform", &self.platform, self.platform.value.to_string()),
            row("progress", &self.progress, self.progress.value.to_string()),
            row("registry-identity", &self.registry_identity, clouds.join(" ")),
            row("severity", &self.severity, severities),
            row("state-dir", &self.state_dir, display(&self.state_dir.value)),
            row("store", &self.store, shown_url(&self.store.value)),
            row("trusted-root", &self.trusted_root, optional(&self.trusted_root.value)),
        ]
    }
}

/// A store's URL may carry a password.
fn shown_url(url: &str) -> String {
    assay_model::RedactedUrl::new(url).to_string()
}

fn display(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

/// Settings that decide whom to trust. A project file may not set them: whoever can change the repository could then
/// choose whom its users trust.
/// Credentials are the user's, and a plugin is a program.
const NOT_IN_PROJECT: [&str; 7] = [
    "trusted-root",
    "ca-file",
    "plain-http",
    "state-dir",
    "registry-identity",
    "credential-provider-config",
    "credential-provider-bin-dir",
];

/// Values of flags by the name of their setting.
pub(crate) type Flags = BTreeMap<&'static str, Vec<String>>;

struct Layers<'a> {
    flags: Flags,
    variable: &'a dyn Fn(&str) -> Option<String>,
    project: Option<SettingsFile>,
    user: Option<SettingsFile>,
}

impl Layers<'_> {
    /// The first layer that says something.
    fn pick<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&[String]) -> std::result::Result<T, String>,
    ) -> Result<Sourced<T>> {
        let (values, origin) = self.find(name);
        let value = parse(&values).map_err(|message| CliError::Setting {
            origin: origin.to_string(),
            message,
            suggestion: None,
        })?;
        Ok(Sourced { value, origin })
    }

    fn find(&self, name: &'static str) -> (Vec<String>, Origin) {
        if let Some(values) = self.flags.get(name) {
            return (values.clone(), Origin::Flag(name));
        }
        let variable = VARIABLES.iter().find(|variable| variable.setting == Some(name));
        if let Some((name, text)) = variable.and_then(|variable| Some((variable.name, (self.variable)(variable.name)?)))
        {
            // Lists of paths are separated as in PATH, lists of words by commas.
            let separator = if variable.is_some_and(|variable| variable.setting == Some("config")) { ':' } else { ',' };
            let values = text.split(separator).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
            return (values.collect(), Origin::Variable(name));
        }
        for file in [&self.project, &self.user].into_iter().flatten() {
            if let Some(values) = file.values.get(name) {
                return (values.clone(), Origin::File(file.path.clone()));
            }
        }
        (Vec::new(), Origin::Default)
    }
}

fn parse_bool(text: &str) -> std::result::Result<bool, String> {
    match text {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn parse_color(text: &str) -> std::result::Result<ColorChoice, String> {
    match text {
        "auto" => Ok(ColorChoice::Auto),
        "always" => Ok(ColorChoice::Always),
        "never" => Ok(ColorChoice::Never),
        _ => Err(format!("`{text}` is not auto, always or never")),
    }
}

/// A folder of ours below an XDG base folder (XDG Base Directory Specification 0.8).
fn base(variable: &dyn Fn(&str) -> Option<String>, name: &str, fallback: &str) -> PathBuf {
    variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(fallback)))
        .unwrap_or_else(std::env::temp_dir)
        .join("assay")
}

/// The setting that was meant by `written`.
fn known_setting(written: &str) -> std::result::Result<(), Option<&'static str>> {
    let known = || VARIABLES.iter().filter_map(|variable| variable.setting);
    if known().any(|name| name == written) { Ok(()) } else { Err(assay_kinds::suggestion(written, known())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers<'a>(
        variable: &'a dyn Fn(&str) -> Option<String>,
        project: Option<&str>,
        user: Option<&str>,
    ) -> Layers<'a> {
        let read = |name: &str, text: &str| files::parse(Path::new(name), text, name == "assay.yaml").unwrap();
        Layers {
            flags: Flags::new(),
            variable,
            project: project.map(|text| read("assay.yaml", text)),
            user: user.map(|text| read("user.yaml", text)),
        }
    }

    #[test]
    fn the_nearest_layer_wins_and_says_so() {
        let none = |_: &str| None;
        let set = |name: &str| (name == "ASSAY_FAIL_ON").then(|| "high".to_owned());
        let (project, user) = (Some("fail-on: medium\n"), Some("fail-on: low\noffline: true\n"));

        let settings = Settings::from_layers(Vec::new(), &layers(&set, project, user)).unwrap();
        assert_eq!(settings.fail_on.value, ["high".parse::<FailOn>().unwrap()]);
        assert_eq!(settings.fail_on.origin, Origin::Variable("ASSAY_FAIL_ON"));
        assert_eq!(settings.offline, Sourced { value: true, origin: Origin::File("user.yaml".into()) });

        let settings = Settings::from_layers(Vec::new(), &layers(&none, project, user)).unwrap();
        assert_eq!(settings.fail_on.value, ["medium".parse::<FailOn>().unwrap()]);
        assert_eq!(settings.color, Sourced { value: ColorChoice::Auto, origin: Origin::Default });

        let mut flagged = layers(&none, project, user);
        flagged.flags.insert("color", vec!["never".into()]);
        let settings = Settings::from_layers(Vec::new(), &flagged).unwrap();
        assert_eq!(settings.color, Sourced { value: ColorChoice::Never, origin: Origin::Flag("color") });
    }

    #[test]
    fn a_wrong_value_names_its_origin() {
        let set = |name: &str| (name == "ASSAY_FAIL_ON").then(|| "awful".to_owned());
        let failure = Settings::from_layers(Vec::new(), &layers(&set, None, None)).unwrap_err();
        assert_eq!(failure.code, "setting-invalid");
        assert!(failure.what.starts_with("ASSAY_FAIL_ON: `awful`"), "{}", failure.what);
    }

    #[test]
    fn every_setting_is_shown() {
        let none = |_: &str| None;
        let settings = Settings::from_layers(Vec::new(), &layers(&none, None, None)).unwrap();
        let mut shown: Vec<_> = settings.rows().into_iter().map(|(name, _, _)| name).collect();
        let mut known: Vec<_> = VARIABLES.iter().filter_map(|variable| variable.setting).collect();
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
    }
}
