//! What the API server does: an AdmissionReview over HTTPS, and the answer.

use assay_case::Verdict;
use serde_json::{Value, json};

use super::Stage;
use crate::Result;
use crate::commands::lab::error::LabError;

/// Something that somebody wants to run or change.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    /// API group of the object.
    pub(crate) group: &'static str,
    /// Kind of the object.
    pub(crate) kind: &'static str,
    /// Subresource, empty for the object itself.
    pub(crate) sub_resource: &'static str,
    /// Namespace.
    pub(crate) namespace: String,
    /// Name of the object.
    pub(crate) name: String,
    /// The object as it is to be.
    pub(crate) object: Value,
    /// The object as it is, for changes.
    pub(crate) old_object: Option<Value>,
    /// Who asks.
    pub(crate) user: &'static str,
}

/// What the webhook answered.
#[derive(Debug)]
pub(crate) struct Ruling {
    /// The whole verdict, as the store recorded it.
    pub(crate) verdict: Verdict,
    /// What `kubectl` would print; empty where it was allowed.
    pub(crate) message: String,
    /// Id of the decision record.
    pub(crate) decision: String,
}

/// A client that trusts the webhook's authority and nobody else.
pub(super) fn client(authority: &str) -> Result<reqwest::Client> {
    let start = || LabError::start("the webhook's client");
    // An earlier start in this process has installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = reqwest::Certificate::from_pem_bundle(authority.as_bytes()).map_err(start())?;
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only(roots).build().map_err(start())?)
}

impl Submission {
    /// A new Deployment of one container with two replicas, as restricted as production wants it.
    pub(crate) fn deployment(namespace: &str, name: &str, image: &str) -> Self {
        let labels = json!({"app": name});
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod_spec(name, image)},
            },
        });
        Self { group: "apps", kind: "Deployment", ..Self::new(namespace, name, object) }
    }

    /// A new Pod of one container.
    pub(crate) fn pod(namespace: &str, name: &str, image: &str) -> Self {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": pod_spec(name, image),
        });
        Self::new(namespace, name, object)
    }

    fn new(namespace: &str, name: &str, object: Value) -> Self {
        Self {
            group: "",
            kind: "Pod",
            sub_resource: "",
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            object,
            old_object: None,
            user: "developer@example.com",
        }
    }

    /// Changes the Pod specification.
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let path = if self.kind == "Pod" { "/spec" } else { "/spec/template/spec" };
        if let Some(spec) = self.object.pointer_mut(path) {
            change(spec);
        }
        self
    }

    /// The AdmissionReview that an API server would send.
    pub(crate) fn review(&self, uid: &str) -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": uid,
                "operation": if self.old_object.is_some() { "UPDATE" } else { "CREATE" },
                "kind": {"group": self.group, "version": "v1", "kind": self.kind},
                "subResource": self.sub_resource,
                "namespace": self.namespace, "name": self.name,
                "userInfo": {"username": self.user, "groups": ["system:authenticated"]},
                "object": self.object, "oldObject": self.old_object, "dryRun": false,
            },
        })
    }
}

/// A Pod specification that passes the configuration controls of production.
fn pod_spec(name: &str, image: &str) -> Value {
    json!({
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true},
        "containers": [container(name, image)],
    })
}

/// A container that passes the configuration controls of production.
pub(crate) fn container(name: &str, image: &str) -> Value {
    let by_digest = image.contains('@');
    json!({
        "name": name,
        "image": image,
        "imagePullPolicy": if by_digest { "IfNotPresent" } else { "Always" },
        "securityContext": {
            "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        },
    })
}

impl Stage {
    /// Sends a review to the webhook and reads back what it recorded.
    pub(crate) async fn admit(&self, submission: &Submission) -> Result<Ruling> {
        let webhook = |reason: String| LabError::Webhook { reason };
        let body = submission.review(&self.next_uid());
        let url = format!("https://localhost:{}/validate?timeout=10s", self.webhook.address().port());
        let sent = self.http.post(url).header("content-type", "application/json").body(body.to_string()).send().await;
        let response = sent.map_err(|error| webhook(error.to_string()))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| webhook(error.to_string()))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| webhook(format!("{status}: {error}")))?;
        let field = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let decision = field("/response/auditAnnotations/decision");
        if decision.is_empty() {
            return Err(webhook(format!("{status}: {text}")).into());
        }
        if !self.webhook.flush_decisions().await {
            return Err(webhook("the decision was not recorded".to_owned()).into());
        }
        let record = self.store.decision(&decision)?;
        let record = record.ok_or_else(|| webhook(format!("decision {decision} is not in the store")))?;
        Ok(Ruling { verdict: record.verdict, message: field("/response/status/message"), decision })
    }
}
