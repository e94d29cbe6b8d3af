use assay_oci::{Descriptor, Manifest, OciError, media_type};
use assay_sandbox::{Endpoint, Fault};

use crate::support::*;

#[tokio::test]
async fn a_pushed_image_is_the_same_when_it_is_read() {
    let registry = registry().await;
    let (client, image) = (client(), image());
    let repository = repository(&registry, "app");
    for blob in image.blobs() {
        client.push_blob(&repository, "application/octet-stream", blob.clone()).await.unwrap();
    }
    let pushed =
        client.push_manifest(&repository, Some("1"), image.media_type(), image.manifest().clone()).await.unwrap();
    assert_eq!(pushed.digest, image.digest());
    let resolved = client.resolve(&reference(&registry, "app:1"), None).await.unwrap();
    assert_eq!(&resolved.manifest.bytes, image.manifest());
}

#[tokio::test]
async fn a_blob_that_is_there_is_not_sent_again_and_one_of_a_neighbour_is_mounted() {
    let registry = registry().await;
    let client = client();
    let (from, to) = (repository(&registry, "a"), repository(&registry, "b"));
    let descriptor = client.push_blob(&from, "text/plain", "content".into()).await.unwrap();
    registry.clear_requests();
    client.push_blob(&from, "text/plain", "content".into()).await.unwrap();
    assert_eq!(registry.count(Endpoint::Upload), 0);
    assert!(client.mount_blob(&to, &from, descriptor.digest).await.unwrap());
    assert_eq!(registry.blob("b", descriptor.digest).unwrap(), "content");
    let unknown = Descriptor::of("text/plain", b"unknown").digest;
    assert!(!client.mount_blob(&to, &from, unknown).await.unwrap());
}

#[tokio::test]
async fn a_stream_goes_through_and_a_lying_source_is_the_error_that_is_told() {
    let (source, target) = (registry().await, registry().await);
    let image = image();
    source.put_image("app", "1", &image);
    let client = client();
    let (from, to) = (repository(&source, "app"), repository(&target, "copy"));
    let Manifest::Image(manifest) = client.manifest(&from, image.digest()).await.unwrap().manifest else {
        panic!("an image")
    };
    let layer = &manifest.layers[0];
    let blob = client.blob(&from, layer).await.unwrap();
    client.push_stream(&to, layer, blob).await.unwrap();
    assert_eq!(target.blob("copy", layer.digest).unwrap(), image.layers()[0]);

    source.set_fault(Fault::LiesAbout(manifest.layers[1].digest));
    let blob = client.blob(&from, &manifest.layers[1]).await.unwrap();
    let error = client.push_stream(&to, &manifest.layers[1], blob).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
    assert!(target.blob("copy", manifest.layers[1].digest).is_none());
}

#[tokio::test]
async fn an_immutable_tag_is_refused_with_the_registrys_code() {
    let registry = registry_with(|options| options.immutable_tags = true).await;
    registry.put_image("app", "1", &image());
    let other = assay_sandbox::ImageBuilder::new().build();
    registry.put_image("app", "2", &other);
    let repository = repository(&registry, "app");
    let pushed =
        client().push_manifest(&repository, Some("1"), media_type::OCI_MANIFEST, other.manifest().clone()).await;
    assert!(matches!(&pushed, Err(OciError::Refused { code, .. }) if code == "TAG_IMMUTABLE"), "{pushed:?}");
}
