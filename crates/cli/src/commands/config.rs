//! `assay config show`.

use serde::Serialize;

use crate::settings::Settings;

/// The settings in force.
#[derive(Debug, Serialize)]
pub(crate) struct ConfigOutcome {
    /// By name.
    pub(crate) settings: Vec<SettingRow>,
}

/// One setting.
#[derive(Debug, Serialize)]
pub(crate) struct SettingRow {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its value, empty where unset.
    pub(crate) value: String,
    /// Where it comes from, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
}

/// Lists every setting.
pub(crate) fn show(settings: &Settings, origin: bool) -> ConfigOutcome {
    let row = |(name, value, from): (_, _, crate::settings::Origin)| SettingRow {
        name,
        value,
        origin: origin.then(|| from.to_string()),
    };
    ConfigOutcome { settings: settings.rows().into_iter().map(row).collect() }
}
