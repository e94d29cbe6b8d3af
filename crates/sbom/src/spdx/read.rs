//! SPDX 2.2 and 2.3 to contents.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Digest, OsRelease};

use super::{CONTEXT, DOCUMENT, Document, ExtractedLicence, NOASSERTION, Package};
use crate::document::Lifecycle;
use crate::property::{self, Properties};
use crate::read::{Described, Entry, Listed, Origin};

/// What a document lists, and what it says it is about.
pub(crate) fn listed(document: Document) -> Listed {
    let mut listed = Listed { origin: origin(&document), ..Listed::default() };
    let mut described_ids = BTreeSet::from_iter(document.document_describes);
    for relationship in document.relationships {
        let (from, to) = (relationship.spdx_element_id, relationship.related_spdx_element);
        match relationship.relationship_type.as_str() {
            "DESCRIBES" if from == DOCUMENT => _ = described_ids.insert(to),
            "DESCRIBED_BY" if to == DOCUMENT => _ = described_ids.insert(from),
            "DEPENDS_ON" => listed.edges.push((from, vec![to])),
            "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => listed.edges.push((to, vec![from])),
            "CONTAINS" => listed.parts.push((from, vec![to])),
            "CONTAINED_BY" => listed.parts.push((to, vec![from])),
            _ => {}
        }
    }
    let licences = document.has_extracted_licensing_infos.into_iter().filter_map(named_licence).collect();

    // A document that describes one package is about that one, unless it lists nothing else and that is a package with a
    // purl; one that describes them all is a list.
    let lists_more = document.packages.len() > 1;
    let single = if described_ids.len() == 1 { described_ids.first().cloned() } else { None };
    listed.parts.push((DOCUMENT.to_owned(), described_ids.into_iter().collect()));
    listed.root_reference = Some(DOCUMENT.to_owned());
    let is_root = |package: &Package| single.as_ref() == Some(&package.id) && (lists_more || purl(package).is_none());
    for mut package in document.packages {
        let purpose = package.primary_package_purpose.take().unwrap_or_default();
        if matches!(&*purpose, "OPERATING_SYSTEM" | "OPERATING-SYSTEM") {
            listed.os_reference.get_or_insert_with(|| package.id.clone());
            listed.os.get_or_insert_with(|| operating_system(package));
        } else if purpose == "CONTAINER" || is_root(&package) {
            listed.root = properties(&package);
            listed.described = Some(described(package));
        } else {
            listed.entries.push(entry(package, &licences));
        }
    }
    listed
}

/// Creators are `Tool: name-version`, `Organization: name` and `Person: name` (clause 6.8).
fn origin(document: &Document) -> Origin {
    let info = &document.creation_info;
    let named = |kind: &'static str| {
        info.creators.iter().filter_map(move |creator| creator.strip_prefix(kind)).map(str::to_owned)
    };
    Origin {
        authors: named("Organization: ").chain(named("Person: ")).collect(),
        tools: named("Tool: ").collect(),
        created: info.created.parse().ok(),
        lifecycle: info.comment.strip_prefix(CONTEXT).and_then(Lifecycle::of_phase),
        identifier: Some(document.document_namespace.clone()).filter(|text| !text.is_empty()),
    }
}

fn named_licence(licence: ExtractedLicence) -> Option<(String, String)> {
    licence.name.filter(|name| name != NOASSERTION && !name.is_empty()).map(|name| (licence.license_id, name))
}

fn operating_system(package: Package) -> OsRelease {
    OsRelease {
        id_like: properties(&package).all(property::OS_LIKE).to_vec(),
        id: package.name,
        version_id: package.version_info,
        pretty_name: package.description,
    }
}

fn described(package: Package) -> Described {
    Described {
        digest: digest(&package).or_else(|| package.version_info.as_deref()?.parse().ok()),
        purl: purl(&package).and_then(|purl| purl.parse().ok()),
        version: package.version_info,
        name: package.name,
    }
}

fn entry(package: Package, licences: &BTreeMap<String, String>) -> Entry {
    let licence = asserted(package.license_declared.clone()).or_else(|| asserted(package.license_concluded.clone()));
    Entry {
        digest: digest(&package),
        properties: properties(&package),
        purl: purl(&package).map(str::to_owned),
        path: None,
        supplier: asserted(package.supplier).map(actor),
        licence: licence.map(|text| licences.get(&text).cloned().unwrap_or(text)),
        reference: Some(package.id),
        group: None,
        name: package.name,
        version: package.version_info,
    }
}

fn asserted(text: Option<String>) -> Option<String> {
    text.filter(|text| !matches!(text.as_str(), NOASSERTION | "NONE" | ""))
}

/// The name in `Organization: name` or `Person: name` (clause 7.5).
fn actor(text: String) -> String {
    let name = text.strip_prefix("Organization: ").or_else(|| text.strip_prefix("Person: "));
    name.map_or(text.clone(), str::to_owned)
}

fn properties(package: &Package) -> Properties {
    property::of_texts(package.comment.as_deref(), package.source_info.as_deref())
}

fn purl(package: &Package) -> Option<&str> {
    let found = package.external_refs.iter().find(|reference| reference.reference_type == "purl")?;
    Some(&found.reference_locator)
}

fn digest(package: &Package) -> Option<Digest> {
    let find = |algorithm: &str, prefix: &str| {
        let checksum = package.checksums.iter().find(|checksum| checksum.algorithm == algorithm)?;
        format!("{prefix}:{}", checksum.checksum_value.to_ascii_lowercase()).parse().ok()
    };
    find("SHA256", "sha256").or_else(|| find("SHA512", "sha512"))
}
