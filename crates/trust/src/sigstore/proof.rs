//! Verification of [`Parts`], whatever format they came in.
//!
//! Cheap and telling checks come first: the signature itself, then whether the log entries are of this signature. Then
//! the times (timestamps, promises), the certificate at every one of them, and the proofs. Material of several roots is
//! never mixed: a certificate of one instance does not go with a log of another.

use assay_model::Timestamp;

use super::body::{self, Verifier};
use super::root::Root;
use super::{Content, Parts, Signatory, fulcio, log, sct};
use crate::crypto::{HashAlgorithm, PublicKey, Scheme, SignatureError};
use crate::material::{Authority, TrustedPublicKey};
use crate::timestamp::{TimestampError, Token};
use crate::x509::{Anchor, Certificate, Path, Purpose, X509Error, verify_path};
use crate::{Signer, TrustMaterial, VerifyError};

/// What a verification established.
#[derive(Debug)]
pub(crate) struct Proven {
    /// Who signed.
    pub(crate) signer: Signer,
    /// All times that logs and timestamp authorities vouch for.
    pub(crate) times: Vec<Timestamp>,
    /// When it stops counting: set where nothing but today vouches for a certificate's time.
    pub(crate) valid_until: Option<Timestamp>,
    /// Whether a certificate chain was verified.
    pub(crate) certificate: bool,
    /// Whether the certificate is in a certificate log.
    pub(crate) certificate_log: bool,
    /// Whether the signature is in a transparency log.
    pub(crate) log: bool,
    /// Whether a timestamp was verified.
    pub(crate) timestamp: bool,
}

/// Verifies a signature. `now` judges only what is said to have happened later, and certificates of pinned authorities
/// whose signature carries no time.
pub(crate) fn verify(parts: &Parts<'_>, material: &TrustMaterial, now: Timestamp) -> Result<Proven, VerifyError> {
    check_stated(parts)?;
    let proven = match &parts.signer {
        Signatory::Key { hint } => by_key(parts, hint, material, now),
        Signatory::Certificates(chain) => by_certificate(parts, chain, material, now),
    }?;
    match proven.times.iter().find(|at| **at > now) {
        Some(at) => Err(VerifyError::InFuture { at: *at, now }),
        None => Ok(proven),
    }
}

/// The digest that a message signature names beside itself must be the artifact's: it is only a hint, but one that
/// differs means that the document belongs to something else.
fn check_stated(parts: &Parts<'_>) -> Result<(), VerifyError> {
    let Content::Message { artifact, stated: Some((algorithm, digest)) } = &parts.content else { return Ok(()) };
    match artifact.hash(*algorithm) {
        Some(own) if own == *digest => Ok(()),
        _ => Err(VerifyError::WrongDigest { artifact: Box::new(artifact.digest()) }),
    }
}

fn by_key(parts: &Parts<'_>, hint: &str, material: &TrustMaterial, now: Timestamp) -> Result<Proven, VerifyError> {
    let key = find_key(parts, hint, material.keys())?;
    for entry in &parts.entries {
        body::check(entry, parts, Verifier::Key(key))?;
    }
    let times = in_any_root(parts, material)?;
    // Without a proven time the key must be valid now, and the evidence counts as long as it is.
    let judged = if times.is_empty() { &[now][..] } else { &times };
    // One key may be there several times, for several periods.
    let periods = || {
        let same = material.keys().iter().filter(|other| other.fingerprint() == key.fingerprint());
        same.map(TrustedPublicKey::validity)
    };
    let Some(period) = periods().find(|period| judged.iter().all(|at| period.covers(*at))) else {
        let at = judged.first().copied().unwrap_or(now);
        return Err(VerifyError::KeyNotValid { fingerprint: Box::new(key.fingerprint()), at });
    };
    let valid_until = period.until.filter(|_| times.is_empty());
    Ok(Proven {
        signer: Signer::Key { fingerprint: key.fingerprint() },
        times,
        valid_until,
        certificate: false,
        certificate_log: false,
        log: !parts.entries.is_empty(),
        timestamp: !parts.timestamps.is_empty(),
    })
}

/// The trusted key that made the signature. The hint only explains failures.
fn find_key<'a>(parts: &Parts<'_>, hint: &str, keys: &'a [TrustedPublicKey]) -> Result<&'a PublicKey, VerifyError> {
    if keys.is_empty() {
        let by_itself = matches!(&parts.content, Content::Envelope { document: Some(_), .. });
        if by_itself && hint.is_empty() {
            return Err(VerifyError::Unverifiable { not_after: None });
        }
        return Err(VerifyError::NoMaterial { wanted: "key" });
    }
    let mut unsupported = None;
    for key in keys {
        match check_signature(parts, key.key()) {
            Ok(()) => return Ok(key.key()),
            Err(error @ VerifyError::Unsupported { .. }) => unsupported = Some(error),
            Err(_) => {}
        }
    }
    let hinted = keys.iter().any(|key| is_hint_of(hint, key.fingerprint()));
    Err(match unsupported {
        Some(error) => error,
        None if hinted => VerifyError::SignatureInvalid,
        None => VerifyError::UnknownKey { hint: hint.chars().take(128).collect() },
    })
}

/// cosign and sigstore-go write the base64 of the SHA-256 of the key's DER; hexadecimal occurs too.
fn is_hint_of(hint: &str, fingerprint: assay_model::Digest) -> bool {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(fingerprint.as_bytes());
    hint == base64 || hint == fingerprint.hex()
}

/// Whether `key` made the signature.
fn check_signature(parts: &Parts<'_>, key: &PublicKey) -> Result<(), VerifyError> {
    let default = match &parts.content {
        Content::Message { stated: Some((algorithm, _)), .. } => key.scheme_with(*algorithm),
        _ => key.default_scheme(),
    };
    // cosign signed with SHA-256 whatever the curve before it followed the algorithm registry.
    let older = key.scheme_with(HashAlgorithm::Sha256);
    let schemes = [Some(default), Some(older).filter(|older| *older != default)];
    let mut refused = VerifyError::SignatureInvalid;
    for scheme in schemes.into_iter().flatten() {
        match check_scheme(parts, key, scheme) {
            Ok(()) => return Ok(()),
            Err(SignatureError::Unsupported { what }) => refused = VerifyError::Unsupported { what },
            Err(_) => {}
        }
    }
    Err(refused)
}

fn check_scheme(parts: &Parts<'_>, key: &PublicKey, scheme: Scheme) -> Result<(), SignatureError> {
    match &parts.content {
        Content::Envelope { encoded, .. } => key.verify(scheme, encoded, &parts.signature),
        Content::Message { artifact: crate::Artifact::Bytes(bytes), .. } => key.verify(scheme, bytes, &parts.signature),
        Content::Message { artifact: crate::Artifact::Digest(digest), .. } => {
            key.verify_digest(scheme, digest.as_bytes(), &parts.signature)
        }
    }
}

fn by_certificate(
    parts: &Parts<'_>,
    chain: &[Certificate],
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Proven, VerifyError> {
    let (leaf, pool) = chain.split_first().ok_or(VerifyError::UnknownAuthority)?;
    if material.roots().next().is_none() && material.authorities().is_empty() {
        return Err(VerifyError::NoMaterial { wanted: "root" });
    }
    check_signature(parts, leaf.key())?;
    for entry in &parts.entries {
        body::check(entry, parts, Verifier::Certificate(leaf))?;
    }
    let mut first = None;
    for root in material.roots().filter(|root| root.issued(chain)) {
        match by_root(parts, leaf, pool, root) {
            Ok(proven) => return Ok(proven),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    for authority in material.authorities().iter().filter(|authority| authority.may_have_issued(chain)) {
        match by_authority(parts, leaf, pool, authority, material, now) {
            Ok(proven) => return Ok(proven),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or(VerifyError::UnknownAuthority))
}

/// A short-lived certificate of a Sigstore instance.
///
/// A root without transparency logs is that of an instance that keeps none (GitHub's for private repositories): there is
/// nothing to prove inclusion in, and the signed timestamp must carry the time. It cannot be used to get around a log,
/// since such a root knows no entry, and an entry of an unknown log is refused.
fn by_root(parts: &Parts<'_>, leaf: &Certificate, pool: &[Certificate], root: &Root) -> Result<Proven, VerifyError> {
    if parts.entries.is_empty() && parts.timestamps.is_empty() {
        return Err(VerifyError::Unverifiable { not_after: Some(leaf.not_after()) });
    }
    if parts.entries.is_empty() && !root.logs.is_empty() {
        return Err(VerifyError::LogProof { reason: "there is no log entry".to_owned() });
    }
    let times = in_root(parts, root)?;
    let path = valid_path(leaf, pool, &root.anchors, &times)?;
    let logged = !root.certificate_logs.is_empty();
    if logged {
        let issuer = path.issuer().ok_or(VerifyError::UnknownAuthority)?;
        sct::verify(leaf, issuer.key(), &root.certificate_logs)?;
    }
    Ok(Proven {
        signer: fulcio::signer(leaf)?,
        times,
        valid_until: None,
        certificate: true,
        certificate_log: logged,
        log: !parts.entries.is_empty(),
        timestamp: !parts.timestamps.is_empty(),
    })
}

/// A certificate of a pinned authority, which may live for years: its time is proven where entries or timestamps prove
/// it; else the certificate must be valid now, and the evidence counts as long as it is.
fn by_authority(
    parts: &Parts<'_>,
    leaf: &Certificate,
    pool: &[Certificate],
    authority: &Authority,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<Proven, VerifyError> {
    let times = in_any_root(parts, material)?;
    let unproven = times.is_empty();
    if unproven && leaf.check_validity(now).is_err() {
        return Err(VerifyError::Unverifiable { not_after: Some(leaf.not_after()) });
    }
    let judged = if unproven { &[now][..] } else { &times };
    let path = valid_path(leaf, pool, authority.anchors(), judged)?;
    let ends = path.certificates.iter().map(|certificate| certificate.not_after()).min();
    Ok(Proven {
        signer: Signer::Certificate {
            subject: leaf.subject_text(),
            issuer: leaf.issuer_text(),
            fingerprint: leaf.fingerprint(),
            authority: authority.name().to_owned(),
        },
        valid_until: ends.filter(|_| unproven),
        times,
        certificate: true,
        certificate_log: false,
        log: !parts.entries.is_empty(),
        timestamp: !parts.timestamps.is_empty(),
    })
}

/// A path that holds at every time. Signatures do not change with time, so that they are checked once.
fn valid_path<'a>(
    leaf: &'a Certificate,
    pool: &'a [Certificate],
    anchors: &'a [Anchor],
    times: &[Timestamp],
) -> Result<Path<'a>, VerifyError> {
    let (first, others) = times.split_first().ok_or(VerifyError::NoTime)?;
    for at in times {
        match leaf.check_validity(*at) {
            Err(X509Error::Expired { at, not_after, .. }) => {
                return Err(VerifyError::CertificateExpired { at, not_after });
            }
            Err(X509Error::NotYetValid { at, not_before, .. }) => {
                return Err(VerifyError::CertificateNotYetValid { at, not_before });
            }
            _ => {}
        }
    }
    let path = verify_path(leaf, pool, anchors, *first, Purpose::CODE_SIGNING).map_err(of_chain)?;
    for at in others {
        let above = path.certificates.iter().try_for_each(|certificate| certificate.check_validity(*at));
        let anchored = anchors.get(path.anchor).is_some_and(|anchor| anchor.check(*at).is_ok());
        if above.is_err() || !anchored {
            // Another path may hold at this time.
            verify_path(leaf, pool, anchors, *at, Purpose::CODE_SIGNING).map_err(of_chain)?;
        }
    }
    Ok(path)
}

fn of_chain(error: X509Error) -> VerifyError {
    match error {
        X509Error::Expired { at, .. } | X509Error::NotYetValid { at, .. } | X509Error::AnchorNotTrusted { at, .. } => {
            VerifyError::AuthorityNotValid { at }
        }
        X509Error::Unsupported { what } => VerifyError::Unsupported { what },
        other => VerifyError::CertificateChain { reason: other.to_string() },
    }
}

/// Verifies entries and timestamps, if there are any, against the first root in which all of them hold.
fn in_any_root(parts: &Parts<'_>, material: &TrustMaterial) -> Result<Vec<Timestamp>, VerifyError> {
    if parts.entries.is_empty() && parts.timestamps.is_empty() {
        return Ok(Vec::new());
    }
    let mut first = None;
    for root in material.roots() {
        match in_root(parts, root) {
            Ok(times) => return Ok(times),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or(VerifyError::NoMaterial { wanted: "root" }))
}

/// Verifies all entries and timestamps against one root; gives the times that they prove.
fn in_root(parts: &Parts<'_>, root: &Root) -> Result<Vec<Timestamp>, VerifyError> {
    let mut times = Vec::new();
    for (index, token) in parts.timestamps.iter().enumerate() {
        // One authority's word does not count twice.
        if parts.timestamps.iter().take(index).any(|earlier| earlier == token) {
            return Err(VerifyError::TimestampInvalid { reason: "it stands twice".to_owned() });
        }
        times.extend(timestamp(token, &parts.signature, root)?);
    }
    if times.is_empty() && !parts.timestamps.is_empty() {
        return Err(VerifyError::TimestampInvalid { reason: TimestampError::OtherContent.to_string() });
    }
    let mut logged = Vec::new();
    for (index, entry) in parts.entries.iter().enumerate() {
        // The same entry once more proves nothing more.
        if parts.entries.iter().take(index).any(|earlier| earlier == entry) {
            continue;
        }
        logged.extend(log::verify(entry, parts.proof, &root.logs, &times)?);
    }
    times.extend(logged);
    Ok(times)
}

/// The time of a timestamp; none if it is of other bytes. Such a one says nothing about this signature: it is no proof,
/// and beside one that holds no fault.
fn timestamp(token: &[u8], signature: &[u8], root: &Root) -> Result<Option<Timestamp>, VerifyError> {
    let invalid = |error: TimestampError| VerifyError::TimestampInvalid { reason: error.to_string() };
    let token = Token::parse(token).map_err(invalid)?;
    let mut refused = None;
    for authority in &root.timestamp_authorities {
        match token.verify(signature, authority) {
            Ok(verified) => return Ok(Some(verified.at)),
            Err(TimestampError::OtherContent) => return Ok(None),
            Err(error @ TimestampError::OutsideAuthority { .. }) => refused = Some(error),
            // A signer that another authority pins tells less than anything else.
            Err(error) => match &refused {
                None | Some(TimestampError::NoSigner) => refused = Some(error),
                Some(_) => {}
            },
        }
    }
    Err(match refused {
        Some(TimestampError::OutsideAuthority { at }) => VerifyError::TimestampOutsideAuthority { at },
        Some(error) => invalid(error),
        None => VerifyError::TimestampInvalid { reason: "the trusted root names no timestamp authority".to_owned() },
    })
}
