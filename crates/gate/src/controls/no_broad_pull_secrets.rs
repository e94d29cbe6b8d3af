//! `no-broad-pull-secrets`: pull credentials open no more than the workload needs.

use assay_case::{Cause, PullSecret, Target};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    max_namespaces: u32,
    allow_static: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { max_namespaces: 1, allow_static: true }
    }
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    Ok(Control::workload(move |context, report| {
        let request = &context.case().request;
        if request.pod_spec.is_none() {
            return report.skip("there is no Pod in this request");
        }
        let secrets = match context.case().world.pull_secrets.get() {
            Ok(secrets) => secrets,
            Err(cause) => return report.unknown("which pull credentials there are", cause),
        };
        let account = request.service_account.as_deref().filter(|name| !name.is_empty()).unwrap_or("default");
        let listed = request.pod_spec().get("imagePullSecrets").items();
        let used = |secret: &&PullSecret| {
            secret.namespace == request.namespace.name
                && (secret.service_accounts.iter().any(|name| name == account)
                    || listed.iter().any(|item| item.get("name").as_str() == Some(&secret.name)))
        };
        let before = report.drafts.len();
        for secret in secrets.iter().filter(used) {
            if let Some((why, fix)) = wanted.problem(secret) {
                let target = Target { name: secret.name.clone(), ..Target::default() };
                report.fail(Said::from(format!("pull secret {} {why}", secret.name)).fix(fix).target(target));
            }
        }
        if report.drafts.len() > before {
            return;
        }
        // Of a set of manifests, only what is in it is known. The kubelet uses those of the ServiceAccount where the Pod
        // lists none (Kubernetes, "Configure Service Accounts for Pods").
        if let Some(accounts) = &context.case().world.pull_accounts {
            let namespace = &request.namespace.name;
            let is_seen = |name: &str| secrets.iter().any(|own| own.namespace == *namespace && own.name == name);
            let mut listed = listed.iter().map(|item| item.get("name").as_str().unwrap_or_default());
            let unseen = if listed.len() == 0 {
                let key = format!("{namespace}/{account}");
                (!accounts.contains(&key)).then(|| format!("ServiceAccount {account} or its Secrets"))
            } else {
                listed.find(|name| !is_seen(name)).map(|name| format!("Secret {name}"))
            };
            if let Some(unseen) = unseen {
                let cause = Cause::new("not-in-manifests", format!("{unseen} is not in the manifests"));
                return report.unknown("which pull credentials there are", &cause);
            }
        }
        report.pass("no pull credential opens more than it should");
    }))
}

impl Wanted {
    fn problem(&self, secret: &PullSecret) -> Option<(String, &'static str)> {
        let narrow = "use a credential for one repository, or the workload's identity";
        if !self.allow_static {
            return Some(("is a static credential".to_owned(), "use the node's or the workload's identity"));
        }
        if let Some(scope) = secret.scopes.iter().find(|scope| is_whole_registry(scope)) {
            return Some((format!("opens all of {scope}"), narrow));
        }
        if secret.service_accounts.iter().any(|name| name == "default") {
            return Some((
                "is on the default ServiceAccount".to_owned(),
                "give the workload a ServiceAccount of its own",
            ));
        }
        if secret.namespaces > self.max_namespaces {
            let (found, most) = (secret.namespaces, self.max_namespaces);
            return Some((format!("is in {found} namespaces, at most {most} are wanted"), narrow));
        }
        None
    }
}

/// A scope without a path is a registry; docker's `config.json` also writes `https://host/v1/` for one.
fn is_whole_registry(scope: &str) -> bool {
    let plain = scope.trim_start_matches("https://").trim_start_matches("http://");
    let path = plain.split_once('/').map_or("", |(_, path)| path.trim_matches('/'));
    matches!(path, "" | "v1" | "v2" | "*" | "**")
}
