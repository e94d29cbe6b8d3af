//! Contents to SPDX 3.0.1.

use std::collections::{BTreeMap, HashMap};

use assay_model::{Algorithm, Contents, Digest, OsRelease};
use serde_json::{Map, Value, json};

use super::CONTEXT;
use crate::document::{Generation, Lifecycle, Root};
use crate::graph::Graph;
use crate::licence::{self, Licence};
use crate::property;
use crate::spdx::write::{NO_TEXT, identifier};

/// The one blank node: how the document came to be. All elements refer to it.
const CREATION: &str = "_:creationInfo";
const ROOT: &str = "Root";
const OPERATING_SYSTEM: &str = "OperatingSystem";

/// The elements of a document.
struct Elements<'a> {
    namespace: String,
    /// Suppliers, licences and texts, by what tells them apart.
    shared: BTreeMap<String, Value>,
    contents: &'a Contents,
}

/// The document for `contents` of `root`.
pub(crate) fn document(contents: &Contents, root: &Root, generation: &Generation<'_>, identity: &str) -> Value {
    let graph = Graph::new(contents, root);
    let namespace = format!("https://assay.dev/spdx/{identity}");
    let mut elements = Elements { namespace, shared: BTreeMap::new(), contents };
    let mut identifiers: HashMap<&str, String> = HashMap::from([(graph.root(), elements.id(ROOT))]);
    let (mut packages, mut relationships) = (vec![elements.root(root)], Vec::new());
    if let Some((reference, os)) = graph.operating_system() {
        identifiers.insert(reference, elements.id(OPERATING_SYSTEM));
        packages.push(elements.operating_system(os));
    }
    let mut libraries = BTreeMap::new();
    for (reference, package) in graph.packages() {
        let name = identifier(reference, package);
        let id = elements.id(name.trim_start_matches("SPDXRef-"));
        libraries.insert(id.clone(), elements.library(&id, package));
        if let Some(licence) = package.licence.as_deref().and_then(Licence::of) {
            let to = elements.licence(&licence);
            relationships.push((id.clone(), "hasDeclaredLicense", vec![to]));
        }
        identifiers.insert(reference, id);
    }
    packages.extend(libraries.into_values());
    for (from, to) in graph.edges().filter(|(_, to)| !to.is_empty()) {
        let Some(from) = identifiers.get(from) else { continue };
        let is_part = from.ends_with("#Root") || from.ends_with("#OperatingSystem");
        let mut to: Vec<String> = to.iter().filter_map(|to| identifiers.get(to)).cloned().collect();
        to.sort();
        relationships.push((from.clone(), if is_part { "contains" } else { "dependsOn" }, to));
    }
    relationships.sort();
    let relationships: Vec<Value> =
        relationships.into_iter().map(|(from, kind, to)| elements.relationship(&from, kind, &to)).collect();

    let shared = std::mem::take(&mut elements.shared).into_values();
    let mut body: Vec<Value> = packages.into_iter().chain(shared).chain(relationships).collect();
    let ids: Vec<Value> = body.iter().filter_map(|element| element.get("spdxId")).cloned().collect();
    let mut all = elements.head(root, generation, &ids);
    all.append(&mut body);
    json!({ "@context": CONTEXT, "@graph": all })
}

impl Elements<'_> {
    fn id(&self, name: &str) -> String {
        format!("{}#{name}", self.namespace)
    }

    fn element(kind: &str, id: &str, fields: Value) -> Value {
        let mut element = Map::from_iter([
            ("type".to_owned(), kind.into()),
            ("spdxId".to_owned(), id.into()),
            ("creationInfo".to_owned(), CREATION.into()),
        ]);
        if let Value::Object(fields) = fields {
            element.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Value::Object(element)
    }

    /// How the document came to be, who made it, and what it is about.
    fn head(&self, root: &Root, generation: &Generation<'_>, ids: &[Value]) -> Vec<Value> {
        let (agent, tool, sbom) = (self.id("Agent"), self.id("Tool"), self.id("Sbom"));
        let context = match generation.lifecycle {
            Lifecycle::PreBuild => "source",
            Lifecycle::Build => "build",
            Lifecycle::PostBuild => "analyzed",
        };
        let creation = json!({
            "type": "CreationInfo", "@id": CREATION, "specVersion": "3.0.1", "created": generation.created(),
            "createdBy": [agent], "createdUsing": [tool],
        });
        let head = json!({
            "name": root.name, "rootElement": [sbom], "dataLicense": null,
            "profileConformance": ["core", "simpleLicensing", "software"],
        });
        let list = json!({
            "name": root.name, "rootElement": [self.id(ROOT)], "element": ids, "software_sbomType": [context],
        });
        vec![
            creation,
            Self::element("SoftwareAgent", &agent, json!({ "name": "assay" })),
            Self::element("Tool", &tool, json!({ "name": format!("assay-{}", generation.tool_version) })),
            Self::element("SpdxDocument", &self.id("Document"), head),
            Self::element("software_Sbom", &sbom, list),
        ]
    }

    fn root(&self, root: &Root) -> Value {
        let properties = property::to_lines(&property::of_root(self.contents));
        let fields = json!({
            "name": root.name,
            "software_packageVersion": root.version,
            "software_packageUrl": root.purl.as_ref().map(ToString::to_string),
            "software_primaryPurpose": if root.is_image() { "container" } else { "application" },
            "verifiedUsing": root.digest.as_ref().map(|digest| [hash(digest)]),
            "software_sourceInfo": Some(properties).filter(|text| !text.is_empty()),
        });
        Self::element("software_Package", &self.id(ROOT), fields)
    }

    fn operating_system(&self, os: &OsRelease) -> Value {
        let properties = property::to_lines(&property::of_os(os));
        let fields = json!({
            "name": os.id,
            "software_packageVersion": os.version_id,
            "software_primaryPurpose": "operatingSystem",
            "description": os.pretty_name,
            "software_sourceInfo": Some(properties).filter(|text| !text.is_empty()),
        });
        Self::element("software_Package", &self.id(OPERATING_SYSTEM), fields)
    }

    fn library(&mut self, id: &str, package: &assay_model::Package) -> Value {
        let supplier = package.supplier.as_deref().map(|supplier| self.supplier(supplier));
        let fields = json!({
            "name": package.name,
            "software_packageVersion": package.version,
            "software_packageUrl": package.purl.to_string(),
            "software_primaryPurpose": "library",
            "suppliedBy": supplier,
            "verifiedUsing": package.digest.as_ref().map(|digest| [hash(digest)]),
            "software_sourceInfo": property::to_lines(&property::of_package(package, self.contents)),
        });
        Self::element("software_Package", id, fields)
    }

    /// Nothing tells a person from an organisation here.
    fn supplier(&mut self, name: &str) -> String {
        let id = self.id(&format!("Supplier-{}", &Digest::of(name.as_bytes()).hex()[..24]));
        let element = Self::element("Organization", &id, json!({ "name": name }));
        self.shared.insert(id.clone(), element);
        id
    }

    /// An expression; what it refers to and SPDX does not list has a text of its own in the document.
    fn licence(&mut self, licence: &Licence<'_>) -> String {
        let (expression, names) = match licence {
            Licence::Expression(text) => {
                let references =
                    licence::references(text).map(|reference| (reference.to_owned(), reference.to_owned()));
                ((*text).to_owned(), references.collect::<BTreeMap<_, _>>())
            }
            Licence::Name(name) => {
                let reference = licence::reference(name);
                (reference.clone(), BTreeMap::from([(reference, (*name).to_owned())]))
            }
        };
        let mut entries = Vec::new();
        for (reference, name) in names {
            let text = self.id(&format!("Text-{reference}"));
            let fields = json!({ "name": name, "simplelicensing_licenseText": NO_TEXT });
            self.shared.insert(text.clone(), Self::element("simplelicensing_SimpleLicensingText", &text, fields));
            entries.push(json!({ "type": "DictionaryEntry", "key": reference, "value": text }));
        }
        let id = self.id(&format!("Licence-{}", &Digest::of(expression.as_bytes()).hex()[..24]));
        let fields = json!({
            "simplelicensing_licenseExpression": expression,
            "simplelicensing_customIdToUri": Some(entries).filter(|entries| !entries.is_empty()),
        });
        self.shared.insert(id.clone(), Self::element("simplelicensing_LicenseExpression", &id, fields));
        id
    }

    fn relationship(&self, from: &str, kind: &str, to: &[String]) -> Value {
        let id = self.id(&format!("Relationship-{}", &Digest::of(format!("{from} {kind}").as_bytes()).hex()[..24]));
        Self::element("Relationship", &id, json!({ "from": from, "relationshipType": kind, "to": to }))
    }
}

fn hash(digest: &Digest) -> Value {
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    };
    json!({ "type": "Hash", "algorithm": algorithm, "hashValue": digest.hex() })
}
