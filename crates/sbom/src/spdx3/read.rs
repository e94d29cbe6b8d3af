//! SPDX 3.0 to contents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use assay_model::{Digest, OsRelease};
use serde::Deserialize;
use serde_json::Value;

use crate::document::Lifecycle;
use crate::property::{self, Properties};
use crate::read::{Described, Entry, Listed, Origin, null_as_default};

/// A document: a graph, or one element by itself.
#[derive(Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "@graph", default)]
    graph: Vec<Element>,
}

/// Any element: the fields of all kinds that matter here.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Element {
    #[serde(rename = "type", alias = "@type", deserialize_with = "null_as_default")]
    kind: String,
    #[serde(alias = "@id", deserialize_with = "null_as_default")]
    spdx_id: String,
    name: Option<String>,
    description: Option<String>,
    spec_version: Option<String>,
    created: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    created_by: Vec<Value>,
    #[serde(deserialize_with = "null_as_default")]
    created_using: Vec<Value>,
    #[serde(deserialize_with = "null_as_default")]
    root_element: Vec<Value>,
    #[serde(rename = "software_sbomType", deserialize_with = "null_as_default")]
    sbom_type: Vec<String>,
    #[serde(rename = "software_packageVersion")]
    version: Option<String>,
    #[serde(rename = "software_packageUrl")]
    purl: Option<String>,
    #[serde(rename = "software_primaryPurpose")]
    purpose: Option<String>,
    #[serde(rename = "software_sourceInfo")]
    source_info: Option<String>,
    supplied_by: Option<Value>,
    #[serde(deserialize_with = "null_as_default")]
    verified_using: Vec<Value>,
    #[serde(deserialize_with = "null_as_default")]
    external_identifier: Vec<Value>,
    #[serde(rename = "simplelicensing_licenseExpression")]
    expression: Option<String>,
    #[serde(rename = "simplelicensing_customIdToUri", deserialize_with = "null_as_default")]
    custom: Vec<Value>,
    relationship_type: Option<String>,
    from: Option<Value>,
    #[serde(deserialize_with = "null_as_default")]
    to: Vec<Value>,
}

/// An element is referred to by its identifier, or stands where it is used.
fn reference(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("spdxId").or_else(|| value.get("@id"))?.as_str())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What a document lists, and which version of 3.0 it is.
pub(crate) fn listed(document: Document) -> (String, Listed) {
    let mut listed = Listed::default();
    let mut version = "3.0".to_owned();
    let (mut names, mut expressions): (HashMap<&str, &str>, HashMap<&str, String>) = (HashMap::new(), HashMap::new());
    for element in &document.graph {
        names.extend(element.name.as_deref().map(|name| (element.spdx_id.as_str(), name)));
    }
    let (mut roots, mut licences): (BTreeSet<&str>, BTreeMap<&str, &str>) = (BTreeSet::new(), BTreeMap::new());
    let mut sboms: BTreeSet<&str> = BTreeSet::new();
    for element in &document.graph {
        match element.kind.as_str() {
            "CreationInfo" => {
                version = element.spec_version.clone().unwrap_or(version);
                origin(element, &names, &mut listed.origin);
            }
            "SpdxDocument" => {
                listed.origin.identifier = Some(element.spdx_id.clone());
                roots.extend(element.root_element.iter().filter_map(reference));
            }
            "software_Sbom" | "Bom" | "Bundle" => {
                sboms.insert(&element.spdx_id);
                roots.extend(element.root_element.iter().filter_map(reference));
                listed.origin.lifecycle = element.sbom_type.iter().find_map(|kind| match kind.as_str() {
                    "source" => Some(Lifecycle::PreBuild),
                    "build" => Some(Lifecycle::Build),
                    "analyzed" => Some(Lifecycle::PostBuild),
                    _ => None,
                });
            }
            "simplelicensing_LicenseExpression" => {
                expressions.insert(&element.spdx_id, expression(element, &names));
            }
            kind if kind.ends_with("Relationship") => relationship(element, &mut listed, &mut licences),
            _ => {}
        }
    }
    roots.retain(|root| !sboms.contains(root));
    // As in SPDX 2: a document that is about several is a list.
    let single = if roots.len() == 1 { roots.pop_first() } else { None };
    for element in document.graph.iter().filter(|element| element.kind == "software_Package") {
        match element.purpose.as_deref() {
            Some("operatingSystem") => {
                listed.os_reference.get_or_insert_with(|| element.spdx_id.clone());
                listed.os.get_or_insert_with(|| operating_system(element));
            }
            _ if single == Some(element.spdx_id.as_str()) => {
                listed.root_reference = Some(element.spdx_id.clone());
                listed.root = properties(element);
                listed.described = Some(Described {
                    name: element.name.clone().unwrap_or_default(),
                    digest: digest(element).or_else(|| element.version.as_deref()?.parse().ok()),
                    purl: purl(element).and_then(|purl| purl.parse().ok()),
                    version: element.version.clone(),
                });
            }
            _ => {
                let licence = licences.get(element.spdx_id.as_str()).map(|licence| {
                    expressions.get(licence).cloned().unwrap_or_else(|| listed_licence(licence).to_owned())
                });
                listed.entries.push(entry(element, licence, &names));
            }
        }
    }
    (version, listed)
}

fn origin(element: &Element, names: &HashMap<&str, &str>, origin: &mut Origin) {
    let named = |values: &[Value]| -> Vec<String> {
        let name = |value: &Value| names.get(reference(value)?).map(|name| (*name).to_owned());
        values.iter().filter_map(name).collect()
    };
    origin.created = element.created.as_deref().and_then(|time| time.parse().ok());
    origin.authors = named(&element.created_by);
    origin.tools = named(&element.created_using);
}

/// `hasDeclaredLicense` counts before `hasConcludedLicense`.
fn relationship<'a>(element: &'a Element, listed: &mut Listed, licences: &mut BTreeMap<&'a str, &'a str>) {
    let Some(from) = element.from.as_ref().and_then(reference) else { return };
    let to: Vec<&str> = element.to.iter().filter_map(reference).collect();
    let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    match element.relationship_type.as_deref().unwrap_or_default() {
        "dependsOn" | "hasRequirement" => listed.edges.push((from.to_owned(), owned(&to))),
        "contains" | "hasDynamicLink" | "hasStaticLink" => listed.parts.push((from.to_owned(), owned(&to))),
        "hasDeclaredLicense" => licences.extend(to.first().map(|&to| (from, to))),
        "hasConcludedLicense" => {
            if let Some(&to) = to.first() {
                licences.entry(from).or_insert(to);
            }
        }
        _ => {}
    }
}

/// The expression; one that is nothing but a name of its own is that name.
fn expression(element: &Element, names: &HashMap<&str, &str>) -> String {
    let expression = element.expression.clone().unwrap_or_default();
    let own = element.custom.iter().find(|entry| text(entry, "key") == expression);
    own.and_then(|entry| names.get(text(entry, "value"))).map_or(expression, |name| (*name).to_owned())
}

/// A licence of SPDX's list may be referred to without being in the document: `http://spdx.org/licenses/MIT`.
fn listed_licence(id: &str) -> &str {
    id.rsplit('/').next().filter(|_| id.contains("spdx.org/licenses/")).unwrap_or_default()
}

fn operating_system(element: &Element) -> OsRelease {
    OsRelease {
        id: element.name.clone().unwrap_or_default(),
        version_id: element.version.clone(),
        pretty_name: element.description.clone(),
        id_like: properties(element).all(property::OS_LIKE).to_vec(),
    }
}

fn entry(element: &Element, licence: Option<String>, names: &HashMap<&str, &str>) -> Entry {
    let supplier = element.supplied_by.as_ref().and_then(|supplier| {
        let inline = supplier.get("name").and_then(Value::as_str);
        inline.or_else(|| names.get(reference(supplier)?).copied()).map(str::to_owned)
    });
    Entry {
        reference: Some(element.spdx_id.clone()),
        group: None,
        name: element.name.clone().unwrap_or_default(),
        version: element.version.clone(),
        purl: purl(element).map(str::to_owned),
        supplier,
        licence: licence.filter(|text| !matches!(text.as_str(), "" | "NOASSERTION" | "NONE")),
        digest: digest(element),
        path: None,
        properties: properties(element),
    }
}

fn properties(element: &Element) -> Properties {
    element.source_info.as_deref().map(property::from_lines).unwrap_or_default()
}

fn purl(element: &Element) -> Option<&str> {
    let other = || {
        let is_purl = |value: &&Value| text(value, "externalIdentifierType") == "packageUrl";
        element.external_identifier.iter().find(is_purl).map(|value| text(value, "identifier"))
    };
    element.purl.as_deref().or_else(other)
}

fn digest(element: &Element) -> Option<Digest> {
    let find = |algorithm: &str| {
        let hash = element.verified_using.iter().find(|hash| text(hash, "algorithm") == algorithm)?;
        format!("{algorithm}:{}", text(hash, "hashValue").to_ascii_lowercase()).parse().ok()
    };
    find("sha256").or_else(|| find("sha512"))
}
