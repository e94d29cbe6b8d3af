//! Revocation lists, with delta lists (RFC 5280 section 5).

use std::sync::Arc;

use assay_model::Timestamp;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_DELTA_CRL_INDICATOR, ID_CE_FRESHEST_CRL, ID_CE_INVALIDITY_DATE,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::asn1::{BitStringRef, GeneralizedTime, Uint};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use x509_cert::crl::RevokedCert;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::{Addresses, Question, RevocationRequest, Status, distribution_points, full_name, is_early, names_delta};
use crate::crypto::Scheme;
use crate::x509::Certificate;

/// Largest list that is read, bytes: the largest of public authorities have about 20 MB.
const LIST_MAX: usize = 32 << 20;
/// Most extensions of a list.
const EXTENSIONS_MAX: usize = 32;

/// `certificateHold` and `removeFromCRL` of RFC 5280 section 5.3.1.
const HOLD: u32 = 6;
const REMOVE: u32 = 8;

/// Until when a revocation list holds, as it says itself: nothing is verified. For whoever keeps lists.
pub fn expiry(list: &[u8]) -> Option<Timestamp> {
    List::parse(list).ok().map(|list| list.next_update)
}

/// Checks every distribution point: they may divide the reasons among them.
pub(super) fn check(question: Question<'_>, urls: &[String]) -> Status {
    let (mut wanted, mut unknown, mut until, mut complete) = (Vec::new(), None, None::<Timestamp>, false);
    for url in urls {
        match point(question, url, urls) {
            Ok(Found::Wanted(requests)) => wanted.extend(requests),
            Ok(Found::Revoked { since, reason }) => return Status::Revoked { since, reason },
            Ok(Found::Clear { until: end, all_reasons }) => {
                complete |= all_reasons;
                until = Some(until.map_or(end, |until| until.min(end)));
            }
            Err(reason) => drop(unknown.get_or_insert_with(|| format!("{reason} ({url})"))),
        }
    }
    match (until, unknown) {
        _ if !wanted.is_empty() => Status::Wanted(wanted),
        (_, Some(reason)) => Status::Unknown(reason),
        (Some(until), None) if complete => Status::Good { until },
        _ => Status::Unknown("its revocation lists hold some reasons only".to_owned()),
    }
}

/// What a distribution point says.
enum Found {
    Clear { until: Timestamp, all_reasons: bool },
    Revoked { since: Timestamp, reason: Option<&'static str> },
    Wanted(Vec<RevocationRequest>),
}

fn point(question: Question<'_>, url: &str, urls: &[String]) -> Result<Found, String> {
    let request = RevocationRequest::Crl { url: url.to_owned() };
    let Some(answer) = question.data.answers.get(&request) else { return Ok(Found::Wanted(vec![request])) };
    let bytes: Arc<[u8]> = answer.clone().map_err(|reason| format!("the revocation list was not read: {reason}"))?;
    let base = List::parse(&bytes)?;
    base.check(question.issuer, question)?;
    let scope = base.scope(question.certificate, urls)?;
    if base.delta_of.is_some() {
        return Err("it is a delta list where a whole one was expected".to_owned());
    }
    let found = base.find(question.certificate)?;
    // An authority does not take a revocation back but for a hold: what an old list says still holds.
    if let Some(entry) = found.iter().find(|entry| !entry.is_temporary() && !question.precedes(entry)) {
        return Ok(entry.revoked());
    }
    base.check_age(question.now)?;
    let delta_urls = base.delta_urls()?;
    if delta_urls.is_empty() {
        if names_delta(question.certificate) {
            return Err("the certificate names delta lists that its revocation list does not".to_owned());
        }
        return Ok(judge(question, &found, base.next_update, scope));
    }
    let mut failed = String::new();
    for url in &delta_urls {
        let request = RevocationRequest::Crl { url: url.clone() };
        let Some(answer) = question.data.answers.get(&request) else { return Ok(Found::Wanted(vec![request])) };
        match answer.clone().and_then(|bytes| delta(question, &base, &bytes, urls)) {
            Ok((newer, until)) => {
                let found = [found, newer].concat();
                return Ok(judge(question, &found, base.next_update.min(until), scope));
            }
            Err(reason) => failed = format!("the delta list does not hold: {reason}"),
        }
    }
    Err(failed)
}

/// The entries of a delta list that goes with a base list (RFC 5280 section 5.2.4).
fn delta(
    question: Question<'_>,
    base: &List<'_>,
    bytes: &[u8],
    urls: &[String],
) -> Result<(Vec<Entry>, Timestamp), String> {
    let delta = List::parse(bytes)?;
    delta.check(question.issuer, question)?;
    delta.check_age(question.now)?;
    delta.scope(question.certificate, urls)?;
    let needed = delta.delta_of.as_ref().ok_or("it is no delta list")?;
    let (Some(number), Some(base_number)) = (&delta.number, &base.number) else {
        return Err("a list has no number".to_owned());
    };
    if needed > base_number {
        return Err("it goes with a newer list".to_owned());
    }
    if number < base_number {
        return Err("it is older than the list it goes with".to_owned());
    }
    Ok((delta.find(question.certificate)?, delta.next_update))
}

/// Entries in their order, those of a delta list last: the last word on a hold counts.
fn judge(question: Question<'_>, entries: &[Entry], until: Timestamp, all_reasons: bool) -> Found {
    let mut held: Option<&Entry> = None;
    for entry in entries.iter().filter(|entry| !question.precedes(entry)) {
        if !entry.is_temporary() {
            return entry.revoked();
        }
        if held.is_none_or(|earlier| earlier.since <= entry.since) {
            held = Some(entry);
        }
    }
    match held {
        Some(entry) if entry.reason == Some(HOLD) => entry.revoked(),
        _ => Found::Clear { until, all_reasons },
    }
}

impl Question<'_> {
    /// Whether the signature was made before the time from which the authority doubts the key.
    fn precedes(&self, entry: &Entry) -> bool {
        matches!((self.signed, entry.invalid_from), (Some(signed), Some(invalid)) if signed < invalid)
    }
}

/// An entry about the certificate.
#[derive(Clone, Debug)]
struct Entry {
    since: Timestamp,
    reason: Option<u32>,
    invalid_from: Option<Timestamp>,
}

impl Entry {
    fn is_temporary(&self) -> bool {
        matches!(self.reason, Some(HOLD | REMOVE))
    }

    fn revoked(&self) -> Found {
        Found::Revoked { since: self.since, reason: self.reason.and_then(super::reason_text) }
    }

    fn read(raw: &RevokedCert) -> Result<Self, String> {
        let mut entry = Self {
            since: time(raw.revocation_date).ok_or("an entry's date is out of range")?,
            reason: None,
            invalid_from: None,
        };
        for extension in raw.crl_entry_extensions.iter().flatten() {
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                ID_CE_CRL_REASONS => {
                    let reason = x509_cert::ext::pkix::CrlReason::from_der(value)
                        .map_err(|error| format!("an entry's reason cannot be read: {error}"))?;
                    entry.reason = Some(reason as u32);
                }
                ID_CE_INVALIDITY_DATE => {
                    let date = GeneralizedTime::from_der(value)
                        .map_err(|error| format!("an entry's invalidity date cannot be read: {error}"))?;
                    entry.invalid_from = super::time(date.to_unix_duration());
                }
                other if extension.critical => return Err(unread(other)),
                _ => {}
            }
        }
        Ok(entry)
    }
}

fn unread(extension: ObjectIdentifier) -> String {
    format!("it has the critical extension {extension}, which is not evaluated")
}

fn time(time: Time) -> Option<Timestamp> {
    super::time(time.to_unix_duration())
}

/// A list whose entries stay as they were read: of many thousands one is looked for.
struct List<'a> {
    signed: &'a [u8],
    algorithm: AlgorithmIdentifierOwned,
    signature: &'a [u8],
    issuer: &'a [u8],
    this_update: Timestamp,
    next_update: Timestamp,
    entries: &'a [u8],
    number: Option<Uint>,
    delta_of: Option<Uint>,
    point: Option<IssuingDistributionPoint>,
    freshest: Option<Vec<u8>>,
}

impl<'a> List<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.len() > LIST_MAX {
            return Err(format!("the revocation list has {} bytes, at most {LIST_MAX} are read", bytes.len()));
        }
        let unreadable = |error: der::Error| format!("the revocation list cannot be read: {error}");
        let mut reader = SliceReader::new(bytes).map_err(unreadable)?;
        let (signed, algorithm, signature) = reader
            .sequence(|fields| {
                let signed = fields.tlv_bytes()?;
                Ok((signed, AlgorithmIdentifierOwned::decode(fields)?, BitStringRef::decode(fields)?))
            })
            .map_err(unreadable)?;
        reader.finish(()).map_err(unreadable)?;
        let fields = Fields::parse(signed).map_err(unreadable)?;
        if fields.algorithm != algorithm {
            return Err("the revocation list names two signature algorithms".to_owned());
        }
        let mut list = Self {
            signed,
            algorithm,
            // A signature is whole bytes; with bits left over one list could be written in several ways.
            signature: signature.as_bytes().unwrap_or_default(),
            issuer: fields.issuer,
            this_update: time(fields.this_update).ok_or("the revocation list's time is out of range")?,
            next_update: fields.next_update.and_then(time).ok_or("the revocation list has no next update")?,
            entries: fields.entries,
            number: None,
            delta_of: None,
            point: None,
            freshest: None,
        };
        list.read_extensions(fields.extensions.unwrap_or_default()).map(|()| list)
    }

    fn read_extensions(&mut self, extensions: Extensions) -> Result<(), String> {
        let unreadable = |error: der::Error| format!("the revocation list cannot be read: {error}");
        if extensions.len() > EXTENSIONS_MAX {
            return Err(format!("the revocation list has more than {EXTENSIONS_MAX} extensions"));
        }
        for (index, extension) in extensions.iter().enumerate() {
            if extensions.iter().take(index).any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err("an extension of the revocation list stands twice".to_owned());
            }
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                ID_CE_CRL_NUMBER => self.number = Some(Uint::from_der(value).map_err(unreadable)?),
                ID_CE_DELTA_CRL_INDICATOR => self.delta_of = Some(Uint::from_der(value).map_err(unreadable)?),
                ID_CE_ISSUING_DISTRIBUTION_POINT => {
                    self.point = Some(IssuingDistributionPoint::from_der(value).map_err(unreadable)?);
                }
                ID_CE_FRESHEST_CRL => self.freshest = Some(value.to_vec()),
                other if extension.critical => return Err(unread(other)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Who made it: the certificate's issuer, with a key that may sign lists.
    fn check(&self, issuer: &Certificate, question: Question<'_>) -> Result<(), String> {
        if self.issuer != issuer.subject() {
            return Err("the revocation list is of another issuer".to_owned());
        }
        if issuer.key_usage().is_some_and(|usage| !usage.revocation_lists) {
            return Err("the issuer may not sign revocation lists".to_owned());
        }
        let scheme = Scheme::from_identifier(&self.algorithm, None).map_err(|error| error.to_string())?;
        issuer
            .key()
            .verify(scheme, self.signed, self.signature)
            .map_err(|error| format!("the revocation list's signature: {error}"))?;
        if is_early(self.this_update, question.now) {
            return Err(format!("the revocation list is of {}, which is to come", self.this_update));
        }
        Ok(())
    }

    fn check_age(&self, now: Timestamp) -> Result<(), String> {
        if now > self.next_update {
            return Err(format!("the revocation list expired at {}", self.next_update));
        }
        Ok(())
    }

    /// Whether it is about such certificates (RFC 5280 section 6.3.3 b). Gives whether it holds all reasons.
    fn scope(&self, certificate: &Certificate, urls: &[String]) -> Result<bool, String> {
        let Some(point) = &self.point else { return Ok(true) };
        let authority = certificate.authority().is_some();
        if point.indirect_crl {
            return Err("it is an indirect list, which is not evaluated".to_owned());
        }
        if point.only_contains_attribute_certs
            || (point.only_contains_ca_certs && !authority)
            || (point.only_contains_user_certs && authority)
        {
            return Err("the revocation list is about other certificates".to_owned());
        }
        if let Some(names) = point.distribution_point.as_ref().and_then(full_name) {
            let own = Addresses::of(names.iter()).http;
            if !own.is_empty() && !own.iter().any(|url| urls.contains(url)) {
                return Err("the revocation list is of another distribution point".to_owned());
            }
        }
        Ok(point.only_some_reasons.is_none())
    }

    fn delta_urls(&self) -> Result<Vec<String>, String> {
        match &self.freshest {
            Some(value) => Ok(distribution_points(value)?.http),
            None => Ok(Vec::new()),
        }
    }

    fn find(&self, certificate: &Certificate) -> Result<Vec<Entry>, String> {
        let unreadable = |error: der::Error| format!("the revocation list cannot be read: {error}");

        let serial = significant(certificate.fields().serial_number.as_bytes());
        let mut found = Vec::new();
        let mut reader = SliceReader::new(self.entries).map_err(unreadable)?;
        while !reader.is_finished() {
            let entry = reader.tlv_bytes().map_err(unreadable)?;
            if significant(serial_of(entry).map_err(unreadable)?) == serial {
                found.push(Entry::read(&RevokedCert::from_der(entry).map_err(unreadable)?)?);
            }
        }
        Ok(found)
    }
}

/// A number without the zeros before it.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The serial number that an entry begins with.
fn serial_of(entry: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(entry)?;
    reader.sequence(|fields| {
        let number = der::asn1::AnyRef::decode(fields)?;
        while !fields.is_finished() {
            fields.tlv_bytes()?;
        }
        Ok(number.value())
    })
}

/// `TBSCertList`, its entries unread.
struct Fields<'a> {
    algorithm: AlgorithmIdentifierOwned,
    issuer: &'a [u8],
    this_update: Time,
    next_update: Option<Time>,
    entries: &'a [u8],
    extensions: Option<Extensions>,
}

impl<'a> Fields<'a> {
    fn parse(signed: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(signed)?;
        reader.sequence(|fields| {
            if fields.peek_tag()? == Tag::Integer {
                fields.tlv_bytes()?;
            }
            let algorithm = AlgorithmIdentifierOwned::decode(fields)?;
            let issuer = fields.tlv_bytes()?;
            let this_update = Time::decode(fields)?;
            let is_time = |tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
            let next_update =
                if !fields.is_finished() && is_time(fields.peek_tag()?) { Some(Time::decode(fields)?) } else { None };
            let mut entries: &[u8] = &[];
            if !fields.is_finished() && fields.peek_tag()? == Tag::Sequence {
                entries = der::asn1::AnyRef::decode(fields)?.value();
            }
            let extensions = der::asn1::ContextSpecific::<Extensions>::decode_explicit(fields, TagNumber::N0)?;
            Ok(Self {
                algorithm,
                issuer,
                this_update,
                next_update,
                entries,
                extensions: extensions.map(|extensions| extensions.value),
            })
        })
    }
}
