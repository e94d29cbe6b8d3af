//! What every package has in every format that is JSON: a supplier, or the word that nobody is named; the digest that is
//! known; a way from the root. Counted in the documents as anybody reads them, not by our own reader.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::reader::each;
use super::sample::Sample;
use super::{CYCLONEDX, Format, SPDX, SPDX_3};
use crate::home::Home;

/// Of a document.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    packages: usize,
    suppliers: usize,
    digests: usize,
    reached: usize,
}

/// Everything that can be reached from `from`.
fn reached(from: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(node) = open.pop() {
        if seen.insert(node.clone()) {
            open.extend(edges.get(&node).into_iter().flatten().cloned());
        }
    }
    seen
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn cyclonedx(document: &Value) -> Count {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in each(&document["dependencies"]) {
        edges.entry(text(&node["ref"])).or_default().extend(each(&node["dependsOn"]).map(text));
    }
    let seen = reached(&text(&document["metadata"]["component"]["bom-ref"]), &edges);
    let mut count = Count::default();
    for package in each(&document["components"]).filter(|one| one["type"] == "library") {
        count.packages += 1;
        count.suppliers += usize::from(!text(&package["supplier"]["name"]).is_empty());
        count.digests += usize::from(each(&package["hashes"]).any(|hash| !text(&hash["content"]).is_empty()));
        count.reached += usize::from(seen.contains(&text(&package["bom-ref"])));
    }
    count
}

fn spdx(document: &Value) -> Count {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in each(&document["relationships"]) {
        edges.entry(text(&one["spdxElementId"])).or_default().insert(text(&one["relatedSpdxElement"]));
    }
    let seen = reached("SPDXRef-DOCUMENT", &edges);
    let mut count = Count::default();
    for package in each(&document["packages"]).filter(|one| one["primaryPackagePurpose"] == "LIBRARY") {
        count.packages += 1;
        count.suppliers += usize::from(!text(&package["supplier"]).is_empty());
        count.digests += usize::from(each(&package["checksums"]).any(|sum| !text(&sum["checksumValue"]).is_empty()));
        count.reached += usize::from(seen.contains(&text(&package["SPDXID"])));
    }
    count
}

/// SPDX 3 has no word for a supplier that nobody named: it leaves the field out.
fn spdx_3(document: &Value) -> Count {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut start = String::new();
    for one in each(&document["@graph"]) {
        match one["type"].as_str() {
            Some("Relationship") => edges.entry(text(&one["from"])).or_default().extend(each(&one["to"]).map(text)),
            Some("software_Sbom") => start = text(&one["rootElement"][0]),
            _ => {}
        }
    }
    let seen = reached(&start, &edges);
    let mut count = Count::default();
    for package in each(&document["@graph"]).filter(|one| one["software_primaryPurpose"] == "library") {
        count.packages += 1;
        count.suppliers += 1;
        count.digests += usize::from(each(&package["verifiedUsing"]).any(|hash| !text(&hash["hashValue"]).is_empty()));
        count.reached += usize::from(seen.contains(&text(&package["spdxId"])));
    }
    count
}

#[test]
fn every_package_has_a_supplier_its_digest_and_a_way_from_the_root_in_every_format() {
    let home = Home::new(Vec::new());
    for sample in Sample::all(&home) {
        let said = home.assay(&["sbom", &sample.target, "-o", "json"]).ok();
        let said: Value = serde_json::from_str(&said).unwrap();
        let packages = each(&said["packages"]).count();
        let digests = each(&said["packages"]).filter(|package| package["digest"].is_string()).count();
        let expected = Count { packages, suppliers: packages, digests, reached: packages };
        assert!(packages > 0, "{}", sample.name);
        for Format { name, version, .. } in CYCLONEDX.into_iter().chain([SPDX[0], SPDX_3]) {
            let document = home.assay(&["sbom", &sample.target, "-o", name, "--spec-version", version]).ok();
            let document: Value = serde_json::from_str(&document).unwrap();
            let count = match (name, version) {
                ("cyclonedx", _) => cyclonedx(&document),
                (_, "2.3") => spdx(&document),
                _ => spdx_3(&document),
            };
            assert_eq!(count, expected, "{} as {name} {version}", sample.name);
        }
    }
}
