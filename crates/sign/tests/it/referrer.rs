//! Bundles as OCI 1.1 referrers.

use assay_model::Digest;
use assay_oci::Descriptor;
use assay_sign::{BUNDLE_MEDIA_TYPE, KeyAlgorithm, KeySigner, PrivateKey, Statement};

#[test]
fn a_bundle_hangs_on_its_subject() {
    let image = Digest::of(b"image manifest");
    let signer = KeySigner::new(PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let bundle = signer.sign_now(&Statement::image_signature(&image)).unwrap();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let subject = Descriptor::new(media_type, image, 14);
    let created = "2026-11-21T08:00:00.123Z".parse().unwrap();
    let bytes = bundle.artifact(created).manifest(&subject);

    let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(manifest["artifactType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(manifest["layers"][0]["mediaType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(manifest["layers"][0]["digest"], Digest::of(bundle.bytes()).to_string());
    assert_eq!(manifest["layers"][0]["size"], bundle.bytes().len());
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    assert_eq!(manifest["subject"]["digest"], image.to_string());
    assert_eq!(manifest["subject"]["mediaType"], media_type);
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.created"], "2026-11-21T08:00:00Z");
    assert_eq!(annotations["dev.sigstore.bundle.content"], "dsse-envelope");
    assert_eq!(annotations["dev.sigstore.bundle.predicateType"], "https://sigstore.dev/cosign/sign/v1");
    assert_eq!(bytes, bundle.artifact(created).manifest(&subject));
}
