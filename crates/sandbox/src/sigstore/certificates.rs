//! Certificates: authorities and the short-lived ones with an embedded SCT.

use assay_model::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use super::encode::{octet_string, utf8_string};
use super::key::Key;
use super::{Identity, Refusal, certificate_log};

/// Fulcio's arc: 1.3.6.1.4.1.57264.1 (sigstore/fulcio, `docs/oid-info.md`).
const FULCIO: [u64; 8] = [1, 3, 6, 1, 4, 1, 57264, 1];
/// The list of SCTs (RFC 6962, section 3.3).
const SCT_LIST: [u64; 10] = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];

/// A certificate authority: name, key, certificate.
pub(super) struct CertificateAuthority {
    params: CertificateParams,
    pub(super) key: Key,
    pub(super) der: Vec<u8>,
}

impl CertificateAuthority {
    /// A root, valid for a long time.
    pub(super) fn root(name: &str) -> Result<Self, Refusal> {
        let key = Key::generate()?;
        let params = authority(name, 1);
        let der = params.self_signed(&key).map_err(refuse)?.der().to_vec();
        Ok(Self { params, key, der })
    }

    /// An intermediate below it, for code signing.
    pub(super) fn intermediate(&self, name: &str) -> Result<Self, Refusal> {
        let key = Key::generate()?;
        let mut params = authority(name, 0);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let der = params.signed_by(&key, &self.issuer()).map_err(refuse)?.der().to_vec();
        Ok(Self { params, key, der })
    }

    /// The certificate of a timestamp authority, whose only use is time-stamping (RFC 3161, section 2.3).
    pub(super) fn timestamping(&self, name: &str, key: &impl PublicKeyData) -> Result<Vec<u8>, Refusal> {
        let mut params = timestamper(name, 2);
        // 1.3.6.1.5.5.7.3.8, critical: written by hand because the builder cannot mark it so.
        let purpose = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
        let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], purpose.to_vec());
        usage.set_criticality(true);
        params.custom_extensions.push(usage);
        Ok(params.signed_by(key, &self.issuer()).map_err(refuse)?.der().to_vec())
    }

    /// The same without that use.
    pub(super) fn without_usage(&self, name: &str, key: &impl PublicKeyData) -> Result<Vec<u8>, Refusal> {
        Ok(timestamper(name, 3).signed_by(key, &self.issuer()).map_err(refuse)?.der().to_vec())
    }

    /// A signing certificate.
    pub(super) fn signing(&self, wanted: &Wanted<'_>, key: &impl PublicKeyData) -> Result<Vec<u8>, Refusal> {
        let mut params = leaf(wanted)?;
        let Some((log, covered)) = &wanted.sct else {
            return Ok(params.signed_by(key, &self.issuer()).map_err(refuse)?.der().to_vec());
        };
        let without = params.signed_by(key, &self.issuer()).map_err(refuse)?;
        // The log signs the certificate as it is without the list (RFC 6962, section 3.2): same serial, same order.
        let parsed = Certificate::from_der(without.der()).map_err(refuse)?;
        let mut to_be_signed = parsed.tbs_certificate.to_der().map_err(refuse)?;
        if *covered == Covered::OtherBytes {
            to_be_signed.extend(b"another certificate");
        }
        let entry = certificate_log::Entry::Precertificate { issuer: Digest::of(&self.key.spki()), to_be_signed };
        let sct = certificate_log::sign(log, wanted.validity.0, &entry)?;
        let list = sct.list()?;
        params.custom_extensions.push(CustomExtension::from_oid_content(&SCT_LIST, octet_string(&list)));
        Ok(params.signed_by(key, &self.issuer()).map_err(refuse)?.der().to_vec())
    }

    fn issuer(&self) -> Issuer<'_, &Key> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "assay sandbox");
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    params
}

fn authority(name: &str, path_length: u8) -> CertificateParams {
    let mut params = named(name);
    params.serial_number = Some(SerialNumber::from(1u64));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What a signing certificate is to say.
pub(super) struct Wanted<'a> {
    pub(super) identity: &'a Identity,
    pub(super) serial: u64,
    /// First and last second.
    pub(super) validity: (i64, i64),
    pub(super) usage: ExtendedKeyUsagePurpose,
    /// The log whose SCT it carries, made when it begins.
    pub(super) sct: Option<(&'a Key, Covered)>,
}

/// What an SCT is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Covered {
    Certificate,
    OtherBytes,
}

fn timestamper(name: &str, serial: u64) -> CertificateParams {
    let mut params = named(name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn leaf(wanted: &Wanted<'_>) -> Result<CertificateParams, Refusal> {
    let Wanted { identity, validity: (from, to), .. } = wanted;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from(wanted.serial));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + std::time::Duration::from_secs(u64::try_from(*from).map_err(refuse)?);
    params.not_after = epoch + std::time::Duration::from_secs(u64::try_from(*to).map_err(refuse)?);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![wanted.usage.clone()];
    let subject = identity.subject.as_str().try_into().map_err(refuse)?;
    let is_person = identity.repository.is_none();
    params.subject_alt_names = vec![if is_person { SanType::Rfc822Name(subject) } else { SanType::URI(subject) }];
    params.custom_extensions = extensions(identity);
    Ok(params)
}

fn extensions(identity: &Identity) -> Vec<CustomExtension> {
    let extension = |number: u64, content: Vec<u8>| {
        let oid: Vec<u64> = FULCIO.iter().copied().chain([number]).collect();
        CustomExtension::from_oid_content(&oid, content)
    };
    // The first generation holds bare text, the second DER strings.
    let mut all = vec![extension(1, identity.issuer.as_bytes().to_vec()), extension(8, utf8_string(&identity.issuer))];
    let Some(repository) = &identity.repository else { return all };
    let owner = repository.split('/').next().unwrap_or_default();
    let (uri, run) = (format!("https://github.com/{repository}"), "/actions/runs/4711/attempts/1");
    let first = [&identity.trigger, &identity.sha, &"release".to_owned(), repository, &identity.reference];
    all.extend((2u64..).zip(first).map(|(number, text)| extension(number, text.as_bytes().to_vec())));
    let second = [
        (9, identity.subject.clone()),
        (10, identity.sha.clone()),
        (11, identity.runner.clone()),
        (12, uri.clone()),
        (13, identity.sha.clone()),
        (14, identity.reference.clone()),
        (16, format!("https://github.com/{owner}")),
        (18, identity.subject.clone()),
        (19, identity.sha.clone()),
        (20, identity.trigger.clone()),
        (21, format!("{uri}{run}")),
        (22, "private".to_owned()),
    ];
    all.extend(second.into_iter().map(|(number, text)| extension(number, utf8_string(&text))));
    all
}

fn refuse(error: impl std::fmt::Display) -> Refusal {
    Refusal::internal(&error.to_string())
}
