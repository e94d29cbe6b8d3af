//! OCSP: requests, and responses (RFC 6960).

use std::sync::Arc;

use assay_model::Timestamp;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use const_oid::db::rfc5912::{ID_CE_INVALIDITY_DATE, ID_KP_OCSP_SIGNING};
use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NOCHECK, ID_PKIX_OCSP_NONCE};
use const_oid::{ObjectIdentifier, db};
use der::asn1::{GeneralizedTime, Null, OctetString};
use der::{Decode, Encode, Reader, SliceReader};
use x509_cert::ext::Extension;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseStatus, Request, ResponderId,
    SingleResponse, TbsRequest, Version,
};

use super::{Question, RevocationRequest, Status, crl, crl_addresses, is_early};
use crate::crypto::Scheme;
use crate::x509::Certificate;

/// Largest response that is read, bytes; real ones have 0.5 to 5 KiB.
const RESPONSE_MAX: usize = 64 << 10;
/// Most certificates and most answers of one response.
const ENTRIES_MAX: usize = 16;

/// Asks the responders in their order; the first good answer counts.
pub(super) fn check(question: Question<'_>, urls: &[String]) -> Status {
    let asked = match Asked::new(question) {
        Ok(asked) => asked,
        Err(error) => return Status::Unknown(format!("no OCSP request can be made: {error}")),
    };
    let mut failed = String::new();
    for url in urls {
        let request = RevocationRequest::Ocsp { url: url.clone(), request: asked.request.clone() };
        let Some(answer) = question.data.answers.get(&request) else { return Status::Wanted(vec![request]) };
        match answer.clone().and_then(|bytes| asked.judge(question, &bytes)) {
            Ok(status) => return status,
            Err(reason) => failed = format!("OCSP: {reason} ({url})"),
        }
    }
    Status::Unknown(failed)
}

/// What was asked.
struct Asked {
    id: CertId,
    request: Vec<u8>,
}

impl Asked {
    fn new(question: Question<'_>) -> der::Result<Self> {
        let sha1 = |bytes: &[u8]| OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
        let issuer = question.issuer;
        // SHA-1 only names the issuer here, nothing is trusted for it, and many responders know nothing else.
        let id = CertId {
            hash_algorithm: AlgorithmIdentifierOwned { oid: db::rfc5912::ID_SHA_1, parameters: Some(Null.into()) },
            issuer_name_hash: sha1(issuer.subject())?,
            issuer_key_hash: sha1(issuer.fields().subject_public_key_info.subject_public_key.raw_bytes())?,
            serial_number: question.certificate.fields().serial_number.clone(),
        };
        let request_extensions = match question.data.nonce {
            Some(nonce) => Some(vec![Extension {
                extn_id: ID_PKIX_OCSP_NONCE,
                critical: false,
                extn_value: OctetString::new(OctetString::new(nonce)?.to_der()?)?,
            }]),
            None => None,
        };
        let request = OcspRequest {
            tbs_request: TbsRequest {
                version: Version::V1,
                requestor_name: None,
                request_list: vec![Request { req_cert: id.clone(), single_request_extensions: None }],
                request_extensions,
            },
            optional_signature: None,
        };
        Ok(Self { request: request.to_der()?, id })
    }

    fn judge(&self, question: Question<'_>, bytes: &Arc<[u8]>) -> Result<Status, String> {
        if bytes.len() > RESPONSE_MAX {
            return Err(format!("the response has {} bytes, at most {RESPONSE_MAX} are read", bytes.len()));
        }
        let unreadable = |error: der::Error| format!("the response cannot be read: {error}");
        let response = OcspResponse::from_der(bytes).map_err(unreadable)?;
        if response.response_status != OcspResponseStatus::Successful {
            return Err(format!("the responder says {:?}", response.response_status));
        }
        let inner = response.response_bytes.ok_or("the response is empty")?;
        if inner.response_type != ID_PKIX_OCSP_BASIC {
            return Err(format!("the response is of type {}", inner.response_type));
        }
        let body = inner.response.as_bytes();
        let basic = BasicOcspResponse::from_der(body).map_err(unreadable)?;
        if basic.certs.as_ref().map_or(0, Vec::len) > ENTRIES_MAX
            || basic.tbs_response_data.responses.len() > ENTRIES_MAX
        {
            return Err(format!("the response has more than {ENTRIES_MAX} answers or certificates"));
        }
        match check_signature(question, &basic, signed_part(body).map_err(unreadable)?)? {
            Signer::Good => {}
            Signer::Undecided(status) => return Ok(status),
        }
        check_nonce(question, &basic)?;
        let answers = &basic.tbs_response_data.responses;
        let answer = answers.iter().find(|answer| self.is_about(&answer.cert_id));
        status(question, answer.ok_or("the response is about another certificate")?)
    }

    /// Parameters of the hash may be NULL or missing, which means the same.
    fn is_about(&self, id: &CertId) -> bool {
        id.hash_algorithm.oid == self.id.hash_algorithm.oid
            && id.issuer_name_hash == self.id.issuer_name_hash
            && id.issuer_key_hash == self.id.issuer_key_hash
            && id.serial_number == self.id.serial_number
    }
}

fn check_nonce(question: Question<'_>, basic: &BasicOcspResponse) -> Result<(), String> {
    for extension in basic.tbs_response_data.response_extensions.iter().flatten() {
        if extension.extn_id == ID_PKIX_OCSP_NONCE {
            let found = OctetString::from_der(extension.extn_value.as_bytes()).ok();
            let differs = |sent: [u8; 16]| found.as_ref().map(OctetString::as_bytes) != Some(&sent);
            if question.data.nonce.is_some_and(differs) {
                return Err("the response has another nonce than the request".to_owned());
            }
        } else if extension.critical {
            return Err(unread(extension.extn_id));
        }
    }
    Ok(())
}

fn status(question: Question<'_>, answer: &SingleResponse) -> Result<Status, String> {
    let at = |time: &x509_ocsp::OcspGeneralizedTime| super::time(time.0.to_unix_duration());
    let from = at(&answer.this_update).ok_or("the response's time is out of range")?;
    let until = answer.next_update.as_ref().and_then(at).ok_or("the response does not say until when it holds")?;
    if is_early(from, question.now) {
        return Err(format!("the response is of {from}, which is to come"));
    }
    if question.now > until {
        return Err(format!("the response expired at {until}"));
    }
    let mut invalid_from = None;
    for extension in answer.single_extensions.iter().flatten() {
        if extension.extn_id == ID_CE_INVALIDITY_DATE {
            let date = GeneralizedTime::from_der(extension.extn_value.as_bytes());
            invalid_from = super::time(date.map_err(|error| error.to_string())?.to_unix_duration());
        } else if extension.critical {
            return Err(unread(extension.extn_id));
        }
    }
    match &answer.cert_status {
        CertStatus::Good(_) => Ok(Status::Good { until }),
        CertStatus::Revoked(_) if signed_before(question.signed, invalid_from) => Ok(Status::Good { until }),
        CertStatus::Revoked(info) => Ok(Status::Revoked {
            since: at(&info.revocation_time).ok_or("the revocation's time is out of range")?,
            reason: info.revocation_reason.and_then(|reason| super::reason_text(reason as u32)),
        }),
        CertStatus::Unknown(_) => Ok(Status::Unknown("the responder does not know the certificate".to_owned())),
    }
}

fn signed_before(signed: Option<Timestamp>, invalid_from: Option<Timestamp>) -> bool {
    matches!((signed, invalid_from), (Some(signed), Some(invalid)) if signed < invalid)
}

fn unread(extension: ObjectIdentifier) -> String {
    format!("the response has the critical extension {extension}, which is not evaluated")
}

/// The very bytes of `tbsResponseData`.
fn signed_part(body: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(body)?;
    reader.sequence(|fields| {
        let signed = fields.tlv_bytes()?;
        while !fields.is_finished() {
            fields.tlv_bytes()?;
        }
        Ok(signed)
    })
}

enum Signer {
    Good,
    /// Whether the responder's own certificate is revoked is open, or it is.
    Undecided(Status),
}

/// The issuer itself signs, or a responder to whom it gave a certificate for that (RFC 6960 section 4.2.2.2).
fn check_signature(question: Question<'_>, basic: &BasicOcspResponse, signed: &[u8]) -> Result<Signer, String> {
    let scheme = Scheme::from_identifier(&basic.signature_algorithm, None).map_err(|error| error.to_string())?;
    let fits = |certificate: &Certificate| {
        certificate.key().verify(scheme, signed, basic.signature.as_bytes().unwrap_or_default()).is_ok()
    };
    let named = |certificate: &Certificate| match &basic.tbs_response_data.responder_id {
        ResponderId::ByName(name) => name.to_der().is_ok_and(|name| name == certificate.subject()),
        ResponderId::ByKey(hash) => {
            let key = certificate.fields().subject_public_key_info.subject_public_key.raw_bytes();
            hash.as_bytes() == digest(&SHA1_FOR_LEGACY_USE_ONLY, key).as_ref()
        }
    };
    let issuer = question.issuer;
    if named(issuer) && fits(issuer) {
        return Ok(Signer::Good);
    }
    for raw in basic.certs.iter().flatten() {
        let parsed = raw.to_der().ok().and_then(|der| Certificate::parse(&der).ok());
        let Some(responder) = parsed.filter(|responder| named(responder)) else { continue };
        if !fits(&responder) {
            return Err("the response's signature does not fit".to_owned());
        }
        return check_responder(question, &responder);
    }
    Err("the response is not signed by the issuer, nor by a responder it named".to_owned())
}

fn check_responder(question: Question<'_>, responder: &Certificate) -> Result<Signer, String> {
    let issuer = question.issuer;
    if responder.issuer() != issuer.subject() || responder.check_signature(issuer.key()).is_err() {
        return Err("the responder's certificate is of another issuer".to_owned());
    }
    if !responder.purposes().is_some_and(|purposes| purposes.listed.contains(&ID_KP_OCSP_SIGNING)) {
        return Err("the responder's certificate is not for OCSP".to_owned());
    }
    if responder.key_usage().is_some_and(|usage| !usage.digital_signature) {
        return Err("the responder's certificate may not sign".to_owned());
    }
    responder.check_validity(question.now).map_err(|error| error.to_string())?;
    if responder.extension(ID_PKIX_OCSP_NOCHECK).is_some() {
        return Ok(Signer::Good);
    }
    // Without id-pkix-ocsp-nocheck the responder's own revocation is looked up, in lists only: OCSP about OCSP could
    // go on without end. A certificate that names no list cannot be revoked.
    let lists = crl_addresses(responder)?.http;
    if lists.is_empty() {
        return Ok(Signer::Good);
    }
    match crl::check(Question { certificate: responder, signed: None, ..question }, &lists) {
        Status::Good { .. } | Status::NotRevocable => Ok(Signer::Good),
        Status::Revoked { since, .. } => Err(format!("the responder's certificate is revoked since {since}")),
        Status::Unknown(reason) => Err(format!("the responder's certificate: {reason}")),
        wanted @ Status::Wanted(_) => Ok(Signer::Undecided(wanted)),
    }
}
