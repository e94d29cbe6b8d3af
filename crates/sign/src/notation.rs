//! Signatures of the Notary Project (notaryproject/specifications, `signature-specification.md`,
//! `signature-envelope-jws.md`, `signature-envelope-cose.md`): a key with a certificate chain of one's own authority.
//!
//! The signing scheme is `notary.x509`: the time is the signer's word unless a timestamp authority gives a token.

mod cbor;
mod chain;
mod cose;
mod jws;

use std::collections::BTreeMap;

use assay_model::Timestamp;
use assay_oci::{Descriptor, media_type};
use serde::Serialize;
use serde_json::json;

use self::chain::Chain;
use crate::key::SignatureScheme;
use crate::{Service, Services, SignError, SigningKey, timestamp};

/// Media type of the configuration, and so the artifact type, of a signature's manifest.
pub const NOTATION_CONFIG_TYPE: &str = "application/vnd.cncf.notary.signature";

/// Content type of what is signed.
const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME: &str = "notary.x509";
const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
const EXPIRY: &str = "io.cncf.notary.expiry";
const SIGNING_AGENT: &str = "io.cncf.notary.signingAgent";
const TIMESTAMP_SIGNATURE: &str = "io.cncf.notary.timestampSignature";
const THUMBPRINTS: &str = "io.cncf.notary.x509chain.thumbprint#S256";
const AGENT: &str = concat!("assay/", env!("CARGO_PKG_VERSION"));
/// The configuration's content.
const EMPTY: &[u8] = b"{}";

/// The two envelopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// JSON Web Signature, flattened JSON (RFC 7515, section 7.2.2).
    #[default]
    Jws,
    /// COSE_Sign1 (RFC 9052, section 4.2).
    Cose,
}

impl Envelope {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose+json",
            Self::Cose => "application/cose",
        }
    }
}

/// What is to be signed.
#[derive(Clone, Debug)]
pub struct NotationRequest<'a> {
    /// The artifact's manifest.
    pub subject: &'a Descriptor,
    /// Which envelope.
    pub envelope: Envelope,
    /// When: whole seconds are written.
    pub signed_at: Timestamp,
    /// After which the signature is no longer good.
    pub expires: Option<Timestamp>,
    /// Metadata of the signer's, part of what is signed.
    pub annotations: BTreeMap<String, String>,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotationSignature {
    bytes: Vec<u8>,
    envelope: Envelope,
    thumbprints: Vec<String>,
}

/// Signs with a key and its certificates.
#[derive(Debug)]
pub struct NotationSigner {
    key: SigningKey,
    scheme: SignatureScheme,
    chain: Chain,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    target_artifact: Target<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    media_type: &'a str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// What both envelopes protect.
struct Protected {
    scheme: SignatureScheme,
    signed_at: Timestamp,
    expires: Option<Timestamp>,
}

/// What both envelopes carry unprotected.
struct Unprotected<'a> {
    chain: &'a [Vec<u8>],
    timestamp: Option<&'a [u8]>,
}

impl NotationSigner {
    /// A signer with `chain`, certificates in PEM form, the key's own first and the root last.
    pub fn new(key: SigningKey, chain: &str) -> Result<Self, SignError> {
        let algorithm = key.algorithm();
        let scheme = algorithm
            .notation_scheme()
            .ok_or_else(|| SignError::Unsupported { what: format!("Notation signature with an {algorithm} key") })?;
        let chain = Chain::parse(chain, key.public_key())?;
        Ok(Self { key, scheme, chain })
    }

    /// Signs; where `services` have a timestamp authority, its token goes into the envelope.
    pub async fn sign<S: Services + Sync>(
        &self,
        request: &NotationRequest<'_>,
        services: &S,
    ) -> Result<NotationSignature, SignError> {
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        let signed_at = whole(request.signed_at);
        let expires = request.expires.map(whole);
        if expires.is_some_and(|expires| expires <= signed_at) {
            return Err(SignError::Unsupported { what: "signature that expires before it is made".to_owned() });
        }
        self.chain.check_valid_at(signed_at)?;
        let subject = request.subject;
        let payload = Payload {
            target_artifact: Target {
                media_type: &subject.media_type,
                digest: subject.digest.to_string(),
                size: subject.size,
                annotations: &request.annotations,
            },
        };
        let payload = serde_json::to_vec(&payload).map_err(|error| SignError::Encode { reason: error.to_string() })?;
        let protected = Protected { scheme: self.scheme, signed_at, expires };
        let (header, to_sign) = match request.envelope {
            Envelope::Jws => jws::to_sign(&protected, &payload),
            Envelope::Cose => cose::to_sign(&protected, &payload),
        };
        let signature = self.key.sign(self.scheme, &to_sign).await?;
        let signature = match self.key.algorithm().coordinate() {
            Some(width) => crate::key::ecdsa::to_fixed(&signature, width)
                .ok_or(SignError::Crypto { what: "write an ECDSA signature" })?,
            None => signature,
        };
        let mut token = None;
        if services.has(Service::Timestamp) {
            let hash = self.scheme.hash().unwrap_or(crate::key::Hash::Sha256);
            let request = timestamp::request(&signature, hash)?;
            let response = timestamp::check(services.post(Service::Timestamp, request).await?)?;
            token = Some(timestamp::token(&response)?);
        }
        let unprotected = Unprotected { chain: self.chain.certificates(), timestamp: token.as_deref() };
        let bytes = match request.envelope {
            Envelope::Jws => jws::assemble(&header, &payload, &signature, &unprotected),
            Envelope::Cose => cose::assemble(&header, &payload, &signature, &unprotected),
        };
        Ok(NotationSignature { bytes, envelope: request.envelope, thumbprints: self.chain.thumbprints() })
    }
}

impl NotationSignature {
    /// The envelope.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        self.envelope.media_type()
    }

    /// The blobs to push before the manifest, with their media types.
    pub fn blobs(&self) -> [(&'static str, Vec<u8>); 2] {
        [(NOTATION_CONFIG_TYPE, EMPTY.to_vec()), (self.media_type(), self.bytes.clone())]
    }

    /// The manifest that refers to `subject`. The same input gives the same bytes.
    pub fn manifest(&self, subject: &Descriptor, created: Timestamp) -> Vec<u8> {
        let created = created.round(jiff::Unit::Second).unwrap_or(created);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::of(NOTATION_CONFIG_TYPE, EMPTY),
            "layers": [Descriptor::of(self.media_type(), &self.bytes)],
            "subject": Descriptor::new(&subject.media_type, subject.digest, subject.size),
            "annotations": {
                THUMBPRINTS: json!(self.thumbprints).to_string(),
                "org.opencontainers.image.created": created.to_string(),
            },
        });
        manifest.to_string().into_bytes()
    }
}
