//! SLSA provenance 0.2 and 1.x in one form (slsa.dev/spec/v0.2/provenance, slsa.dev/spec/v1.0/provenance).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Material, Predicate, Provenance};

/// External parameters kept.
const PARAMETERS_MAX: usize = 256;
/// Depth to which parameters are looked at.
const PARAMETER_DEPTH: usize = 8;
/// Materials kept; lockfile-sized lists occur.
const MATERIALS_MAX: usize = 50_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    #[serde(default)]
    external_parameters: Value,
    #[serde(default)]
    resolved_dependencies: Option<Vec<Resource>>,
}

#[derive(Deserialize)]
struct RunDetails {
    builder: Builder,
    #[serde(default)]
    metadata: Option<V1Metadata>,
}

#[derive(Deserialize)]
struct Builder {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1Metadata {
    #[serde(default)]
    started_on: Option<String>,
    #[serde(default)]
    finished_on: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Resource {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    digest: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V02 {
    builder: Builder,
    build_type: String,
    #[serde(default)]
    invocation: Option<Invocation>,
    #[serde(default)]
    materials: Option<Vec<Resource>>,
    #[serde(default)]
    metadata: Option<V02Metadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    #[serde(default)]
    config_source: ConfigSource,
    #[serde(default)]
    parameters: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigSource {
    #[serde(flatten)]
    resource: Resource,
    #[serde(default)]
    entry_point: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V02Metadata {
    #[serde(default)]
    build_started_on: Option<String>,
    #[serde(default)]
    build_finished_on: Option<String>,
}

/// SLSA provenance 1.0 and 1.1.
///
/// Where the source stands depends on the build type: GitHub's writes `externalParameters.workflow`, the generators of
/// slsa-framework `externalParameters.source`, others the first resolved dependency.
pub(super) fn read_v1(text: &str) -> Result<Predicate, String> {
    let V1 { build_definition: build, run_details: run } = super::parse(text)?;
    let metadata = run.metadata.unwrap_or_default();
    let dependencies = build.resolved_dependencies.unwrap_or_default();
    let parameters = &build.external_parameters;
    let text_at = |pointer: &str| parameters.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let stated = text_at("/workflow/repository").or_else(|| text_at("/source/uri")).or_else(|| text_at("/source"));
    let (mut repository, mut reference) = stated.as_deref().map_or((None, None), split_source);
    reference = text_at("/workflow/ref").or(reference);
    // The commit is that of the dependency which is this source; without a stated source, of the first git one.
    let source = dependencies.iter().find(|dependency| match &repository {
        Some(repository) => split_source(&dependency.uri).0.as_ref() == Some(repository),
        None => dependency.uri.starts_with("git+"),
    });
    if let Some(source) = source {
        let (found, at) = split_source(&source.uri);
        repository = repository.or(found);
        reference = reference.or(at);
    }
    Ok(Predicate::Provenance(Box::new(Provenance {
        builder_id: run.builder.id,
        build_type: build.build_type,
        source_repository: repository,
        source_ref: reference,
        source_digest: source.and_then(|source| commit(source.digest.as_ref())),
        workflow: text_at("/workflow/path"),
        parameters: flatten(parameters),
        materials: materials(&dependencies)?,
        started_at: super::time(metadata.started_on),
        finished_at: super::time(metadata.finished_on),
    })))
}

/// SLSA provenance 0.2.
pub(super) fn read_v02(text: &str) -> Result<Predicate, String> {
    let V02 { builder, build_type, invocation, materials: used, metadata } = super::parse(text)?;
    let Invocation { config_source: ConfigSource { resource, entry_point }, parameters } =
        invocation.unwrap_or_default();
    let metadata = metadata.unwrap_or_default();
    let (repository, reference) = split_source(&resource.uri);
    Ok(Predicate::Provenance(Box::new(Provenance {
        builder_id: builder.id,
        build_type,
        source_repository: repository,
        source_ref: reference,
        source_digest: commit(resource.digest.as_ref()),
        workflow: entry_point.filter(|path| !path.is_empty()),
        parameters: flatten(&parameters),
        materials: materials(&used.unwrap_or_default())?,
        started_at: super::time(metadata.build_started_on),
        finished_at: super::time(metadata.build_finished_on),
    })))
}

/// `git+https://host/path@ref` (SPDX download location) to repository and ref. An `@` before the path is a user name.
fn split_source(uri: &str) -> (Option<String>, Option<String>) {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    if uri.is_empty() {
        return (None, None);
    }
    let path = uri.find("://").map_or(0, |at| at + 3);
    let path = uri.get(path..).and_then(|rest| rest.find('/')).map_or(uri.len(), |slash| path + slash);
    let (repository, reference) = match uri.get(path..).and_then(|rest| rest.find('@')) {
        Some(at) => (uri.get(..path + at), uri.get(path + at + 1..)),
        None => (Some(uri), None),
    };
    let repository = repository.map(|text| text.strip_suffix(".git").unwrap_or(text).to_owned());
    (repository, reference.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn commit(digest: Option<&BTreeMap<String, String>>) -> Option<String> {
    let digest = digest?;
    ["gitCommit", "sha1", "sha256"].iter().find_map(|algorithm| digest.get(*algorithm)).cloned()
}

fn materials(resources: &[Resource]) -> Result<Vec<Material>, String> {
    if resources.len() > MATERIALS_MAX {
        return Err(format!("{} materials, at most {MATERIALS_MAX} are read", resources.len()));
    }
    let material = |resource: &Resource| Material {
        uri: resource.uri.clone(),
        digest: resource.digest.as_ref().and_then(|set| {
            set.get_key_value("sha256").or_else(|| set.iter().next()).map(|(name, value)| format!("{name}:{value}"))
        }),
    };
    Ok(resources.iter().map(material).collect())
}

fn flatten(parameters: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, name: String, depth: usize, out: &mut BTreeMap<String, String>) {
        if depth > PARAMETER_DEPTH || out.len() >= PARAMETERS_MAX {
            return;
        }
        let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, below(key), depth + 1, out)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, value)| walk(value, below(&at.to_string()), depth + 1, out));
            }
            Value::Null => {}
            Value::String(text) => drop(out.insert(name, text.clone())),
            Value::Bool(_) | Value::Number(_) => drop(out.insert(name, value.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    walk(parameters, String::new(), 0, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn provenance(read: Result<Predicate, String>) -> Provenance {
        match read.unwrap() {
            Predicate::Provenance(provenance) => *provenance,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn version_1_of_github_is_read() {
        let read = provenance(read_v1(
            r#"{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1","externalParameters":{
            "workflow":{"ref":"refs/heads/main","repository":"https://github.com/company/api","path":".github/workflows/release.yml"},
            "inputs":{"debug":true}},"resolvedDependencies":[{"uri":"pkg:x/y"},
            {"uri":"git+https://github.com/company/api@refs/heads/main","digest":{"gitCommit":"4f2c"}}]},
            "runDetails":{"builder":{"id":"https://github.com/actions/runner/github-hosted"},"metadata":{"startedOn":"2026-01-01T00:00:00Z","finishedOn":""}}}"#,
        ));
        assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
        assert_eq!(read.source_ref.as_deref(), Some("refs/heads/main"));
        assert_eq!(read.source_digest.as_deref(), Some("4f2c"));
        assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
        assert_eq!(read.parameters.get("inputs.debug").map(String::as_str), Some("true"));
        assert_eq!(read.materials.len(), 2);
        assert!(read.started_at.is_some() && read.finished_at.is_none());
    }

    #[test]
    fn the_commit_of_another_repository_is_not_the_source() {
        let read = provenance(read_v1(
            r#"{"buildDefinition":{"buildType":"b","externalParameters":{"source":"git+https://github.com/company/api@refs/tags/v1"},
            "resolvedDependencies":[{"uri":"git+https://github.com/evil/api@refs/tags/v1","digest":{"gitCommit":"bad"}}]},
            "runDetails":{"builder":{"id":"b"}}}"#,
        ));
        assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
        assert_eq!(read.source_digest, None);
    }

    #[test]
    fn version_0_2_is_read() {
        let read = provenance(read_v02(
            r#"{"builder":{"id":"https://github.com/slsa-framework/generator"},"buildType":"b","invocation":{"configSource":{
            "uri":"git+https://github.com/company/api@refs/tags/v1","digest":{"sha1":"4f2c"},"entryPoint":".github/workflows/release.yml"},
            "parameters":{}},"metadata":{"buildFinishedOn":"2026-01-01T00:00:00Z"},"materials":[{"uri":"u","digest":{"sha1":"a"}}]}"#,
        ));
        assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
        assert_eq!(read.source_ref.as_deref(), Some("refs/tags/v1"));
        assert_eq!(read.source_digest.as_deref(), Some("4f2c"));
        assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
        assert_eq!(read.materials[0].digest.as_deref(), Some("sha1:a"));
    }

    #[test]
    fn a_user_name_is_no_ref() {
        let source = split_source("git+ssh://git@github.com/company/api.git@main");
        assert_eq!(source, (Some("ssh://git@github.com/company/api".to_owned()), Some("main".to_owned())));
    }

    proptest! {
        #[test]
        fn any_source_splits_without_panic(uri in ".{0,60}") {
            let _ = split_source(&uri);
        }
    }
}
