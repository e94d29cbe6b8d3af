//! `assay policy backstop`: the controls that the API server can decide by itself.

use assay_case::Action;
use assay_gate::Policy;
use assay_kinds::Environment;
use assay_kube::{BACKSTOP_CONTROLS, BackstopEnvironment};

use super::policies;
use crate::Result;
use crate::failure::CliError;
use crate::session::Session;

/// What stands above them in a file.
const HEADER: &str = "# Written by `assay policy backstop`; write it anew when an Environment changes.\n\
    # It knows no Exceptions: for break-glass while Assay is away, delete the binding.\n";

/// All policies and bindings, as a stream of YAML documents.
pub(crate) fn write(own_namespace: &str, session: &Session<'_>) -> Result<String> {
    let parts = policies::collect(session.settings)?;
    let policy = policies::load(session.settings)?.policy;
    let all: Vec<BackstopEnvironment> =
        parts.starters.iter().chain(&parts.environments).map(|own| environment(own, &policy)).collect();
    let mut text = HEADER.to_owned();
    for (_, object) in assay_kube::backstop(&all, own_namespace) {
        let yaml = serde_saphyr::to_string(&object).map_err(|error| CliError::Malformed {
            what: "a ValidatingAdmissionPolicy".to_owned(),
            message: error.to_string(),
        })?;
        text.push_str("---\n");
        text.push_str(&yaml);
    }
    Ok(text)
}

/// Of an Environment what only break-glass lifts, or nothing: what an Exception may lift the API server cannot decide.
fn environment(own: &Environment, policy: &Policy) -> BackstopEnvironment {
    let name = own.metadata.name.as_str();
    let is_enforced = |control: &&&str| policy.action(name, control).is_some_and(|action| action >= Action::Enforce);
    BackstopEnvironment {
        name: name.to_owned(),
        namespaces: own.spec.namespaces.clone(),
        is_default: policy.default_environment().as_str() == name,
        registries: own.spec.registries.clone(),
        enforced: BACKSTOP_CONTROLS.iter().filter(is_enforced).map(|control| (*control).to_owned()).collect(),
    }
}
