//! Trivy's JSON to contents.

use assay_model::{Bound, OsRelease, Partial};
use serde::Deserialize;

use crate::document::Lifecycle;
use crate::property::{self, Properties};
use crate::read::{Described, Entry, Listed, null_as_default};

/// What stands for the artifact where references are looked up: Trivy's packages have no element above them.
const ROOT: &str = "";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Report {
    #[serde(default, deserialize_with = "null_as_default")]
    created_at: String,
    #[serde(default, deserialize_with = "null_as_default")]
    artifact_name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    artifact_type: String,
    #[serde(default, deserialize_with = "null_as_default")]
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    results: Vec<Outcome>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    #[serde(rename = "OS")]
    os: Option<Os>,
    #[serde(deserialize_with = "null_as_default")]
    repo_digests: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Os {
    family: String,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Outcome {
    #[serde(deserialize_with = "null_as_default")]
    target: String,
    #[serde(deserialize_with = "null_as_default")]
    class: String,
    /// Absent where the packages were not asked for.
    packages: Option<Vec<Package>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Package {
    #[serde(rename = "ID", deserialize_with = "null_as_default")]
    id: String,
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    identifier: Identifier,
    #[serde(deserialize_with = "null_as_default")]
    version: String,
    #[serde(deserialize_with = "null_as_default")]
    release: String,
    #[serde(deserialize_with = "null_as_default")]
    epoch: u64,
    arch: Option<String>,
    src_name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    src_version: String,
    #[serde(deserialize_with = "null_as_default")]
    src_release: String,
    #[serde(deserialize_with = "null_as_default")]
    src_epoch: u64,
    #[serde(deserialize_with = "null_as_default")]
    licenses: Vec<String>,
    maintainer: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    depends_on: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    file_path: String,
    #[serde(deserialize_with = "null_as_default")]
    digest: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Identifier {
    #[serde(rename = "PURL")]
    purl: Option<String>,
}

/// What a report lists. One without packages (`--list-all-pkgs` was not given) is incomplete and says so.
pub(crate) fn listed(report: Report) -> Listed {
    let mut listed = Listed { root_reference: Some(ROOT.to_owned()), ..Listed::default() };
    listed.origin.created = report.created_at.parse().ok();
    listed.origin.tools = vec!["trivy".to_owned()];
    listed.origin.lifecycle = Some(match report.artifact_type.as_str() {
        "container_image" | "vm" => Lifecycle::PostBuild,
        _ => Lifecycle::PreBuild,
    });
    let digest = report.metadata.repo_digests.iter().find_map(|text| text.split_once('@')?.1.parse().ok());
    listed.described = Some(Described { name: report.artifact_name, version: None, digest, purl: None });
    listed.os = report.metadata.os.filter(|os| !os.family.is_empty()).map(|os| OsRelease {
        id: os.family,
        version_id: Some(os.name).filter(|name| !name.is_empty()),
        pretty_name: None,
        id_like: Vec::new(),
    });
    let mut parts = Vec::new();
    for (number, outcome) in report.results.into_iter().enumerate() {
        let Some(packages) = outcome.packages else {
            if outcome.class.ends_with("-pkgs") {
                let what = format!("packages of `{}` (the report does not list them)", outcome.target);
                listed.partial.push(Partial { what, bound: Bound::Malformed });
            }
            continue;
        };
        for package in packages {
            // Identifiers are unique within one result only.
            let reference = |id: &str| format!("{number}/{id}");
            let id = if package.id.is_empty() {
                format!("{}@{}", package.name, package.version)
            } else {
                package.id.clone()
            };
            let needs = package.depends_on.iter().map(|id| reference(id)).collect();
            listed.edges.push((reference(&id), needs));
            parts.push(reference(&id));
            listed.entries.push(entry(reference(&id), package));
        }
    }
    listed.parts.push((ROOT.to_owned(), parts));
    listed
}

/// `[epoch:]version[-release]`.
fn version(epoch: u64, version: &str, release: &str) -> String {
    let mut text = version.to_owned();
    if !release.is_empty() {
        text = format!("{text}-{release}");
    }
    if epoch > 0 && !text.contains(':') {
        text = format!("{epoch}:{text}");
    }
    text
}

fn entry(reference: String, package: Package) -> Entry {
    let mut properties = Properties::default();
    if let Some(name) = package.src_name.filter(|name| !name.is_empty()) {
        properties.push(property::SOURCE_NAME.to_owned(), name);
        let version = version(package.src_epoch, &package.src_version, &package.src_release);
        properties.push(property::SOURCE_VERSION.to_owned(), version);
    }
    if let Some(architecture) = package.arch.filter(|architecture| !architecture.is_empty()) {
        properties.push(property::ARCHITECTURE.to_owned(), architecture);
    }
    Entry {
        reference: Some(reference),
        group: None,
        name: package.name,
        version: Some(version(package.epoch, &package.version, &package.release)),
        purl: package.identifier.purl,
        supplier: package.maintainer.filter(|maintainer| !maintainer.is_empty()),
        licence: crate::licence::together(package.licenses.into_iter()),
        digest: package.digest.parse().ok(),
        path: Some(package.file_path.trim_start_matches('/').to_owned()).filter(|path| !path.is_empty()),
        properties,
    }
}
