use proptest::prelude::*;

use super::*;

fn parse(text: &str, content_type: Option<&str>) -> Result<RawManifest, OciError> {
    RawManifest::parse(Bytes::from(text.to_owned()), Digest::of(text.as_bytes()), content_type, "test")
}

fn descriptor() -> String {
    format!(r#"{{"mediaType":"m","digest":"{}","size":2,"annotations":null}}"#, Digest::of(b"{}"))
}

#[test]
fn both_families_of_media_types_are_read() {
    let image = format!(r#"{{"schemaVersion":2,"config":{0},"layers":[{0}]}}"#, descriptor());
    for kind in [media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST] {
        let raw = parse(&image, Some(&format!("{kind}; charset=utf-8"))).unwrap();
        assert!(matches!(&raw.manifest, Manifest::Image(manifest) if manifest.layers.len() == 1));
        assert_eq!(raw.media_type, kind);
    }
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor());
    for kind in [Some(media_type::OCI_INDEX), Some(media_type::DOCKER_INDEX), None, Some("application/json")] {
        assert!(matches!(parse(&index, kind).unwrap().manifest, Manifest::Index(_)), "{kind:?}");
    }
}

#[test]
fn what_two_readers_would_read_differently_is_refused() {
    let config = descriptor();
    for (text, kind, part) in [
        (format!(r#"{{"schemaVersion":2,"config":{config},"manifests":[]}}"#), None, "beside"),
        (format!(r#"{{"schemaVersion":2,"config":{config},"config":{config}}}"#), None, "duplicate key `config`"),
        (
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","config":{config}}}"#, media_type::OCI_MANIFEST),
            Some(media_type::OCI_INDEX),
            "calls itself",
        ),
        (r#"{"schemaVersion":3}"#.to_owned(), None, "schemaVersion is 3"),
        (r#"{"schemaVersion":2,"mediaType":"text/plain"}"#.to_owned(), None, "not a manifest"),
        (format!(r#"{{"schemaVersion":2,"config":{}}}"#, config.replace("sha256", "md5")), None, "md5"),
        ("[2]".to_owned(), None, "no JSON object"),
        (String::new(), None, "no JSON object"),
    ] {
        let error = parse(&text, kind).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn docker_schema_1_is_named_and_refused() {
    let kind = Some("application/vnd.docker.distribution.manifest.v1+prettyjws");
    for (text, kind) in [(r#"{"schemaVersion":1,"name":"a"}"#, None), (r#"{"schemaVersion":2}"#, kind)] {
        assert!(matches!(parse(text, kind), Err(OciError::SchemaOne { .. })));
    }
}

#[test]
fn a_referrers_descriptor_carries_its_type_and_annotations() {
    let config = descriptor();
    let text = format!(
        r#"{{"schemaVersion":2,"config":{config},"subject":{config},"annotations":{{"k":"v"}},"artifactType":"x/sbom"}}"#
    );
    let listed = parse(&text, None).unwrap().descriptor();
    assert_eq!(listed.artifact_type.as_deref(), Some("x/sbom"));
    assert_eq!(listed.annotations["k"], "v");
    let untyped = parse(&text.replace(r#","artifactType":"x/sbom""#, ""), None).unwrap().descriptor();
    assert_eq!(untyped.artifact_type.as_deref(), Some("m"), "the configuration's type stands in");
}

#[test]
fn configurations_with_nulls_are_read() {
    let text = r#"{"os":"linux","architecture":"amd64","config":{"User":"65532","Env":null,"Cmd":["/app"],"Labels":null},
        "history":null,"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let config = ImageConfig::parse(text.as_bytes(), "test").unwrap();
    assert_eq!((config.config.user.as_str(), config.config.cmd.len(), config.history.len()), ("65532", 1, 0));
    assert!(ImageConfig::parse(br#"{"config":{"User":"1"},"config":{"User":"0"}}"#, "test").is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_manifest_or_an_error(text in r#"[\[\]{}":,a-z0-9 ]{0,120}"#) {
        let _ = parse(&text, None);
    }
}
