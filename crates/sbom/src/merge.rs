//! One list of several: what is in the parts of a product, together.

use std::collections::BTreeMap;

use assay_model::{Contents, Package};

use crate::Sbom;
use crate::enrich::fill;

/// The contents of all documents together.
///
/// A package that several name, by the same purl at the same path, is there once, with what any of them knows of it. Layers
/// stay only where all documents have the same ones, and so does the operating system: parts of different systems have none
/// in common, and their packages name their own in their purls.
pub fn merge(documents: &[Sbom]) -> Contents {
    let Some(first) = documents.first() else { return Contents::default() };
    let same_layers = documents.iter().all(|document| document.contents.layers == first.contents.layers);
    let mut systems = documents.iter().filter_map(|document| document.contents.os.as_ref());
    let os =
        systems.next().filter(|os| systems.all(|other| (&other.id, &other.version_id) == (&os.id, &os.version_id)));
    let mut packages: BTreeMap<(String, String), Package> = BTreeMap::new();
    let mut partial = Vec::new();
    for document in documents {
        partial.extend(document.contents.partial.iter().cloned());
        for package in &document.contents.packages {
            let mut package = package.clone();
            if !same_layers {
                package.layer = None;
            }
            match packages.entry((package.purl.to_string(), package.path.clone())) {
                std::collections::btree_map::Entry::Vacant(entry) => _ = entry.insert(package),
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    fill(known, &package);
                    known.tier = known.tier.min(package.tier);
                    known.depends_on.extend(package.depends_on);
                    known.depends_on.sort();
                    known.depends_on.dedup();
                }
            }
        }
    }
    let packages = placed(packages);
    partial.sort();
    partial.dedup();
    let layers = if same_layers { first.contents.layers.clone() } else { Vec::new() };
    Contents { os: os.cloned(), packages, layers, partial, ..Contents::default() }
}

/// What a document names without a place is what another has at one.
fn placed(mut packages: BTreeMap<(String, String), Package>) -> Vec<Package> {
    let without: Vec<(String, String)> = packages.keys().filter(|(_, path)| path.is_empty()).cloned().collect();
    for key in without {
        // An empty path sorts before all others of its purl.
        let after = (std::ops::Bound::Excluded(&key), std::ops::Bound::Unbounded);
        let next = packages.range(after).next().map(|(next, _)| next.clone()).filter(|next| next.0 == key.0);
        if let Some(next) = next
            && let Some(nowhere) = packages.remove(&key)
            && let Some(there) = packages.get_mut(&next)
        {
            fill(there, &nowhere);
            there.depends_on.extend(nowhere.depends_on);
            there.depends_on.sort();
            there.depends_on.dedup();
        }
    }
    let mut packages: Vec<Package> = packages.into_values().collect();
    packages.sort();
    packages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read;

    fn document(os: &str, components: serde_json::Value) -> Sbom {
        let mut components = components;
        if let Some(list) = components.as_array_mut() {
            list.push(json!({"type": "operating-system", "name": os, "version": "1"}));
        }
        let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components});
        read(bom.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_package_in_both_is_there_once_with_what_either_knows() {
        let one = document(
            "debian",
            json!([{"type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1",
            "supplier": {"name": "S"}}]),
        );
        let two = document(
            "debian",
            json!([
            {"type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1", "licenses": [{"expression": "MIT"}]},
            {"type": "library", "name": "b", "version": "1", "purl": "pkg:npm/b@1",
             "evidence": {"occurrences": [{"location": "app/b"}]}}]),
        );
        let three =
            document("debian", json!([{"type": "library", "name": "b", "version": "1", "purl": "pkg:npm/b@1"}]));
        let merged = merge(&[one.clone(), two.clone(), three]);
        assert_eq!(merged.packages.len(), 2);
        let a = &merged.packages[0];
        assert_eq!((a.supplier.as_deref(), a.licence.as_deref()), (Some("S"), Some("MIT")));
        assert_eq!(merged.os.unwrap().id, "debian");
        assert_eq!(merged.packages[1].path, "app/b", "without a place it is the one that has one");
        assert_eq!(merge(&[two, one]).packages, merged.packages, "whichever comes first");
    }

    #[test]
    fn parts_of_two_systems_have_none_in_common() {
        let merged = merge(&[document("debian", json!([])), document("alpine", json!([]))]);
        assert_eq!(merged.os, None);
        assert_eq!(merge(&[]), Contents::default());
    }
}
