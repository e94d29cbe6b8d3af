//! Configurations of real instances, and of the Python client's tests.

use assay_model::Explain as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/signing_config/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_public_instance_has_both_logs_and_the_new_one_is_taken() {
    let config = SigningConfigFile::parse(&data("public-good-rekor-v2.json")).unwrap();
    let endpoints = config.endpoints(now(), LogVersions::Highest).unwrap();
    assert_eq!(endpoints.fulcio, Instances::one("https://fulcio.sigstore.dev"));
    assert_eq!(endpoints.rekor_v2, Instances::one("https://log2025-1.rekor.sigstore.dev"));
    assert_eq!(endpoints.rekor, Instances::default());
    assert_eq!(endpoints.timestamp, Instances::one("https://timestamp.sigstore.dev/api/v1/timestamp"));
    assert_eq!(config.issuer(now()), Some("https://oauth2.sigstore.dev/auth"));
    let old = config.endpoints(now(), LogVersions::One).unwrap();
    assert_eq!((old.rekor, old.rekor_v2), (Instances::one("https://rekor.sigstore.dev"), Instances::default()));
    // Before the new log began there was the old one only.
    let then = config.endpoints("2025-08-01T00:00:00Z".parse().unwrap(), LogVersions::Highest).unwrap();
    assert_eq!(then.rekor, Instances::one("https://rekor.sigstore.dev"));
}

#[test]
fn the_embedded_configuration_is_valid() {
    let config = SigningConfigFile::public_good().unwrap();
    let endpoints = config.endpoints(now(), LogVersions::Highest).unwrap();
    assert!(!endpoints.fulcio.urls.is_empty() && !endpoints.rekor.urls.is_empty());
}

#[test]
fn the_python_clients_examples_are_read() {
    let config = SigningConfigFile::parse(&data("signingconfig.v2.json")).unwrap();
    let endpoints = config.endpoints(now(), LogVersions::Highest).unwrap();
    assert_eq!(endpoints.fulcio, Instances::one("https://fulcio.example.com"));
    assert_eq!(endpoints.rekor_v2.needed, 1);
    let only_one = SigningConfigFile::parse(&data("signingconfig-only-v1-rekor.v2.json")).unwrap();
    assert_eq!(only_one.endpoints(now(), LogVersions::Two).unwrap_err().code(), "signing-config-invalid");
    assert_eq!(only_one.endpoints(now(), LogVersions::Highest).unwrap().rekor.needed, 1);
}

fn logs(operators: &[&str], selection: Value) -> Value {
    let log = |operator: &&str| {
        json!({
            "url": format!("https://{operator}.example"),
            "majorApiVersion": 2,
            "validFor": {"start": "2026-01-01T00:00:00Z"},
            "operator": operator,
        })
    };
    json!({
        "mediaType": SIGNING_CONFIG_MEDIA_TYPE,
        "rekorTlogUrls": operators.iter().map(log).collect::<Vec<_>>(),
        "rekorTlogConfig": selection,
    })
}

#[test]
fn selectors_say_how_many_must_answer() {
    let needed = |operators: &[&str], selection: Value| {
        let config = SigningConfigFile::parse(logs(operators, selection).to_string().as_bytes())?;
        config
            .endpoints(now(), LogVersions::Highest)
            .map(|endpoints| (endpoints.rekor_v2.urls.len(), endpoints.rekor_v2.needed))
    };
    assert_eq!(needed(&["a", "b", "c"], json!({"selector": "ANY"})).unwrap(), (3, 1));
    assert_eq!(needed(&["a", "b", "c"], json!({"selector": "ALL"})).unwrap(), (3, 3));
    assert_eq!(needed(&["a", "b", "c"], json!({"selector": "EXACT", "count": 2})).unwrap(), (3, 2));
    // Two services of one operator are one witness.
    assert_eq!(needed(&["a", "a"], json!({"selector": "ALL"})).unwrap(), (1, 1));
    for (operators, selection) in [
        (&["a", "a"][..], json!({"selector": "EXACT", "count": 2})),
        (&["a"], json!({"selector": "EXACT"})),
        (&["a"], json!({"selector": "MOST"})),
        (&["a"], json!(null)),
    ] {
        assert_eq!(needed(operators, selection).unwrap_err().code(), "signing-config-invalid");
    }
}

#[test]
fn services_out_of_their_period_are_not_used() {
    let mut config = logs(&["a"], json!({"selector": "ANY"}));
    config["rekorTlogUrls"][0]["validFor"]["end"] = "2026-11-21T08:00:00Z".into();
    let config = SigningConfigFile::parse(config.to_string().as_bytes()).unwrap();
    assert!(config.endpoints(now(), LogVersions::Highest).is_err(), "the end is not part of the period");
    assert!(config.endpoints("2026-11-21T07:59:59Z".parse().unwrap(), LogVersions::Highest).is_ok());
    assert!(config.endpoints("2025-12-31T23:59:59Z".parse().unwrap(), LogVersions::Highest).is_err());
}

#[test]
fn other_documents_are_refused() {
    let valid = logs(&["a"], json!({"selector": "ANY"}));
    let changes: [(&str, Value); 6] = [
        ("/mediaType", "application/vnd.dev.sigstore.signingconfig.v0.1+json".into()),
        ("/rekorTlogUrls/0/url", 7.into()),
        ("/rekorTlogUrls/0/validFor", Value::Null),
        ("/rekorTlogUrls/0/validFor/start", "yesterday".into()),
        ("/rekorTlogUrls/0/majorApiVersion", (-1).into()),
        ("/rekorTlogConfig/selector", "any".into()),
    ];
    for (field, value) in changes {
        let mut changed = valid.clone();
        *changed.pointer_mut(field).unwrap() = value;
        assert!(SigningConfigFile::parse(changed.to_string().as_bytes()).is_err(), "{field}");
    }
    assert!(SigningConfigFile::parse(logs(&["a"; 65], json!({"selector": "ANY"})).to_string().as_bytes()).is_err());
    assert!(SigningConfigFile::parse(&vec![b' '; BYTES_MAX + 1]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = SigningConfigFile::parse(&bytes);
    }
}
