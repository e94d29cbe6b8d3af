//! CycloneDX: the part of the format that Assay writes and reads (ECMA-424; JSON here, XML in [`xml`]).
//!
//! One set of types serves both ways. Reading ignores what is not listed here and takes `null` for absent, since real
//! documents contain both.

pub(crate) mod read;
pub(crate) mod write;
pub(crate) mod xml;

use serde::{Deserialize, Serialize};

use crate::read::null_as_default;

/// What stands for a supplier that nobody named. SPDX has the word (clause 7.5); CycloneDX has none of its own.
const NOASSERTION: &str = "NOASSERTION";

/// A document.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Bom {
    #[serde(rename = "$schema", skip_deserializing)]
    schema: String,
    bom_format: String,
    spec_version: String,
    #[serde(deserialize_with = "null_as_default")]
    serial_number: String,
    #[serde(skip_deserializing)]
    version: u32,
    #[serde(deserialize_with = "null_as_default")]
    metadata: Metadata,
    #[serde(deserialize_with = "null_as_default")]
    components: Vec<Component>,
    #[serde(deserialize_with = "null_as_default")]
    dependencies: Vec<Dependency>,
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    compositions: Vec<Composition>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    #[serde(deserialize_with = "null_as_default")]
    timestamp: String,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    lifecycles: Vec<Phase>,
    tools: Tools,
    /// People and organisations that made the document. Only read.
    #[serde(deserialize_with = "null_as_default", skip_serializing)]
    authors: Vec<Organisation>,
    /// The organisation that made the document (1.6). Only read.
    #[serde(skip_serializing)]
    manufacturer: Option<Organisation>,
    component: Option<Component>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Phase {
    #[serde(deserialize_with = "null_as_default")]
    phase: String,
}

/// What made the document. Reading keeps names and versions, whichever form they come in.
#[derive(Serialize)]
#[serde(untagged)]
enum Tools {
    /// 1.5 and later.
    Components { components: Vec<Component> },
    /// 1.4.
    List(Vec<Tool>),
}

impl Default for Tools {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Tool {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl<'de> Deserialize<'de> for Tools {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let list = value.get("components").unwrap_or(&value).as_array();
        let tool = |tool: &serde_json::Value| Tool::deserialize(tool).ok();
        Ok(Self::List(list.into_iter().flatten().filter_map(tool).collect()))
    }
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Component {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Organisation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenceChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Organisation {
    name: Option<String>,
    /// Of a person. Only read.
    #[serde(skip_serializing)]
    email: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

/// Either a licence with an identifier or a name, or an expression.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct LicenceChoice {
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<NamedLicence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct NamedLicence {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Evidence {
    #[serde(deserialize_with = "null_as_default")]
    occurrences: Vec<Occurrence>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Occurrence {
    location: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Property {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    value: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

/// How complete the list below an assembly is.
#[derive(Serialize)]
struct Composition {
    aggregate: &'static str,
    assemblies: Vec<String>,
}
