//! `assay scan`, `assay db build`, resolved.

use crate::Result;
use crate::arguments::{DbBuildArguments, ScanArguments, ScannerArgument};
use crate::commands::database::BuildOptions;
use crate::commands::scan::ScanOptions;
use crate::commands::target::Target;

use super::Settings;

impl ScanArguments {
    /// What is to be scanned, for what.
    pub(crate) fn resolve(self, settings: &Settings) -> Result<ScanOptions> {
        let wanted = |scanner| self.scanners.is_empty() || self.scanners.contains(&scanner);
        Ok(ScanOptions {
            target: Target::parse(&self.target)?,
            vulnerabilities: wanted(ScannerArgument::Vulnerabilities) || self.explain.is_some(),
            secrets: wanted(ScannerArgument::Secrets),
            severity: settings.severity.value.clone(),
            fail_on: settings.fail_on.value,
            only_fixed: self.only_fixed,
            secret_rules: self.secret_rules,
            secret_baseline: self.secret_baseline,
        })
    }
}

impl DbBuildArguments {
    /// What a pack is to be built from.
    pub(crate) fn resolve(self) -> BuildOptions {
        BuildOptions { sources: self.sources, kev: self.kev, to: self.to }
    }
}
