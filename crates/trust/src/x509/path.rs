//! The path from a leaf to an anchor.

use assay_model::Timestamp;
use x509_cert::der::asn1::ObjectIdentifier;

use super::{Certificate, X509Error, purpose};

/// Longest path, leaf and anchor included.
const LENGTH_MAX: usize = 8;

/// Most intermediates of one pool.
const POOL_MAX: usize = 32;

/// Most signatures checked to find one path: a pool of look-alikes must not cost more.
const CHECKS_MAX: usize = 64;

/// A certificate that is trusted by itself, perhaps only for some time. Its own validity counts as well.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    certificate: Certificate,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Anchor {
    /// Trusted as long as it is valid.
    pub(crate) fn new(certificate: Certificate) -> Self {
        Self { certificate, from: None, until: None }
    }

    /// Trusted from and until these times (both included), as far as they are given.
    #[must_use]
    pub(crate) fn within(mut self, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        (self.from, self.until) = (from, until);
        self
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whether it counts at this time.
    pub(crate) fn check(&self, at: Timestamp) -> Result<(), X509Error> {
        self.certificate.check_validity(at)?;
        if self.from.is_some_and(|from| at < from) || self.until.is_some_and(|until| at > until) {
            return Err(X509Error::AnchorNotTrusted { subject: self.certificate.subject_text(), at });
        }
        Ok(())
    }
}

/// How strictly the leaf's extended key usage is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurposeRule {
    /// It must list the purpose.
    Listed,
    /// It must list the purpose and nothing else, and be critical (RFC 3161, section 2.3).
    CriticalAndOnly,
}

/// What the leaf must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// The extended key usage, see [`purpose`].
    pub(crate) usage: ObjectIdentifier,
    /// How strictly.
    pub(crate) rule: PurposeRule,
}

impl Purpose {
    /// Signing of code.
    pub(crate) const CODE_SIGNING: Self = Self { usage: purpose::CODE_SIGNING, rule: PurposeRule::Listed };
    /// Signing of timestamps, by a signer that is pinned itself: not every authority in use marks the purpose critical.
    pub(crate) const PINNED_TIME_STAMPING: Self = Self { usage: purpose::TIME_STAMPING, rule: PurposeRule::Listed };
    /// Signing of timestamps.
    pub(crate) const TIME_STAMPING: Self = Self { usage: purpose::TIME_STAMPING, rule: PurposeRule::CriticalAndOnly };
}

/// A verified path.
#[derive(Clone, Debug)]
pub(crate) struct Path<'a> {
    /// Leaf first, anchor last. One certificate if the leaf is an anchor itself.
    pub(crate) certificates: Vec<&'a Certificate>,
    /// The anchor's place among those handed in.
    pub(crate) anchor: usize,
}

impl<'a> Path<'a> {
    /// The certificate that issued the leaf; an anchor that is the leaf issued itself.
    pub(crate) fn issuer(&self) -> Option<&'a Certificate> {
        self.certificates.get(1).or_else(|| self.certificates.first()).copied()
    }
}

/// Finds a path from `leaf` over `pool` to one of `anchors` that holds at `at`, and checks the leaf for `purpose`.
///
/// A leaf that is an anchor itself, byte for byte, is a path of one. An intermediate may be an anchor: what stands above
/// it is not looked at.
///
/// # Errors
/// The cause on the path that came closest: what fails behind a fitting signature tells more than an unknown issuer.
pub(crate) fn verify_path<'a>(
    leaf: &'a Certificate,
    pool: &'a [Certificate],
    anchors: &'a [Anchor],
    at: Timestamp,
    purpose: Purpose,
) -> Result<Path<'a>, X509Error> {
    if pool.len() > POOL_MAX {
        return Err(X509Error::TooMany { what: "intermediate certificates", limit: POOL_MAX });
    }
    check_leaf(leaf, at, purpose)?;
    let mut search = Search { pool, anchors, at, purpose, checks: 0, refused: None };
    let mut certificates = vec![leaf];
    match search.extend(&mut certificates) {
        Ok(Some(anchor)) => Ok(Path { certificates, anchor }),
        Ok(None) => Err(search.refused.unwrap_or_else(|| X509Error::UnknownIssuer { issuer: leaf.issuer_text() })),
        Err(error) => Err(error),
    }
}

/// Checks a chain of authorities, lowest first: each must have been issued by the next, which may do so.
pub(crate) fn check_authorities(chain: &[Certificate]) -> Result<(), X509Error> {
    let not_authority = |certificate: &Certificate| X509Error::NotAuthority {
        subject: certificate.subject_text(),
        reason: "it is no authority",
    };
    if chain.is_empty() || chain.len() > LENGTH_MAX {
        return Err(X509Error::TooMany { what: "certificates in a chain (or none)", limit: LENGTH_MAX });
    }
    for (below, pair) in chain.windows(2).enumerate() {
        let [lower, upper] = pair else { continue };
        if lower.issuer != upper.subject {
            return Err(X509Error::UnknownIssuer { issuer: lower.issuer_text() });
        }
        lower.check_signature(&upper.key)?;
        let authority = upper.authority().ok_or_else(|| not_authority(upper))?;
        let found = below + 1;
        if let Some(allowed) = authority.path_length.filter(|allowed| usize::from(*allowed) < found) {
            return Err(X509Error::PathLength { subject: upper.subject_text(), allowed, found });
        }
    }
    chain
        .first()
        .filter(|lowest| lowest.authority().is_some())
        .map(|_| ())
        .ok_or_else(|| chain.first().map_or(X509Error::Malformed { reason: String::new() }, not_authority))
}

fn check_leaf(leaf: &Certificate, at: Timestamp, purpose: Purpose) -> Result<(), X509Error> {
    leaf.check_validity(at)?;
    check_critical(leaf)?;
    if leaf.key_usage().is_some_and(|usage| !usage.digital_signature) {
        return Err(X509Error::KeyUsage { subject: leaf.subject_text(), reason: "its key usage has no signatures" });
    }
    let wrong = |reason| X509Error::Purpose { subject: leaf.subject_text(), wanted: purpose.usage, reason };
    let purposes = leaf.purposes().ok_or_else(|| wrong("it names no purpose"))?;
    if !purposes.listed.contains(&purpose.usage) {
        return Err(wrong("it names other purposes"));
    }
    match purpose.rule {
        PurposeRule::CriticalAndOnly if purposes.listed.len() != 1 => Err(wrong("it names further purposes")),
        PurposeRule::CriticalAndOnly if !purposes.critical => Err(wrong("the purpose is not marked critical")),
        PurposeRule::Listed | PurposeRule::CriticalAndOnly => Ok(()),
    }
}

impl Certificate {
    /// Whether nothing critical was left unread.
    pub(crate) fn check_critical(&self) -> Result<(), X509Error> {
        check_critical(self)
    }

    /// Whether this authority may vouch for the names of the certificates below it, the leaf first.
    pub(crate) fn check_names<'c>(&self, below: impl IntoIterator<Item = &'c Self>) -> Result<(), X509Error> {
        let Some(constraints) = &self.name_constraints else { return Ok(()) };
        // The leaf counts always, an intermediate that issued itself does not (RFC 5280, section 6.1.3 (b) and (c)).
        let counts = |(place, certificate): &(usize, &Self)| *place == 0 || certificate.subject != certificate.issuer;
        let mut below = below.into_iter().enumerate().filter(counts);
        below.try_for_each(|(_, certificate)| constraints.check(certificate, self))
    }
}

fn check_critical(certificate: &Certificate) -> Result<(), X509Error> {
    match certificate.unread_critical {
        Some(extension) => Err(X509Error::CriticalExtension { subject: certificate.subject_text(), extension }),
        None => Ok(()),
    }
}

struct Search<'a> {
    pool: &'a [Certificate],
    anchors: &'a [Anchor],
    at: Timestamp,
    purpose: Purpose,
    checks: usize,
    refused: Option<X509Error>,
}

impl<'a> Search<'a> {
    /// Depth first; anchors before intermediates. Gives the anchor's place, with the path in `certificates`; none where
    /// every branch was refused. An error ends the whole search.
    fn extend(&mut self, certificates: &mut Vec<&'a Certificate>) -> Result<Option<usize>, X509Error> {
        let Some(last) = certificates.last().copied() else { return Ok(None) };
        let anchors = self.anchors;
        for (index, anchor) in anchors.iter().enumerate() {
            if anchor.certificate.der() == last.der() {
                match anchor.check(self.at) {
                    Ok(()) => return Ok(Some(index)),
                    Err(error) => self.refuse(error),
                }
            }
        }
        if certificates.len() >= LENGTH_MAX {
            self.refuse(X509Error::TooMany { what: "certificates in a path", limit: LENGTH_MAX });
            return Ok(None);
        }
        let mut named = false;
        for (index, anchor) in anchors.iter().enumerate() {
            if !anchor.certificate.may_have_issued(last) {
                continue;
            }
            named = true;
            if !self.issued(&anchor.certificate, certificates)? {
                continue;
            }
            match anchor.check(self.at) {
                Ok(()) => {
                    certificates.push(&anchor.certificate);
                    return Ok(Some(index));
                }
                Err(error) => self.refuse(error),
            }
        }
        let pool = self.pool;
        for candidate in pool {
            let repeated = certificates.iter().any(|earlier| earlier.der() == candidate.der());
            if repeated || !candidate.may_have_issued(last) {
                continue;
            }
            named = true;
            if !self.issued(candidate, certificates)? {
                continue;
            }
            if let Err(error) = candidate.check_validity(self.at) {
                self.refuse(error);
                continue;
            }
            certificates.push(candidate);
            if let Some(anchor) = self.extend(certificates)? {
                return Ok(Some(anchor));
            }
            certificates.pop();
        }
        if !named {
            self.refuse(X509Error::UnknownIssuer { issuer: last.issuer_text() });
        }
        Ok(None)
    }

    /// Whether `issuer` signed the last certificate of the path and may have done so.
    fn issued(&mut self, issuer: &Certificate, below: &[&Certificate]) -> Result<bool, X509Error> {
        let Some(last) = below.last() else { return Ok(false) };
        if self.checks >= CHECKS_MAX {
            return Err(X509Error::TooMany { what: "possible issuers", limit: CHECKS_MAX });
        }
        self.checks += 1;
        match last.check_signature(&issuer.key).and_then(|()| self.check_issuer(issuer, below)) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.refuse(error);
                Ok(false)
            }
        }
    }

    fn check_issuer(&self, issuer: &Certificate, below: &[&Certificate]) -> Result<(), X509Error> {
        let subject = || issuer.subject_text();
        let Some(authority) = issuer.authority() else {
            return Err(X509Error::NotAuthority { subject: subject(), reason: "it is no authority" });
        };
        if issuer.key_usage().is_some_and(|usage| !usage.certificates) {
            return Err(X509Error::NotAuthority { subject: subject(), reason: "its key usage has no certificates" });
        }
        check_critical(issuer)?;
        // The leaf is not counted, nor an intermediate that issued itself (RFC 5280, section 4.2.1.9).
        let found = below.iter().skip(1).filter(|certificate| certificate.subject != certificate.issuer).count();
        if let Some(allowed) = authority.path_length.filter(|allowed| usize::from(*allowed) < found) {
            return Err(X509Error::PathLength { subject: subject(), allowed, found });
        }
        issuer.check_names(below.iter().copied())?;
        let fits = |listed: &[ObjectIdentifier]| {
            listed.iter().any(|usage| *usage == self.purpose.usage || *usage == purpose::ANY)
        };
        if issuer.purposes().is_some_and(|purposes| !fits(&purposes.listed)) {
            let reason = "its issuer names other purposes";
            return Err(X509Error::Purpose { subject: subject(), wanted: self.purpose.usage, reason });
        }
        Ok(())
    }

    /// Keeps the first cause; a signature that does not fit gives way to anything more telling.
    fn refuse(&mut self, error: X509Error) {
        let telling = !matches!(error, X509Error::SignatureInvalid { .. });
        let kept = !matches!(self.refused, None | Some(X509Error::SignatureInvalid { .. }));
        if self.refused.is_none() || (telling && !kept) {
            self.refused = Some(error);
        }
    }
}
