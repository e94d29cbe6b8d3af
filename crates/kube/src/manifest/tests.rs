use std::fmt::Write as _;

use assay_model::Digest;
use proptest::prelude::*;

use super::*;
use crate::{Replacement, apply};

const KINDS: &[&str] = &["Environment", "Exception"];

fn parse(text: &str) -> Manifests<'_> {
    Manifests::parse(text.as_bytes(), KINDS).unwrap()
}

fn code(text: &str) -> &'static str {
    Manifests::parse(text.as_bytes(), KINDS).unwrap_err().code()
}

const DEPLOYMENT: &str = r#"---
# Source: payments/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: payments}
spec:
  replicas: 2
  template:
    spec:
      initContainers:
        - name: migrate
          image: 'registry.example.com/payments/migrate:1'   # once
      containers:
        - name: api
          image: "registry.example.com/payments/api:prod" # é stays
        - name: é-sidecar
          image: envoy:v1
          securityContext: {privileged: yes}
"#;

#[test]
fn images_know_their_place() {
    let manifests = parse(DEPLOYMENT);
    let deployment = &manifests.workloads[0];
    assert_eq!(deployment.source.as_deref(), Some("payments/templates/deployment.yaml"));
    let images = deployment.images();
    let found: Vec<_> = images.iter().map(|i| (i.place.line, i.place.column, i.written.as_str())).collect();
    assert_eq!(
        found,
        [
            (12, 18, "registry.example.com/payments/migrate:1"),
            (15, 18, "registry.example.com/payments/api:prod"),
            (17, 18, "envoy:v1"),
        ]
    );
    for image in &images {
        assert_eq!(&DEPLOYMENT[image.editable.clone().unwrap()], image.written);
    }
    let node = deployment.node();
    let container = &node.at(&["spec", "template", "spec", "containers"]).items()[1];
    assert_eq!(container.at(&["securityContext", "privileged"]).as_bool(), Some(true));
    assert_eq!(deployment.place("spec.template.spec.containers[1].securityContext.privileged").line, 18);
    assert_eq!(
        deployment.place("spec.template.spec.containers[1].imagePullPolicy").line,
        16,
        "the nearest thing around it"
    );
}

#[test]
fn pinning_changes_the_reference_and_nothing_else() {
    let manifests = parse(DEPLOYMENT);
    let edits: Vec<_> = manifests.workloads[0]
        .images()
        .into_iter()
        .map(|image| Replacement { bytes: image.editable.unwrap(), text: format!("{}@sha256:0", image.written) })
        .collect();
    let edited = apply(DEPLOYMENT, &edits).unwrap();
    let want = DEPLOYMENT
        .replace("migrate:1'", "migrate:1@sha256:0'")
        .replace("api:prod\"", "api:prod@sha256:0\"")
        .replace("envoy:v1", "envoy:v1@sha256:0");
    assert_eq!(edited, want);
}

#[test]
fn lists_and_json_and_several_documents_are_read() {
    let text = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"image": "a:1"}]}},
  {"apiVersion": "v1", "kind": "Service"}]}
---
apiVersion: v1
kind: PodList
items: [{spec: {containers: [{image: b:1}]}}]
---
# only a comment
---
apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {assay.dev/environment: prod}}
--- 
values: of some chart
"#;
    let manifests = parse(text);
    let images: Vec<_> =
        manifests.workloads.iter().flat_map(Manifest::images).map(|i| (i.written, i.place.line)).collect();
    assert_eq!(images, [("a:1".to_owned(), 2), ("b:1".to_owned(), 7)]);
    let skipped: Vec<_> = manifests.skipped.iter().map(|s| s.kind.as_str()).collect();
    assert_eq!(skipped, ["Service", "Namespace", ""]);
    assert_eq!(manifests.namespaces["payments"]["assay.dev/environment"], "prod");
}

#[test]
fn unknown_kinds_of_ours_are_refused_by_name_and_others_are_counted() {
    let error = Manifests::parse(b"a: 1\n---\napiVersion: assay.dev/v1\nkind: Enviroment\n", KINDS).unwrap_err();
    assert_eq!(error.to_string(), "line 3: `Enviroment` is not a kind of assay.dev/v1 (known: Environment, Exception)");
    let manifests = parse("apiVersion: assay.dev/v1\nkind: Environment\n---\napiVersion: x.dev/v1\nkind: Thing\n");
    assert_eq!((manifests.assay.len(), manifests.skipped.len()), (1, 1));
}

#[test]
fn malformed_yaml_names_line_and_column() {
    let error = Manifests::parse(b"apiVersion: v1\nkind: Pod\nspec: [a, b\nmetadata: {}\n", KINDS).unwrap_err();
    let ManifestError::Yaml(YamlError::Invalid { line, .. }) = &error else { panic!("{error:?}") };
    assert!(*line >= 3, "{error}");
    assert_eq!(error.code(), "manifest-invalid-yaml");
    for (text, want) in [
        ("a: b: c", "manifest-invalid-yaml"),
        ("a: *nowhere", "manifest-invalid-yaml"),
        ("a: &a [*a]", "manifest-invalid-yaml"),
        ("? [a]\n: b", "manifest-invalid-yaml"),
        ("a: .inf", "manifest-invalid-yaml"),
        ("a: !!binary aGk=", "manifest-invalid-yaml"),
        ("a: !custom x", "manifest-invalid-yaml"),
        ("a: !!int x", "manifest-invalid-yaml"),
        ("a: 1\nb: 2\na: 3", "manifest-doubled-key"),
        ("on: 1\n\"true\": 2", "manifest-doubled-key"),
    ] {
        assert_eq!(code(text), want, "{text}");
    }
    let error = Manifests::parse(b"a: 1\nb: \xff\n", KINDS).unwrap_err();
    assert_eq!(error, ManifestError::NotUtf8 { line: 2 });
}

#[test]
fn aliases_and_merges_expand_within_bounds() {
    let text = "apiVersion: v1\nkind: Pod\nx-base: &base {image: a:1, imagePullPolicy: Always}\nspec:\n  containers:\n    - {<<: *base, name: one}\n    - {<<: *base, name: two, image: b:1}\n";
    let manifests = parse(text);
    let images = manifests.workloads[0].images();
    assert_eq!(images[0].written, "a:1");
    assert_eq!(images[0].place.line, 3, "the anchor is what can be edited");
    assert_eq!(images[1].written, "b:1");
    assert_eq!(code("b: &b {image: evil}\na: {image: good, <<: *b}"), "manifest-invalid-yaml");

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(code(&bomb), "manifest-bound");
    let deep = format!("a: {}1{}", "[".repeat(150), "]".repeat(150));
    assert_eq!(code(&deep), "manifest-bound");
    assert_eq!(code(&"--- a\n".repeat(10_001)), "manifest-bound");
    let large = vec![b' '; FILE_BYTES_MAX + 1];
    assert_eq!(Manifests::parse(&large, KINDS).unwrap_err().code(), "manifest-too-large");
}

#[test]
fn kustomize_images_are_pinned_by_digest() {
    let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n  - name: api\n    newName: registry.example.com/api\n    newTag: \"1.2\"   # release\n  - name: web\n    digest: sha256:0\n";
    let manifests = parse(text);
    let images = manifests.kustomizations[0].kustomize_images();
    assert_eq!(images[0].written(), "registry.example.com/api:1.2");
    let digest = Digest::of(b"x");
    let edited = apply(text, &[images[0].pin(&digest).unwrap()]).unwrap();
    assert_eq!(edited, text.replace("newTag: \"1.2\"", &format!("digest: {digest}")));
    assert!(images[1].pin(&digest).is_none());
}

#[test]
fn what_cannot_be_edited_in_place_says_so() {
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: >-\n        a\n        :1\n    - image: \"a\\x3a1\"\n    - {}\n";
    let images = parse(text).workloads[0].images();
    assert_eq!(images[0].written, "a :1");
    assert_eq!(images[1].written, "a:1");
    assert!(images.iter().all(|image| image.editable.is_none()), "{images:?}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-c:{}\\[\\]&*<>|\\-#!'\"\n ,?]{0,60}") {
        let _ = Manifests::parse(text.as_bytes(), KINDS);
    }

    #[test]
    fn json_means_the_same_as_yaml(
        name in "[a-z]{1,8}", image in "[a-z]{1,6}:[a-z0-9.]{1,6}", count in any::<i32>(), flag in any::<bool>()
    ) {
        let json = serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"count": count.to_string()}},
            "spec": {"priority": count, "hostPID": flag, "containers": [{"name": "yes", "image": image}]}
        })
        .to_string();
        let manifests = Manifests::parse(json.as_bytes(), KINDS).unwrap();
        let read: Node<'_> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(manifests.workloads[0].node(), read);
    }
}
