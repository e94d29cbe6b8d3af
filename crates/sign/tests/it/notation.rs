//! Notary Project signatures: both envelopes, each algorithm, and what is refused before anything is signed.

use assay_model::{Digest, Explain as _, Timestamp};
use assay_oci::Descriptor;
use assay_sandbox::sigstore::Authority;
use assay_sign::{
    Environment, KeyAlgorithm, NOTATION_CONFIG_TYPE, NoServices, NotationEnvelope, NotationRequest, NotationSigner,
    PrivateKey, PublicKey, Service, Services, SignError, SigningKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;

use crate::kms::open;

fn now() -> Timestamp {
    "2026-11-21T08:00:00.5Z".parse().unwrap()
}

/// The timestamp authority of a sandbox, which knows SHA-256 only, and nothing else.
struct TimestampsOnly(Authority, bool);

impl Services for TimestampsOnly {
    fn has(&self, service: Service) -> bool {
        service == Service::Timestamp && self.1
    }

    async fn post(&self, service: Service, body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        self.0.services().post(service, body).await
    }
}

fn subject() -> Descriptor {
    Descriptor::new("application/vnd.oci.image.manifest.v1+json", Digest::of(b"image"), 5)
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished.push(DnType::OrganizationName, "Company");
    distinguished.push(DnType::CountryName, "DE");
    distinguished.push(DnType::StateOrProvinceName, "BE");
    parameters.distinguished_name = distinguished;
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
    parameters
}

/// A key with a chain of two certificates.
fn chain(algorithm: KeyAlgorithm, leaf: impl Fn(&mut CertificateParams)) -> (PrivateKey, String, String) {
    let root_key = KeyPair::generate().unwrap();
    let mut root = parameters("root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_certificate = root.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(root, root_key);
    let key = PrivateKey::generate(algorithm).unwrap();
    let pair = KeyPair::from_pem(key.private_key_pem().unwrap().expose());
    let mut parameters = parameters("release");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    leaf(&mut parameters);
    let certificate = parameters.signed_by(&pair.unwrap(), &issuer).unwrap();
    (key, certificate.pem(), root_certificate.pem())
}

async fn sign(
    key: PrivateKey,
    chain: &str,
    envelope: NotationEnvelope,
    expires: Option<Timestamp>,
    services: &impl SyncServices,
) -> Result<assay_sign::NotationSignature, SignError> {
    let signer = NotationSigner::new(key.into(), chain)?;
    let subject = subject();
    let annotations = [("team".to_owned(), "payments".to_owned())].into();
    let request = NotationRequest { subject: &subject, envelope, signed_at: now(), expires, annotations };
    signer.sign(&request, services).await
}

trait SyncServices: Services + Sync {}
impl<S: Services + Sync> SyncServices for S {}

fn verifies(key: &PublicKey, algorithm: &'static dyn VerificationAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, key.der()).verify(signed, signature).is_ok()
}

#[tokio::test]
async fn a_jws_envelope_has_the_form_of_the_specification() {
    for (algorithm, name, verification) in [
        (KeyAlgorithm::EcdsaP256, "ES256", &ECDSA_P256_SHA256_FIXED as &'static dyn VerificationAlgorithm),
        (KeyAlgorithm::EcdsaP384, "ES384", &ECDSA_P384_SHA384_FIXED),
        (KeyAlgorithm::EcdsaP521, "ES512", &ECDSA_P521_SHA512_FIXED),
        (KeyAlgorithm::Rsa2048, "PS256", &RSA_PSS_2048_8192_SHA256),
    ] {
        let (key, leaf, root) = chain(algorithm, |_| {});
        let public = PublicKey::from_pem(&key.public_key_pem().unwrap()).unwrap();
        let expires = Some("2026-12-21T08:00:00Z".parse().unwrap());
        let stamped = name.ends_with("256");
        let services = TimestampsOnly(Authority::new(now()), stamped);
        let chain = format!("{leaf}{root}");
        let signature = sign(key, &chain, NotationEnvelope::Jws, expires, &services).await.unwrap();
        assert_eq!(signature.media_type(), "application/jose+json");
        let envelope: Value = serde_json::from_slice(signature.bytes()).unwrap();
        let text = |name: &str| envelope[name].as_str().unwrap();
        let decode = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).unwrap();

        let header: Value = serde_json::from_slice(&decode("protected")).unwrap();
        assert_eq!(header["alg"], name);
        assert_eq!(header["cty"], "application/vnd.cncf.notary.payload.v1+json");
        assert_eq!(header["crit"], serde_json::json!(["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"]));
        assert_eq!(header["io.cncf.notary.signingScheme"], "notary.x509");
        assert_eq!(header["io.cncf.notary.signingTime"], "2026-11-21T08:00:00Z");
        assert_eq!(header["io.cncf.notary.expiry"], "2026-12-21T08:00:00Z");
        let payload: Value = serde_json::from_slice(&decode("payload")).unwrap();
        assert_eq!(payload["targetArtifact"]["digest"], subject().digest.to_string());
        assert_eq!(payload["targetArtifact"]["size"], 5);
        assert_eq!(payload["targetArtifact"]["annotations"]["team"], "payments");
        assert_eq!(envelope["header"]["x5c"].as_array().unwrap().len(), 2);
        let token = envelope["header"]["io.cncf.notary.timestampSignature"].as_str();
        assert_eq!(token.is_some(), stamped);
        let token = token.map(|token| STANDARD.decode(token).unwrap());
        assert!(token.is_none_or(|token| token[0] == 0x30), "a CMS structure, not the whole response");

        let signed = format!("{}.{}", text("protected"), text("payload"));
        assert!(verifies(&public, verification, signed.as_bytes(), &decode("signature")), "{name}");
    }
}

#[tokio::test]
async fn a_cose_envelope_has_the_form_of_the_specification() {
    let (key, leaf, root) = chain(KeyAlgorithm::EcdsaP256, |_| {});
    let public = PublicKey::from_pem(&key.public_key_pem().unwrap()).unwrap();
    let signature = sign(key, &format!("{leaf}{root}"), NotationEnvelope::Cose, None, &NoServices).await.unwrap();
    assert_eq!(signature.media_type(), "application/cose");
    let bytes = signature.bytes();
    // Tag 18, an array of four, and the protected header as bytes.
    assert_eq!(&bytes[..3], [0xd2, 0x84, 0x58]);
    let header = &bytes[4..4 + usize::from(bytes[3])];
    assert_eq!(&header[..4], [0xa5, 0x01, 0x26, 0x02], "five parameters, ES256, then crit");
    let payload_at = bytes.windows(16).position(|window| window == b"{\"targetArtifact").unwrap();
    let payload = &bytes[payload_at..bytes.len() - 66];
    let mut signed = vec![0x84, 0x6a];
    signed.extend(b"Signature1");
    signed.extend([0x58, u8::try_from(header.len()).unwrap()]);
    signed.extend(header);
    signed.push(0x40);
    signed.extend([0x58, u8::try_from(payload.len()).unwrap()]);
    signed.extend(payload);
    assert!(verifies(&public, &ECDSA_P256_SHA256_FIXED, &signed, &bytes[bytes.len() - 64..]));
}

#[tokio::test]
async fn the_manifest_refers_to_its_subject() {
    let (key, leaf, root) = chain(KeyAlgorithm::EcdsaP256, |_| {});
    let signature = sign(key, &format!("{leaf}{root}"), NotationEnvelope::Jws, None, &NoServices).await.unwrap();
    let manifest: Value = serde_json::from_slice(&signature.manifest(&subject(), now())).unwrap();
    assert_eq!(manifest["config"]["mediaType"], NOTATION_CONFIG_TYPE);
    assert_eq!(manifest["layers"][0]["digest"], Digest::of(signature.bytes()).to_string());
    assert_eq!(manifest["subject"]["digest"], subject().digest.to_string());
    let thumbprints = manifest["annotations"]["io.cncf.notary.x509chain.thumbprint#S256"].as_str().unwrap();
    let thumbprints: Vec<String> = serde_json::from_str(thumbprints).unwrap();
    let (_, der) = der::pem::decode_vec(leaf.as_bytes()).unwrap();
    assert_eq!((thumbprints.len(), &thumbprints[0]), (2, &Digest::of(&der).hex()));
    let raw = signature.manifest(&subject(), now());
    let parsed = assay_oci::RawManifest::parse(raw.clone().into(), Digest::of(&raw), None, "signature").unwrap();
    assert_eq!(parsed.descriptor().artifact_type.as_deref(), Some(NOTATION_CONFIG_TYPE));
}

#[tokio::test]
async fn chains_that_a_verifier_would_refuse_sign_nothing() {
    let fine = chain(KeyAlgorithm::EcdsaP256, |_| {});
    let other = chain(KeyAlgorithm::EcdsaP256, |_| {});
    let authority = chain(KeyAlgorithm::EcdsaP256, |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let usage = chain(KeyAlgorithm::EcdsaP256, |leaf| leaf.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let server = chain(KeyAlgorithm::EcdsaP256, |leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let expired = chain(KeyAlgorithm::EcdsaP256, |leaf| leaf.not_after = rcgen::date_time_ymd(2026, 6, 1));
    let pem = |key: &PrivateKey| PrivateKey::from_pem(key.private_key_pem().unwrap().expose()).unwrap();
    let cases = [
        ("another key's", &fine.0, format!("{}{}", other.1, other.2)),
        ("without the root", &fine.0, fine.1.clone()),
        ("another root", &fine.0, format!("{}{}{}", fine.1, other.1, fine.2)),
        ("an authority", &authority.0, format!("{}{}", authority.1, authority.2)),
        ("wrong usage", &usage.0, format!("{}{}", usage.1, usage.2)),
        ("a server's", &server.0, format!("{}{}", server.1, server.2)),
        ("expired", &expired.0, format!("{}{}", expired.1, expired.2)),
        ("nothing", &fine.0, String::new()),
        ("no certificate", &fine.0, fine.0.public_key_pem().unwrap()),
        ("too long", &fine.0, format!("{}{}", fine.1, fine.2.repeat(10))),
    ];
    for (what, key, chain) in cases {
        let error = sign(pem(key), &chain, NotationEnvelope::Jws, None, &NoServices).await.unwrap_err();
        assert_eq!(error.code(), "certificate-chain-invalid", "{what}: {error}");
    }
    let past = Some("2026-11-21T08:00:00Z".parse().unwrap());
    let error = sign(fine.0, &format!("{}{}", fine.1, fine.2), NotationEnvelope::Jws, past, &NoServices).await;
    assert_eq!(error.unwrap_err().code(), "signature-unsupported");
    let edwards = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let error = NotationSigner::new(SigningKey::from(edwards), &fine.1).unwrap_err();
    assert_eq!(error.code(), "signature-unsupported");
}

#[tokio::test]
async fn a_key_from_anywhere_signs() {
    let (key, leaf, root) = chain(KeyAlgorithm::EcdsaP384, |_| {});
    let pem = key.private_key_pem().unwrap();
    let key = open("env://KEY", &Environment::default().with("KEY", pem.expose().as_str())).await.unwrap();
    assert!(NotationSigner::new(key, &format!("{leaf}{root}")).is_ok());
}
