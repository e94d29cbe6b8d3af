use std::collections::BTreeMap;

use assay_model::Digest;
use assay_oci::{Artifact, ArtifactLayer, Attachment, Client, Descriptor, ImageSource, OciError, Source, copy};
use assay_sandbox::{BuiltImage, Endpoint, Fault, ImageBuilder, Registry};

use crate::support::*;

const SUBJECTS: &str = "app";

fn signature(content: &'static str) -> Artifact {
    let layer = ArtifactLayer { media_type: "text/plain".into(), bytes: content.into(), annotations: BTreeMap::new() };
    Artifact { artifact_type: "x/sig".into(), layers: vec![layer], annotations: BTreeMap::new() }
}

/// An index of two images; its root is signed, and the signature is signed too.
async fn signed(registry: &Registry, client: &Client) -> (BuiltImage, [Digest; 2]) {
    let arm = ImageBuilder::new().platform("linux/arm64/v8".parse().unwrap()).layer([("a", "arm", 0o644)]).build();
    let index = BuiltImage::index(&[image(), arm]);
    registry.put_image(SUBJECTS, "1", &index);
    let repository = repository(registry, SUBJECTS);
    let root = Descriptor::of(index.media_type(), index.manifest());
    let first = client.attach(&repository, &root, &signature("first")).await.unwrap();
    let second = client.attach(&repository, &first, &signature("second")).await.unwrap();
    (index, [first.digest, second.digest])
}

fn at(registry: &Registry, rest: &str) -> ImageSource {
    ImageSource::Registry(reference(registry, rest))
}

#[tokio::test]
async fn an_index_arrives_unchanged_with_its_referrers_and_theirs() {
    for referrers_endpoint in [true, false] {
        let source = registry().await;
        let target = registry_with(|options| options.referrers_endpoint = referrers_endpoint).await;
        let client = client();
        let (index, signatures) = signed(&source, &client).await;
        let report = copy(&client, &at(&source, "app:1"), &at(&target, "prod/app:1.0")).await.unwrap();
        assert_eq!((report.root.digest, report.manifests, report.referrers), (index.digest(), 5, 2));
        assert_eq!(target.tag("prod/app", "1.0"), Some(index.digest()));
        for digest in signatures {
            assert_eq!(target.manifest("prod/app", digest), source.manifest("app", digest));
        }
        let there = repository(&target, "prod/app");
        let read = client.referrer_manifests(&there, index.digest(), Some("x/sig"), 10).await.unwrap();
        assert_eq!(read.manifests.len(), 1);

        target.clear_requests();
        let again = copy(&client, &at(&source, "app:1"), &at(&target, "prod/app:1.0")).await.unwrap();
        assert_eq!((again.blobs_copied, again.blobs_present > 0), (0, true));
        assert_eq!(target.count(Endpoint::Upload), 0, "nothing is sent twice");
    }
}

#[tokio::test]
async fn within_a_registry_blobs_are_mounted() {
    let registry = registry().await;
    let client = client();
    let (index, _) = signed(&registry, &client).await;
    let report = copy(&client, &at(&registry, "app:1"), &at(&registry, "release/app:1")).await.unwrap();
    assert_eq!((report.blobs_copied, report.blobs_mounted, report.bytes), (0, 8, 0));
    assert_eq!(registry.tag("release/app", "1"), Some(index.digest()));
}

#[tokio::test]
async fn the_tags_of_cosign_come_along() {
    let (source, target) = (registry().await, registry().await);
    let image = image();
    source.put_image("app", "1", &image);
    let old = ImageBuilder::new().annotation("kind", "signature").build();
    let tag = format!("{}.sig", image.digest().fallback_tag());
    source.put_image("app", &tag, &old);
    let report = copy(&client(), &at(&source, "app:1"), &at(&target, "app:1")).await.unwrap();
    assert_eq!((report.referrers, target.tag("app", &tag)), (1, Some(old.digest())));

    let folder = tempfile::tempdir().unwrap();
    let layout: ImageSource = format!("oci:{}:1", folder.path().join("layout").display()).parse().unwrap();
    assert_eq!(copy(&client(), &at(&source, "app:1"), &layout).await.unwrap().referrers, 1);
    let opened = Source::open(&client(), &layout).await.unwrap();
    assert_eq!(opened.resolve(None).await.unwrap().subject.digest, image.digest(), "the tag is no second image");
    let read = opened.attachment(image.digest(), Attachment::Signatures).await.unwrap();
    assert_eq!(read.unwrap().digest, old.digest());
    let other = registry().await;
    copy(&client(), &layout, &at(&other, "app:1")).await.unwrap();
    assert_eq!(other.tag("app", &tag), Some(old.digest()));
}

/// `cosign save` writes what it kept under tags into the index of the layout, and says by an annotation what is what.
#[tokio::test]
async fn a_layout_of_cosign_save_is_one_image_with_its_signatures() {
    let (source, folder) = (registry().await, tempfile::tempdir().unwrap());
    let (image, signatures) = (image(), ImageBuilder::new().annotation("kind", "signature").build());
    source.put_image("app", "1", &image);
    source.put_image("app", "signatures", &signatures);
    let layout = folder.path().join("saved");
    for tag in ["1", "signatures"] {
        let to: ImageSource = format!("oci:{}:{tag}", layout.display()).parse().unwrap();
        copy(&client(), &at(&source, &format!("app:{tag}")), &to).await.unwrap();
    }
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    let named = |tag: &str| format!("\"org.opencontainers.image.ref.name\":\"{tag}\"");
    let kind = |kind: &str| format!("\"kind\":\"dev.cosignproject.cosign/{kind}\"");
    let index =
        index.replacen("\"digest\"", "\"artifactType\":\"application/vnd.oci.image.config.v1+json\",\"digest\"", 2);
    let index = index.replace(&named("1"), &kind("image")).replace(&named("signatures"), &kind("sigs"));
    std::fs::write(layout.join("index.json"), index).unwrap();

    let opened = Source::open(&client(), &format!("oci:{}", layout.display()).parse().unwrap()).await.unwrap();
    assert_eq!(opened.resolve(None).await.unwrap().subject.digest, image.digest());
    let read = async |kind| opened.attachment(image.digest(), kind).await.unwrap().map(|raw| raw.digest);
    assert_eq!(read(Attachment::Signatures).await, Some(signatures.digest()));
    assert_eq!(read(Attachment::Attestations).await, None);
}

/// Only a 404 says that there is none.
#[tokio::test]
async fn a_tag_that_cannot_be_read_is_an_error() {
    let registry = registry().await;
    let digest = registry.put_image("app", "1", &image());
    let opened = Source::open(&client(), &at(&registry, "app:1")).await.unwrap();
    assert!(opened.attachment(digest, Attachment::Signatures).await.unwrap().is_none());
    for status in [401, 403, 500] {
        registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Manifest), status, count: 99, retry_after: None });
        let error = opened.attachment(digest, Attachment::Signatures).await.unwrap_err();
        assert!(!error.is_not_found(), "{status}: {error}");
        registry.clear_faults();
    }
}

#[tokio::test]
async fn a_source_that_lies_leaves_no_tag_behind() {
    let (source, target) = (registry().await, registry().await);
    let image = image();
    source.put_image("app", "1", &image);
    source.set_fault(Fault::LiesAbout(Digest::of(&image.layers()[1])));
    let error = copy(&client(), &at(&source, "app:1"), &at(&target, "app:1")).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
    assert_eq!(target.tag("app", "1"), None);
}

#[tokio::test]
async fn a_target_that_stores_something_else_is_found_out() {
    let (source, target) = (registry().await, registry().await);
    let image = image();
    source.put_image("app", "1", &image);
    target.set_fault(Fault::LiesAbout(image.digest()));
    let error = copy(&client(), &at(&source, "app:1"), &at(&target, "app:1")).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
    let other = format!("app@{}", Digest::of(b"other"));
    let error = copy(&client(), &at(&source, "app:1"), &at(&target, &other)).await.unwrap_err();
    assert!(matches!(error, OciError::BadLocation { .. }), "{error}");
}

#[tokio::test]
async fn a_layout_keeps_everything_on_the_way_to_another_registry() {
    let (source, target) = (registry().await, registry().await);
    let client = client();
    let (index, signatures) = signed(&source, &client).await;
    let folder = tempfile::tempdir().unwrap();
    let layout: ImageSource = format!("oci:{}:1.0", folder.path().join("layout").display()).parse().unwrap();
    let down = copy(&client, &at(&source, "app:1"), &layout).await.unwrap();
    assert_eq!((down.manifests, down.referrers), (5, 2));
    assert_eq!(copy(&client, &at(&source, "app:1"), &layout).await.unwrap().blobs_copied, 0);

    let opened = Source::open(&client, &layout).await.unwrap();
    let resolved = opened.resolve(None).await.unwrap();
    assert_eq!(resolved.subject.index, Some(index.digest()));
    assert_eq!(resolved.subject.repository.to_string(), "localhost/layout");
    assert_eq!(opened.referrers(index.digest(), Some("x/sig"), 10).await.unwrap().manifests.len(), 1);

    copy(&client, &layout, &at(&target, "app:1")).await.unwrap();
    assert_eq!(target.tag("app", "1"), Some(index.digest()));
    assert!(signatures.iter().all(|digest| target.manifest("app", *digest).is_some()));
}
