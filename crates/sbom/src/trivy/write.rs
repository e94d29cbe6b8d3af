//! Contents to Trivy's JSON.

use std::collections::{BTreeMap, HashMap};

use assay_model::{Contents, Package};
use serde_json::{Value, json};

use super::TYPES;
use crate::document::{Generation, Root};
use crate::graph::Graph;

/// The document for `contents` of `root`.
pub(crate) fn report(contents: &Contents, root: &Root, generation: &Generation<'_>) -> Value {
    let graph = Graph::new(contents, root);
    let needs: HashMap<&str, Vec<&str>> = graph.edges().collect();
    let mut system = Vec::new();
    let mut languages: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (reference, package) in graph.packages() {
        let needs = needs.get(reference).map_or(&[][..], Vec::as_slice);
        let entry = entry(reference, package, needs, contents);
        if package.kind.is_distribution() {
            system.push(entry);
        } else {
            let known = TYPES.iter().find(|(kind, _)| *kind == package.kind);
            languages.entry(known.map_or(package.kind.purl_type(), |(_, name)| name)).or_default().push(entry);
        }
    }
    let mut results = Vec::new();
    if !system.is_empty() {
        let os = graph.os.map(|os| (os.id.clone(), os.version_id.clone().unwrap_or_default()));
        let (family, version) = os.unwrap_or_default();
        let target = format!("{} ({family} {version})", root.name);
        results.push(json!({ "Target": target, "Class": "os-pkgs", "Type": family, "Packages": system }));
    }
    for (kind, packages) in languages {
        results.push(json!({ "Target": kind, "Class": "lang-pkgs", "Type": kind, "Packages": packages }));
    }
    let diff_ids: Vec<String> = contents.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let digests: Vec<String> = root.digest.iter().map(|digest| format!("{}@{digest}", root.name)).collect();
    json!({
        "SchemaVersion": 2,
        "CreatedAt": generation.created(),
        "ArtifactName": root.name,
        "ArtifactType": if root.digest.is_some() { "container_image" } else { "filesystem" },
        "Metadata": {
            "OS": graph.os.map(|os| json!({ "Family": os.id, "Name": os.version_id.clone().unwrap_or_default() })),
            "DiffIDs": diff_ids,
            "RepoDigests": digests,
        },
        "Results": results,
    })
}

fn entry(reference: &str, package: &Package, needs: &[&str], contents: &Contents) -> Value {
    let layer = package.layer.and_then(|layer| contents.layers.get(layer));
    let layer = layer.map(|layer| json!({ "Digest": layer.digest.to_string(), "DiffID": layer.diff_id.to_string() }));
    let licences: Vec<&String> = package.licence.iter().collect();
    let mut entry = json!({
        "ID": reference,
        "Name": package.name,
        "Identifier": { "PURL": package.purl.to_string(), "BOMRef": reference },
        "Version": package.version,
        "Arch": package.architecture,
        "SrcName": package.source.as_ref().map(|source| &source.name),
        "SrcVersion": package.source.as_ref().map(|source| &source.version),
        "Licenses": licences,
        "Maintainer": package.supplier.as_ref().filter(|_| package.kind.is_distribution()),
        "DependsOn": needs,
        "Layer": layer.unwrap_or_else(|| json!({})),
        "FilePath": package.path,
        "Digest": package.digest.as_ref().map(ToString::to_string),
    });
    if let Some(fields) = entry.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    entry
}
