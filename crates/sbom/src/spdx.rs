//! SPDX 2: the part of the format that Assay writes and reads (SPDX 2.3; 2.2 differs only in what is mandatory). JSON here,
//! lines of tags and values in [`tag_value`].
//!
//! One set of types serves both ways; reading ignores what is not listed here.

pub(crate) mod read;
pub(crate) mod tag_value;
pub(crate) mod write;

use serde::{Deserialize, Serialize};

use crate::read::null_as_default;

/// SPDX's word for "nothing is said about it".
const NOASSERTION: &str = "NOASSERTION";
/// Begins the comment that says when in the life of the artifact it was looked at.
const CONTEXT: &str = "Generation context: ";
/// The document's own identifier (clause 6.3).
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

/// A document.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Document {
    spdx_version: String,
    #[serde(skip_deserializing)]
    data_license: &'static str,
    #[serde(rename = "SPDXID", skip_deserializing)]
    id: &'static str,
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    document_namespace: String,
    #[serde(deserialize_with = "null_as_default")]
    creation_info: CreationInfo,
    #[serde(deserialize_with = "null_as_default")]
    packages: Vec<Package>,
    #[serde(deserialize_with = "null_as_default")]
    relationships: Vec<Relationship>,
    /// Only read: older documents name what they describe here.
    #[serde(deserialize_with = "null_as_default", skip_serializing)]
    document_describes: Vec<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence>,
}

impl Document {
    /// As it is written: `SPDX-2.3`.
    pub(crate) fn version(&self) -> &str {
        &self.spdx_version
    }
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct CreationInfo {
    #[serde(deserialize_with = "null_as_default")]
    created: String,
    #[serde(deserialize_with = "null_as_default")]
    creators: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    comment: String,
    #[serde(deserialize_with = "null_as_default")]
    license_list_version: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    #[serde(skip_deserializing)]
    download_location: &'static str,
    #[serde(skip_deserializing)]
    files_analyzed: bool,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_concluded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_declared: Option<String>,
    #[serde(skip_deserializing)]
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalReference {
    reference_category: String,
    reference_type: String,
    reference_locator: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: String,
    related_spdx_element: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence {
    license_id: String,
    #[serde(default)]
    extracted_text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}
