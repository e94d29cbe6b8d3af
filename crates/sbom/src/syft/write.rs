//! Contents to Syft's JSON.

use assay_model::{Algorithm, Contents, Digest, EvidenceTier, Package};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{SCHEMA, TYPES};
use crate::document::{Generation, Root};
use crate::graph::Graph;
use crate::licence::Licence;

/// The document for `contents` of `root`.
pub(crate) fn report(contents: &Contents, root: &Root, generation: &Generation<'_>) -> Value {
    let graph = Graph::new(contents, root);
    let source = id(graph.root());
    let mut artifacts: Vec<Value> =
        graph.packages().map(|(reference, package)| artifact(&id(reference), package, contents)).collect();
    artifacts.sort_by_cached_key(|artifact| artifact.get("id").map(ToString::to_string));
    let os = graph.operating_system().map(|(reference, _)| reference.to_owned());
    let mut relationships = Vec::new();
    for (from, to) in graph.edges() {
        // The operating system is no artifact here: what it leads to, the source contains.
        let is_part = from == graph.root() || os.as_deref() == Some(from);
        for to in to.into_iter().filter(|to| os.as_deref() != Some(*to)) {
            relationships.push(if is_part {
                (source.clone(), id(to), "contains")
            } else {
                (id(to), id(from), "dependency-of")
            });
        }
    }
    relationships.sort();
    let relationships: Vec<Value> = relationships
        .into_iter()
        .map(|(parent, child, kind)| json!({ "parent": parent, "child": child, "type": kind }))
        .collect();
    let layers: Vec<Value> = contents
        .layers
        .iter()
        .map(|layer| {
            let digest = layer.diff_id.to_string();
            json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.size })
        })
        .collect();
    let metadata = if root.digest.is_some() {
        let digest = root.digest.as_ref().map(ToString::to_string);
        json!({ "userInput": root.name, "manifestDigest": digest, "layers": layers, "tags": [], "repoDigests": [] })
    } else {
        json!({ "path": root.name })
    };
    let distro = graph.os.map(
        |os| json!({ "id": os.id, "versionID": os.version_id, "prettyName": os.pretty_name, "idLike": os.id_like }),
    );
    json!({
        "artifacts": artifacts,
        "artifactRelationships": relationships,
        "source": {
            "id": source,
            "name": root.name,
            "version": root.version.clone().unwrap_or_default(),
            "type": if root.digest.is_some() { "image" } else { "directory" },
            "metadata": metadata,
        },
        "distro": distro.unwrap_or_else(|| json!({})),
        "descriptor": { "name": "assay", "version": generation.tool_version, "timestamp": generation.created() },
        "schema": {
            "version": SCHEMA,
            "url": format!("https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-{SCHEMA}.json"),
        },
    })
}

/// Identifiers are 16 hexadecimal digits.
fn id(reference: &str) -> String {
    Digest::of(reference.as_bytes()).hex()[..16].to_owned()
}

fn artifact(id: &str, package: &Package, contents: &Contents) -> Value {
    let known = TYPES.iter().find(|(kind, ..)| *kind == package.kind);
    let (kind, language) = known.map_or(("UnknownPackage", ""), |(_, kind, language)| (kind, language));
    let licences: Vec<Value> = package
        .licence
        .as_deref()
        .and_then(Licence::of)
        .map(|licence| {
            let expression = if matches!(licence, Licence::Expression(_)) { licence.text() } else { "" };
            json!({ "value": licence.text(), "spdxExpression": expression, "type": "declared", "urls": [], "locations": [] })
        })
        .into_iter()
        .collect();
    let layer = package.layer.and_then(|layer| contents.layers.get(layer)).map(|layer| layer.diff_id.to_string());
    let locations: Vec<Value> = Some(&package.path)
        .filter(|path| !path.is_empty())
        .map(|path| {
            let place = format!("/{}", path.split('!').next().unwrap_or_default());
            json!({ "path": place, "layerID": layer, "accessPath": place, "annotations": { "evidence": "primary" } })
        })
        .into_iter()
        .collect();
    let mut artifact = json!({
        "id": id,
        "name": package.name.rsplit(':').next().filter(|_| kind == "java-archive").unwrap_or(&package.name),
        "version": package.version,
        "type": kind,
        "foundBy": "assay",
        "locations": locations,
        "licenses": licences,
        "language": language,
        "cpes": [],
        "purl": package.purl.to_string(),
    });
    if let (Some((kind, metadata)), Some(fields)) = (metadata(kind, package), artifact.as_object_mut()) {
        fields.insert("metadataType".to_owned(), kind.into());
        fields.insert("metadata".to_owned(), metadata);
    }
    artifact
}

/// Where Syft has a place for the package's digest: in what it says of a Java archive, and of an entry of the lock files of
/// Cargo and npm.
fn metadata(kind: &str, package: &Package) -> Option<(&'static str, Value)> {
    let digest = package.digest.as_ref()?;
    let is_locked = package.tier == EvidenceTier::Declared;
    match (kind, digest.algorithm()) {
        ("java-archive", algorithm) => {
            let place = format!("/{}", package.path.replace('!', ":"));
            let digest = json!({ "algorithm": algorithm.name(), "value": digest.hex() });
            Some(("java-archive", json!({ "virtualPath": place, "digest": [digest] })))
        }
        ("rust-crate", Algorithm::Sha256) if is_locked => {
            let (name, version) = (&package.name, &package.version);
            let own =
                json!({ "name": name, "version": version, "source": "", "checksum": digest.hex(), "dependencies": [] });
            Some(("rust-cargo-lock-entry", own))
        }
        ("npm", algorithm) if is_locked => {
            let integrity = format!("{}-{}", algorithm.name(), STANDARD.encode(digest.as_bytes()));
            Some(("javascript-npm-package-lock-entry", json!({ "resolved": "", "integrity": integrity })))
        }
        _ => None,
    }
}
