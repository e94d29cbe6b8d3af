//! CycloneDX XML: the same documents in the other syntax (CycloneDX XML schema, `bom-1.4.xsd` to `bom-1.7.xsd`).

use super::{
    Bom, Component, Dependency, Evidence, Hash, LicenceChoice, Metadata, NamedLicence, Occurrence, Organisation, Phase,
    Property, Tool, Tools,
};
use crate::SbomError;
use crate::document::CycloneDxVersion;
use crate::xml::{self, Element, Writer};

/// Namespaces end in the version.
const NAMESPACE: &str = "http://cyclonedx.org/schema/bom/";

/// The document as XML.
pub(crate) fn write(bom: &Bom) -> String {
    let mut writer = Writer::new();
    let namespace = format!("{NAMESPACE}{}", bom.spec_version);
    let number = bom.version.to_string();
    let attributes =
        [("xmlns", Some(&*namespace)), ("serialNumber", Some(&*bom.serial_number)), ("version", Some(&*number))];
    writer.element("bom", &attributes, |w| {
        metadata(w, &bom.metadata);
        w.element("components", &[], |w| bom.components.iter().for_each(|one| component(w, one)));
        w.element("dependencies", &[], |w| {
            for one in &bom.dependencies {
                w.element("dependency", &[("ref", Some(&one.reference))], |w| {
                    one.depends_on.iter().for_each(|to| w.element("dependency", &[("ref", Some(to))], |_| ()));
                });
            }
        });
        w.element("compositions", &[], |w| {
            for one in &bom.compositions {
                w.element("composition", &[], |w| {
                    w.text("aggregate", &[], Some(one.aggregate));
                    w.element("assemblies", &[], |w| {
                        one.assemblies.iter().for_each(|to| w.element("assembly", &[("ref", Some(to))], |_| ()));
                    });
                });
            }
        });
    });
    writer.finish()
}

fn metadata(w: &mut Writer, metadata: &Metadata) {
    w.element("metadata", &[], |w| {
        w.text("timestamp", &[], Some(&metadata.timestamp));
        w.element("lifecycles", &[], |w| {
            for one in &metadata.lifecycles {
                w.element("lifecycle", &[], |w| w.text("phase", &[], Some(&one.phase)));
            }
        });
        w.element("tools", &[], |w| match &metadata.tools {
            Tools::Components { components } => {
                w.element("components", &[], |w| components.iter().for_each(|one| component(w, one)));
            }
            Tools::List(tools) => tools.iter().for_each(|tool| {
                w.element("tool", &[], |w| {
                    w.text("name", &[], Some(&tool.name));
                    w.text("version", &[], tool.version.as_deref());
                });
            }),
        });
        metadata.component.iter().for_each(|one| component(w, one));
        properties(w, &metadata.properties);
    });
}

/// The order of the elements is that of the schema.
fn component(w: &mut Writer, component: &Component) {
    let attributes = [("type", Some(&*component.kind)), ("bom-ref", component.bom_ref.as_deref())];
    w.element("component", &attributes, |w| {
        if let Some(supplier) = &component.supplier {
            w.element("supplier", &[], |w| w.text("name", &[], supplier.name.as_deref()));
        }
        w.text("publisher", &[], component.publisher.as_deref());
        w.text("group", &[], component.group.as_deref());
        w.text("name", &[], Some(&component.name));
        w.text("version", &[], component.version.as_deref());
        w.text("description", &[], component.description.as_deref());
        w.element("hashes", &[], |w| {
            component.hashes.iter().for_each(|hash| w.text("hash", &[("alg", Some(&hash.alg))], Some(&hash.content)));
        });
        w.element("licenses", &[], |w| {
            for choice in &component.licenses {
                w.text("expression", &[], choice.expression.as_deref());
                if let Some(licence) = &choice.license {
                    w.element("license", &[], |w| {
                        w.text("id", &[], licence.id.as_deref());
                        w.text("name", &[], licence.name.as_deref());
                    });
                }
            }
        });
        w.text("purl", &[], component.purl.as_deref());
        properties(w, &component.properties);
        if let Some(evidence) = &component.evidence {
            w.element("evidence", &[], |w| {
                w.element("occurrences", &[], |w| {
                    for one in &evidence.occurrences {
                        w.element("occurrence", &[], |w| w.text("location", &[], Some(&one.location)));
                    }
                });
            });
        }
    });
}

fn properties(w: &mut Writer, properties: &[Property]) {
    w.element("properties", &[], |w| {
        for one in properties {
            w.text("property", &[("name", Some(&one.name))], Some(&one.value));
        }
    });
}

/// Reads a document in XML, and which version it is.
pub(crate) fn read(bytes: &[u8]) -> Result<(CycloneDxVersion, Bom), SbomError> {
    let root = xml::parse(bytes)?;
    let version = root.namespace.as_deref().and_then(|namespace| namespace.strip_prefix(NAMESPACE));
    let Some(version) = version.filter(|_| root.name == "bom") else {
        return Err(SbomError::NotAnSbom { reason: format!("it is XML whose root is `{}`", root.name) });
    };
    let known = CycloneDxVersion::parse(version)
        .ok_or_else(|| SbomError::Unsupported { found: format!("CycloneDX XML {version}") })?;
    Ok((known, bom(&root, version)))
}

fn bom(root: &Element, version: &str) -> Bom {
    let dependency = |element: &Element| Dependency {
        reference: reference(element),
        depends_on: element.children.iter().filter(|child| child.name == "dependency").map(reference).collect(),
    };
    Bom {
        bom_format: "CycloneDX".to_owned(),
        spec_version: version.to_owned(),
        serial_number: root.attribute("serialNumber").unwrap_or_default().to_owned(),
        metadata: root.child("metadata").map(read_metadata).unwrap_or_default(),
        components: root.list("components", "component").map(read_component).collect(),
        dependencies: root.list("dependencies", "dependency").map(dependency).collect(),
        ..Bom::default()
    }
}

fn reference(element: &Element) -> String {
    element.attribute("ref").unwrap_or_default().to_owned()
}

fn read_metadata(element: &Element) -> Metadata {
    let text = |name: &str| element.text_of(name).unwrap_or_default();
    let tool =
        |tool: &Element| Tool { name: tool.text_of("name").unwrap_or_default(), version: tool.text_of("version") };
    let tools = element.child("tools");
    let components = tools.into_iter().flat_map(|tools| tools.list("components", "component"));
    let old = tools.into_iter().flat_map(|tools| &tools.children).filter(|child| child.name == "tool");
    let phase = |one: &Element| Phase { phase: one.text_of("phase").unwrap_or_default() };
    Metadata {
        timestamp: text("timestamp"),
        lifecycles: element.list("lifecycles", "lifecycle").map(phase).collect(),
        tools: Tools::List(components.chain(old).map(tool).collect()),
        authors: element.list("authors", "author").map(organisation).collect(),
        manufacturer: element.child("manufacturer").map(organisation),
        component: element.child("component").map(read_component),
        properties: read_properties(element),
    }
}

fn organisation(element: &Element) -> Organisation {
    Organisation { name: element.text_of("name"), email: element.text_of("email") }
}

/// The nesting is bounded by [`crate::MAX_DEPTH`].
fn read_component(element: &Element) -> Component {
    let attribute = |name: &str| element.attribute(name).map(str::to_owned);
    let hash = |hash: &Element| Hash {
        alg: hash.attribute("alg").unwrap_or_default().to_owned(),
        content: hash.text.trim().to_owned(),
    };
    let licences = element.child("licenses").into_iter().flat_map(|licences| &licences.children);
    let choice = |choice: &Element| match choice.name.as_str() {
        "expression" => Some(LicenceChoice { expression: Some(choice.text.clone()), license: None }),
        "license" => {
            let licence = NamedLicence { id: choice.text_of("id"), name: choice.text_of("name") };
            Some(LicenceChoice { license: Some(licence), expression: None })
        }
        _ => None,
    };
    let occurrence = |one: &Element| Occurrence { location: one.text_of("location").unwrap_or_default() };
    let occurrences = element.child("evidence").map(|evidence| {
        let occurrences = evidence.list("occurrences", "occurrence").map(occurrence).collect();
        Evidence { occurrences }
    });
    Component {
        kind: attribute("type").unwrap_or_default(),
        bom_ref: attribute("bom-ref"),
        supplier: element.child("supplier").map(organisation),
        publisher: element.text_of("publisher"),
        group: element.text_of("group"),
        name: element.text_of("name").unwrap_or_default(),
        version: element.text_of("version"),
        description: element.text_of("description"),
        hashes: element.list("hashes", "hash").map(hash).collect(),
        licenses: licences.filter_map(choice).collect(),
        purl: element.text_of("purl"),
        components: element.list("components", "component").map(read_component).collect(),
        evidence: occurrences,
        properties: read_properties(element),
    }
}

fn read_properties(element: &Element) -> Vec<Property> {
    let property = |property: &Element| Property {
        name: property.attribute("name").unwrap_or_default().to_owned(),
        value: property.text.clone(),
    };
    element.list("properties", "property").map(property).collect()
}
