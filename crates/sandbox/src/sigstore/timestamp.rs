//! The timestamp authority (RFC 3161; CMS per RFC 5652).

use aws_lc_rs::digest::{SHA256, digest};
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256, SHA_256_WITH_RSA_ENCRYPTION};
use const_oid::db::rfc8410::ID_ED_25519;
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::der::asn1::{Any, GeneralizedTime, Int, OctetString, SetOfVec};
use x509_cert::der::{Decode, Encode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::encode::{octet_string, sequence};
use super::key::{Key, KeyKind};
use super::{Refusal, certificates::CertificateAuthority};

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// Signing-certificate attribute, version 2 (RFC 5035, section 3), which RFC 5816 asks for.
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

#[derive(Clone, Sequence)]
struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

#[derive(Sequence)]
struct Request {
    version: u8,
    message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(default = "no")]
    cert_req: bool,
}

#[derive(Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint,
    serial_number: u64,
    gen_time: GeneralizedTime,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
}

fn no() -> bool {
    false
}

/// A timestamp authority: a certificate for time-stamping below its own root.
pub(super) struct TimestampAuthority {
    root: CertificateAuthority,
    key: Key,
    certificate: Vec<u8>,
    /// Of the same key and root, and not for time-stamping.
    without_usage: Vec<u8>,
}

/// Which of its certificates a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    TimeStamping,
    None,
}

impl TimestampAuthority {
    pub(super) fn new(name: &str, kind: KeyKind) -> Result<Self, Refusal> {
        let root = CertificateAuthority::root(&format!("{name} root"))?;
        let key = Key::of_kind(kind)?;
        let certificate = root.timestamping(name, &key)?;
        let without_usage = root.without_usage(name, &key)?;
        Ok(Self { root, key, certificate, without_usage })
    }

    /// Its chain, leaf first.
    pub(super) fn chain(&self) -> [&[u8]; 2] {
        [&self.certificate, &self.root.der]
    }

    /// Answers a request with a token that says `at` (seconds), over `imprint` instead of the asked one if there is one.
    pub(super) fn respond(
        &self,
        request: &[u8],
        (serial, at): (u64, i64),
        imprint: Option<&[u8]>,
        usage: Usage,
    ) -> Result<Vec<u8>, Refusal> {
        let internal = |error: cms_der::Error| Refusal::internal(&error.to_string());
        let mut request = Request::from_der(request).map_err(|error| Refusal::request(&error.to_string()))?;
        if request.message_imprint.hash_algorithm.oid != ID_SHA_256 {
            return Err(Refusal::request("only SHA-256 is stamped"));
        }
        if let Some(imprint) = imprint {
            request.message_imprint.hashed_message =
                OctetString::new(digest(&SHA256, imprint).as_ref()).map_err(internal)?;
        }
        let certificate = if usage == Usage::None { &self.without_usage } else { &self.certificate };
        let token = self.token(request, serial, at, certificate).map_err(internal)??;
        // PKIStatusInfo: granted.
        Ok(sequence(&[&sequence(&[&[0x02, 0x01, 0x00]]), &token]))
    }

    fn token(
        &self,
        request: Request,
        serial: u64,
        at: i64,
        der: &[u8],
    ) -> Result<Result<Vec<u8>, Refusal>, cms_der::Error> {
        let since = std::time::Duration::from_secs(u64::try_from(at).unwrap_or(0));
        let info = TstInfo {
            version: 1,
            policy: request.policy.unwrap_or(POLICY),
            message_imprint: request.message_imprint,
            serial_number: serial,
            gen_time: GeneralizedTime::from_unix_duration(since)?,
            nonce: request.nonce,
        }
        .to_der()?;
        let certificate = Certificate::from_der(der)?;
        let identifier = sequence(&[&sequence(&[&sequence(&[&octet_string(digest(&SHA256, der).as_ref())])])]);
        let signed_attributes = SetOfVec::try_from(vec![
            attribute(ID_CONTENT_TYPE, &TST_INFO.to_der()?)?,
            attribute(ID_MESSAGE_DIGEST, &octet_string(digest(&SHA256, &info).as_ref()))?,
            attribute(SIGNING_CERTIFICATE_V2, &identifier)?,
        ])?;
        let signature = match self.key.sign(&signed_attributes.to_der()?) {
            Ok(signature) => signature,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let sha256 = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None };
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.tbs_certificate.issuer.clone(),
                serial_number: certificate.tbs_certificate.serial_number.clone(),
            }),
            digest_alg: sha256.clone(),
            signed_attrs: Some(signed_attributes),
            signature_algorithm: self.signature_algorithm(),
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificates = request
            .cert_req
            .then(|| SetOfVec::try_from(vec![CertificateChoices::Certificate(certificate)]).map(CertificateSet))
            .transpose()?;
        let signed_data = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![sha256])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TST_INFO,
                econtent: Some(Any::from_der(&octet_string(&info))?),
            },
            certificates,
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
        };
        let content = Any::from_der(&signed_data.to_der()?)?;
        ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der().map(Ok)
    }

    fn signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        match self.key.kind() {
            KeyKind::Rsa2048 => {
                AlgorithmIdentifierOwned { oid: SHA_256_WITH_RSA_ENCRYPTION, parameters: Some(Any::null()) }
            }
            KeyKind::EcdsaP256 => AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
            // RFC 8410, section 3.
            KeyKind::Ed25519 => AlgorithmIdentifierOwned { oid: ID_ED_25519, parameters: None },
        }
    }
}

use x509_cert::der as cms_der;

fn attribute(oid: ObjectIdentifier, value: &[u8]) -> Result<Attribute, cms_der::Error> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![Any::from_der(value)?])? })
}
