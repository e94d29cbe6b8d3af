//! What GitHub Actions tells a builder about the run, as the generators of slsa-framework and npm write it: the variables
//! of the run by name, in lower or upper case, and the event's payload as JSON. Other builders write none of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::Source;

/// Names of branch and tag.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refs {
    pub(super) branch: Option<String>,
    pub(super) tag: Option<String>,
}

fn value<'v>(environment: &'v Value, name: &str) -> Option<&'v Value> {
    environment.get(name).or_else(|| environment.get(name.to_ascii_uppercase()))
}

fn text<'v>(environment: &'v Value, name: &str) -> Option<&'v str> {
    value(environment, name).and_then(Value::as_str)
}

/// The workflow that asked for the build: `owner/name/path@ref`.
pub(super) fn workflow(environment: &Value) -> Option<Source> {
    let (path, reference) = text(environment, "github_workflow_ref")?.split_once('@')?;
    let mut parts = path.split('/');
    let (owner, name) = (parts.next()?, parts.next()?);
    let repository = Some(format!("https://github.com/{owner}/{name}"));
    Some(Source { repository, reference: Some(reference.to_owned()) })
}

/// Branch and tag of a run. `stated` is the ref of the source or trigger; it counts before the run's own ref where the
/// build is of `another` ref than the run.
pub(super) fn refs(environment: &Value, stated: Option<&str>, another: bool) -> Refs {
    let own = text(environment, "github_ref");
    let Some(reference) = (if another { stated.or(own) } else { own.or(stated) }) else { return Refs::default() };
    let branch = |reference: &str| reference.strip_prefix("refs/heads/").map(str::to_owned);
    let tag = reference.strip_prefix("refs/tags/").map(str::to_owned);
    let from = tag.as_ref().and_then(|_| branch_of_tag(environment));
    Refs { branch: branch(reference).or_else(|| from.as_deref().and_then(branch)), tag }
}

/// The branch from which a tag was pushed or released, as a ref, where the event tells it.
fn branch_of_tag(environment: &Value) -> Option<String> {
    if let Some(base) = text(environment, "github_base_ref").filter(|base| !base.is_empty()) {
        return Some(base.to_owned());
    }
    let payload = value(environment, "github_event_payload")?;
    match text(environment, "github_event_name")? {
        "push" => payload.get("base_ref")?.as_str().map(str::to_owned),
        "release" => Some(format!("refs/heads/{}", payload.pointer("/release/target_commitish")?.as_str()?)),
        _ => None,
    }
}

/// The inputs of a run that somebody started by hand.
pub(super) fn inputs(environment: &Value) -> BTreeMap<String, String> {
    if text(environment, "github_event_name") != Some("workflow_dispatch") {
        return BTreeMap::new();
    }
    let inputs = value(environment, "github_event_payload").and_then(|payload| payload.get("inputs"));
    inputs.map(super::flatten).unwrap_or_default()
}

/// Whether the event itself is not written down.
pub(super) fn has_no_payload(environment: &Value) -> bool {
    value(environment, "github_event_payload").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(environment: &Value, stated: Option<&str>) -> (Option<String>, Option<String>) {
        let Refs { branch, tag } = refs(environment, stated, false);
        (branch, tag)
    }

    #[test]
    fn a_tag_has_a_branch_only_where_the_event_says_so() {
        let push = json!({"github_ref": "refs/tags/v1", "github_base_ref": "", "github_event_name": "push",
            "github_event_payload": {"base_ref": "refs/heads/main"}});
        assert_eq!(names(&push, None), (Some("main".to_owned()), Some("v1".to_owned())));
        let release = json!({"GITHUB_REF": "refs/tags/v1", "GITHUB_EVENT_NAME": "release",
            "GITHUB_EVENT_PAYLOAD": {"release": {"target_commitish": "stable"}}});
        assert_eq!(names(&release, None), (Some("stable".to_owned()), Some("v1".to_owned())));
        let detached = json!({"GITHUB_REF": "refs/tags/v1", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PAYLOAD": {"base_ref": null}});
        assert_eq!(names(&detached, None), (None, Some("v1".to_owned())));
        assert_eq!(names(&Value::Null, Some("refs/heads/main")), (Some("main".to_owned()), None));
        assert_eq!(names(&Value::Null, None), (None, None));
    }

    #[test]
    fn inputs_are_those_of_a_run_started_by_hand() {
        let run = |event: &str| {
            json!({"github_event_name": event,
                "github_event_payload": {"inputs": {"version": "1.2.3", "debug": true}}})
        };
        assert_eq!(inputs(&run("workflow_dispatch")).get("debug").map(String::as_str), Some("true"));
        assert!(inputs(&run("push")).is_empty());
    }

    #[test]
    fn the_workflow_that_asked_is_named_with_its_repository() {
        let environment = json!({"GITHUB_WORKFLOW_REF": "company/api/.github/workflows/a.yml@refs/heads/main"});
        let asked = workflow(&environment).unwrap();
        assert_eq!(asked.repository.as_deref(), Some("https://github.com/company/api"));
        assert_eq!(asked.reference.as_deref(), Some("refs/heads/main"));
        assert_eq!(workflow(&json!({"GITHUB_WORKFLOW_REF": "company"})), None);
    }
}
