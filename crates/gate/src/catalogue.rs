//! The control catalogue as data: what each control checks, why, how to fix it, and what each tier does with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use assay_case::Action;
use assay_kinds::{ErrorPolicy, Tier};
use assay_model::ControlId;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `policies/controls.yaml`.
const ROWS: &str = include_str!("../../../policies/controls.yaml");

/// One control of the catalogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlEntry {
    /// Its identifier, stable for ever.
    pub id: ControlId,
    /// What it wants, in one line.
    pub title: String,
    /// What it protects.
    pub protects: Protects,
    /// What each tier does with it.
    pub actions: TierActions,
    /// Parameters that a tier starts from.
    #[serde(default)]
    pub defaults: BTreeMap<Tier, Map<String, Value>>,
    /// What a check that could not be made does, where that differs from the Environment's failure policy.
    #[serde(default)]
    pub errors: Option<ErrorPolicy>,
    /// Its own parameters.
    #[serde(default)]
    pub parameters: Vec<ParameterEntry>,
    /// What it checks.
    pub checks: String,
    /// Why.
    pub why: String,
    /// How to meet it.
    pub fix: String,
    /// Where the requirement comes from.
    pub source: String,
}

impl ControlEntry {
    /// What a tier does with it. The system tier records everything and denies nothing.
    pub fn action(&self, tier: Tier) -> Action {
        match tier {
            Tier::Dev => self.actions.dev,
            Tier::Staging => self.actions.staging,
            Tier::Prod => self.actions.prod,
            Tier::System => Action::Audit,
        }
    }
}

/// A parameter of a control.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterEntry {
    /// Its name under `spec.controls.ID`.
    pub name: String,
    /// What it sets, with its default.
    pub what: String,
}

/// What a control protects: which failure policy applies, and whether a rescheduled Pod is judged anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protects {
    /// Who made it and what it is: registry, digest, signature, signer, malice.
    Identity,
    /// What is known of it today: vulnerabilities, scans, releases.
    Risk,
    /// How it is set up to run.
    Configuration,
}

impl Protects {
    /// The lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Risk => "risk",
            Self::Configuration => "configuration",
        }
    }
}

/// What each tier does with a control.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierActions {
    /// In development.
    pub dev: Action,
    /// In staging.
    pub staging: Action,
    /// In production.
    pub prod: Action,
}

static CATALOGUE: LazyLock<Result<Vec<ControlEntry>, String>> =
    LazyLock::new(|| serde_saphyr::from_str(ROWS).map_err(|error| error.to_string()));

/// All controls, in the order of the catalogue.
pub fn catalogue() -> &'static [ControlEntry] {
    CATALOGUE.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::TABLE;

    #[test]
    fn every_control_has_its_file_and_its_row() {
        assert_eq!(CATALOGUE.as_ref().err(), None);
        let mut rows: Vec<&str> = catalogue().iter().map(|entry| entry.id.as_str()).collect();
        rows.sort_unstable();
        let files: Vec<&str> = TABLE.iter().map(|(id, _)| *id).collect();
        assert_eq!(rows, files);
    }

    /// The columns of the control catalogue, written a second time on purpose: changing a default is a decision.
    #[test]
    fn the_tiers_start_from_the_documented_columns() {
        let columns = [
            ("allowed-registries", "E E E!"),
            ("disallow-latest", "W E E"),
            ("require-digest", "W E E"),
            ("require-signature", "A E E"),
            ("trusted-signer", "A E E"),
            ("require-sbom", "A E E"),
            ("require-provenance", "A A E"),
            ("evidence-constraints", "A E E"),
            ("critical-cve", "W X X"),
            ("high-cve", "A W W"),
            ("known-exploited", "W X X"),
            ("no-malicious-packages", "E E E!"),
            ("dependency-source", "A W E"),
            ("fresh-scan", "A W E"),
            ("no-secrets-in-layers", "W E E"),
            ("approved-base-image", "A W E"),
            ("no-privileged", "E E E"),
            ("run-as-non-root", "W E E"),
            ("pull-policy", "A W E"),
            ("no-broad-pull-secrets", "W E E"),
            ("service-account", "A W E"),
            ("release-known", "A W E"),
            ("change-approval", "A A E"),
            ("rollback-risk", "W E E"),
            ("runtime-match", "A A A"),
            ("exception-expiry", "E E E!"),
        ];
        let letter = |action| match action {
            Action::Off => "-",
            Action::Audit => "A",
            Action::Warn => "W",
            Action::EnforceWithException => "X",
            Action::Enforce => "E",
            Action::EnforceAlways => "E!",
        };
        let found: Vec<(&str, String)> = catalogue()
            .iter()
            .map(|entry| {
                let tiers = [Tier::Dev, Tier::Staging, Tier::Prod].map(|tier| letter(entry.action(tier)));
                (entry.id.as_str(), tiers.join(" "))
            })
            .collect();
        assert_eq!(found, columns.map(|(id, actions)| (id, actions.to_owned())));
        assert!(catalogue().iter().all(|entry| entry.action(Tier::System) == Action::Audit));
        let high = catalogue().iter().find(|entry| entry.id.as_str() == "high-cve").unwrap();
        assert_eq!(high.defaults[&Tier::Prod]["whenInternetFacing"], "enforce");
    }

    #[test]
    fn every_row_explains_itself() {
        for entry in catalogue() {
            for text in [&entry.title, &entry.checks, &entry.why, &entry.fix, &entry.source] {
                assert!(text.len() > 10, "{}: {text}", entry.id);
            }
        }
    }
}
