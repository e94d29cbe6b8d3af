//! VEX both ways: what we write is applied by grype and Trivy, and what is written in the forms of others by all three alike.

use assay_sandbox::ImageBuilder;
use serde_json::{Value, json};

use super::bill::Component;
use super::programs::{self, Found, Program};
use super::records::Records;
use super::{databases, ready};
use crate::home::Home;
use crate::registry::Place;

/// Packages of three ecosystems, each with findings.
fn components() -> [Component; 3] {
    let library = Component {
        source: Some(("openssl".into(), "3.0.11-1~deb12u1".into())),
        ..Component::new("deb", "libssl3", "3.0.11-1~deb12u1")
    };
    [Component::new("npm", "lodash", "4.17.20"), Component::new("maven", "org.slf4j:slf4j-nop", "1.7.32"), library]
}

struct Lab {
    home: Home,
    records: Records,
}

impl Lab {
    fn new() -> Self {
        let (home, records) = (Home::new(Vec::new()), Records::sample());
        databases::build(&home, &records);
        Self { home, records }
    }

    /// What one of the programs finds in a document.
    fn found_by(&self, who: &str, file: &str, vex: Option<&str>) -> Found {
        let more: Vec<&str> = vex.into_iter().flat_map(|vex| ["--vex", vex]).collect();
        let (home, records) = (&self.home, &self.records);
        match Program::ALL.into_iter().find(|program| program.name() == who) {
            Some(program) => programs::theirs(program, home, records, file, &more),
            None => programs::ours(home, records, &format!("sbom:{file}"), &[&["--offline"], &more[..]].concat()),
        }
    }

    /// What each finds in a document.
    fn found(&self, file: &str, vex: Option<&str>) -> [Found; 3] {
        WHO.map(|who| self.found_by(who, file, vex))
    }
}

/// Ours first.
const WHO: [&str; 3] = ["assay", "trivy", "grype"];

/// The finding that statements are made about.
fn first(found: &Found) -> String {
    found.first().unwrap().3.clone()
}

#[test]
fn what_we_say_of_a_package_is_applied_by_grype_and_trivy() {
    if !ready() {
        return;
    }
    let lab = Lab::new();
    let write = |product: &str, id: &str, rest: &[&str]| {
        let create = ["vex", "create", id, "--product", product, "--author", "team", "--pack", databases::PACK];
        lab.home.file("vex.json", lab.home.assay(&[&create[..], rest].concat()).ok());
    };
    let absent = ["--status", "not-affected", "--justification", "vulnerable_code_not_present"];
    for component in components() {
        let file = programs::write(&lab.home, "one", std::slice::from_ref(&component));
        let before = lab.found(&file, None);
        assert!(!before[0].is_empty() && before.iter().all(|found| *found == before[0]), "{before:?}");
        let id = first(&before[0]);
        let without: Found = before[0].iter().filter(|one| one.3 != id).cloned().collect();
        let product = component.purl();
        for (rest, other) in [
            (&absent[..], &without),
            (&["--status", "fixed"], &without),
            (&["--status", "under-investigation"], &before[0]),
            (&["--status", "affected", "--statement", "update"], &before[0]),
        ] {
            write(&product, &id, rest);
            for (who, after) in WHO.iter().zip(lab.found(&file, Some("vex.json"))) {
                assert_eq!(after, *other, "{who}, {product}, {rest:?}");
            }
        }
        // Of another version it says nothing about this one.
        let (rest, _) = product.split_once('@').unwrap();
        let elsewhere = if product.starts_with("pkg:npm/%40") { product.clone() } else { format!("{rest}@0.0.9-1") };
        write(&elsewhere, &id, &absent);
        for after in lab.found(&file, Some("vex.json")) {
            assert_eq!(after, before[0], "{elsewhere}");
        }
    }
}

#[test]
fn what_we_say_of_an_image_is_applied_by_grype_and_trivy() {
    if !ready() {
        return;
    }
    let lab = Lab::new();
    let place = Place::sandbox();
    let Place::Sandbox { registry, .. } = &*place else { unreachable!() };
    let status = "Package: zlib1g\nSource: zlib\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13.dfsg-1\n\n";
    let [image, other] = ["this", "other"].map(|content| {
        let files = [
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", 0o644),
            ("etc/debian_version", "12.4\n", 0o644),
            ("var/lib/dpkg/status", status, 0o644),
            ("app/content", content, 0o644),
        ];
        let digest = registry.put_image("team/app", content, &ImageBuilder::new().layer(files).build());
        format!("{}/team/app@{digest}", registry.host())
    });
    let look = |image: &str, vex: Option<&str>| {
        let more: Vec<&str> = vex.into_iter().flat_map(|vex| ["--vex", vex]).collect();
        let [trivy, grype] = [Program::Trivy, Program::Grype]
            .map(|program| programs::in_image(program, &lab.home, &lab.records, image, &more));
        [programs::ours(&lab.home, &lab.records, image, &more), trivy, grype]
    };
    let before = look(&image, None);
    assert!(!before[0].is_empty() && before.iter().all(|found| *found == before[0]), "{before:?}");
    let id = first(&before[0]);
    let without: Found = before[0].iter().filter(|one| one.3 != id).cloned().collect();
    let create = ["vex", "create", &id, "--product", &image, "--author", "team", "--pack", databases::PACK];
    let absent = ["--status", "not-affected", "--justification", "vulnerable_code_not_in_execute_path"];
    lab.home.file("vex.json", lab.home.assay(&[&create[..], &absent].concat()).ok());
    assert_eq!(look(&image, Some("vex.json")), [without.clone(), without.clone(), without]);
    assert_eq!(look(&other, Some("vex.json")), before, "another image");
}

/// One verdict, in the forms that others write.
fn documents(id: &str, product: &str) -> Vec<(&'static str, Value)> {
    let (time, author) = ("2026-11-01T00:00:00Z", "somebody");
    let statement = |vulnerability: Value, products: Value| {
        json!({
            "vulnerability": vulnerability, "products": products, "status": "not_affected",
            "justification": "component_not_present", "timestamp": time,
        })
    };
    let openvex = |context: &str, statement: Value| {
        json!({"@context": context, "@id": "https://example.com/vex", "author": author, "role": "vendor", "timestamp": time,
            "version": 1, "statements": [statement]})
    };
    let csaf = json!({
        "document": {
            "category": "csaf_vex", "csaf_version": "2.0", "title": "vex",
            "publisher": {"category": "vendor", "name": author, "namespace": "https://example.com"},
            "tracking": {"id": "1", "status": "final", "version": "1", "initial_release_date": time, "current_release_date": time,
                "revision_history": [{"date": time, "number": "1", "summary": "first"}]},
        },
        "product_tree": {"branches": [{"category": "product_version", "name": "it", "product": {
            "name": "it", "product_id": "IT", "product_identification_helper": {"purl": product}}}]},
        "vulnerabilities": [{
            "cve": id, "notes": [{"category": "description", "text": "it"}],
            "product_status": {"known_not_affected": ["IT"]},
            "flags": [{"label": "component_not_present", "product_ids": ["IT"]}],
            "threats": [{"category": "impact", "details": "not there", "product_ids": ["IT"]}],
        }],
    });
    vec![
        ("OpenVEX 0.0.1", openvex("https://openvex.dev/ns/v0.0.1", statement(json!(id), json!([product])))),
        (
            "OpenVEX 0.2.0",
            openvex("https://openvex.dev/ns/v0.2.0", statement(json!({"name": id}), json!([{"@id": product}]))),
        ),
        (
            "OpenVEX 0.2.0, by identifiers",
            openvex(
                "https://openvex.dev/ns/v0.2.0",
                statement(
                    json!({"@id": format!("https://nvd.nist.gov/vuln/detail/{id}"), "name": id}),
                    json!([{"@id": "it", "identifiers": {"purl": product}}]),
                ),
            ),
        ),
        ("CSAF 2.0", csaf),
    ]
}

#[test]
fn what_others_say_is_applied_by_all_three_alike() {
    if !ready() {
        return;
    }
    let lab = Lab::new();
    for component in components() {
        let file = programs::write(&lab.home, "one", std::slice::from_ref(&component));
        let before = lab.found(&file, None);
        let id = first(&before[0]);
        let without: Found = before[0].iter().filter(|one| one.3 != id).cloned().collect();
        for (form, document) in documents(&id, &component.purl()) {
            lab.home.file("vex.json", document.to_string());
            // The others read the first version of OpenVEX no more.
            let whose = if form == "OpenVEX 0.0.1" { &WHO[..1] } else { &WHO };
            for who in whose {
                let after = lab.found_by(who, &file, Some("vex.json"));
                // grype goes by the name of its own record: one that says the CVE alone does not reach a GHSA.
                let by_its_name = *who == "grype" && component.kind != "deb";
                assert_eq!(after, if by_its_name { before[0].clone() } else { without.clone() }, "{who}, {form}, {id}");
            }
        }
    }
}
