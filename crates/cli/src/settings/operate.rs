//! `assay release`, `assay serve`, resolved.

use assay_case::Operation;
use assay_server::{CertificateSource, Mutation};

use crate::Result;
use crate::arguments::{
    ExplainArguments, MutationArgument, ReadinessArguments, ReleaseApproveArguments, ReleaseCreateArguments,
    ReleasePromoteArguments, ServeArguments,
};
use crate::commands::cluster::ClusterTarget;
use crate::commands::readiness::{FlipOptions, ReadinessOptions};
use crate::commands::release::{ApproveOptions, CreateOptions, PromoteOptions};
use crate::commands::rescan::RescanOptions;
use crate::commands::serve::{RegisterOptions, ServeOptions};
use crate::failure::CliError;
use crate::session::Session;
use crate::variables;

impl ReleaseCreateArguments {
    /// What is to be recorded.
    pub(crate) fn resolve(self) -> CreateOptions {
        let Self { name, service, image, source, commit } = self;
        CreateOptions { name, service, image, source, commit }
    }
}

impl ReleasePromoteArguments {
    /// What is to be promoted.
    pub(crate) fn resolve(self, operation: Operation) -> Result<PromoteOptions> {
        let by = self.by.or_else(|| variables::read(variables::USER)).ok_or_else(|| CliError::Usage {
            message: "nobody is named who promotes".to_owned(),
            next: "--by WHO".to_owned(),
        })?;
        let Self { name, to, repository, target, image, approval, .. } = self;
        Ok(PromoteOptions { operation, name, to, by, repository, target, image, approval })
    }
}

impl ReleaseApproveArguments {
    /// What is approved, and by whom.
    pub(crate) fn resolve(self) -> Result<ApproveOptions> {
        let Self { name, to, rollback, out, signer } = self;
        Ok(ApproveOptions { name, to, rollback, out, signer: signer.resolve()? })
    }
}

impl ExplainArguments {
    /// Namespace, Pod and cluster, where a cluster is to be asked: because it is named, or because no store knows of any
    /// decision.
    pub(crate) fn pod(&self, session: &Session<'_>) -> Result<Option<(String, String, ClusterTarget)>> {
        let is_named = self.kubeconfig.is_some() || self.context.is_some();
        let Some((namespace, name)) = self.what.split_once('/') else {
            if is_named {
                return Err(CliError::Usage {
                    message: format!("{} is no Pod, and a cluster knows no decisions", self.what),
                    next: "NAMESPACE/POD, or without --kubeconfig and --context".to_owned(),
                }
                .into());
            }
            return Ok(None);
        };
        if !is_named && session.existing_store()?.is_some() {
            return Ok(None);
        }
        let target = ClusterTarget { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() };
        Ok(Some((namespace.to_owned(), name.to_owned(), target)))
    }
}

impl ServeArguments {
    /// How to serve.
    pub(crate) fn resolve(self) -> ServeOptions {
        let certificate = match (self.certificate, self.private_key) {
            (Some(certificate), Some(key)) => CertificateSource::Files { certificate, key },
            _ => CertificateSource::Development { names: self.development_certificate },
        };
        let (kubeconfig, context, namespace) = (self.kubeconfig, self.context, self.own_namespace);
        let cluster = self.cluster;
        let (pull_secrets, authority) = (self.pull_secrets, self.authority);
        let target = ClusterTarget { kubeconfig, context };
        let register =
            self.register.map(|name| RegisterOptions { name, target, namespace, cluster, pull_secrets, authority });
        ServeOptions {
            register,
            listen: self.listen,
            certificate,
            mutate: match self.mutate {
                None => Mutation::Nothing,
                Some(MutationArgument::Pods) => Mutation::Pods,
                Some(MutationArgument::Templates) => Mutation::Templates,
            },
            namespaces: self.namespaces,
            platforms: self.platform,
            called: self.print_webhook_configuration,
            retention: self.retention.into(),
            alerts: self.alert_webhook.zip(self.alert_secret),
            rescan: RescanOptions { alert_on: self.alert_on, said: self.said.resolve() },
        }
    }
}

impl ReadinessArguments {
    /// What is asked, and what is to be flipped.
    pub(crate) fn resolve(self) -> Result<ReadinessOptions> {
        let Self { days, env, namespace, cluster, flip, reason, by, kubeconfig, context, force: _ } = self;
        let flip = match (flip, &env) {
            (Some(control), Some(environment)) => {
                let by = by.or_else(|| variables::read(variables::USER)).ok_or_else(|| CliError::Usage {
                    message: "nobody is named who answers for it".to_owned(),
                    next: "--by WHO".to_owned(),
                })?;
                let is_cluster = kubeconfig.is_some() || context.is_some();
                let target = is_cluster.then_some(ClusterTarget { kubeconfig, context });
                Some(FlipOptions { control, environment: environment.clone(), by, reason, target })
            }
            _ => None,
        };
        Ok(ReadinessOptions { days, environment: env, namespace, cluster, flip })
    }
}

#[cfg(feature = "lab")]
impl crate::arguments::DrillArguments {
    /// What is drilled.
    pub(crate) fn resolve(self) -> crate::commands::drill::DrillOptions {
        let Self { context, kubeconfig, namespace, registry, control } = self;
        let target = ClusterTarget { kubeconfig, context };
        crate::commands::drill::DrillOptions { target, namespace, registry, controls: control }
    }
}
