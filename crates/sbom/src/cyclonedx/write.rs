//! Contents to CycloneDX 1.4 to 1.7.

use assay_model::{Algorithm, Contents, Digest, OsRelease, Package};

use super::{
    Bom, Component, Composition, Dependency, Evidence, Hash, LicenceChoice, Metadata, NOASSERTION, NamedLicence,
    Occurrence, Organisation, Phase, Property, Tool, Tools,
};
use crate::document::{CycloneDxVersion, Generation, Root};
use crate::graph::Graph;
use crate::licence::Licence;
use crate::property;

/// The document for `contents` of `root`.
pub(crate) fn bom(
    contents: &Contents,
    root: &Root,
    generation: &Generation<'_>,
    version: CycloneDxVersion,
    identity: &str,
) -> Bom {
    let graph = Graph::new(contents, root);
    let mut components: Vec<_> =
        graph.operating_system().map(|(reference, os)| operating_system(reference, os)).into_iter().collect();
    components.extend(graph.packages().map(|(reference, package)| library(reference, package, contents, version)));
    components.sort_by(|a, b| a.bom_ref.cmp(&b.bom_ref));
    let dependency = |(reference, depends_on): (&str, Vec<&str>)| Dependency {
        reference: reference.to_owned(),
        depends_on: depends_on.into_iter().map(str::to_owned).collect(),
    };
    let mut dependencies: Vec<_> = graph.edges().map(dependency).collect();
    dependencies.sort_by(|a, b| a.reference.cmp(&b.reference));
    let incomplete = (!contents.partial.is_empty())
        .then(|| Composition { aggregate: "incomplete", assemblies: vec![graph.root().to_owned()] });
    // Life cycles came with 1.5; older documents keep theirs as a property.
    let phase = generation.lifecycle.phase();
    let has_lifecycles = version >= CycloneDxVersion::V1_5;
    let lifecycle = (!has_lifecycles).then(|| (property::LIFECYCLE, phase.to_owned()));
    Bom {
        schema: format!("http://cyclonedx.org/schema/bom-{}.schema.json", version.as_str()),
        bom_format: "CycloneDX".to_owned(),
        spec_version: version.as_str().to_owned(),
        serial_number: format!("urn:uuid:{identity}"),
        version: 1,
        metadata: Metadata {
            timestamp: generation.created(),
            lifecycles: has_lifecycles.then(|| Phase { phase: phase.to_owned() }).into_iter().collect(),
            tools: tools(generation, version),
            component: Some(root_component(graph.root(), contents, root)),
            properties: properties(lifecycle.into_iter().collect()),
            ..Metadata::default()
        },
        components,
        dependencies,
        compositions: incomplete.into_iter().collect(),
    }
}

fn tools(generation: &Generation<'_>, version: CycloneDxVersion) -> Tools {
    let (name, own) = ("assay".to_owned(), Some(generation.tool_version.to_owned()));
    if version == CycloneDxVersion::V1_4 {
        return Tools::List(vec![Tool { name, version: own }]);
    }
    let tool = Component { kind: "application".to_owned(), name, version: own, ..Component::default() };
    Tools::Components { components: vec![tool] }
}

fn root_component(reference: &str, contents: &Contents, root: &Root) -> Component {
    Component {
        kind: if root.is_image() { "container" } else { "application" }.to_owned(),
        bom_ref: Some(reference.to_owned()),
        name: root.name.clone(),
        version: root.version.clone(),
        hashes: root.digest.iter().map(hash).collect(),
        purl: root.purl.as_ref().map(ToString::to_string),
        properties: properties(property::of_root(contents)),
        ..Component::default()
    }
}

fn operating_system(reference: &str, os: &OsRelease) -> Component {
    Component {
        kind: "operating-system".to_owned(),
        bom_ref: Some(reference.to_owned()),
        name: os.id.clone(),
        version: os.version_id.clone(),
        description: os.pretty_name.clone(),
        properties: properties(property::of_os(os)),
        ..Component::default()
    }
}

fn library(reference: &str, package: &Package, contents: &Contents, version: CycloneDxVersion) -> Component {
    Component {
        kind: "library".to_owned(),
        bom_ref: Some(reference.to_owned()),
        supplier: Some(Organisation {
            // A minimum element: that nobody is named is said, as SPDX does.
            name: Some(package.supplier.clone().unwrap_or_else(|| NOASSERTION.to_owned())),
            email: None,
        }),
        name: package.name.clone(),
        version: Some(package.version.clone()),
        hashes: package.digest.iter().map(hash).collect(),
        licenses: package.licence.as_deref().and_then(Licence::of).map(choice).into_iter().collect(),
        purl: Some(package.purl.to_string()),
        evidence: Some(Evidence { occurrences: vec![Occurrence { location: package.path.clone() }] })
            .filter(|_| !package.path.is_empty() && version >= CycloneDxVersion::V1_5),
        properties: properties(
            [property::of_package(package, contents), property::of_source_for_trivy(package)].concat(),
        ),
        ..Component::default()
    }
}

/// A single identifier is written as an expression too: the schema lists the identifiers of one licence list, and a newer
/// one would make the document invalid.
fn choice(licence: Licence<'_>) -> LicenceChoice {
    match licence {
        Licence::Expression(text) => LicenceChoice { expression: Some(text.to_owned()), license: None },
        Licence::Name(text) => {
            LicenceChoice { license: Some(NamedLicence { name: Some(text.to_owned()), id: None }), expression: None }
        }
    }
}

fn hash(digest: &Digest) -> Hash {
    let alg = match digest.algorithm() {
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Sha512 => "SHA-512",
    };
    Hash { alg: alg.to_owned(), content: digest.hex() }
}

fn properties(properties: Vec<property::Property>) -> Vec<Property> {
    properties.into_iter().map(|(name, value)| Property { name: name.to_owned(), value }).collect()
}
