//! Revocation of certificates: which addresses are asked, and what the answers mean. Nothing here asks anybody.
//!
//! A check is given a [`RevocationData`]: what has been answered so far. Where it needs more it names the
//! [`RevocationRequest`]s; the caller fetches them, adds the answers (or why there is none), and verifies again.
//!
//! OCSP comes first, and where it does not settle the matter revocation lists do (RFC 6960, RFC 5280 section 6.3, and
//! notaryproject/specifications, trust-store-trust-policy.md, certificate revocation evaluation). A root is not asked
//! about: who distrusts it takes it out of the trust store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use assay_model::Timestamp;
use const_oid::db::rfc5912::{
    ID_AD_OCSP, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_FRESHEST_CRL, ID_PE_AUTHORITY_INFO_ACCESS,
};
use der::Decode as _;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};

use crate::x509::Certificate;

mod crl;
mod ocsp;

pub use crl::expiry as revocation_list_expiry;

/// Most addresses of one kind that are asked for one certificate.
const ADDRESSES_MAX: usize = 4;
/// Longest address, bytes.
const ADDRESS_MAX: usize = 2048;
/// How far an authority's clock may be ahead, seconds.
const SKEW: i64 = 300;

/// A question to an authority.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationRequest {
    /// An OCSP request, sent by POST as `application/ocsp-request`.
    Ocsp {
        /// Where to; `http` only.
        url: String,
        /// The DER of the request.
        request: Vec<u8>,
    },
    /// A revocation list, read by GET.
    Crl {
        /// Where from; `http` only.
        url: String,
    },
}

impl RevocationRequest {
    /// Where it goes.
    pub fn url(&self) -> &str {
        match self {
            Self::Ocsp { url, .. } | Self::Crl { url } => url,
        }
    }
}

impl fmt::Debug for RevocationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Ocsp { .. } => "OCSP",
            Self::Crl { .. } => "CRL",
        };
        write!(f, "{kind} {}", self.url())
    }
}

/// What authorities answered.
#[derive(Clone, Debug, Default)]
pub struct RevocationData {
    answers: BTreeMap<RevocationRequest, Result<Arc<[u8]>, String>>,
    nonce: Option<[u8; 16]>,
}

impl RevocationData {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts these random bytes into OCSP requests; an answer that has a nonce must have this one (RFC 9654). Answers are
    /// then of no use for another verification.
    #[must_use]
    pub fn with_nonce(mut self, nonce: [u8; 16]) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Adds an answer, or why there is none.
    pub fn insert(&mut self, request: RevocationRequest, answer: Result<Arc<[u8]>, String>) {
        self.answers.insert(request, answer);
    }

    /// The answer to a question, or why there is none; none where it was not asked.
    pub fn answer(&self, request: &RevocationRequest) -> Option<Result<&[u8], &str>> {
        self.answers.get(request).map(|answer| answer.as_deref().map_err(String::as_str))
    }

    /// Whether a question has been answered, or given up.
    pub fn contains(&self, request: &RevocationRequest) -> bool {
        self.answers.contains_key(request)
    }
}

/// What is known about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChainStatus {
    /// No certificate is revoked.
    Good {
        /// Whether anybody was asked: false where no certificate says whom.
        asked: bool,
        /// Until when the answers hold; none where nobody was asked.
        until: Option<Timestamp>,
    },
    /// A certificate is revoked.
    Revoked {
        /// Whose.
        subject: String,
        /// Since when.
        since: Timestamp,
        /// The authority's reason.
        reason: Option<&'static str>,
    },
    /// It cannot be said.
    Unknown {
        /// Of whom.
        subject: String,
        /// Why.
        reason: String,
    },
    /// Answers are missing.
    Wanted(Vec<RevocationRequest>),
}

/// What is known about one certificate.
#[derive(Debug)]
enum Status {
    NotRevocable,
    Good { until: Timestamp },
    Revoked { since: Timestamp, reason: Option<&'static str> },
    Unknown(String),
    Wanted(Vec<RevocationRequest>),
}

/// What a check of one certificate works with.
#[derive(Clone, Copy)]
struct Question<'a> {
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    /// No later than this the signature was made, if that is proven.
    signed: Option<Timestamp>,
    data: &'a RevocationData,
    now: Timestamp,
}

/// Checks a chain, leaf first and root last, whose signatures hold. `signed` is a proven time no later than which the
/// signature was made: a certificate that became invalid after it was good then.
pub(crate) fn check(
    chain: &[Certificate],
    signed: Option<Timestamp>,
    data: &RevocationData,
    now: Timestamp,
) -> ChainStatus {
    let (mut asked, mut until, mut wanted, mut unknown) = (false, None::<Timestamp>, Vec::new(), None);
    // From the root down: what an authority says counts for nothing once it is revoked itself.
    for pair in chain.windows(2).rev() {
        let [certificate, issuer] = pair else { continue };
        let subject = || certificate.subject_text();
        match check_one(Question { certificate, issuer, signed, data, now }) {
            Status::NotRevocable => {}
            Status::Good { until: end } => {
                asked = true;
                until = Some(until.map_or(end, |until| until.min(end)));
            }
            Status::Revoked { since, reason } => return ChainStatus::Revoked { subject: subject(), since, reason },
            Status::Unknown(reason) => {
                unknown.get_or_insert_with(|| ChainStatus::Unknown { subject: subject(), reason });
            }
            Status::Wanted(requests) => wanted.extend(requests),
        }
    }
    match unknown {
        _ if !wanted.is_empty() => {
            wanted.sort_unstable();
            wanted.dedup();
            ChainStatus::Wanted(wanted)
        }
        Some(unknown) => unknown,
        None => ChainStatus::Good { asked, until },
    }
}

fn check_one(question: Question<'_>) -> Status {
    let (ocsp, crl) = match (ocsp_addresses(question.certificate), crl_addresses(question.certificate)) {
        (Ok(ocsp), Ok(crl)) => (ocsp, crl),
        (Err(reason), _) | (_, Err(reason)) => return Status::Unknown(reason),
    };
    match (ocsp.http.is_empty(), crl.http.is_empty()) {
        (true, true) if ocsp.other || crl.other => {
            Status::Unknown("it says whom to ask, but not by plain HTTP".to_owned())
        }
        (true, true) => Status::NotRevocable,
        (true, false) => crl::check(question, &crl.http),
        (false, no_lists) => match ocsp::check(question, &ocsp.http) {
            Status::Unknown(_) if !no_lists => crl::check(question, &crl.http),
            status => status,
        },
    }
}

/// Addresses of one kind.
#[derive(Default)]
struct Addresses {
    /// Those that are asked. What an answer says is signed, so that plain HTTP is what authorities use.
    http: Vec<String>,
    /// Whether there are others, which are not followed.
    other: bool,
}

impl Addresses {
    fn of<'a>(names: impl Iterator<Item = &'a GeneralName>) -> Self {
        let mut addresses = Self::default();
        for name in names {
            let GeneralName::UniformResourceIdentifier(text) = name else { continue };
            let text = text.as_str();
            let is_http = text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
            if is_http && text.len() <= ADDRESS_MAX && addresses.http.len() < ADDRESSES_MAX {
                addresses.http.push(text.to_owned());
            } else {
                addresses.other = true;
            }
        }
        addresses
    }
}

/// OCSP responders of a certificate.
fn ocsp_addresses(certificate: &Certificate) -> Result<Addresses, String> {
    let Some(value) = certificate.extension(ID_PE_AUTHORITY_INFO_ACCESS) else { return Ok(Addresses::default()) };
    let read = AuthorityInfoAccessSyntax::from_der(value)
        .map_err(|error| format!("its authority information access cannot be read: {error}"))?;
    let responders = read.0.iter().filter(|access| access.access_method == ID_AD_OCSP);
    Ok(Addresses::of(responders.map(|access| &access.access_location)))
}

/// Distribution points of a certificate's revocation lists.
fn crl_addresses(certificate: &Certificate) -> Result<Addresses, String> {
    certificate.extension(ID_CE_CRL_DISTRIBUTION_POINTS).map_or(Ok(Addresses::default()), distribution_points)
}

/// The addresses of distribution points (RFC 5280 sections 4.2.1.13 and 5.2.6).
fn distribution_points(value: &[u8]) -> Result<Addresses, String> {
    let read = CrlDistributionPoints::from_der(value)
        .map_err(|error| format!("its distribution points cannot be read: {error}"))?;
    let names = read.0.iter().filter_map(|point| point.distribution_point.as_ref());
    Ok(Addresses::of(names.filter_map(full_name).flatten()))
}

fn full_name(name: &DistributionPointName) -> Option<&GeneralNames> {
    match name {
        DistributionPointName::FullName(names) => Some(names),
        DistributionPointName::NameRelativeToCRLIssuer(_) => None,
    }
}

/// Whether a certificate or list names delta lists.
fn names_delta(certificate: &Certificate) -> bool {
    certificate.extension(ID_CE_FRESHEST_CRL).is_some()
}

fn time(time: std::time::Duration) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

/// Whether an answer made at `from` is from the future, clocks being what they are.
fn is_early(from: Timestamp, now: Timestamp) -> bool {
    from.as_second().saturating_sub(now.as_second()) > SKEW
}

/// The reasons of RFC 5280 section 5.3.1, by their number.
fn reason_text(code: u32) -> Option<&'static str> {
    Some(match code {
        1 => "key compromise",
        2 => "authority compromise",
        3 => "affiliation changed",
        4 => "superseded",
        5 => "cessation of operation",
        6 => "certificate hold",
        9 => "privilege withdrawn",
        10 => "attribute authority compromise",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
