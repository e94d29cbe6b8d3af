//! What is written is valid by the formats' own JSON schemas (`tests/data/schemas`).

use assay_model::Contents;
use assay_sbom::{CycloneDxVersion, Format, Root};
use jsonschema::{Registry, Validator};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::generated::{any_contents, document, image, small};

fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn assert_valid(validator: &Validator, bytes: &[u8]) {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn all_valid(validator: &Validator, format: Format) {
    for root in [image(), Root::directory("rootfs")] {
        assert_valid(validator, &document(&small(), &root, format));
        assert_valid(validator, &document(&Contents::default(), &root, format));
    }
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&any_contents(), |contents| {
            assert_valid(validator, &document(&contents, &image(), format));
            Ok(())
        })
        .unwrap();
}

/// Each version's schema refers to the same two others; 1.7's to a third.
fn cyclonedx(version: CycloneDxVersion, text: &str) {
    let beside = |name: &str| format!("http://cyclonedx.org/schema/{name}.schema.json");
    let registry = Registry::new()
        .add(beside("spdx"), schema(include_str!("../data/schemas/spdx.schema.json")))
        .unwrap()
        .add(beside("spdx.SNAPSHOT"), schema(include_str!("../data/schemas/spdx.schema.json")))
        .unwrap()
        .add(beside("jsf-0.82"), schema(include_str!("../data/schemas/jsf-0.82.schema.json")))
        .unwrap()
        .add(beside("jsf-0.82.SNAPSHOT"), schema(include_str!("../data/schemas/jsf-0.82.schema.json")))
        .unwrap()
        .add(
            beside("cryptography-defs.SNAPSHOT"),
            schema(include_str!("../data/schemas/cryptography-defs.SNAPSHOT.schema.json")),
        )
        .unwrap()
        .prepare()
        .unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(&schema(text)).unwrap();
    let version_text = version.as_str();
    let broken = json!({"bomFormat": "CycloneDX", "specVersion": version_text, "components": [{"name": "no type"}]});
    assert!(!validator.is_valid(&broken), "the schema is really applied");
    all_valid(&validator, Format::CycloneDx(version));
}

#[test]
fn cyclonedx_documents_are_valid_by_the_official_schemas() {
    cyclonedx(CycloneDxVersion::V1_4, include_str!("../data/schemas/bom-1.4.SNAPSHOT.schema.json"));
    cyclonedx(CycloneDxVersion::V1_5, include_str!("../data/schemas/bom-1.5.SNAPSHOT.schema.json"));
    cyclonedx(CycloneDxVersion::V1_6, include_str!("../data/schemas/bom-1.6.schema.json"));
    cyclonedx(CycloneDxVersion::V1_7, include_str!("../data/schemas/bom-1.7.SNAPSHOT.schema.json"));
}

#[test]
fn spdx_documents_are_valid_by_the_official_schema() {
    let validator = jsonschema::validator_for(&schema(include_str!("../data/schemas/spdx-2.3.schema.json"))).unwrap();
    assert!(!validator.is_valid(&json!({"spdxVersion": "SPDX-2.3"})), "the schema is really applied");
    all_valid(&validator, Format::Spdx);
}

/// The schema is not in the repository; where the corpus has it, documents are held against it.
#[test]
fn spdx_3_documents_are_valid_by_the_official_schema() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let corpus = std::env::var("ASSAY_CORPUS").unwrap_or_else(|_| format!("{repository}/../shared/conformance"));
    let Ok(text) = std::fs::read_to_string(format!("{corpus}/spdx/spdx-3.0.1.schema.json")) else {
        println!("skipped: corpus spdx not present");
        return;
    };
    let validator = jsonschema::validator_for(&schema(&text)).unwrap();
    let broken = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
        {"type": "software_Package", "spdxId": "https://x/y", "creationInfo": "_:a", "software_primaryPurpose": "fun"}]});
    assert!(!validator.is_valid(&broken), "the schema is really applied");
    all_valid(&validator, Format::Spdx3);
    println!("spdx: 1 of 1 passed");
}
