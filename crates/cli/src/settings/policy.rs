//! `assay check`, `assay pin`, `assay exception new`, resolved.

use assay_kinds::{ExceptionScope, ExceptionSpec, ExceptionSubject};
use assay_model::Timestamp;

use crate::Result;
use crate::arguments::{CheckArguments, ExceptionApproveArguments, ExceptionNewArguments, LintArguments, PinArguments};
use crate::commands::check::CheckOptions;
use crate::commands::exception::{ApproveOptions, NewException, expiry};
use crate::commands::lint::LintOptions;
use crate::commands::pin::PinOptions;
use crate::failure::CliError;

impl CheckArguments {
    /// What is to be checked.
    pub(crate) fn resolve(self) -> CheckOptions {
        CheckOptions { paths: self.file, namespace: self.namespace, platforms: self.platform }
    }
}

impl LintArguments {
    /// What is to be judged.
    pub(crate) fn resolve(self) -> LintOptions {
        LintOptions { paths: self.path, fail_on: self.fail_on }
    }
}

impl PinArguments {
    /// What is to be pinned.
    pub(crate) fn resolve(self) -> Result<PinOptions> {
        let signer = self.verify.then(|| self.who.signer(false)).transpose()?;
        Ok(PinOptions { paths: self.file, diff: self.diff, check: self.check, signer })
    }
}

impl ExceptionApproveArguments {
    /// What is to be approved, and by whom.
    pub(crate) fn resolve(self) -> Result<ApproveOptions> {
        let signer = self.signer.resolve()?;
        Ok(ApproveOptions { file: self.file, name: self.name, reference: self.reference, signer })
    }
}

impl ExceptionNewArguments {
    /// What is wanted, with its end reckoned from `now`.
    pub(crate) fn resolve(self, now: Timestamp) -> Result<NewException> {
        let expires_at = self.expires_at.or_else(|| expiry(now, self.expires_in)).ok_or_else(|| CliError::Usage {
            message: format!("{} from now is beyond the calendar", self.expires_in),
            next: "--expires-in 14d".to_owned(),
        })?;
        let subjects = self.vulnerability.into_iter().map(ExceptionSubject::Vulnerability);
        let subjects = subjects.chain(self.package.into_iter().map(ExceptionSubject::Package));
        let subjects = subjects.chain(self.repository.into_iter().map(ExceptionSubject::Repository));
        let subjects = subjects.chain(self.digest.into_iter().map(ExceptionSubject::Digest));
        Ok(NewException {
            name: self.name,
            spec: ExceptionSpec {
                owner: self.owner,
                requested_by: self.requested_by,
                reason: self.reason,
                controls: self.control,
                subjects: subjects.collect(),
                scope: ExceptionScope { namespaces: self.namespace, workloads: self.workload },
                expires_at: Some(expires_at),
                compensating_control: self.compensating_control,
                approval: None,
                break_glass: self.break_glass,
            },
            to: self.to,
        })
    }
}
