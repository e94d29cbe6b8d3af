//! Signers that make envelopes, revocation lists and OCSP responses, right and wrong ones.

use assay_model::{Digest, Timestamp};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coset::cbor::Value as Cbor;
use coset::{CoseSign1Builder, Header, TaggedCborSerializable as _, iana};
use der::asn1::Uint;
use der::{Decode as _, Encode as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, SigningKey as _,
};
use serde_json::{Value, json};

pub(super) const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The artifact that forged signatures are about.
pub(super) fn artifact() -> Digest {
    Digest::of(b"a manifest")
}

/// A time within every forged certificate's validity.
pub(super) fn now() -> Timestamp {
    at("2026-06-01T00:00:00Z")
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) enum Key {
    Ecdsa(KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(super) fn rsa(pem: &str) -> Self {
        let (_, der) = der::pem::decode_vec(pem.as_bytes()).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap())
    }

    /// As certificates and their lists are signed: ECDSA with SHA-256, or PKCS #1 v1.5.
    pub(super) fn sign_asn1(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(key) => key.sign(message).unwrap(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// As envelopes are signed: ECDSA as two numbers of fixed length, or PSS.
    pub(super) fn sign_jose(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(key) => {
                let numbers = Vec::<Uint>::from_der(&key.sign(message).unwrap()).unwrap();
                let padded =
                    |number: &Uint| [vec![0; 32 - number.as_bytes().len()], number.as_bytes().to_vec()].concat();
                numbers.iter().flat_map(padded).collect()
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Ecdsa(_) => "ES256",
            Self::Rsa(_) => "PS256",
        }
    }

    /// The algorithm identifier of [`Key::sign_asn1`].
    pub(super) fn identifier(&self) -> x509_cert::spki::AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::Ecdsa(_) => ("1.2.840.10045.4.3.2", None),
            Self::Rsa(_) => ("1.2.840.113549.1.1.11", Some(der::asn1::Null.into())),
        };
        x509_cert::spki::AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters }
    }
}

/// A key with its certificates, leaf first.
pub(super) struct Signer {
    pub(super) key: Key,
    pub(super) chain: Vec<Vec<u8>>,
}

/// A root authority.
pub(super) struct Root {
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "US");
    subject.push(DnType::StateOrProvinceName, "WA");
    subject.push(DnType::OrganizationName, "Forge");
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    params
}

impl Root {
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub(super) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub(super) fn leaf(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signer {
        let mut params = named(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Signer { key: Key::Ecdsa(key), chain: vec![leaf.der().to_vec(), self.der()] }
    }

    /// The key, for lists and responses.
    pub(super) fn key(&self) -> Key {
        Key::Ecdsa(KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap())
    }
}

/// A certificate that says where to ask about it.
pub(super) fn revocable(params: &mut CertificateParams, ocsp: Option<&str>, list: Option<&str>) {
    let uri = |text: &str| [&[0x86, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let wrap = |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).unwrap()], inner].concat();
    if let Some(url) = ocsp {
        let access = [&[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1][..], &uri(url)].concat();
        let content = wrap(0x30, &wrap(0x30, &access));
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content));
    }
    if let Some(url) = list {
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 31], distribution_points(url)));
    }
}

/// `CRLDistributionPoints` with one address.
pub(super) fn distribution_points(url: &str) -> Vec<u8> {
    let wrap = |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).unwrap()], inner].concat();
    let uri = [&[0x86, u8::try_from(url.len()).unwrap()], url.as_bytes()].concat();
    wrap(0x30, &wrap(0x30, &wrap(0xa0, &wrap(0xa0, &uri))))
}

/// The payload about [`artifact`].
pub(super) fn payload() -> Value {
    json!({"targetArtifact": {"mediaType": MANIFEST, "digest": artifact().to_string(), "size": 10}})
}

/// The protected header of a valid signature.
pub(super) fn protected() -> Value {
    json!({
        "alg": "ES256",
        "cty": PAYLOAD_TYPE,
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-05-01T00:00:00Z",
        "io.cncf.notary.expiry": "2027-01-01T00:00:00Z",
    })
}

/// The protected header of a signing authority.
pub(super) fn protected_by_authority() -> Value {
    json!({
        "alg": "ES256",
        "cty": PAYLOAD_TYPE,
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime"],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2026-05-01T00:00:00Z",
    })
}

impl Signer {
    /// A JWS envelope over these very words.
    pub(super) fn jws(&self, protected: &Value, payload: &[u8]) -> Value {
        let mut protected = protected.clone();
        if let (Key::Rsa(_), Some(algorithm)) = (&self.key, protected.get_mut("alg")) {
            *algorithm = json!(self.key.word());
        }
        let protected = URL_SAFE_NO_PAD.encode(protected.to_string());
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = self.key.sign_jose(format!("{protected}.{payload}").as_bytes());
        json!({
            "payload": payload,
            "protected": protected,
            "header": {
                "x5c": self.chain.iter().map(|der| STANDARD.encode(der)).collect::<Vec<_>>(),
                "io.cncf.notary.signingAgent": "forge/1",
            },
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }

    /// A valid JWS envelope.
    pub(super) fn valid_jws(&self) -> Value {
        self.jws(&protected(), payload().to_string().as_bytes())
    }

    /// A COSE envelope with this protected header.
    pub(super) fn cose(&self, protected: Header, payload: &[u8]) -> Vec<u8> {
        let chain = self.chain.iter().cloned().map(Cbor::Bytes).collect();
        let unprotected = Header { rest: vec![(coset::Label::Int(33), Cbor::Array(chain))], ..Header::default() };
        CoseSign1Builder::new()
            .protected(protected)
            .unprotected(unprotected)
            .payload(payload.to_vec())
            .create_signature(&[], |message| self.key.sign_jose(message))
            .build()
            .to_tagged_vec()
            .unwrap()
    }

    /// A valid COSE envelope.
    pub(super) fn valid_cose(&self) -> Vec<u8> {
        self.cose(cose_protected(), payload().to_string().as_bytes())
    }
}

/// The protected header of a valid COSE signature.
pub(super) fn cose_protected() -> Header {
    let time = |seconds: i64| Cbor::Tag(1, Box::new(Cbor::Integer(seconds.into())));
    let text = |name: &str| coset::Label::Text(name.to_owned());
    let critical = |name: &str| coset::RegisteredLabelWithPrivate::Text(name.to_owned());
    Header {
        alg: Some(coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)),
        crit: vec![critical("io.cncf.notary.signingScheme"), critical("io.cncf.notary.expiry")],
        content_type: Some(coset::ContentType::Text(PAYLOAD_TYPE.to_owned())),
        rest: vec![
            (text("io.cncf.notary.signingScheme"), Cbor::Text("notary.x509".to_owned())),
            (text("io.cncf.notary.signingTime"), time(at("2026-05-01T00:00:00Z").as_second())),
            (text("io.cncf.notary.expiry"), time(at("2027-01-01T00:00:00Z").as_second())),
        ],
        ..Header::default()
    }
}

/// A DER sequence of DER values.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<der::Any> = parts.iter().map(|part| der::Any::from_der(part).unwrap()).collect();
    parts.to_der().unwrap()
}
