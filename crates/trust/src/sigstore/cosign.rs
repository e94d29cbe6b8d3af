//! cosign's formats before the Sigstore bundle: layers of `sha256-....sig` and `.att` images with what belongs to them
//! in annotations (sigstore/cosign, `specs/SIGNATURE_SPEC.md`), and the file that `cosign sign-blob --bundle` wrote.

use std::collections::BTreeMap;
use std::fmt;

use assay_model::Digest;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::entry::LogEntry;
use super::json::{self, Base64};
use super::{Content, DOCUMENT_MAX, Parts, ProofRule, Signatory, bound, certificates};
use crate::{Artifact, VerifyError};

/// Largest simple-signing payload read, in bytes: it holds a reference, a digest and some annotations.
const PAYLOAD_MAX: usize = 1 << 20;

/// The type that simple signing gives itself.
const PAYLOAD_TYPE: &str = "cosign container image signature";

/// Annotations of a layer.
mod annotation {
    pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
    pub(super) const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
    pub(super) const CHAIN: &str = "dev.sigstore.cosign/chain";
    pub(super) const BUNDLE: &str = "dev.sigstore.cosign/bundle";
    pub(super) const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
}

/// A layer of a signature or attestation image: its blob and its annotations in the manifest.
///
/// The blob's digest must have been compared with the manifest's descriptor before: what is read here is what was
/// signed, whatever it is called.
#[derive(Clone, Copy, Debug)]
pub struct CosignLayer<'a> {
    /// The blob.
    pub payload: &'a [u8],
    /// The descriptor's annotations.
    pub annotations: &'a BTreeMap<String, String>,
}

impl CosignLayer<'_> {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Certificate and chain as one PEM text.
    fn certificates(&self) -> Option<String> {
        let leaf = self.annotation(annotation::CERTIFICATE)?;
        Some(format!("{leaf}\n{}", self.annotation(annotation::CHAIN).unwrap_or_default()))
    }

    fn signer(&self) -> Result<Signatory, VerifyError> {
        Ok(match self.certificates() {
            Some(pem) => Signatory::Certificates(certificates(&pem)?),
            None => Signatory::Key { hint: String::new() },
        })
    }

    fn entries(&self) -> Result<Vec<LogEntry>, VerifyError> {
        self.annotation(annotation::BUNDLE).map(|text| LogEntry::of_cosign(text.as_bytes())).into_iter().collect()
    }

    fn timestamps(&self) -> Result<Vec<Vec<u8>>, VerifyError> {
        #[derive(Deserialize)]
        struct Timestamp {
            #[serde(rename = "SignedRFC3161Timestamp")]
            token: Base64,
        }
        let parse = |text: &str| json::parse::<Timestamp>("timestamp", text.as_bytes()).map(|stamp| stamp.token.0);
        self.annotation(annotation::TIMESTAMP).map(parse).into_iter().collect()
    }
}

/// Reads a layer of a signature image about `subject`: the payload must name it.
pub(crate) fn read_signature<'a>(layer: CosignLayer<'a>, subject: &Digest) -> Result<Parts<'a>, VerifyError> {
    check_payload(layer.payload, subject)?;
    let signature = layer.annotation(annotation::SIGNATURE).ok_or_else(|| VerifyError::Malformed {
        part: "signature layer",
        reason: format!("it has no annotation {}", annotation::SIGNATURE),
    })?;
    Ok(Parts {
        signature: json::base64("signature layer", signature)?,
        content: Content::Message { artifact: Artifact::Bytes(layer.payload), stated: None },
        signer: layer.signer()?,
        entries: layer.entries()?,
        timestamps: layer.timestamps()?,
        proof: ProofRule::Promise,
    })
}

/// Reads a layer of an attestation image: an envelope, with everything but its signatures in the annotations.
pub(crate) fn read_attestation(layer: CosignLayer<'_>) -> Result<Vec<Parts<'_>>, VerifyError> {
    let certificates = layer.certificates();
    super::envelope::read(layer.payload, certificates.as_deref(), &layer.entries()?, &layer.timestamps()?)
}

/// The payload of a signature (containers/image, `docs/containers-signature.5.md`, simple signing), in which no name
/// that counts stands twice.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is refused when it stands twice")]
    optional: Option<Once>,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: Image,
    /// The reference at the time of signing, which anyone may choose: informative.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is refused when it stands twice")]
    identity: Option<Once>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// An object in which no name stands twice.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut names = std::collections::BTreeSet::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if !names.insert(name) {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                }
                Ok(Once)
            }
        }
        deserializer.deserialize_any(Names)
    }
}

fn check_payload(payload: &[u8], subject: &Digest) -> Result<(), VerifyError> {
    bound("bytes of the payload", payload.len(), PAYLOAD_MAX)?;
    let Payload { critical, .. } = json::parse("payload", payload)?;
    // "atomic container signature" is the older tools' word for the same thing, made with other keys.
    if critical.kind != PAYLOAD_TYPE {
        let what = format!("a payload of type `{}`", critical.kind.escape_debug());
        return Err(VerifyError::Unsupported { what });
    }
    let named = critical
        .image
        .digest
        .parse::<Digest>()
        .map_err(|error| VerifyError::Malformed { part: "payload", reason: error.to_string() })?;
    if named == *subject { Ok(()) } else { Err(VerifyError::WrongDigest { artifact: Box::new(*subject) }) }
}

/// What `cosign sign-blob --bundle` wrote before it wrote Sigstore bundles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobBundle {
    base64_signature: String,
    /// PEM of a certificate or public key, in base64 or as it is.
    #[serde(default)]
    cert: Option<String>,
    #[serde(default)]
    rekor_bundle: Option<serde_json::Value>,
}

/// Reads a blob bundle about `artifact`.
pub(crate) fn read_blob<'a>(bytes: &[u8], artifact: Artifact<'a>) -> Result<Parts<'a>, VerifyError> {
    bound("bytes of the bundle", bytes.len(), DOCUMENT_MAX)?;
    let bundle: BlobBundle = json::parse("bundle", bytes)?;
    let pem = match bundle.cert.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.starts_with("-----BEGIN") => Some(text.to_owned()),
        Some(text) => {
            let decoded = String::from_utf8(json::base64("certificate", text)?);
            Some(decoded.map_err(|error| VerifyError::Malformed { part: "certificate", reason: error.to_string() })?)
        }
        None => None,
    };
    let signer = match pem {
        Some(pem) if pem.trim_start().starts_with("-----BEGIN CERTIFICATE") => {
            Signatory::Certificates(certificates(&pem)?)
        }
        // A key that stands in the document proves nothing; it must be among the trusted ones.
        _ => Signatory::Key { hint: String::new() },
    };
    let entry = bundle.rekor_bundle.filter(|value| !value.is_null());
    let entries = entry.map(|value| LogEntry::of_cosign(value.to_string().as_bytes()));
    Ok(Parts {
        signature: json::base64("bundle", &bundle.base64_signature)?,
        content: Content::Message { artifact, stated: None },
        signer,
        entries: entries.into_iter().collect::<Result<_, _>>()?,
        timestamps: Vec::new(),
        proof: ProofRule::Promise,
    })
}
