//! CycloneDX 1.4 to 1.7 to contents.

use assay_model::{Contents, Digest, OsRelease};

use super::{Bom, Component, LicenceChoice};
use crate::property::{self, Properties};
use crate::read::{Described, Entry, collect};

/// The contents that a document lists, and what it says they are contents of.
pub(crate) fn contents(bom: Bom) -> (Option<Described>, Contents) {
    let mut os = None;
    let mut entries = Vec::new();
    let (mut described, mut root_properties) = (None, Properties::default());
    if let Some(mut component) = bom.metadata.component {
        flatten(std::mem::take(&mut component.components), &mut entries, &mut os);
        root_properties = properties(&mut component);
        described = Some(Described {
            digest: digest(&component).or_else(|| component.version.as_deref()?.parse().ok()),
            version: component.version,
            purl: component.purl.and_then(|purl| purl.parse().ok()),
            name: component.name,
        });
    }
    flatten(bom.components, &mut entries, &mut os);
    let edges = bom.dependencies.into_iter().map(|dependency| (dependency.reference, dependency.depends_on));
    (described, collect(entries, edges, os, &root_properties))
}

/// Nested components are parts of the one around them; all of them are in the image. The nesting is bounded by
/// [`crate::MAX_DEPTH`].
fn flatten(components: Vec<Component>, entries: &mut Vec<Entry>, os: &mut Option<OsRelease>) {
    for mut component in components {
        flatten(std::mem::take(&mut component.components), entries, os);
        if component.kind == "operating-system" {
            os.get_or_insert_with(|| operating_system(component));
        } else if component.purl.is_some() || matches!(&*component.kind, "library" | "framework" | "application") {
            entries.push(entry(component));
        }
    }
}

fn operating_system(mut component: Component) -> OsRelease {
    OsRelease {
        id_like: properties(&mut component).all(property::OS_LIKE).to_vec(),
        id: component.name,
        version_id: component.version,
        pretty_name: component.description,
    }
}

fn entry(mut component: Component) -> Entry {
    let location = component.evidence.take().and_then(|evidence| evidence.occurrences.into_iter().next());
    Entry {
        digest: digest(&component),
        properties: properties(&mut component),
        reference: component.bom_ref,
        path: location.map(|occurrence| occurrence.location),
        supplier: component.supplier.and_then(|supplier| supplier.name).or(component.publisher),
        licence: licence(component.licenses),
        group: component.group,
        name: component.name,
        version: component.version,
        purl: component.purl,
    }
}

fn properties(component: &mut Component) -> Properties {
    let mut properties = Properties::default();
    for property in component.properties.drain(..) {
        properties.push(property.name, property.value);
    }
    properties
}

fn digest(component: &Component) -> Option<Digest> {
    let find = |alg: &str, prefix: &str| {
        let hash = component.hashes.iter().find(|hash| hash.alg == alg)?;
        format!("{prefix}:{}", hash.content.to_ascii_lowercase()).parse().ok()
    };
    find("SHA-256", "sha256").or_else(|| find("SHA-512", "sha512"))
}

/// Several licences apply together (CycloneDX, `licenses`: a list means all of them).
fn licence(choices: Vec<LicenceChoice>) -> Option<String> {
    let text = |choice: LicenceChoice| {
        choice.expression.or_else(|| choice.license.and_then(|licence| licence.id.or(licence.name)))
    };
    let mut texts: Vec<_> = choices.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect();
    if texts.len() > 1 {
        for text in texts.iter_mut().filter(|text| text.contains(" OR ")) {
            *text = format!("({text})");
        }
    }
    Some(texts.join(" AND ")).filter(|text| !text.is_empty())
}
