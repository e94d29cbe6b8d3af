//! `assay scan`, `assay db`, `assay vex`, resolved.

use assay_sbom::LicencePolicy;
use assay_trust::{IdentityPolicy, Pattern};

use crate::Result;
use crate::arguments::{
    DbBuildArguments, DbPullArguments, DbPushArguments, DbRollbackArguments, DbUpdateArguments, DbVerifyArguments,
    SaidArguments, ScanArguments, ScannerArgument, VexCreateArguments, VexStatusArgument,
};
use crate::commands::database::BuildOptions;
use crate::commands::mirror::{PullOptions, PushOptions, RollbackOptions, UpdateOptions, VerifyPacksOptions};
use crate::commands::said::Sources;
use crate::commands::scan::ScanOptions;
use crate::commands::target::Target;
use crate::commands::verify::WantedSigner;
use crate::commands::vex::VexOptions;
use crate::failure::CliError;

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
            fail_on: settings.fail_on.value.clone(),
            licences: LicencePolicy::new(settings.licences.value.clone()),
            said: self.said.resolve(),
            only_fixed: self.only_fixed,
            secret_rules: self.secret_rules,
            secret_baseline: self.secret_baseline,
        })
    }
}

impl SaidArguments {
    /// Whose word about findings counts.
    pub(crate) fn resolve(self) -> Sources {
        let vex_signer = match (self.vex_key, self.vex_identity, self.vex_oidc_issuer) {
            (Some(key), ..) => Some(WantedSigner::Key(key)),
            (None, Some(subject), Some(issuer)) => {
                let policy = IdentityPolicy::new(Pattern::exact(&issuer), Pattern::exact(&subject));
                Some(WantedSigner::Identity(Box::new(policy)))
            }
            _ => None,
        };
        Sources { vex: self.vex, vex_signer, ignore_file: self.ignore_file }
    }
}

impl DbBuildArguments {
    /// What a pack is to be built from.
    pub(crate) fn resolve(self) -> BuildOptions {
        BuildOptions {
            sources: self.sources,
            kev: self.kev,
            to: self.to,
            split: self.split,
            delta_from: self.delta_from,
        }
    }
}

impl DbUpdateArguments {
    /// Which packs are to be installed, and what is asked of them.
    pub(crate) fn resolve(self) -> UpdateOptions {
        UpdateOptions {
            families: self.families,
            needed: self.needed,
            from: self.from,
            to: self.to,
            key: self.key,
            max_age_days: self.max_age,
            accept_drop: self.accept_drop,
        }
    }
}

impl DbPushArguments {
    /// What is to be pushed where.
    pub(crate) fn resolve(self) -> Result<PushOptions> {
        Ok(PushOptions { mirror: self.mirror, to: self.to.parse()? })
    }
}

impl DbPullArguments {
    /// What is to be pulled where.
    pub(crate) fn resolve(self) -> PullOptions {
        PullOptions { families: self.families, from: self.from, to: self.to, key: self.key }
    }
}

impl DbVerifyArguments {
    /// What is to be verified.
    pub(crate) fn resolve(self) -> VerifyPacksOptions {
        VerifyPacksOptions { path: self.path, key: self.key, max_age_days: self.max_age }
    }
}

impl DbRollbackArguments {
    /// Which pack is to be taken back.
    pub(crate) fn resolve(self) -> RollbackOptions {
        RollbackOptions { family: self.family, to: self.to }
    }
}

impl VexCreateArguments {
    /// What is to be said.
    pub(crate) fn resolve(self) -> Result<VexOptions> {
        use assay_vuln::vex::Status;
        let usage = |message: String| CliError::Usage { message, next: "see: assay vex create --help".to_owned() };
        Ok(VexOptions {
            vulnerability: self.vulnerability.parse().map_err(usage)?,
            products: self.product,
            subcomponents: self.subcomponent,
            status: match self.status {
                VexStatusArgument::NotAffected => Status::NotAffected,
                VexStatusArgument::Affected => Status::Affected,
                VexStatusArgument::Fixed => Status::Fixed,
                VexStatusArgument::UnderInvestigation => Status::UnderInvestigation,
            },
            justification: self.justification,
            statement: self.statement,
            author: self.author,
        })
    }
}
