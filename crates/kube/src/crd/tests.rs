use assay_kinds::Kind;

use serde_json::json;

use super::*;

/// `deploy/crds.yaml` is what the types say today. `ASSAY_UPDATE_REFERENCE=1` writes it; the next build has it in it.
#[test]
fn the_file_of_definitions_is_fresh() {
    let generated = generate::file();
    if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/crds.yaml");
        return std::fs::write(path, generated).unwrap();
    }
    assert!(CRDS_YAML == generated, "deploy/crds.yaml is stale; write it with: .ci/generated");
}

#[test]
fn what_is_read_of_the_file_is_what_was_written() {
    assert!(custom_resource_definitions() == generate::all());
}

fn of(kind: &str) -> Value {
    generate::all().into_iter().find(|own| own["spec"]["names"]["kind"] == kind).unwrap()
}

fn spec(kind: &str) -> Value {
    of(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

#[test]
fn there_is_one_of_each_kind_and_the_bytes_do_not_change() {
    let definitions = generate::all();
    let kinds: Vec<&str> = definitions.iter().map(|own| own["spec"]["names"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, Kind::NAMES);
    assert_eq!(definitions, generate::all());
}

#[test]
fn each_survives_what_kubectl_apply_keeps_of_it() {
    for definition in generate::all() {
        let bytes = definition.to_string().len();
        assert!(bytes < ANNOTATION_BYTES_MAX / 4, "{} has {bytes} bytes", definition["metadata"]["name"]);
    }
}

#[test]
fn the_older_version_has_the_same_fields_and_is_never_stored() {
    for definition in generate::all() {
        let [now, before] = &definition["spec"]["versions"].as_array().unwrap()[..] else { panic!("{definition}") };
        assert_eq!([&now["name"], &now["storage"], &now["served"]], [&json!("v1"), &json!(true), &json!(true)]);
        assert_eq!(
            [&before["name"], &before["storage"], &before["served"]],
            [&json!("v1alpha1"), &json!(false), &json!(true)]
        );
        assert_eq!(now["schema"], before["schema"]);
        assert!(before["deprecationWarning"].as_str().unwrap().len() <= 256);
    }
}

/// A rule whose path leads nowhere would silently not be there.
#[test]
fn every_rule_has_a_place_in_its_schema() {
    for (kind, path, _) in rules::table() {
        assert!(rules::at(&mut spec(kind), path).is_some(), "{kind}: {path}");
    }
}

/// Kubernetes "Specifying a structural schema": a type everywhere, or everything passes.
#[test]
fn every_schema_is_structural() {
    fn walk(path: &str, schema: &Value) {
        let preserves = schema["x-kubernetes-preserve-unknown-fields"] == true;
        assert!(schema["type"].is_string() || preserves, "{path}: {schema}");
        for word in ["oneOf", "anyOf", "allOf", "not", "$ref", "const", "default", "title", "nullable"] {
            assert!(schema.get(word).is_none(), "{path}: {word}");
        }
        assert!(schema.get("properties").is_none() || schema.get("additionalProperties").is_none(), "{path}");
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), field);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(key) {
                walk(&format!("{path}.{key}"), inner);
            }
        }
    }
    for kind in Kind::NAMES {
        walk(kind, &spec(kind));
    }
}

#[test]
fn types_become_what_they_are() {
    let environment = spec("Environment");
    let properties = &environment["properties"];
    assert_eq!(properties["tier"]["enum"], json!(["dev", "staging", "prod", "system"]));
    assert!(properties["tier"]["description"].as_str().unwrap().contains("dev: Development"));
    assert_eq!(properties["trustRoot"]["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(properties["controls"]["additionalProperties"]["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(properties["require"]["additionalProperties"]["properties"]["atLeast"]["format"], "int64");
    assert_eq!(environment["required"], json!(["tier"]));
    let subjects = &spec("Exception")["properties"]["subjects"]["items"];
    assert_eq!(subjects["maxProperties"], 1);
    assert_eq!(subjects["properties"]["vulnerability"]["type"], "string");
}
