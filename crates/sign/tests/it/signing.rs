//! What is signed verifies; what goes wrong at a service is named.

use assay_model::{Digest, Explain as _};
use assay_sandbox::sigstore::{Authority, Identity, Server, evidence};
use assay_sign::{
    HttpServices, IdentityToken, KeyAlgorithm, KeySigner, KeylessSigner, PrivateKey, Service, SignError, Signer as _,
    SigningConfig, Statement,
};
use assay_trust::{Artifact, EvidenceKind, TrustMaterial, verify_bundle};

fn image() -> Digest {
    Digest::of(b"image manifest")
}

#[test]
fn both_kinds_of_key_sign_what_verifies_with_them_alone() {
    let now = "2026-11-21T08:00:00Z".parse().unwrap();
    let keys =
        [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519].map(|algorithm| PrivateKey::generate(algorithm).unwrap());
    let materials =
        keys.each_ref().map(|key| TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap());
    for (index, key) in keys.into_iter().enumerate() {
        let bundle = KeySigner::new(key).sign_now(&Statement::image_signature(&image())).unwrap();
        let verify = |material| verify_bundle(bundle.bytes(), Artifact::Digest(image()), material, now);
        assert_eq!(verify(&materials[index]).unwrap().kind(), EvidenceKind::Signature);
        assert_eq!(verify(&materials[1 - index]).unwrap_err().code(), "key-unknown");
    }
}

#[tokio::test]
async fn a_log_alone_or_a_timestamp_alone_proves_the_time() {
    let authority = Authority::new("2026-03-01T12:00:00Z".parse().unwrap());
    let server = Server::start(authority.clone()).await.unwrap();
    let release = Identity::github("company/payments", "release.yml", "refs/heads/main");
    let sign = async |config: SigningConfig| {
        let signer = KeylessSigner::new(HttpServices::new(config).unwrap(), authority.token(&release).unwrap());
        signer.sign(&Statement::image_signature(&image())).await.unwrap()
    };
    let verify = |bundle: &[u8]| {
        verify_bundle(bundle, Artifact::Digest(image()), &evidence::material(&authority), authority.clock().now())
    };
    let logged = sign(SigningConfig { timestamp: None, ..server.signing_config() }).await;
    assert_eq!(verify(logged.bytes()).unwrap().signed_at(), Some(authority.clock().now()));
    // The instance has a log, so that a bundle without an entry does not do, timestamp or not.
    let stamped = sign(SigningConfig { rekor: None, ..server.signing_config() }).await;
    assert_eq!(verify(stamped.bytes()).unwrap_err().code(), "log-proof-invalid");
}

#[tokio::test]
async fn a_refusal_names_the_service_and_its_reason() {
    let ours = Authority::new("2026-03-01T12:00:00Z".parse().unwrap());
    let theirs = Authority::new("2026-03-01T12:00:00Z".parse().unwrap());
    let server = Server::start(ours).await.unwrap();
    let foreign = theirs.token_text(&Identity::person("https://issuer.example", "someone@example.com")).unwrap();
    let signer =
        KeylessSigner::new(HttpServices::new(server.signing_config()).unwrap(), IdentityToken::new(&foreign).unwrap());
    let error = signer.sign(&Statement::image_signature(&image())).await.unwrap_err();
    assert!(matches!(&error, SignError::Refused { service: Service::Fulcio, status: 401, .. }), "{error}");
    assert!(error.to_string().contains("not of this issuer") && !error.to_string().contains(&foreign));

    let nowhere = server.signing_config();
    drop(server);
    let signer = KeylessSigner::new(HttpServices::new(nowhere).unwrap(), IdentityToken::new(&foreign).unwrap());
    let gone = signer.sign(&Statement::image_signature(&image())).await.unwrap_err();
    assert!(matches!(gone, SignError::Unreachable { service: Service::Fulcio, .. }), "{gone}");
}
