//! Syft's JSON to contents.

use assay_model::{Digest, OsRelease};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::document::Lifecycle;
use crate::property::Properties;
use crate::read::{Described, Entry, Listed, null_as_default};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    #[serde(default, deserialize_with = "null_as_default")]
    artifacts: Vec<Artifact>,
    #[serde(default, deserialize_with = "null_as_default")]
    artifact_relationships: Vec<Relationship>,
    #[serde(default, deserialize_with = "null_as_default")]
    source: Source,
    #[serde(default, deserialize_with = "null_as_default")]
    distro: Distro,
    #[serde(default, deserialize_with = "null_as_default")]
    descriptor: Descriptor,
    #[serde(default, deserialize_with = "null_as_default")]
    schema: Schema,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Schema {
    version: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Descriptor {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    version: String,
    timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Artifact {
    id: String,
    name: String,
    version: Option<String>,
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
    purl: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    locations: Vec<Location>,
    /// Texts in old documents, objects in newer ones.
    #[serde(deserialize_with = "null_as_default")]
    licenses: Vec<Value>,
    metadata: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Location {
    path: String,
}

#[derive(Deserialize)]
struct Relationship {
    parent: String,
    child: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    id: String,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    version: Option<String>,
    metadata: Value,
    /// The old name of `metadata`.
    target: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Distro {
    #[serde(deserialize_with = "null_as_default")]
    id: String,
    #[serde(rename = "versionID")]
    version_id: Option<String>,
    pretty_name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    id_like: Vec<String>,
}

/// What a document lists, and the version of its schema.
pub(crate) fn listed(report: Report) -> (String, Listed) {
    let mut listed = Listed { root_reference: Some(report.source.id.clone()), ..Listed::default() };
    for Relationship { parent, child, kind } in report.artifact_relationships {
        match kind.as_str() {
            "dependency-of" => listed.edges.push((child, vec![parent])),
            "contains" => listed.parts.push((parent, vec![child])),
            _ => {}
        }
    }
    let Descriptor { name, version, timestamp } = report.descriptor;
    listed.origin.tools = Some(format!("{name}-{version}")).filter(|tool| tool.len() > 1).into_iter().collect();
    listed.origin.created = timestamp.and_then(|time| time.parse().ok());
    listed.origin.lifecycle = Some(Lifecycle::PostBuild);
    listed.described = described(report.source);
    listed.os = Some(report.distro).filter(|distro| !distro.id.is_empty()).map(|distro| OsRelease {
        id: distro.id,
        version_id: distro.version_id.filter(|version| !version.is_empty()),
        pretty_name: distro.pretty_name,
        id_like: distro.id_like,
    });
    listed.entries = report.artifacts.into_iter().map(entry).collect();
    (report.schema.version, listed)
}

fn described(source: Source) -> Option<Described> {
    let place = |key: &str| {
        let found = source.metadata.get(key).or_else(|| source.target.get(key));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let name = Some(source.name.clone()).filter(|name| !name.is_empty());
    let name = name.or_else(|| place("userInput")).or_else(|| place("path"))?;
    let digest = place("manifestDigest").and_then(|digest| digest.parse().ok());
    Some(Described { name, version: source.version.filter(|version| !version.is_empty()), digest, purl: None })
}

fn entry(artifact: Artifact) -> Entry {
    let metadata = |key: &str| artifact.metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut properties = Properties::default();
    let nested = metadata("virtualPath").map(|path| path.trim_start_matches('/').replace(':', "!"));
    let path = nested.or_else(|| Some(artifact.locations.first()?.path.trim_start_matches('/').to_owned()));
    // Of a crate, the source is the registry.
    let source = metadata("source").filter(|source| !source.is_empty() && artifact.kind != "rust-crate");
    if let Some(source) = source {
        let version = metadata("sourceVersion").filter(|version| !version.is_empty());
        properties.push(crate::property::SOURCE_NAME.to_owned(), source);
        let version = version.or_else(|| artifact.version.clone()).unwrap_or_default();
        properties.push(crate::property::SOURCE_VERSION.to_owned(), version);
    }
    Entry {
        // Syft names the maintainer of a Debian or Alpine package, the vendor of an RPM, the author of a library.
        supplier: ["maintainer", "vendor", "author"]
            .into_iter()
            .find_map(&metadata)
            .filter(|supplier| !supplier.is_empty()),
        digest: digest(&artifact.metadata),
        licence: licence(&artifact.licenses),
        reference: Some(artifact.id),
        group: None,
        name: artifact.name,
        version: artifact.version,
        purl: artifact.purl.filter(|purl| !purl.is_empty()),
        path,
        properties,
    }
}

/// Of a Java archive, of an entry of Cargo.lock, or of one of npm's lock files.
fn digest(metadata: &Value) -> Option<Digest> {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    if let Some(checksum) = text("checksum") {
        return format!("sha256:{checksum}").parse().ok();
    }
    if let Some((algorithm, encoded)) = text("integrity").and_then(|integrity| integrity.split_once('-')) {
        let bytes = STANDARD.decode(encoded).ok()?;
        return format!("{algorithm}:{}", hex::encode(bytes)).parse().ok();
    }
    let digests = metadata.get("digest")?.as_array()?;
    let find = |algorithm: &str| {
        let digest =
            digests.iter().find(|digest| digest.get("algorithm").and_then(Value::as_str) == Some(algorithm))?;
        format!("{algorithm}:{}", digest.get("value")?.as_str()?).parse().ok()
    };
    find("sha256").or_else(|| find("sha512"))
}

fn licence(licences: &[Value]) -> Option<String> {
    let text = |licence: &Value| {
        let of = |key: &str| licence.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        licence.as_str().or_else(|| of("spdxExpression")).or_else(|| of("value")).map(str::to_owned)
    };
    crate::licence::together(licences.iter().filter_map(text))
}
