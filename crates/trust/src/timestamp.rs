//! RFC 3161 timestamps: that an authority saw these bytes at some time.
//!
//! [`verify`] takes a `TimeStampResp` (what Sigstore bundles carry) or a bare `TimeStampToken` (what Notation envelopes
//! carry), the bytes that were stamped, and the authority that is trusted. The token is a CMS SignedData (RFC 5652) of one
//! signer over a TSTInfo. RSA, ECDSA and Ed25519 signers, SHA-256, -384 and -512, and times with fractions of a second are
//! read. The signing certificate is the one that the signed attribute ESSCertID (RFC 2634, RFC 5035) names.
//!
//! The time that is returned is the authority's; whether that is early or late enough is the caller's to judge, with
//! [`VerifiedTimestamp::earliest`] and [`VerifiedTimestamp::latest`] where the accuracy counts.

use std::ops::Range;

use assay_model::Timestamp;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use jiff::SignedDuration;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode, Reader, SliceReader, Tag};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::crypto::{HashAlgorithm, Scheme, SignatureError};
use crate::x509::{Anchor, Certificate, Purpose, X509Error, verify_path};

mod gentime;
#[cfg(test)]
mod tests;

/// Largest token read, in bytes: real ones have 1 to 8 KiB.
const TOKEN_MAX: usize = 256 << 10;

/// Most certificates read of one token.
const CERTIFICATES_MAX: usize = 16;

/// Object identifiers of CMS and of timestamps.
mod oid {
    use x509_cert::der::asn1::ObjectIdentifier as Oid;

    pub(super) const SIGNED_DATA: Oid = Oid::new_unwrap("1.2.840.113549.1.7.2");
    pub(super) const TST_INFO: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.1.4");
    pub(super) const CONTENT_TYPE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.3");
    pub(super) const MESSAGE_DIGEST: Oid = Oid::new_unwrap("1.2.840.113549.1.9.4");
    /// The baseline time-stamp policy, which promises one second (RFC 3628, section 5.2).
    pub(super) const BASELINE_POLICY: Oid = Oid::new_unwrap("0.4.0.2023.1.1");
    pub(super) const SIGNING_CERTIFICATE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.12");
    pub(super) const SIGNING_CERTIFICATE_V2: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.47");
}

/// An authority whose timestamps are trusted.
#[derive(Clone, Debug)]
pub(crate) struct TimestampAuthority {
    /// The only signing certificate, where it is pinned together with a path that was verified beforehand, and the time
    /// in which that path holds. None: any certificate with a path to an anchor.
    signer: Option<(Certificate, Range<Timestamp>)>,
    pool: Vec<Certificate>,
    anchors: Vec<Anchor>,
}

impl TimestampAuthority {
    /// Any signer with a path over the token's certificates to one of these anchors.
    pub(crate) fn of_anchors(anchors: Vec<Anchor>) -> Self {
        Self { signer: None, pool: Vec::new(), anchors }
    }

    /// The authority of a chain: leaf first, or intermediates only, the root last, as Sigstore's trusted roots have it.
    /// Where the chain begins with a leaf, that is the only signer, and its path is verified here, once.
    ///
    /// # Errors
    /// The chain has no certificate, or a leaf that does not chain to the root.
    pub(crate) fn of_chain(
        mut chain: Vec<Certificate>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Self, X509Error> {
        let empty = || X509Error::Malformed { reason: "an authority without certificates".to_owned() };
        let root = chain.pop().ok_or_else(empty)?;
        let is_leaf = |certificate: &Certificate| certificate.authority().is_none();
        let leaf = if chain.first().is_some_and(is_leaf) { Some(chain.remove(0)) } else { None };
        let anchors = vec![Anchor::new(root).within(from, until)];
        let Some(leaf) = leaf else { return Ok(Self { signer: None, pool: chain, anchors }) };
        // The last moment at which leaf, intermediates and root are valid, judged by their own dates only.
        let anchor_dates = anchors.iter().map(Anchor::certificate);
        let start = anchor_dates.clone().chain(&chain).map(Certificate::not_before).fold(leaf.not_before(), Ord::max);
        let end = anchor_dates.chain(&chain).map(Certificate::not_after).fold(leaf.not_after(), Ord::min);
        let unbounded = [Anchor::new(anchors.first().ok_or_else(empty)?.certificate().clone())];
        verify_path(&leaf, &chain, &unbounded, start, Purpose::PINNED_TIME_STAMPING)?;
        Ok(Self { signer: Some((leaf, start..end)), pool: chain, anchors })
    }
}

/// What a verified timestamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VerifiedTimestamp {
    /// When the bytes were seen.
    pub(crate) at: Timestamp,
    /// How far that may be off to either side; zero where the token does not say.
    pub(crate) accuracy: SignedDuration,
    /// DER of the certificates that vouch for it, the signer's first, the anchor's last.
    pub(crate) chain: Vec<Vec<u8>>,
}

impl VerifiedTimestamp {
    /// The earliest time that the accuracy allows.
    pub(crate) fn earliest(&self) -> Timestamp {
        self.at.saturating_sub(self.accuracy).unwrap_or(Timestamp::MIN)
    }

    /// The latest time that the accuracy allows.
    pub(crate) fn latest(&self) -> Timestamp {
        self.at.saturating_add(self.accuracy).unwrap_or(Timestamp::MAX)
    }
}

/// Verifies a timestamp over `stamped` against one authority.
///
/// Checked are: the imprint over `stamped`, content type and digest of the signed attributes, that the signer's
/// certificate is the one the signed attributes name, its signature, its purpose (timestamps only, marked critical, unless
/// the signer is pinned), and its path to the authority at the stamped time.
pub(crate) fn verify(
    token: &[u8],
    stamped: &[u8],
    authority: &TimestampAuthority,
) -> Result<VerifiedTimestamp, TimestampError> {
    Token::parse(token)?.verify(stamped, authority)
}

/// A parsed token. Parsing proves nothing; it is kept apart so that one token can be tried against several authorities.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    content: Vec<u8>,
    info: Info,
    certificates: Vec<Vec<u8>>,
    signer: SignerInfo,
}

/// TSTInfo (RFC 3161, section 2.4.2), as far as it is used.
#[derive(Clone, Debug)]
struct Info {
    hash: HashAlgorithm,
    imprint: Vec<u8>,
    at: Timestamp,
    accuracy: SignedDuration,
}

impl Token {
    /// Parses a `TimeStampResp` or a `TimeStampToken`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        if der.len() > TOKEN_MAX {
            return Err(TimestampError::Malformed { reason: format!("{} bytes, at most {TOKEN_MAX}", der.len()) });
        }
        let token = match response_token(der)? {
            Some(token) => token,
            None => der,
        };
        let signed_data = signed_data(token)?;
        let (content, certificates, signer) = signed_data_fields(signed_data)?;
        let info = Info::parse(&content)?;
        Ok(Self { content, info, certificates, signer })
    }

    /// Verifies it, see [`verify`].
    pub(crate) fn verify(
        &self,
        stamped: &[u8],
        authority: &TimestampAuthority,
    ) -> Result<VerifiedTimestamp, TimestampError> {
        if self.info.hash.of(stamped) != self.info.imprint {
            return Err(TimestampError::OtherContent);
        }
        match &authority.signer {
            Some((signer, valid)) => {
                // Certificates in the token are not needed; where there are some, the signer's must be among them.
                if !self.certificates.is_empty() && self.certificates.iter().all(|der| der != signer.der()) {
                    return Err(TimestampError::NoSigner);
                }
                self.check_signer(signer)?;
                let at = self.info.at;
                let anchor = authority.anchors.first().map(Anchor::certificate);
                if at < valid.start || at.as_second() > valid.end.as_second() {
                    return Err(TimestampError::OutsideAuthority { at });
                }
                for anchor in &authority.anchors {
                    anchor.check(at).map_err(|_| TimestampError::OutsideAuthority { at })?;
                }
                let chain = [signer].into_iter().chain(&authority.pool).chain(anchor);
                Ok(self.verified(chain.map(|certificate| certificate.der().to_vec()).collect()))
            }
            None => self.verify_path(authority),
        }
    }

    fn verify_path(&self, authority: &TimestampAuthority) -> Result<VerifiedTimestamp, TimestampError> {
        let mut pool = Vec::with_capacity(self.certificates.len() + authority.pool.len());
        for der in &self.certificates {
            pool.push(Certificate::parse(der)?);
        }
        pool.extend(authority.pool.iter().cloned());
        let candidates = pool.iter().chain(authority.anchors.iter().map(Anchor::certificate));
        let signer = candidates
            .filter(|certificate| self.is_identified(certificate))
            .find(|certificate| self.check_signed_certificate(certificate).is_ok())
            .ok_or(TimestampError::NoSigner)?;
        self.check_signer(signer)?;
        let at = self.info.at;
        let path = verify_path(signer, &pool, &authority.anchors, at, Purpose::TIME_STAMPING)
            .map_err(|error| TimestampError::of_path(error, at))?;
        Ok(self.verified(path.certificates.iter().map(|certificate| certificate.der().to_vec()).collect()))
    }

    fn verified(&self, chain: Vec<Vec<u8>>) -> VerifiedTimestamp {
        VerifiedTimestamp { at: self.info.at, accuracy: self.info.accuracy, chain }
    }

    /// Whether this is the signer's certificate and its key made the signature over the signed attributes, and these are
    /// of this content.
    fn check_signer(&self, certificate: &Certificate) -> Result<(), TimestampError> {
        if !self.is_identified(certificate) {
            return Err(TimestampError::NoSigner);
        }
        self.check_signed_certificate(certificate)?;
        let signer = &self.signer;
        let malformed = |reason: &str| TimestampError::Malformed { reason: reason.to_owned() };
        let hash = HashAlgorithm::from_oid(&signer.digest_alg.oid).ok_or_else(|| TimestampError::Unsupported {
            what: format!("the digest algorithm {}", signer.digest_alg.oid),
        })?;
        let content_type: ObjectIdentifier = self.attribute(oid::CONTENT_TYPE, "content type")?;
        if content_type != oid::TST_INFO {
            return Err(malformed("its signed content type is another"));
        }
        let digest: OctetString = self.attribute(oid::MESSAGE_DIGEST, "message digest")?;
        if digest.as_bytes() != hash.of(&self.content) {
            return Err(TimestampError::SignatureInvalid);
        }
        let scheme = Scheme::from_identifier(&signer.signature_algorithm, Some(hash))?;
        let attributes = signer.signed_attrs.as_ref().ok_or_else(|| malformed("it has no signed attributes"))?;
        let signed = attributes.to_der().map_err(|error| malformed(&error.to_string()))?;
        certificate.key().verify(scheme, &signed, signer.signature.as_bytes())?;
        Ok(())
    }

    fn is_identified(&self, certificate: &Certificate) -> bool {
        match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                name.serial_number == certificate.fields().serial_number
                    && name.issuer.to_der().is_ok_and(|issuer| issuer == certificate.issuer())
            }
            SignerIdentifier::SubjectKeyIdentifier(key) => certificate.subject_key() == Some(key.0.as_bytes()),
        }
    }

    /// The first ESSCertID of the signed attributes must be the certificate's hash (RFC 3161, section 2.4.1): otherwise
    /// another certificate of the same key could take the signer's place.
    fn check_signed_certificate(&self, certificate: &Certificate) -> Result<(), TimestampError> {
        let second = self.raw_attribute(oid::SIGNING_CERTIFICATE_V2)?;
        let (hash, named) = if let Some(value) = second {
            named_certificate(&value, true)?
        } else {
            let value = self.raw_attribute(oid::SIGNING_CERTIFICATE)?.ok_or_else(|| TimestampError::Malformed {
                reason: "its signed attributes name no certificate".to_owned(),
            })?;
            named_certificate(&value, false)?
        };
        let own = match hash {
            Some(hash) => hash.of(certificate.der()),
            // RFC 2634 knows SHA-1 only. It identifies here and authenticates nothing: the key is checked besides.
            None => aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der())
                .as_ref()
                .to_vec(),
        };
        if own == named { Ok(()) } else { Err(TimestampError::NoSigner) }
    }

    fn attribute<T: for<'a> Decode<'a>>(&self, oid: ObjectIdentifier, name: &str) -> Result<T, TimestampError> {
        let malformed = |reason: String| TimestampError::Malformed { reason };
        let value = self.raw_attribute(oid)?.ok_or_else(|| malformed(format!("it has no signed {name}")))?;
        T::from_der(&value).map_err(|error| malformed(format!("{name}: {error}")))
    }

    /// The value of a signed attribute, which must stand once with one value.
    fn raw_attribute(&self, oid: ObjectIdentifier) -> Result<Option<Vec<u8>>, TimestampError> {
        let malformed = |reason: String| TimestampError::Malformed { reason };
        let attributes = self.signer.signed_attrs.iter().flat_map(|attributes| attributes.iter());
        let mut found = attributes.filter(|attribute| attribute.oid == oid);
        let Some(attribute) = found.next() else { return Ok(None) };
        let (Some(value), 1, None) = (attribute.values.get(0), attribute.values.len(), found.next()) else {
            return Err(malformed(format!("the signed attribute {oid} does not have one value")));
        };
        value.to_der().map(Some).map_err(|error| malformed(error.to_string()))
    }
}

impl Info {
    fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        let mut reader = SliceReader::new(der)?;
        let info = reader.sequence(|fields| {
            let version: u8 = fields.decode()?;
            let policy = ObjectIdentifier::decode(fields)?;
            let (algorithm, imprint) = fields.sequence(|imprint| {
                let algorithm = AlgorithmIdentifierOwned::decode(imprint)?;
                Ok((algorithm.oid, OctetString::decode(imprint)?))
            })?;
            fields.tlv_bytes()?; // The serial number, of up to 160 bits.
            let at = fields.tlv_bytes()?;
            let mut accuracy =
                if policy == oid::BASELINE_POLICY { SignedDuration::from_secs(1) } else { SignedDuration::ZERO };
            while !fields.is_finished() {
                let tag = fields.peek_tag()?;
                let field = fields.tlv_bytes()?;
                if tag == Tag::Sequence {
                    accuracy = gentime::accuracy(field)?;
                }
            }
            Ok((version, algorithm, imprint, at, accuracy))
        })?;
        reader.finish(())?;
        let (version, algorithm, imprint, at, accuracy) = info;
        if version != 1 {
            return Err(TimestampError::Unsupported { what: format!("version {version} of a TSTInfo") });
        }
        let hash = HashAlgorithm::from_oid(&algorithm)
            .ok_or_else(|| TimestampError::Unsupported { what: format!("the imprint's algorithm {algorithm}") })?;
        let at = gentime::parse(at)
            .ok_or_else(|| TimestampError::Malformed { reason: "its time is no GeneralizedTime in UTC".to_owned() })?;
        Ok(Self { hash, imprint: imprint.as_bytes().to_vec(), at, accuracy })
    }
}

/// The token of a `TimeStampResp` (RFC 3161, section 2.4.2), none if it is no response but (perhaps) a token itself.
fn response_token(der: &[u8]) -> Result<Option<&[u8]>, TimestampError> {
    let mut reader = SliceReader::new(der)?;
    let response = reader.sequence(|fields| {
        if fields.peek_tag()? != Tag::Sequence {
            while !fields.is_finished() {
                fields.tlv_bytes()?;
            }
            return Ok(None);
        }
        let status = fields.sequence(|status| {
            let code: u32 = status.decode()?;
            while !status.is_finished() {
                status.tlv_bytes()?;
            }
            Ok(code)
        })?;
        let token = if fields.is_finished() { None } else { Some(fields.tlv_bytes()?) };
        Ok(Some((status, token)))
    })?;
    reader.finish(())?;
    match response {
        None => Ok(None),
        // Granted, or granted with modifications.
        Some((0 | 1, Some(token))) => Ok(Some(token)),
        Some((status, _)) => Err(TimestampError::NotGranted { status }),
    }
}

/// The SignedData of a ContentInfo (RFC 5652, section 3).
fn signed_data(der: &[u8]) -> Result<&[u8], TimestampError> {
    let mut reader = SliceReader::new(der)?;
    let (kind, data) = reader.sequence(|fields| {
        let kind = ObjectIdentifier::decode(fields)?;
        let header = fields.peek_header()?;
        let wrapped = fields.tlv_bytes()?;
        Ok((kind, wrapped.get(usize::try_from(header.encoded_len()?)?..).unwrap_or_default()))
    })?;
    reader.finish(())?;
    if kind != oid::SIGNED_DATA {
        return Err(TimestampError::Malformed { reason: format!("it is no signed data but {kind}") });
    }
    Ok(data)
}

type SignedDataFields = (Vec<u8>, Vec<Vec<u8>>, SignerInfo);

/// Content, certificates and the one signer of a SignedData (RFC 5652, section 5.1). Certificates are kept as the bytes
/// they are: encoding them again could change what their issuer signed.
fn signed_data_fields(der: &[u8]) -> Result<SignedDataFields, TimestampError> {
    let mut reader = SliceReader::new(der)?;
    let (kind, content, certificates, signers) = reader.sequence(|fields| {
        fields.decode::<u8>()?;
        fields.tlv_bytes()?; // Digest algorithms: a hint.
        let (kind, content) = fields.sequence(|content| {
            let kind = ObjectIdentifier::decode(content)?;
            let header = content.peek_header()?;
            let wrapped = content.tlv_bytes()?;
            let inner = wrapped.get(usize::try_from(header.encoded_len()?)?..).unwrap_or_default();
            Ok((kind, OctetString::from_der(inner)?))
        })?;
        let (mut certificates, mut signers) = (Vec::new(), Vec::new());
        while !fields.is_finished() {
            let header = fields.peek_header()?;
            let field = fields.tlv_bytes()?;
            let inner = field.get(usize::try_from(header.encoded_len()?)?..).unwrap_or_default();
            match header.tag.octet() {
                0xa0 => certificates = elements(inner, CERTIFICATES_MAX)?,
                0x31 => signers = elements(inner, 2)?,
                _ => {}
            }
        }
        Ok((kind, content, certificates, signers))
    })?;
    reader.finish(())?;
    let malformed = |reason: &str| TimestampError::Malformed { reason: reason.to_owned() };
    if kind != oid::TST_INFO {
        return Err(malformed("its content is no timestamp"));
    }
    let [signer] = signers.as_slice() else { return Err(malformed("it does not have one signer")) };
    let signer = SignerInfo::from_der(signer)?;
    Ok((content.as_bytes().to_vec(), certificates.into_iter().map(<[u8]>::to_vec).collect(), signer))
}

fn elements(mut der: &[u8], limit: usize) -> x509_cert::der::Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        if found.len() >= limit {
            return Err(x509_cert::der::ErrorKind::Overlength.into());
        }
        let mut reader = SliceReader::new(der)?;
        let element = reader.tlv_bytes()?;
        found.push(element);
        der = der.get(element.len()..).unwrap_or_default();
    }
    Ok(found)
}

/// Hash algorithm (none for SHA-1) and hash of the first ESSCertID of a SigningCertificate(V2) attribute.
fn named_certificate(der: &[u8], second_version: bool) -> Result<(Option<HashAlgorithm>, Vec<u8>), TimestampError> {
    let mut reader = SliceReader::new(der)?;
    let (algorithm, hash) = reader.sequence(|attribute| {
        let first = attribute.sequence(|list| {
            let first = list.sequence(|certificate| {
                // DEFAULT SHA-256 (RFC 5035, section 3).
                let mut algorithm = None;
                if second_version && certificate.peek_tag()? == Tag::Sequence {
                    algorithm = Some(AlgorithmIdentifierOwned::decode(certificate)?.oid);
                }
                let hash = OctetString::decode(certificate)?;
                while !certificate.is_finished() {
                    certificate.tlv_bytes()?;
                }
                Ok((algorithm, hash))
            })?;
            while !list.is_finished() {
                list.tlv_bytes()?;
            }
            Ok(first)
        })?;
        while !attribute.is_finished() {
            attribute.tlv_bytes()?;
        }
        Ok(first)
    })?;
    let hash = hash.as_bytes().to_vec();
    match (second_version, algorithm) {
        (false, _) => Ok((None, hash)),
        (true, None) => Ok((Some(HashAlgorithm::Sha256), hash)),
        (true, Some(oid)) => match HashAlgorithm::from_oid(&oid) {
            Some(algorithm) => Ok((Some(algorithm), hash)),
            None => Err(TimestampError::Unsupported { what: format!("the certificate hash {oid}") }),
        },
    }
}

/// Why a timestamp was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimestampError {
    /// It cannot be read.
    #[error("it cannot be read: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// An algorithm or version that is not verified here.
    #[error("{what} is not supported")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// A response without a timestamp: the authority refused.
    #[error("the authority did not grant it (status {status})")]
    NotGranted {
        /// PKIStatus.
        status: u32,
    },
    /// It is a timestamp of other bytes.
    #[error("it is of other bytes")]
    OtherContent,
    /// The signer's certificate is not there, or not the one that was signed.
    #[error("the certificate that it names is not at hand")]
    NoSigner,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    SignatureInvalid,
    /// The signer's certificate is not trusted.
    #[error("its signer is not trusted: {0}")]
    Chain(#[from] X509Error),
    /// It is authentic, but the authority or a certificate of its path was not valid at the time it states.
    #[error("the authority was not valid at {at}, the time it states")]
    OutsideAuthority {
        /// The time it states.
        at: Timestamp,
    },
}

impl TimestampError {
    fn of_path(error: X509Error, at: Timestamp) -> Self {
        match error {
            X509Error::NotYetValid { .. } | X509Error::Expired { .. } | X509Error::AnchorNotTrusted { .. } => {
                Self::OutsideAuthority { at }
            }
            other => Self::Chain(other),
        }
    }
}

impl From<x509_cert::der::Error> for TimestampError {
    fn from(error: x509_cert::der::Error) -> Self {
        Self::Malformed { reason: error.to_string() }
    }
}

impl From<SignatureError> for TimestampError {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::MalformedKey { reason } => Self::Malformed { reason },
            SignatureError::Unsupported { what } => Self::Unsupported { what },
            SignatureError::Invalid => Self::SignatureInvalid,
        }
    }
}
