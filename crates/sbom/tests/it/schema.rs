//! What is written is valid by the formats' own JSON schemas (`tests/data/schemas`).

use assay_model::Contents;
use assay_sbom::{Format, Root};
use jsonschema::{Registry, Validator};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

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

#[test]
fn cyclonedx_documents_are_valid_by_the_official_schema() {
    let registry = Registry::new()
        .add("http://cyclonedx.org/schema/spdx.schema.json", schema(include_str!("../data/schemas/spdx.schema.json")))
        .unwrap()
        .add(
            "http://cyclonedx.org/schema/jsf-0.82.schema.json",
            schema(include_str!("../data/schemas/jsf-0.82.schema.json")),
        )
        .unwrap()
        .prepare()
        .unwrap();
    let validator = jsonschema::options()
        .with_registry(&registry)
        .build(&schema(include_str!("../data/schemas/bom-1.6.schema.json")))
        .unwrap();
    let broken =
        serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "no type"}]});
    assert!(!validator.is_valid(&broken), "the schema is really applied");
    all_valid(&validator, Format::CycloneDx);
}

#[test]
fn spdx_documents_are_valid_by_the_official_schema() {
    let validator = jsonschema::validator_for(&schema(include_str!("../data/schemas/spdx-2.3.schema.json"))).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"spdxVersion": "SPDX-2.3"})), "the schema is really applied");
    all_valid(&validator, Format::Spdx);
}
