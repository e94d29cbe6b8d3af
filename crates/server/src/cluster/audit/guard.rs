//! Whether Assay's own registration and definitions are what they have to be. An edit is repaired where that can be done,
//! and found either way.

use std::sync::Arc;

use assay_kube::{Change, Resource, StoredObject, custom_resource_definitions};
use assay_model::Severity;
use assay_store::{Alert, AlertKey, FindingKind, PLATFORM_OWNER};
use serde_json::Value;

use super::{Audit, keep_findings, read};
use crate::audit::{Findings, Source};
use crate::cluster::book::Sort;
use crate::cluster::controller::Shared;

/// Records that somebody else changed or deleted a webhook configuration, which has been repaired.
pub(in crate::cluster) async fn edited(shared: &Arc<Shared>, resource: Resource, is_deleted: bool) {
    let kind = if resource.plural.starts_with("mutating") { "Mutating" } else { "Validating" };
    let now = (shared.admissions.clock)();
    let what = if is_deleted { "deleted" } else { "changed" };
    let message = format!("the {kind}WebhookConfiguration assay was {what} by somebody else, and repaired at once");
    let findings = Findings::new(&shared.options.cluster, std::collections::BTreeMap::new());
    let object = format!("{kind}WebhookConfiguration/assay");
    let draft = findings.object(FindingKind::Tampering, &object, &now.as_microsecond().to_string(), message, now);
    let mut record = draft.record;
    record.closed = Some(now);
    shared.admissions.metrics.audit.tampering.inc();
    let alert = Alert {
        key: AlertKey {
            owner: PLATFORM_OWNER.to_owned(),
            subject: record.workload.clone(),
            environment: String::new(),
        },
        source: "registration".to_owned(),
        severity: Severity::Critical,
        summary: record.message.clone(),
    };
    keep_findings(shared, vec![record]).await;
    // Told, and over: it has been repaired.
    read(shared, move |shared| {
        shared.store.raise_alert(&alert, now)?;
        shared.store.resolve_alert(&alert.key, now)
    })
    .await;
}

impl Audit<'_> {
    /// A definition of Assay's kinds was seen.
    pub(super) fn definition(&mut self, sort: Sort, change: &Change) {
        let object = match change {
            Change::Listed(objects) => objects.first(),
            Change::Applied(object) => Some(object),
            Change::Deleted(_) => None,
            // Not allowed to look, or nobody there to ask: nothing is known, and nothing said.
            Change::Failed(_) => return,
        };
        let (plural, name) = (sort.resource().plural, sort.definition());
        let message = match object {
            None => {
                Some(format!("the definition of {plural} is gone. What was in force stays. kubectl apply -f crds.yaml"))
            }
            Some(object) => difference(&name, object).map(|field| {
                format!(
                    "the definition of {plural} is not the one of this version: {field}. kubectl apply -f crds.yaml"
                )
            }),
        };
        let now = (self.shared.admissions.clock)();
        let object = format!("CustomResourceDefinition/{name}");
        let draft = |message| {
            let mut draft = self.findings.object(FindingKind::Tampering, &object, "", message, now);
            // There is no Event about what may not be there.
            draft.tells = false;
            draft
        };
        let drafts = message.map(draft).into_iter().collect();
        self.findings.set(Source::Definition(plural), drafts);
    }
}

/// The first field of a definition that is not as this version of Assay has it. What the API server adds is no difference.
fn difference(name: &str, held: &StoredObject) -> Option<String> {
    let wanted = custom_resource_definitions().into_iter().find(|own| own["metadata"]["name"] == name)?;
    missing(&wanted["spec"], &held.0["spec"], "spec".to_owned())
}

/// Where something that is wanted is not held.
fn missing(wanted: &Value, held: &Value, path: String) -> Option<String> {
    match (wanted, held) {
        (Value::Object(wanted), Value::Object(held)) => wanted.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match held.get(key) {
                Some(held) => missing(value, held, path),
                // A default that the API server leaves out.
                None if value.is_null() || *value == Value::Bool(false) => None,
                None => Some(path),
            }
        }),
        (Value::Array(wanted), Value::Array(held)) if wanted.len() == held.len() => {
            let mut items = wanted.iter().zip(held).enumerate();
            items.find_map(|(index, (wanted, held))| missing(wanted, held, format!("{path}[{index}]")))
        }
        (wanted, held) => (wanted != held).then_some(path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_server_adds_is_no_edit_and_what_somebody_takes_away_is() {
        let wanted = custom_resource_definitions().remove(0);
        let name = wanted["metadata"]["name"].as_str().unwrap().to_owned();
        let mut held = StoredObject(wanted.clone());
        held.0["spec"]["conversion"] = json!({"strategy": "None"});
        held.0["spec"]["names"]["more"] = json!(["all"]);
        assert_eq!(difference(&name, &held), None);
        let schema = &mut held.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
        schema["properties"].as_object_mut().unwrap().remove("spec");
        let field = difference(&name, &held).unwrap();
        assert_eq!(field, "spec.versions[0].schema.openAPIV3Schema.properties.spec");
        held.0["spec"]["versions"] = json!([]);
        assert_eq!(difference(&name, &held).as_deref(), Some("spec.versions"));
    }
}
