//! CycloneDX 1.4 to 1.7 to contents.

use assay_model::{Digest, OsRelease};

use super::{Bom, Component, LicenceChoice, NOASSERTION, Organisation, Tools};
use crate::document::Lifecycle;
use crate::property::{self, Properties};
use crate::read::{Described, Entry, Listed, Origin};

/// What a document lists, and what it says it is about.
pub(crate) fn listed(bom: Bom) -> Listed {
    let mut listed = Listed { origin: origin(&bom), ..Listed::default() };
    if let Some(mut component) = bom.metadata.component {
        listed.root_reference = Some(component.bom_ref.clone().unwrap_or_default());
        let inside = std::mem::take(&mut component.components);
        listed.flatten(inside, listed.root_reference.clone());
        listed.root = properties(&mut component);
        listed.described = Some(Described {
            digest: digest(&component).or_else(|| component.version.as_deref()?.parse().ok()),
            version: component.version,
            purl: component.purl.and_then(|purl| purl.parse().ok()),
            name: component.name,
        });
    }
    listed.flatten(bom.components, None);
    let edges = bom.dependencies.into_iter().map(|dependency| (dependency.reference, dependency.depends_on));
    listed.edges = edges.collect();
    listed
}

fn origin(bom: &Bom) -> Origin {
    let metadata = &bom.metadata;
    let tool =
        |name: &str, version: Option<&str>| version.map_or(name.to_owned(), |version| format!("{name}-{version}"));
    let tools = match &metadata.tools {
        Tools::List(tools) => tools.iter().map(|one| tool(&one.name, one.version.as_deref())).collect(),
        Tools::Components { components } => {
            components.iter().map(|one| tool(&one.name, one.version.as_deref())).collect()
        }
    };
    let own = metadata.properties.iter().find(|property| property.name == property::LIFECYCLE);
    let phases = metadata.lifecycles.iter().map(|one| one.phase.as_str()).chain(own.map(|own| own.value.as_str()));
    let author = |one: &Organisation| one.name.clone().or_else(|| one.email.clone());
    Origin {
        authors: metadata.authors.iter().chain(&metadata.manufacturer).filter_map(author).collect(),
        tools,
        created: metadata.timestamp.parse().ok(),
        lifecycle: phases.rev().find_map(Lifecycle::of_phase),
        identifier: Some(bom.serial_number.clone()).filter(|text| !text.is_empty()),
    }
}

impl Listed {
    /// Nested components are parts of the one around them; all of them are in the image. The nesting is bounded by
    /// [`crate::MAX_DEPTH`].
    fn flatten(&mut self, components: Vec<Component>, parent: Option<String>) {
        for mut component in components {
            let own = component.bom_ref.clone();
            if let (Some(parent), Some(own)) = (&parent, &own) {
                self.parts.push((parent.clone(), vec![own.clone()]));
            }
            self.flatten(std::mem::take(&mut component.components), own);
            if component.kind == "operating-system" {
                self.os_reference = self.os_reference.take().or_else(|| component.bom_ref.clone());
                self.os.get_or_insert_with(|| operating_system(component));
            } else if component.purl.is_some() || matches!(&*component.kind, "library" | "framework" | "application") {
                self.entries.push(entry(component));
            }
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
        supplier: component
            .supplier
            .and_then(|supplier| supplier.name)
            .filter(|name| name != NOASSERTION)
            .or(component.publisher),
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
    crate::licence::together(choices.into_iter().filter_map(text))
}
