//! What holds for every document: round trip, determinism, a connected graph without dangling references.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Contents, Package};
use assay_sbom::{CycloneDxVersion, Format, Lifecycle, Standard, read, score};
use proptest::prelude::*;
use serde_json::Value;

use crate::generated::{any_contents, document, image};

/// The two whose graphs are looked at as JSON.
const FORMATS: [Format; 2] = [Format::CYCLONEDX, Format::Spdx];
/// Those that hold all that Assay knows.
const WHOLE: [Format; 11] = [
    Format::CycloneDx(CycloneDxVersion::V1_4),
    Format::CycloneDx(CycloneDxVersion::V1_5),
    Format::CycloneDx(CycloneDxVersion::V1_6),
    Format::CycloneDx(CycloneDxVersion::V1_7),
    Format::CycloneDxXml(CycloneDxVersion::V1_4),
    Format::CycloneDxXml(CycloneDxVersion::V1_5),
    Format::CycloneDxXml(CycloneDxVersion::V1_6),
    Format::CycloneDxXml(CycloneDxVersion::V1_7),
    Format::Spdx,
    Format::SpdxTagValue,
    Format::Spdx3,
];
const ALL: [Format; 13] = [
    WHOLE[0],
    WHOLE[1],
    WHOLE[2],
    WHOLE[3],
    WHOLE[4],
    WHOLE[5],
    WHOLE[6],
    WHOLE[7],
    WHOLE[8],
    WHOLE[9],
    WHOLE[10],
    Format::Syft,
    Format::Trivy,
];

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
    if let Format::CycloneDx(_) = format {
        root = text(&json["metadata"]["component"]["bom-ref"]);
        elements.push(root.clone());
        elements.extend(list(&json["components"]).iter().map(|component| text(&component["bom-ref"])));
        for dependency in list(&json["dependencies"]) {
            let to = list(&dependency["dependsOn"]).iter().map(text).collect();
            assert!(edges.insert(text(&dependency["ref"]), to).is_none(), "one entry for each element");
        }
    } else {
        root = "SPDXRef-DOCUMENT".to_owned();
        elements.push(root.clone());
        elements.extend(list(&json["packages"]).iter().map(|package| text(&package["SPDXID"])));
        for relationship in list(&json["relationships"]) {
            let to = text(&relationship["relatedSpdxElement"]);
            edges.entry(text(&relationship["spdxElementId"])).or_default().push(to);
        }
    }
    let unique: BTreeSet<_> = elements.iter().cloned().collect();
    assert_eq!(unique.len(), elements.len(), "references are unique");
    (unique, edges, root)
}

proptest! {
    // Each case is all pairs of formats.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// From any format to any other and back: the same bytes, and all that matters of each package.
    #[test]
    fn conversion_loses_nothing(contents in any_contents()) {
        for from in WHOLE {
            let first = document(&contents, &image(), from);
            let read_once = read(&first).unwrap();
            prop_assert_eq!(&document(&read_once.contents, &read_once.root("x"), from), &first, "{:?} again", from);
            for to in WHOLE {
                let second = document(&read_once.contents, &read_once.root("x"), to);
                let read_twice = read(&second).unwrap();
                prop_assert_eq!(&read_twice.contents, &read_once.contents, "{:?} to {:?}", from, to);
                let back = document(&read_twice.contents, &read_twice.root("x"), from);
                prop_assert_eq!(&back, &first, "{:?} to {:?} and back", from, to);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_back(contents in any_contents()) {
        for format in WHOLE {
            let sbom = read(&document(&contents, &image(), format)).unwrap();
            let again = sbom.contents.clone();
            prop_assert_eq!(resolved(&again), again.packages.clone(), "reading resolves");
            prop_assert_eq!(again.packages, resolved(&contents));
            prop_assert_eq!(&again.layers, &contents.layers);
            prop_assert_eq!(&again.partial, &{ let mut partial = contents.partial.clone(); partial.sort(); partial });
            if contents.os.is_some() {
                prop_assert_eq!(&again.os, &contents.os);
            }
            prop_assert_eq!(sbom.root("x"), image());
            prop_assert_eq!(sbom.origin.lifecycle, Some(Lifecycle::PostBuild), "{:?}", format);
            prop_assert_eq!(sbom.origin.tools, ["assay-0.1.0"]);
            prop_assert!(sbom.origin.created.is_some() && sbom.origin.identifier.is_some());
        }
    }

    /// The JSON of Syft and Trivy has fewer fields; what it has survives.
    #[test]
    fn the_json_of_other_tools_keeps_what_it_has_fields_for(contents in any_contents()) {
        for format in [Format::Syft, Format::Trivy] {
            let bytes = document(&contents, &image(), format);
            prop_assert_eq!(&bytes, &document(&contents, &image(), format), "same input, same bytes");
            let again = read(&bytes).unwrap().contents;
            let key = |package: &Package| {
                (package.kind, package.purl.to_string(), package.name.clone(), package.version.clone(),
                 package.licence.clone(), package.path.clone(), package.depends_on.clone())
            };
            let mut expected: Vec<_> = resolved(&contents).iter().map(key).collect();
            let mut found: Vec<_> = again.packages.iter().map(key).collect();
            expected.sort();
            expected.dedup();
            found.sort();
            found.dedup();
            prop_assert_eq!(found, expected, "{:?}", format);
        }
    }

    /// Names, versions, identifiers, relationships, author and time of our own documents: all of them, whatever the format.
    #[test]
    fn our_own_documents_are_connected_and_complete(contents in any_contents()) {
        for format in ALL {
            let sbom = read(&document(&contents, &image(), format)).unwrap();
            let score = score(&sbom, Standard::Ntia);
            for one in score.requirements.iter().filter(|one| one.name != "supplier name") {
                prop_assert_eq!(one.met, one.of, "{:?}: {} lacks {:?}", format, one.name, &one.missing);
            }
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
        for format in ALL.into_iter().filter(|format| *format != Format::SpdxTagValue) {
            let document = document(&contents, &image(), format);
            let end = document.len() - 1;
            prop_assert!(read(&document[..end.saturating_sub(cut)]).is_err());
        }
    }
}
