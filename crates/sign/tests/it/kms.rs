//! Keys in services: stand-ins on 127.0.0.1 that answer the documented exchanges and sign with real keys.

mod aws;
mod azure;
mod google;
mod pkcs11;
mod vault;

use assay_model::{Digest, Timestamp};
use assay_sign::{
    Environment, KeyAlgorithm, KeyServiceError, NoServices, PrivateKey, SignError, Signer as _, SigningKey, Statement,
    WitnessedKeySigner,
};
use assay_trust::{Artifact, TrustMaterial, verify_bundle};

pub(crate) use crate::stand_in::{Seen, StandIn, http, json, status};

pub(crate) async fn open(reference: &str, environment: &Environment) -> Result<SigningKey, SignError> {
    SigningKey::open(reference, environment, &http(), || panic!("no password is needed")).await
}

pub(crate) fn service_error(error: SignError) -> KeyServiceError {
    match error {
        SignError::KeyService(error) => error,
        other => panic!("{other}"),
    }
}

/// Signs an image with the key, and verifies the bundle with the public key alone.
pub(crate) async fn sign_and_verify(key: SigningKey, public: &PrivateKey) {
    let image = Digest::of(b"image manifest");
    let signer = WitnessedKeySigner::new(key, NoServices);
    let bundle = signer.sign(&Statement::image_signature(&image)).await.unwrap();
    let material = TrustMaterial::new().with_public_key(&public.public_key_pem().unwrap()).unwrap();
    let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let evidence = verify_bundle(bundle.bytes(), Artifact::Digest(image), &material, now).unwrap();
    assert_eq!(evidence.subject(), image);
}

/// Signs the digest that a service was given: what the service itself does with its key.
pub(crate) fn sign_digest(key: &PrivateKey, digest: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{Digest, SHA256};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
    let pem = key.private_key_pem().unwrap();
    let (_, der) = der::pem::decode_vec(pem.expose().as_bytes()).unwrap();
    let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
    match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
            pair.sign_digest(&digest).unwrap().as_ref().to_vec()
        }
        KeyAlgorithm::Rsa2048 => {
            let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).unwrap();
            signature
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_names_no_key_is_refused() {
    let environment = Environment::default().with("KEY", "no key");
    for reference in ["/nowhere/key", "env://NOTHING", "gitlab://x", "k8s://a/b"] {
        assert!(matches!(open(reference, &environment).await, Err(SignError::KeyReference { .. })), "{reference}");
    }
    assert!(matches!(open("env://KEY", &environment).await, Err(SignError::Key { .. })));
    for reference in [
        "hashivault://",
        "hashivault://a/b",
        "hashivault://..",
        "hashivault://a?b",
        "awskms://",
        "awskms:///",
        "awskms:///alias/a b",
        "awskms://evil.example/alias/a",
        "azurekms://evil.example/key",
        "azurekms://vault.azure.net.evil.example/key",
        "azurekms://a.vault.azure.net",
        "azurekms://a.vault.azure.net/k/v/x",
        "azurekms://user:pw@a.vault.azure.net/k",
        "gcpkms://projects/p",
        "gcpkms://projects/p/locations/../keyRings/r/cryptoKeys/k",
        "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/x",
        "pkcs11:object=a",
        "pkcs11:token=a?module-path=/nowhere.so",
        "pkcs11:object=a?module-path=relative.so",
    ] {
        let environment = Environment::default()
            .with("VAULT_ADDR", "https://vault.example")
            .with("VAULT_TOKEN", "t")
            .with("AWS_REGION", "eu-central-1");
        let error = service_error(open(reference, &environment).await.unwrap_err());
        assert!(matches!(error, KeyServiceError::Reference { .. }), "{reference}: {error}");
    }
}

#[tokio::test]
async fn a_key_in_the_environment_or_in_a_file_signs() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa2048] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let pem = key.private_key_pem().unwrap();
        let environment = Environment::default().with("KEY", pem.expose().as_str());
        sign_and_verify(open("env://KEY", &environment).await.unwrap(), &key).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        std::fs::write(&path, pem.expose()).unwrap();
        sign_and_verify(open(path.to_str().unwrap(), &environment).await.unwrap(), &key).await;
    }
}
