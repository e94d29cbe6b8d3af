//! Contents to SPDX 2.3.

use std::collections::{BTreeMap, HashMap};

use assay_model::{Algorithm, Contents, Digest, OsRelease};

use super::{
    CONTEXT, Checksum, CreationInfo, DOCUMENT, Document, ExternalReference, ExtractedLicence, NOASSERTION, Package,
    Relationship,
};
use crate::document::{Generation, Root};
use crate::graph::Graph;
use crate::licence::{self, Licence};
use crate::property;

const ROOT: &str = "SPDXRef-Root";
const OPERATING_SYSTEM: &str = "SPDXRef-OperatingSystem";
/// What stands for the text of a licence that a package names and does not bring.
pub(crate) const NO_TEXT: &str = "The package names this licence; its text was not collected";

/// The document for `contents` of `root`.
pub(crate) fn document(contents: &Contents, root: &Root, generation: &Generation<'_>, identity: &str) -> Document {
    let graph = Graph::new(contents, root);
    let mut identifiers: HashMap<&str, String> = HashMap::from([(graph.root(), ROOT.to_owned())]);
    let mut licences = BTreeMap::new();
    let mut packages = vec![root_package(contents, root)];
    if let Some((reference, os)) = graph.operating_system() {
        identifiers.insert(reference, OPERATING_SYSTEM.to_owned());
        packages.push(operating_system(os));
    }
    let mut libraries = Vec::new();
    for (reference, package) in graph.packages() {
        let id = identifier(reference, package);
        identifiers.insert(reference, id.clone());
        libraries.push(library(id, package, contents, &mut licences));
    }
    libraries.sort_by(|a, b| a.id.cmp(&b.id));
    packages.extend(libraries);

    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", ROOT)];
    for (from, to) in graph.edges() {
        let Some(from) = identifiers.get(from) else { continue };
        let kind = if from == ROOT || from == OPERATING_SYSTEM { "CONTAINS" } else { "DEPENDS_ON" };
        relationships.extend(to.iter().filter_map(|to| identifiers.get(to)).map(|to| relationship(from, kind, to)));
    }
    relationships[1..].sort_by(|a, b| {
        (&a.spdx_element_id, &a.related_spdx_element).cmp(&(&b.spdx_element_id, &b.related_spdx_element))
    });
    Document {
        spdx_version: "SPDX-2.3".to_owned(),
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: root.name.clone(),
        document_namespace: format!("https://assay.dev/spdx/{identity}"),
        creation_info: CreationInfo {
            created: generation.created(),
            creators: vec![format!("Tool: assay-{}", generation.tool_version)],
            comment: format!("{CONTEXT}{}", generation.lifecycle.phase()),
            license_list_version: licence::list_version(),
        },
        packages,
        relationships,
        document_describes: Vec::new(),
        has_extracted_licensing_infos: licences.into_values().collect(),
    }
}

/// `SPDXRef-Package-<type>-<name>-<digest of the reference>`: identifiers may hold letters, digits, `.` and `-`
/// (clause 7.2), so the readable part alone would not tell packages apart.
pub(crate) fn identifier(reference: &str, package: &assay_model::Package) -> String {
    let readable = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = package.name.chars().take(60).map(readable).collect();
    format!("SPDXRef-Package-{}-{name}-{}", package.kind, &Digest::of(reference.as_bytes()).hex()[..24])
}

fn relationship(from: &str, kind: &str, to: &str) -> Relationship {
    Relationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind.to_owned(),
        related_spdx_element: to.to_owned(),
    }
}

/// What every package says, whatever it is.
fn bare(id: String, name: &str, purpose: &str, properties: &[property::Property]) -> Package {
    Package {
        id,
        name: name.to_owned(),
        supplier: Some(NOASSERTION.to_owned()),
        download_location: NOASSERTION,
        comment: Some(property::to_lines(properties)).filter(|text| !text.is_empty()),
        license_concluded: Some(NOASSERTION.to_owned()),
        license_declared: Some(NOASSERTION.to_owned()),
        copyright_text: NOASSERTION,
        primary_package_purpose: Some(purpose.to_owned()),
        ..Package::default()
    }
}

fn root_package(contents: &Contents, root: &Root) -> Package {
    let purpose = if root.is_image() { "CONTAINER" } else { "APPLICATION" };
    Package {
        version_info: root.version.clone(),
        checksums: root.digest.iter().map(checksum).collect(),
        external_refs: root.purl.iter().map(purl).collect(),
        ..bare(ROOT.to_owned(), &root.name, purpose, &property::of_root(contents))
    }
}

fn operating_system(os: &OsRelease) -> Package {
    Package {
        version_info: os.version_id.clone(),
        description: os.pretty_name.clone(),
        ..bare(OPERATING_SYSTEM.to_owned(), &os.id, "OPERATING_SYSTEM", &property::of_os(os))
    }
}

fn library(
    id: String,
    package: &assay_model::Package,
    contents: &Contents,
    licences: &mut BTreeMap<String, ExtractedLicence>,
) -> Package {
    let mut library = Package {
        version_info: Some(package.version.clone()),
        checksums: package.digest.iter().map(checksum).collect(),
        external_refs: vec![purl(&package.purl)],
        source_info: property::to_source_info(package),
        ..bare(id, &package.name, "LIBRARY", &property::of_package(package, contents))
    };
    if let Some(supplier) = &package.supplier {
        // Nothing tells a person from an organisation here; a line break would end the field in SPDX's other syntaxes.
        library.supplier = Some(format!("Organization: {}", supplier.replace(['\r', '\n'], " ")));
    }
    if let Some(licence) = package.licence.as_deref().and_then(Licence::of) {
        library.license_declared = Some(declare(&licence, licences));
    }
    library
}

/// The declared licence; names that SPDX does not list are added to the document's own `licences`.
fn declare(licence: &Licence<'_>, licences: &mut BTreeMap<String, ExtractedLicence>) -> String {
    let mut extract = |license_id: &str, name: &str, text: &str| {
        licences.entry(license_id.to_owned()).or_insert_with(|| ExtractedLicence {
            license_id: license_id.to_owned(),
            extracted_text: text.to_owned(),
            name: Some(name.to_owned()),
        });
    };
    match licence {
        Licence::Expression(text) => {
            licence::references(text).for_each(|reference| extract(reference, reference, NO_TEXT));
            (*text).to_owned()
        }
        Licence::Name(name) => {
            let reference = licence::reference(name);
            extract(&reference, name, NO_TEXT);
            reference
        }
    }
}

fn checksum(digest: &Digest) -> Checksum {
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
    };
    Checksum { algorithm: algorithm.to_owned(), checksum_value: digest.hex() }
}

fn purl(purl: &assay_model::Purl) -> ExternalReference {
    ExternalReference {
        reference_category: "PACKAGE-MANAGER".to_owned(),
        reference_type: "purl".to_owned(),
        reference_locator: purl.to_string(),
    }
}
