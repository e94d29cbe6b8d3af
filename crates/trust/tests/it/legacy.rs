//! cosign's formats before the bundle, signed here with the sandbox's keys and certificates.

use std::collections::BTreeMap;

use assay_model::{Digest, Timestamp};
use assay_trust::{
    Artifact, CosignLayer, Signer, TrustMaterial, VerifyError, verify_cosign_attestation, verify_cosign_signature,
    verify_file,
};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn sign(key: &KeyPair, message: &[u8]) -> String {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der()).unwrap();
    STANDARD.encode(pair.sign(&SystemRandom::new(), message).unwrap())
}

fn payload(digest: &Digest) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/anything"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
}

fn annotated(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An authority and a leaf below it, valid through 2026.
fn pinned() -> (String, String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "company code signing");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2027, 1, 1));
    let authority = params.self_signed(&key).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "release");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2026, 2, 1), rcgen::date_time_ymd(2026, 9, 1));
    let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&params, &key)).unwrap();
    (authority.pem(), leaf.pem(), leaf_key)
}

#[test]
fn a_payload_is_about_the_digest_that_it_names() {
    let key = KeyPair::generate().unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem()).unwrap();
    let image = Digest::of(b"image");
    let judge = |payload: &str, subject: Digest| {
        let annotations = annotated(&[(SIGNATURE, &sign(&key, payload.as_bytes()))]);
        let layer = CosignLayer { payload: payload.as_bytes(), annotations: &annotations };
        verify_cosign_signature(layer, subject, &material, now())
    };
    let good = payload(&image);
    let evidence = judge(&good, image).unwrap();
    assert_eq!((evidence.subject(), evidence.signed_at()), (image, None));
    assert!(matches!(judge(&good, Digest::of(b"other")), Err(VerifyError::WrongDigest { .. })));

    // All of these are signed; none of them may be read.
    let digest = image.to_string();
    let twice = format!(r#""docker-manifest-digest":"{digest}","docker-manifest-digest":"{digest}""#);
    let broken = [
        good.replace(&format!(r#""docker-manifest-digest":"{digest}""#), &twice),
        good.replace(r#""optional":null"#, r#""optional":null,"optional":{}"#),
        good.replace(r#""optional":null"#, r#""optional":{"a":1,"a":2}"#),
        good.replace(r#""type":"#, r#""type":"x","type":"#),
        good.replace(r#"{"docker-reference""#, r#"{"docker-reference":"","docker-reference""#),
        format!("{good}{{}}"),
        good.replace("sha256:", "sha256-"),
        good.replace(r#""image""#, r#""images""#),
        "[]".to_owned(),
    ];
    for payload in broken {
        let result = judge(&payload, image);
        assert!(matches!(result, Err(VerifyError::Malformed { part: "payload", .. })), "{payload}: {result:?}");
    }
    let other_type = good.replace("cosign container image", "atomic container");
    assert!(matches!(judge(&other_type, image), Err(VerifyError::Unsupported { .. })));
}

#[test]
fn no_annotation_is_taken_on_trust() {
    let (key, stranger) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem()).unwrap();
    let image = Digest::of(b"image");
    let payload = payload(&image);
    let signature = sign(&key, payload.as_bytes());
    let judge = |annotations: &[(&str, &str)]| {
        let annotations = annotated(annotations);
        let layer = CosignLayer { payload: payload.as_bytes(), annotations: &annotations };
        verify_cosign_signature(layer, image, &material, now())
    };
    assert!(judge(&[(SIGNATURE, &signature)]).is_ok());
    assert!(matches!(judge(&[]), Err(VerifyError::Malformed { part: "signature layer", .. })));
    assert!(matches!(judge(&[(SIGNATURE, "%")]), Err(VerifyError::Malformed { part: "signature layer", .. })));
    let foreign = sign(&stranger, payload.as_bytes());
    assert!(matches!(judge(&[(SIGNATURE, &foreign)]), Err(VerifyError::UnknownKey { .. })));
    // Whatever stands beside a good signature must hold too.
    let bundle = ("dev.sigstore.cosign/bundle", "{}");
    assert!(matches!(judge(&[(SIGNATURE, &signature), bundle]), Err(VerifyError::Malformed { part: "log entry", .. })));
    let stamp = ("dev.sigstore.cosign/rfc3161timestamp", r#"{"SignedRFC3161Timestamp":"AAAA"}"#);
    assert_eq!(judge(&[(SIGNATURE, &signature), stamp]), Err(VerifyError::NoMaterial { wanted: "root" }));
    let certificate = ("dev.sigstore.cosign/certificate", "none");
    let result = judge(&[(SIGNATURE, &signature), certificate]);
    assert!(matches!(result, Err(VerifyError::Malformed { part: "certificate", .. })));
}

#[test]
fn a_certificate_of_a_pinned_authority_counts_while_it_is_valid() {
    let (authority, leaf, key) = pinned();
    let material = TrustMaterial::new().with_authority("company", &authority).unwrap();
    let image = Digest::of(b"image");
    let payload = payload(&image);
    let signature = sign(&key, payload.as_bytes());
    let annotations = annotated(&[(SIGNATURE, &signature), ("dev.sigstore.cosign/certificate", &leaf)]);
    let layer = CosignLayer { payload: payload.as_bytes(), annotations: &annotations };
    let judge =
        |material: &TrustMaterial, at: &str| verify_cosign_signature(layer, image, material, at.parse().unwrap());
    let evidence = judge(&material, "2026-06-01T00:00:00Z").unwrap();
    let Signer::Certificate { subject, authority: name, .. } = evidence.signer() else { panic!("{evidence:?}") };
    assert_eq!((subject.as_str(), name.as_str()), ("CN=release", "company"));
    assert_eq!(evidence.valid_until(), Some("2026-09-01T00:00:00Z".parse().unwrap()));
    let late = judge(&material, "2026-10-01T00:00:00Z");
    assert!(matches!(late, Err(VerifyError::Unverifiable { not_after: Some(_) })), "{late:?}");
    let (other, _, _) = pinned();
    let namesake = TrustMaterial::new().with_authority("company", &other).unwrap();
    assert!(matches!(judge(&namesake, "2026-06-01T00:00:00Z"), Err(VerifyError::CertificateChain { .. })));
    let sigstore = TrustMaterial::new().with_public_good().unwrap();
    assert_eq!(judge(&sigstore, "2026-06-01T00:00:00Z"), Err(VerifyError::UnknownAuthority));
    // A leaf is no authority, and names of authorities are part of the material.
    assert!(TrustMaterial::new().with_authority("company", &leaf).is_err());
    let renamed = TrustMaterial::new().with_authority("other", &authority).unwrap();
    assert_ne!(renamed.hash(), material.hash());
}

#[test]
fn an_attestation_layer_is_an_envelope() {
    let key = KeyPair::generate().unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem()).unwrap();
    let image = Digest::of(b"image");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [{"name": "image", "digest": {"sha256": image.hex()}}],
        "predicateType": "https://example.com/custom/v1",
        "predicate": {},
    });
    let statement = statement.to_string();
    let encoded = assay_trust::pae(assay_trust::IN_TOTO_PAYLOAD_TYPE, statement.as_bytes());
    let signature = json!({"keyid": "", "sig": sign(&key, &encoded)});
    let foreign = json!({"keyid": "", "sig": sign(&KeyPair::generate().unwrap(), &encoded)});
    let envelope = |signatures: serde_json::Value| {
        json!({
            "payloadType": assay_trust::IN_TOTO_PAYLOAD_TYPE,
            "payload": STANDARD.encode(&statement),
            "signatures": signatures,
        })
        .to_string()
    };
    let annotations = BTreeMap::new();
    let judge = |envelope: &str, subject: Digest| {
        let layer = CosignLayer { payload: envelope.as_bytes(), annotations: &annotations };
        verify_cosign_attestation(layer, subject, &material, now())
    };
    let good = envelope(json!([signature]));
    assert_eq!(judge(&good, image).unwrap().predicate_type(), Some("https://example.com/custom/v1"));
    assert!(matches!(judge(&good, Digest::of(b"other")), Err(VerifyError::WrongDigest { .. })));
    // One trusted signature among several is enough; none is not.
    assert!(judge(&envelope(json!([foreign, signature])), image).is_ok());
    assert!(matches!(judge(&envelope(json!([foreign])), image), Err(VerifyError::UnknownKey { .. })));
    assert!(matches!(judge(&envelope(json!([])), image), Err(VerifyError::Malformed { .. })));
    let many = vec![signature.clone(); 9];
    assert!(matches!(judge(&envelope(json!(many)), image), Err(VerifyError::TooLarge { found: 9, .. })));
}

#[test]
fn a_blob_bundle_and_several_documents_of_a_file_are_read() {
    let key = KeyPair::generate().unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem()).unwrap();
    let blob = b"release.tar.gz";
    let bundle = json!({"base64Signature": sign(&key, blob), "cert": STANDARD.encode(key.public_key_pem())});
    let judge = |file: &str| verify_file(file.as_bytes(), Artifact::Bytes(blob), &material, None, now());
    let bundle = bundle.to_string();
    assert!(judge(&bundle).unwrap().iter().all(Result::is_ok));
    let lines = judge(&format!("{bundle}\n{bundle}\n")).unwrap();
    assert_eq!((lines.len(), lines.iter().flatten().count()), (2, 2));
    let listed = judge(&json!({"attestations": [{"bundle": {"base64Signature": sign(&key, b"other")}}]}).to_string());
    assert!(matches!(listed.unwrap().as_slice(), [Err(VerifyError::UnknownKey { .. })]));
    for nothing in ["", "{}", "[]", "1", "{\"attestations\":{}}", "not JSON"] {
        assert!(matches!(judge(nothing), Err(VerifyError::Malformed { .. })), "{nothing}");
    }
    let flood = format!("{bundle}\n").repeat(65);
    assert!(matches!(judge(&flood), Err(VerifyError::TooLarge { limit: 64, .. })));
    let deep = format!("{}{}", "[".repeat(9), "]".repeat(9));
    assert!(judge(&deep).is_err());
}
