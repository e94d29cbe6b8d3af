//! The webhook configuration that points an API server here (Kubernetes API reference,
//! `ValidatingWebhookConfiguration` v1, "WebhookClientConfig").

use std::fmt::Write as _;

use assay_server::Mutation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Every kind that runs something, by API group.
const RULES: &str = r#"    rules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [pods, pods/ephemeralcontainers, podtemplates, replicationcontrollers]
      - apiGroups: [apps]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [deployments, replicasets, statefulsets, daemonsets]
      - apiGroups: [batch]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [jobs, cronjobs]
"#;
/// The templates that are pinned where that is asked for; a Job's cannot change.
const TEMPLATE_RULES: &str = r#"      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [podtemplates, replicationcontrollers]
      - apiGroups: [apps]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [deployments, replicasets, statefulsets, daemonsets]
      - apiGroups: [batch]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [cronjobs]
      - apiGroups: [batch]
        apiVersions: ["*"]
        operations: [CREATE]
        resources: [jobs]
"#;
/// The Pods that are pinned.
const POD_RULES: &str = r#"    rules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE]
        resources: [pods]
"#;

/// Writes the configuration, as YAML, for an API server that calls `name`: a host, or a service `NAME.NAMESPACE.svc`.
pub(super) fn write(name: &str, port: u16, mutate: Mutation, authority: Option<&str>) -> String {
    let mut out = webhook("Validating", "validate", RULES, name, port, authority);
    let rules = match mutate {
        Mutation::Nothing => return out,
        Mutation::Pods => POD_RULES.to_owned(),
        Mutation::Templates => format!("{POD_RULES}{TEMPLATE_RULES}"),
    };
    out.push_str("---\n");
    out.push_str(&webhook("Mutating", "mutate", &rules, name, port, authority));
    out
}

fn webhook(kind: &str, path: &str, rules: &str, name: &str, port: u16, authority: Option<&str>) -> String {
    let mut out = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: {kind}WebhookConfiguration\nmetadata: {{name: assay}}\n\
         webhooks:\n  - name: {path}.assay.dev\n    admissionReviewVersions: [v1]\n    sideEffects: None\n    \
         failurePolicy: Fail\n    matchPolicy: Equivalent\n    timeoutSeconds: 10\n"
    );
    out.push_str(rules);
    out.push_str("    clientConfig:\n");
    let service = name.strip_suffix(".cluster.local").unwrap_or(name).strip_suffix(".svc");
    let _ = match service.and_then(|name| name.split_once('.')) {
        Some((name, namespace)) => {
            writeln!(out, "      service: {{name: {name}, namespace: {namespace}, path: /{path}, port: {port}}}")
        }
        None => writeln!(out, "      url: https://{name}:{port}/{path}"),
    };
    match authority {
        Some(pem) => {
            let _ = writeln!(out, "      caBundle: {}", STANDARD.encode(pem));
        }
        None => out.push_str("      # caBundle: the authority of your certificate, base64 of its PEM\n"),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_becomes_a_service_and_anything_else_a_url() {
        let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
        let service = read(&write("assay.security.svc", 443, Mutation::Nothing, Some("PEM")));
        let client = &service["webhooks"][0]["clientConfig"];
        assert_eq!(client["service"]["namespace"], "security");
        assert_eq!(client["caBundle"], "UEVN");
        assert_eq!(service["webhooks"][0]["failurePolicy"], "Fail");
        let url = read(&write("127.0.0.1", 8443, Mutation::Nothing, None));
        assert_eq!(url["webhooks"][0]["clientConfig"]["url"], "https://127.0.0.1:8443/validate");
        let both = write("gate.example.com", 8443, Mutation::Templates, None);
        assert!(
            both.contains("kind: MutatingWebhookConfiguration")
                && both.contains("https://gate.example.com:8443/mutate")
        );
    }

    /// What the webhook would judge and is never asked about is a way around it.
    #[test]
    fn every_kind_that_runs_something_is_asked_about() {
        for (group, kind, resource) in [
            ("", "Pod", "pods"),
            ("", "PodTemplate", "podtemplates"),
            ("", "ReplicationController", "replicationcontrollers"),
            ("apps", "Deployment", "deployments"),
            ("apps", "ReplicaSet", "replicasets"),
            ("apps", "StatefulSet", "statefulsets"),
            ("apps", "DaemonSet", "daemonsets"),
            ("batch", "Job", "jobs"),
            ("batch", "CronJob", "cronjobs"),
        ] {
            assert!(assay_kube::is_workload(group, kind));
            assert!(RULES.contains(resource), "{resource}");
        }
        assert!(RULES.contains("pods/ephemeralcontainers"));
    }
}
