//! What holds for every document: round trip, determinism, a connected graph without dangling references.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Contents, Package};
use assay_sbom::{Format, read};
use proptest::prelude::*;
use serde_json::Value;

use crate::generated::{any_contents, document, image};

const FORMATS: [Format; 2] = [Format::CycloneDx, Format::Spdx];

/// What survives: dependencies that are there, each once, not on itself.
fn resolved(contents: &Contents) -> Vec<Package> {
    let mut packages = contents.packages.clone();
    for package in &mut packages {
        let there =
            |name: &String| contents.packages.iter().any(|other| other.kind == package.kind && other.name == *name);
        package.depends_on.retain(|name| there(name) && *name != package.name);
        package.depends_on.sort();
        package.depends_on.dedup();
    }
    packages.sort();
    packages.dedup();
    packages
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Elements, edges between them, and the root.
fn graph(document: &[u8], format: Format) -> (BTreeSet<String>, BTreeMap<String, Vec<String>>, String) {
    let json: Value = serde_json::from_slice(document).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut elements = Vec::new();
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let root;
    match format {
        Format::CycloneDx => {
            root = text(&json["metadata"]["component"]["bom-ref"]);
            elements.push(root.clone());
            elements.extend(list(&json["components"]).iter().map(|component| text(&component["bom-ref"])));
            for dependency in list(&json["dependencies"]) {
                let to = list(&dependency["dependsOn"]).iter().map(text).collect();
                assert!(edges.insert(text(&dependency["ref"]), to).is_none(), "one entry for each element");
            }
        }
        Format::Spdx => {
            root = "SPDXRef-DOCUMENT".to_owned();
            elements.push(root.clone());
            elements.extend(list(&json["packages"]).iter().map(|package| text(&package["SPDXID"])));
            for relationship in list(&json["relationships"]) {
                let to = text(&relationship["relatedSpdxElement"]);
                edges.entry(text(&relationship["spdxElementId"])).or_default().push(to);
            }
        }
    }
    let unique: BTreeSet<_> = elements.iter().cloned().collect();
    assert_eq!(unique.len(), elements.len(), "references are unique");
    (unique, edges, root)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_back(contents in any_contents()) {
        for format in FORMATS {
            let sbom = read(&document(&contents, &image(), format)).unwrap();
            let again = sbom.contents;
            prop_assert_eq!(resolved(&again), again.packages.clone(), "reading resolves");
            prop_assert_eq!(again.packages, resolved(&contents));
            prop_assert_eq!(&again.layers, &contents.layers);
            prop_assert_eq!(&again.partial, &{ let mut partial = contents.partial.clone(); partial.sort(); partial });
            if contents.os.is_some() {
                prop_assert_eq!(&again.os, &contents.os);
            }
            let described = sbom.described.unwrap();
            prop_assert_eq!((described.digest, described.purl), (image().digest, image().purl));
        }
    }

    #[test]
    fn the_order_of_packages_does_not_matter(contents in any_contents()) {
        let mut turned = contents.clone();
        turned.packages.reverse();
        for format in FORMATS {
            let (one, other) = (document(&contents, &image(), format), document(&turned, &image(), format));
            prop_assert_eq!(&one, &document(&contents, &image(), format), "same input, same bytes");
            let mut graphs = [one, other].map(|bytes| graph(&bytes, format));
            graphs.iter_mut().flat_map(|graph| graph.1.values_mut()).for_each(|to| to.sort());
            prop_assert_eq!(&graphs[0], &graphs[1]);
        }
    }

    #[test]
    fn every_element_is_reachable_and_nothing_dangles(contents in any_contents()) {
        for format in FORMATS {
            let (elements, edges, root) = graph(&document(&contents, &image(), format), format);
            for (from, to) in &edges {
                prop_assert!(elements.contains(from), "{from}");
                prop_assert!(to.iter().all(|to| elements.contains(to)), "{from} -> {to:?}");
                prop_assert!(!to.contains(from), "{from} depends on itself");
            }
            let (mut reached, mut open) = (BTreeSet::new(), vec![root]);
            while let Some(element) = open.pop() {
                open.extend(edges.get(&element).into_iter().flatten().filter(|to| !reached.contains(*to)).cloned());
                reached.insert(element);
            }
            prop_assert_eq!(reached, elements);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\{\\PC{0,80}") {
        let _ = read(&bytes);
        let _ = read(text.as_bytes());
    }

    #[test]
    fn a_truncated_document_is_an_error(contents in any_contents(), cut in 1_usize..200) {
        for format in FORMATS {
            let document = document(&contents, &image(), format);
            let end = document.len() - 1;
            prop_assert!(read(&document[..end.saturating_sub(cut)]).is_err());
        }
    }
}
