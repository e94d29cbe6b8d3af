//! SLSA provenance 0.1, 0.2 and 1.x in one form (slsa.dev/spec/v0.1/provenance, slsa.dev/spec/v0.2/provenance,
//! slsa.dev/spec/v1.0/provenance).

mod github;
mod source;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::source::Source;
use self::source::commit;
use crate::statement::{object, optional_object, optional_objects};
use crate::{Material, Predicate, Provenance};

/// External parameters kept.
const PARAMETERS_MAX: usize = 256;
/// Depth to which parameters are looked at.
const PARAMETER_DEPTH: usize = 8;
/// Materials kept; lockfile-sized lists occur.
const MATERIALS_MAX: usize = 50_000;
/// Builders that are brought along by another workflow: what they built is the first material, while the environment
/// is that of the caller (slsa-framework/slsa-github-generator, BYOB).
const DELEGATED: &str = "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    #[serde(deserialize_with = "object")]
    build_definition: BuildDefinition,
    #[serde(deserialize_with = "object")]
    run_details: RunDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    #[serde(default)]
    external_parameters: Value,
    #[serde(default)]
    internal_parameters: Value,
    #[serde(default, deserialize_with = "optional_objects")]
    resolved_dependencies: Option<Vec<Resource>>,
}

#[derive(Deserialize)]
struct RunDetails {
    #[serde(deserialize_with = "object")]
    builder: Builder,
    #[serde(default, deserialize_with = "optional_object")]
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

/// A resource descriptor, as far as builds need it (in-toto/attestation, `spec/v1/resource_descriptor.md`).
#[derive(Clone, Default, Deserialize)]
pub(super) struct Resource {
    #[serde(default)]
    pub(super) uri: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) digest: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V02 {
    #[serde(deserialize_with = "object")]
    builder: Builder,
    build_type: String,
    #[serde(default, deserialize_with = "optional_object")]
    invocation: Option<Invocation>,
    #[serde(default, deserialize_with = "optional_objects")]
    materials: Option<Vec<Resource>>,
    #[serde(default, deserialize_with = "optional_object")]
    metadata: Option<OldMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    #[serde(default)]
    config_source: ConfigSource,
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    environment: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigSource {
    #[serde(flatten)]
    resource: Resource,
    #[serde(default)]
    entry_point: Option<String>,
}

/// Times of 0.1 and 0.2.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldMetadata {
    #[serde(default)]
    build_started_on: Option<String>,
    #[serde(default)]
    build_finished_on: Option<String>,
}

#[derive(Deserialize)]
struct V01 {
    #[serde(deserialize_with = "object")]
    builder: Builder,
    #[serde(default, deserialize_with = "optional_object")]
    recipe: Option<Recipe>,
    #[serde(default, deserialize_with = "optional_objects")]
    materials: Option<Vec<Resource>>,
    #[serde(default, deserialize_with = "optional_object")]
    metadata: Option<OldMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipe {
    #[serde(default, rename = "type")]
    build_type: String,
    #[serde(default)]
    defined_in_material: Option<u64>,
    #[serde(default)]
    entry_point: Option<Value>,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    environment: Value,
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
    let stated = text_at("/workflow/repository")
        .or_else(|| text_at("/source/uri"))
        .or_else(|| text_at("/source"))
        .map(|uri| Source::split(&uri))
        .unwrap_or_default();
    let stated = Source { reference: text_at("/workflow/ref").or(stated.reference), ..stated };
    // The commit is that of the dependency which is this source; without a stated source, of the first git one.
    let dependency = dependencies.iter().find(|dependency| match &stated.repository {
        Some(_) => Source::split(&dependency.uri).repository == stated.repository,
        None => dependency.uri.starts_with("git+"),
    });
    let source = stated.clone().or(dependency.map(|found| Source::split(&found.uri)).unwrap_or_default());
    let environment = &build.internal_parameters;
    let asked = github::workflow(environment).unwrap_or(stated);
    let built = if build.build_type == DELEGATED { first(&dependencies) } else { Source::default() };
    let refs = github::refs(
        environment,
        built.reference.as_deref().or(asked.reference.as_deref()),
        build.build_type == DELEGATED,
    );
    let mut inputs = github::inputs(environment);
    if inputs.is_empty() && github::has_no_payload(environment) {
        // GitHub's own build type states the inputs among the external parameters.
        let stated = parameters.pointer("/workflow/inputs").or_else(|| parameters.get("inputs"));
        inputs = stated.map(flatten).unwrap_or_default();
    }
    Ok(Predicate::Provenance(Box::new(Provenance {
        builder_id: run.builder.id,
        build_type: build.build_type,
        source_repository: source.repository,
        source_ref: source.reference,
        source_digest: dependency.and_then(|found| commit(found.digest.as_ref())),
        trigger_repository: asked.repository,
        trigger_ref: asked.reference,
        branch: refs.branch,
        tag: refs.tag,
        inputs,
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
    let Invocation { config_source: ConfigSource { resource, entry_point }, parameters, environment } =
        invocation.unwrap_or_default();
    let (used, metadata) = (used.unwrap_or_default(), metadata.unwrap_or_default());
    let source = Source::split(&resource.uri);
    let delegated = build_type == DELEGATED;
    let built = if delegated { first(&used) } else { Source::default() };
    let refs = github::refs(&environment, built.reference.as_deref().or(source.reference.as_deref()), delegated);
    Ok(Predicate::Provenance(Box::new(Provenance {
        builder_id: builder.id,
        build_type,
        source_repository: source.repository.clone(),
        source_ref: source.reference.clone(),
        source_digest: commit(resource.digest.as_ref()),
        trigger_repository: source.repository,
        trigger_ref: source.reference,
        branch: refs.branch,
        tag: refs.tag,
        inputs: github::inputs(&environment),
        workflow: entry_point.filter(|path| !path.is_empty()),
        parameters: flatten(&parameters),
        materials: materials(&used)?,
        started_at: super::time(metadata.build_started_on),
        finished_at: super::time(metadata.build_finished_on),
    })))
}

/// SLSA provenance 0.1: the source is the material in which the recipe is defined.
pub(super) fn read_v01(text: &str) -> Result<Predicate, String> {
    let V01 { builder, recipe, materials: used, metadata } = super::parse(text)?;
    let (recipe, used) = (recipe.unwrap_or_default(), used.unwrap_or_default());
    let metadata = metadata.unwrap_or_default();
    let defined = recipe.defined_in_material.and_then(|index| usize::try_from(index).ok());
    let resource = defined.and_then(|index| used.get(index));
    let source = resource.map(|resource| Source::split(&resource.uri)).unwrap_or_default();
    let refs = github::refs(&recipe.environment, source.reference.as_deref(), false);
    Ok(Predicate::Provenance(Box::new(Provenance {
        builder_id: builder.id,
        build_type: recipe.build_type,
        source_repository: source.repository.clone(),
        source_ref: source.reference.clone(),
        source_digest: resource.and_then(|resource| commit(resource.digest.as_ref())),
        trigger_repository: source.repository,
        trigger_ref: source.reference,
        branch: refs.branch,
        tag: refs.tag,
        inputs: github::inputs(&recipe.environment),
        workflow: recipe
            .entry_point
            .as_ref()
            .and_then(Value::as_str)
            .filter(|path| !path.is_empty())
            .map(str::to_owned),
        parameters: flatten(&recipe.arguments),
        materials: materials(&used)?,
        started_at: super::time(metadata.build_started_on),
        finished_at: super::time(metadata.build_finished_on),
    })))
}

fn first(resources: &[Resource]) -> Source {
    resources.first().map(|resource| Source::split(&resource.uri)).unwrap_or_default()
}

/// What a build used, in the order of the document.
pub(super) fn materials(resources: &[Resource]) -> Result<Vec<Material>, String> {
    if resources.len() > MATERIALS_MAX {
        return Err(format!("{} materials, at most {MATERIALS_MAX} are read", resources.len()));
    }
    let material = |resource: &Resource| Material {
        uri: if resource.uri.is_empty() { resource.name.clone() } else { resource.uri.clone() },
        digest: resource.digest.as_ref().and_then(|set| {
            set.get_key_value("sha256").or_else(|| set.iter().next()).map(|(name, value)| format!("{name}:{value}"))
        }),
    };
    Ok(resources.iter().map(material).collect())
}

/// The scalars of a JSON value, by dotted name.
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
mod tests;
