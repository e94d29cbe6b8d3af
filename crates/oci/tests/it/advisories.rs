//! Weaknesses published for other registry clients; each test is named after one.

use std::collections::BTreeMap;

use assay_credentials::Credential;
use assay_oci::{Artifact, Descriptor, OciError};
use assay_sandbox::{Endpoint, Fault};

use crate::support::*;

fn credentials_seen(registry: &assay_sandbox::Registry) -> Vec<String> {
    registry.requests().into_iter().filter_map(|request| request.authorization).collect()
}

#[tokio::test]
async fn cve_2026_48978_token_realm_elsewhere_gets_no_credentials() {
    let registry = registry_with(|options| options.authentication = bearer(false)).await;
    let evil = registry_with(|options| options.authentication = bearer(true)).await;
    registry.put_image("app", "1", &image());
    registry.set_fault(Fault::TokenRealm(format!("http://{}/token", evil.host())));
    let client = client_of(&registry, Credential::basic("ci", "hunter2"));
    let error = client.resolve(&reference(&registry, "app:1"), None).await.unwrap_err();
    assert!(matches!(error, OciError::TokenRealmRefused { .. }), "{error}");
    assert!(evil.requests().is_empty());
}

#[tokio::test]
async fn cve_2026_48978_token_realms_that_are_never_asked() {
    let registry = registry_with(|options| options.authentication = bearer(false)).await;
    for realm in
        ["http://auth.example.com/token", "https://u:p@auth.example.com/token", "file:///etc/passwd", "nonsense"]
    {
        registry.clear_faults();
        registry.set_fault(Fault::TokenRealm(realm.to_owned()));
        let error = client().resolve(&reference(&registry, "app:1"), None).await.unwrap_err();
        assert!(matches!(error, OciError::TokenRealmRefused { .. }), "{realm}: {error}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
}

#[tokio::test]
async fn cve_2026_50151_redirects_carry_no_credentials() {
    let registry = registry_with(|options| options.authentication = bearer(false)).await;
    let storage = crate::support::registry().await;
    let digest = registry.put_blob("app", "content");
    storage.put_blob("app", "content");
    registry.set_fault(Fault::RedirectsBlobsTo(format!("http://{}", storage.host())));
    let client = client_of(&registry, Credential::basic("ci", "hunter2"));
    let descriptor = Descriptor::new("text/plain", digest, 7);
    let blob = client.blob(&repository(&registry, "app"), &descriptor).await.unwrap();
    assert_eq!(blob.bytes(100).await.unwrap(), "content");
    assert!(!credentials_seen(&registry).is_empty());
    assert_eq!((credentials_seen(&storage).len(), storage.count(Endpoint::Blob)), (0, 1));
}

#[tokio::test]
async fn ghsa_vh4v_2xq2_g5cg_upload_locations_carry_no_credentials() {
    let registry = registry_with(|options| options.authentication = bearer(false)).await;
    let storage = crate::support::registry().await;
    registry.set_fault(Fault::UploadsTo(format!("http://{}", storage.host())));
    let client = client_of(&registry, Credential::basic("ci", "hunter2"));
    let answer = client.push_blob(&repository(&registry, "app"), "text/plain", "content".into()).await;
    assert!(answer.is_err(), "the other host knows no such upload");
    assert_eq!((credentials_seen(&storage).len(), storage.count(Endpoint::Upload)), (0, 1));
}

#[tokio::test]
async fn redirects_to_plain_http_or_without_end_are_refused() {
    let registry = registry().await;
    let descriptor = Descriptor::new("text/plain", registry.put_blob("app", "content"), 7);
    let repository = repository(&registry, "app");
    registry.set_fault(Fault::RedirectsBlobsTo("http://storage.example.com".into()));
    let error = client().blob(&repository, &descriptor).await.unwrap_err();
    assert!(matches!(error, OciError::RedirectRefused { .. }), "{error}");
    registry.clear_faults();
    registry.clear_requests();
    registry.set_fault(Fault::RedirectsForEver);
    let error = client().blob(&repository, &descriptor).await.unwrap_err();
    assert!(matches!(error, OciError::RedirectRefused { .. }), "{error}");
    assert_eq!(registry.count(Endpoint::Blob), 6);
}

#[tokio::test]
async fn cve_2023_42813_a_manifest_of_100_mb_is_refused_early() {
    let registry = registry().await;
    let wanted = reference(&registry, "app:1");
    registry.set_fault(Fault::EndlessManifest(100 << 20));
    let error = client().resolve(&wanted, None).await.unwrap_err();
    assert!(matches!(error, OciError::TooLarge { limit: 4_194_304, .. }), "{error}");
    registry.clear_faults();
    registry.put_manifest("app", Some("1"), "application/vnd.oci.image.manifest.v1+json", vec![b' '; 5 << 20]);
    let error = client().resolve(&wanted, None).await.unwrap_err();
    assert!(matches!(error, OciError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn cve_2023_46737_a_flood_of_attachments_is_bounded() {
    let registry = registry_with(|options| options.page_size = 50).await;
    let image = image();
    registry.put_image("app", "1", &image);
    let subject = Descriptor::of(image.media_type(), image.manifest());
    for number in 0..2_100 {
        let annotations = BTreeMap::from([("n".to_owned(), number.to_string())]);
        let artifact = Artifact { artifact_type: "x/sig".into(), layers: Vec::new(), annotations };
        let kind = "application/vnd.oci.image.manifest.v1+json";
        registry.put_manifest("app", None, kind, artifact.manifest(&subject));
    }
    let (client, repository) = (client(), repository(&registry, "app"));
    let error = client.referrers(&repository, image.digest(), None).await.unwrap_err();
    assert!(matches!(error, OciError::TooMany { .. }), "{error}");
    // Whoever can do with some of them gets some, and is told that there are more.
    registry.clear_requests();
    let some = client.referrer_manifests(&repository, image.digest(), None, 5).await.unwrap();
    assert_eq!(some.manifests.len(), 5);
    assert!(some.left_out > 0);
    assert_eq!((registry.count(Endpoint::Referrers), registry.count(Endpoint::Manifest)), (40, 5));
}

#[tokio::test]
async fn cve_2024_39897_a_token_of_one_repository_opens_no_other() {
    let registry = registry_with(|options| options.authentication = bearer(true)).await;
    registry.put_image("public", "1", &image());
    registry.put_image("private", "1", &image());
    let client = client();
    client.resolve(&reference(&registry, "public:1"), None).await.unwrap();
    client.resolve(&reference(&registry, "private:1"), None).await.unwrap();
    assert_eq!(registry.count(Endpoint::Token), 2, "one token for each repository");
}
