use std::collections::BTreeMap;

use assay_oci::{Artifact, ArtifactLayer, Descriptor, OciError, media_type};
use assay_sandbox::{Endpoint, Fault};

use crate::support::*;

fn artifact(kind: &str, content: &'static str, created: &str) -> Artifact {
    let annotations = BTreeMap::from([("org.opencontainers.image.created".to_owned(), created.to_owned())]);
    let layer = ArtifactLayer { media_type: "text/plain".into(), bytes: content.into(), annotations: BTreeMap::new() };
    Artifact { artifact_type: kind.into(), layers: vec![layer], annotations }
}

fn subject(image: &assay_sandbox::BuiltImage) -> Descriptor {
    Descriptor::of(image.media_type(), image.manifest())
}

#[tokio::test]
async fn referrers_are_listed_over_all_pages_filtered_and_newest_first() {
    let registry = registry_with(|options| options.page_size = 2).await;
    let image = image();
    registry.put_image("app", "1", &image);
    let (client, repository) = (client(), repository(&registry, "app"));
    for (content, day) in [("a", "01"), ("b", "05"), ("c", "03"), ("d", "02"), ("e", "04")] {
        let artifact = artifact("x/sbom", content, &format!("2026-01-{day}T00:00:00Z"));
        client.attach(&repository, &subject(&image), &artifact).await.unwrap();
    }
    client.attach(&repository, &subject(&image), &artifact("x/sig", "s", "2026-01-01T00:00:00Z")).await.unwrap();
    assert!(registry.tag("app", &image.digest().fallback_tag()).is_none(), "no fallback tag where it is not needed");

    assert_eq!(client.referrers(&repository, image.digest(), None).await.unwrap().len(), 6);
    assert_eq!(client.referrers(&repository, image.digest(), Some("x/sig")).await.unwrap().len(), 1);
    let read = client.referrer_manifests(&repository, image.digest(), Some("x/sbom"), 3).await.unwrap();
    let days: Vec<_> =
        read.manifests.iter().map(|raw| &raw.manifest.annotations().values().next().unwrap()[8..10]).collect();
    assert_eq!((days, read.left_out, read.foreign.len()), (vec!["05", "04", "03"], 2, 0));
}

#[tokio::test]
async fn without_the_endpoint_the_fallback_index_is_complete() {
    let registry = registry_with(|options| options.referrers_endpoint = false).await;
    let image = image();
    registry.put_image("app", "1", &image);
    let (client, repository) = (client(), repository(&registry, "app"));
    assert!(client.referrers(&repository, image.digest(), None).await.unwrap().is_empty());
    for (kind, content) in [("x/sbom", "a"), ("x/sig", "b"), ("x/sig", "b")] {
        let artifact = artifact(kind, content, "2026-01-01T00:00:00Z");
        client.attach(&repository, &subject(&image), &artifact).await.unwrap();
    }
    let listed = client.referrers(&repository, image.digest(), None).await.unwrap();
    assert_eq!(listed.len(), 2, "attached twice, listed once");
    assert_eq!(listed[0].artifact_type.as_deref(), Some("x/sbom"));
    assert_eq!(listed[0].annotations.len(), 1);
    let only = client.referrer_manifests(&repository, image.digest(), Some("x/sig"), 10).await.unwrap();
    assert_eq!(only.manifests.len(), 1);
}

#[tokio::test]
async fn an_update_that_another_writer_overwrote_is_made_again() {
    let registry = registry_with(|options| options.referrers_endpoint = false).await;
    let image = image();
    registry.put_image("app", "1", &image);
    let (client, repository) = (client(), repository(&registry, "app"));
    let tag = image.digest().fallback_tag();
    registry.set_fault(Fault::LosesTagWrites { tag: tag.clone(), count: 2 });
    let artifact = artifact("x/sig", "a", "2026-01-01T00:00:00Z");
    client.attach(&repository, &subject(&image), &artifact).await.unwrap();
    assert_eq!(client.referrers(&repository, image.digest(), None).await.unwrap().len(), 1);

    registry.set_fault(Fault::LosesTagWrites { tag, count: 100 });
    let error = client.attach(&repository, &subject(&image), &self::artifact("x/sig", "b", "")).await.unwrap_err();
    assert!(matches!(error, OciError::FallbackContended { tries: 5, .. }), "{error}");
}

#[tokio::test]
async fn only_a_404_means_none() {
    for status in [401, 403, 429, 500, 503] {
        let registry = registry().await;
        let image = image();
        registry.put_image("app", "1", &image);
        registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Referrers), status, count: 99, retry_after: None });
        let answer = client().referrers(&repository(&registry, "app"), image.digest(), None).await;
        assert!(answer.as_ref().is_err_and(|error| !error.is_not_found()), "{status}: {answer:?}");
    }
    // The endpoint is absent, and the fallback tag cannot be read.
    let registry = registry_with(|options| options.referrers_endpoint = false).await;
    registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Manifest), status: 500, count: 99, retry_after: None });
    let answer = client().referrers(&repository(&registry, "app"), image().digest(), None).await;
    assert!(matches!(answer, Err(OciError::ServerError { .. })), "{answer:?}");
}

#[tokio::test]
async fn an_entry_whose_manifest_names_another_subject_does_not_count() {
    let registry = registry_with(|options| options.referrers_endpoint = false).await;
    let (image, other) = (image(), assay_sandbox::ImageBuilder::new().build());
    registry.put_image("app", "1", &image);
    registry.put_image("app", "2", &other);
    let (client, repository) = (client(), repository(&registry, "app"));
    let artifact = artifact("x/sig", "a", "2026-01-01T00:00:00Z");
    let copied = client.attach(&repository, &subject(&other), &artifact).await.unwrap();
    let none = subject(&other);
    let mut absent = copied.clone();
    absent.digest = assay_model::Digest::of(b"absent");
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [copied, none, absent] });
    registry.put_manifest("app", Some(&image.digest().fallback_tag()), media_type::OCI_INDEX, index.to_string());

    let read = client.referrer_manifests(&repository, image.digest(), None, 10).await.unwrap();
    assert_eq!((read.manifests.len(), read.foreign.len()), (0, 3));
}
