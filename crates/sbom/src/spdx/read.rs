//! SPDX 2.2 and 2.3 to contents.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Contents, Digest, OsRelease};

use super::{DOCUMENT, Document, ExtractedLicence, NOASSERTION, Package};
use crate::property::{self, Properties};
use crate::read::{Described, Entry, collect};

/// The contents that a document lists, and what it says they are contents of.
pub(crate) fn contents(document: Document) -> (Option<Described>, Contents) {
    let (mut described_ids, mut edges) = (BTreeSet::from_iter(document.document_describes), Vec::new());
    for relationship in document.relationships {
        let (from, to) = (relationship.spdx_element_id, relationship.related_spdx_element);
        match relationship.relationship_type.as_str() {
            "DESCRIBES" if from == DOCUMENT => _ = described_ids.insert(to),
            "DESCRIBED_BY" if to == DOCUMENT => _ = described_ids.insert(from),
            "DEPENDS_ON" => edges.push((from, vec![to])),
            "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => edges.push((to, vec![from])),
            _ => {}
        }
    }
    let licences = document.has_extracted_licensing_infos.into_iter().filter_map(named_licence).collect();

    // A document that describes one package is about that one, unless it lists nothing else and that is a package with a
    // purl; one that describes them all is a list.
    let lists_more = document.packages.len() > 1;
    let single = (described_ids.len() == 1).then(|| described_ids.pop_first()).flatten();
    let is_root = |package: &Package| single.as_ref() == Some(&package.id) && (lists_more || purl(package).is_none());
    let (mut os, mut root, mut root_properties, mut entries) = (None, None, Properties::default(), Vec::new());
    for mut package in document.packages {
        let purpose = package.primary_package_purpose.take().unwrap_or_default();
        if matches!(&*purpose, "OPERATING_SYSTEM" | "OPERATING-SYSTEM") {
            os.get_or_insert_with(|| operating_system(package));
        } else if purpose == "CONTAINER" || is_root(&package) {
            root_properties = properties(&package);
            root = Some(described(package));
        } else {
            entries.push(entry(package, &licences));
        }
    }
    (root, collect(entries, edges, os, &root_properties))
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
    package.source_info.as_deref().map(property::from_lines).unwrap_or_default()
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
