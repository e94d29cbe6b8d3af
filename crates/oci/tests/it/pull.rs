use assay_model::Platform;
use assay_oci::{ImageConfig, Manifest, OciError};
use assay_sandbox::{BuiltImage, Endpoint, Fault, ImageBuilder};

use crate::support::*;

#[tokio::test]
async fn a_tag_is_read_once_and_everything_below_it_by_digest() {
    let registry = registry().await;
    let image = image();
    registry.put_image("payments/api", "1.0", &image);
    let client = client();
    let resolved = client.resolve(&reference(&registry, "payments/api:1.0"), None).await.unwrap();
    assert_eq!(resolved.subject.digest, image.digest());
    assert_eq!((resolved.subject.index, client.requests()), (None, 1));

    let Manifest::Image(manifest) = resolved.manifest.manifest else { panic!("an image") };
    let repository = repository(&registry, "payments/api");
    let config = client.blob(&repository, &manifest.config).await.unwrap().bytes(1 << 20).await.unwrap();
    assert_eq!(ImageConfig::parse(&config, "config").unwrap().rootfs.diff_ids.len(), 2);
    let layer = client.blob(&repository, &manifest.layers[1]).await.unwrap().bytes(1 << 20).await.unwrap();
    assert_eq!(layer, image.layers()[1]);
    let by_tag = registry.requests().iter().filter(|request| request.path.ends_with("/manifests/1.0")).count();
    assert_eq!(by_tag, 1);
}

#[tokio::test]
async fn an_index_gives_the_platform_that_was_asked_for() {
    let registry = registry().await;
    let arm: Platform = "linux/arm64/v8".parse().unwrap();
    let images = [image(), ImageBuilder::new().platform(arm.clone()).build()];
    let index = BuiltImage::index(&images);
    registry.put_image("app", "1", &index);
    let wanted = reference(&registry, "app:1");
    let resolved = client().resolve(&wanted, Some(&arm)).await.unwrap();
    assert_eq!(resolved.subject.digest, images[1].digest());
    assert_eq!((resolved.subject.index, resolved.subject.platform), (Some(index.digest()), Some(arm)));
    assert_eq!(client().resolve(&wanted, None).await.unwrap().subject.digest, images[0].digest());
    let error = client().resolve(&wanted, Some(&"linux/s390x".parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, OciError::NoPlatform { .. }), "{error}");
}

#[tokio::test]
async fn a_head_request_gives_the_digest_and_the_manifest_is_read_where_the_registry_does_not_say() {
    let registry = registry().await;
    let image = image();
    registry.put_image("app", "1", &image);
    let wanted = reference(&registry, "app:1");
    assert_eq!(client().head(&wanted).await.unwrap(), image.digest());
    assert_eq!(registry.requests()[0].method, "HEAD");
    registry.set_fault(Fault::NoContentDigest);
    assert_eq!(client().head(&wanted).await.unwrap(), image.digest());
}

#[tokio::test]
async fn tags_come_from_all_pages() {
    let registry = registry_with(|options| options.page_size = 2).await;
    for tag in ["1", "2", "3", "4", "5"] {
        registry.put_image("app", tag, &image());
    }
    let tags = client().tags(&repository(&registry, "app")).await.unwrap();
    assert_eq!(tags, ["1", "2", "3", "4", "5"]);
    assert_eq!(registry.count(Endpoint::Tags), 3);
}

#[tokio::test]
async fn a_registry_that_lies_about_a_manifest_or_a_blob_is_found_out() {
    let registry = registry().await;
    let image = image();
    registry.put_image("app", "1", &image);
    let repository = repository(&registry, "app");
    let client = client();
    let resolved = client.resolve(&reference(&registry, "app:1"), None).await.unwrap();
    let Manifest::Image(manifest) = resolved.manifest.manifest else { panic!("an image") };

    registry.set_fault(Fault::LiesAbout(image.digest()));
    for wanted in ["app:1".to_owned(), format!("app@{}", image.digest())] {
        let error = client.resolve(&reference(&registry, &wanted), None).await.unwrap_err();
        assert!(matches!(error, OciError::DigestMismatch { .. }), "{wanted}: {error}");
    }
    registry.set_fault(Fault::LiesAbout(manifest.layers[0].digest));
    let error = client.blob(&repository, &manifest.layers[0]).await.unwrap().bytes(1 << 20).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");

    registry.set_fault(Fault::Truncates(manifest.layers[1].digest));
    let error = client.blob(&repository, &manifest.layers[1]).await.unwrap_err();
    assert!(matches!(error, OciError::SizeMismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_tag_that_moves_after_it_was_resolved_changes_nothing() {
    let registry = registry().await;
    let good = image();
    let evil = ImageBuilder::new().layer([("app", "evil", 0o755)]).build();
    registry.put_image("app", "1", &good);
    registry.put_image("app", "other", &evil);
    registry.set_fault(Fault::TagMovesAfterFirstRead {
        repository: "app".into(),
        tag: "1".into(),
        then: evil.digest(),
    });
    let client = client();
    let resolved = client.resolve(&reference(&registry, "app:1"), None).await.unwrap();
    let again = client.manifest(&resolved.subject.repository, resolved.subject.digest).await.unwrap();
    assert_eq!(again.digest, good.digest());
    assert_eq!(client.head(&reference(&registry, "app:1")).await.unwrap(), evil.digest(), "the tag did move");
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_a_closed_port_is_unreachable() {
    let registry = registry().await;
    let error = client().resolve(&reference(&registry, "app:1"), None).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let gone = reference(&registry, "app:1");
    drop(registry);
    // The port is free again once nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("{closed}/app:1").parse().unwrap();
    assert_ne!(closed, gone);
    let error = client().resolve(&closed, None).await.unwrap_err();
    assert!(matches!(error, OciError::Unreachable { tries: 3, .. }), "{error}");
}
