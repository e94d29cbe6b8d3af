//! Image configurations, well-formed and not.

use assay_inspect::{CONFIG_BYTES, CONFIG_PATH, ConfigError, ImageConfiguration, merge, scan_config};
use assay_model::{Bound, Explain as _};

use crate::archive::Tar;

fn parse(json: &str) -> ImageConfiguration {
    ImageConfiguration::parse(json.as_bytes()).unwrap()
}

fn secret() -> String {
    format!("ghp_{}", "q7ZkP2mXv9RtB4nLs8WcY3hJd6FgT1aEu5Ko")
}

#[test]
fn what_runs_and_who_runs_it_is_read() {
    let configuration = parse(
        r#"{"created":"2024-01-01T00:00:00Z","os":"linux","architecture":"arm64","variant":"v8",
        "config":{"User":"65532:65532","Entrypoint":["/tini","--"],"Cmd":["app"],"Env":["A=b"],"Labels":{"k":"v"}},
        "history":[{"created_by":"ADD rootfs"},{"created_by":"ENV A=b","empty_layer":true}]}"#,
    );
    assert_eq!(configuration.config.user.as_deref(), Some("65532:65532"));
    assert_eq!(configuration.config.command, ["/tini", "--", "app"]);
    assert_eq!(configuration.config.labels["k"], "v");
    assert_eq!(configuration.config.created.unwrap().to_string(), "2024-01-01T00:00:00Z");
    assert_eq!(configuration.config.platform.as_ref().unwrap().to_string(), "linux/arm64/v8");
    assert_eq!(configuration.layer_history, ["ADD rootfs"]);
}

#[test]
fn unexpected_forms_are_left_out_and_the_rest_is_kept() {
    let configuration = parse(
        r#"{"created":7,"os":["linux"],"config":{"User":{"x":1},"Cmd":"sh","Env":null,"Labels":[]},"history":null}"#,
    );
    assert_eq!(configuration, ImageConfiguration::default());
    assert_eq!(parse(r#"{"config":null}"#), ImageConfiguration::default());
}

#[test]
fn what_is_no_configuration_is_an_error_with_a_code() {
    for (bytes, code) in [
        (b"".to_vec(), "image-config-malformed"),
        (b"[1]x".to_vec(), "image-config-malformed"),
        (vec![0xff; 10], "image-config-malformed"),
        (format!("{{\"a\":{}", "[".repeat(5000)).into_bytes(), "image-config-malformed"),
        (vec![b' '; CONFIG_BYTES + 1], "image-config-too-large"),
    ] {
        let error: ConfigError = ImageConfiguration::parse(&bytes).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.next_step().is_some());
    }
}

#[test]
fn secrets_in_environment_and_history_are_found_and_never_shown() {
    let json = format!(
        r#"{{"config":{{"Env":["PATH=/bin","TOKEN={0}"]}},"history":[{{"created_by":"RUN curl -H {0} https://example.com"}}]}}"#,
        secret()
    );
    let configuration = parse(&json);
    let found = scan_config(&configuration);
    assert_eq!(found.iter().map(|secret| secret.line).collect::<Vec<_>>(), [2, 3]);
    assert!(found.iter().all(|secret| secret.file.path == CONFIG_PATH && secret.file.layer.is_none()));
    let layer = Tar::default().layer();
    let contents = merge(&[layer], Some(&configuration));
    assert_eq!(contents.secrets.len(), 2);
    assert_eq!(contents.layers[0].created_by.as_deref(), Some("RUN curl -H *** https://example.com"));
    assert!(!serde_json::to_string(&contents).unwrap().contains(&secret()));
}

#[test]
fn layers_that_the_configuration_does_not_name_are_partial() {
    let layer = Tar::default().file("a", "").layer();
    let diff_id = layer.diff_id;
    let named = parse(&format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#));
    assert_eq!(merge(std::slice::from_ref(&layer), Some(&named)).partial, []);
    for other in ["{}".to_owned(), format!(r#"{{"rootfs":{{"diff_ids":["{diff_id}","{diff_id}"]}}}}"#)] {
        let contents = merge(std::slice::from_ref(&layer), Some(&parse(&other)));
        assert_eq!(contents.partial[0].bound, Bound::Malformed);
        assert_eq!(contents.layers[0].diff_id, diff_id, "computed, never the claimed one");
    }
}
