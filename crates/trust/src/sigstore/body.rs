//! Bodies of log entries: that an entry is of this signature, this key and this content.
//!
//! An entry that is in the log proves nothing about a signature until its body is compared with it (CVE-2022-36056,
//! CVE-2026-22703). Kinds: hashedrekord 0.0.1 and 0.0.2, dsse 0.0.1 and 0.0.2, intoto 0.0.1 and 0.0.2
//! (sigstore/rekor, `pkg/types`; sigstore/rekor-tiles, `api/proto`).

use serde::Deserialize;

use super::entry::LogEntry;
use super::json::{self, Base64};
use super::{Content, Parts};
use crate::VerifyError;
use crate::crypto::{HashAlgorithm, PublicKey};
use crate::x509::Certificate;

/// Whose key an entry must hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verifier<'a> {
    /// This certificate's.
    Certificate(&'a Certificate),
    /// This one.
    Key(&'a PublicKey),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    kind: String,
    api_version: String,
}

#[derive(Deserialize)]
struct Body<T> {
    spec: T,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

/// `pkg/types/hashedrekord/v0.0.1`.
#[derive(Deserialize)]
struct HashedRekord1 {
    data: HashedData,
    signature: HashedSignature,
}

#[derive(Deserialize)]
struct HashedData {
    hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature {
    content: Base64,
    public_key: KeyContent,
}

#[derive(Deserialize)]
struct KeyContent {
    content: Base64,
}

/// `pkg/types/dsse/v0.0.1`. The envelope's hash depends on how it was written when it was sent and is not compared.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse1 {
    payload_hash: Hash,
    signatures: Vec<DsseSignature1>,
}

#[derive(Deserialize)]
struct DsseSignature1 {
    signature: Base64,
    verifier: Base64,
}

/// `pkg/types/intoto/v0.0.1`: the envelope is not in it, only its hash.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intoto1 {
    content: IntotoContent1,
    public_key: Base64,
}

#[derive(Deserialize)]
struct IntotoContent1 {
    hash: Hash,
}

/// `pkg/types/intoto/v0.0.2`.
#[derive(Deserialize)]
struct Intoto2 {
    content: IntotoContent2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoContent2 {
    envelope: IntotoEnvelope,
    payload_hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoEnvelope {
    payload_type: String,
    signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignature {
    /// Base64 of the base64 that stands in the envelope.
    sig: Base64,
    public_key: Base64,
}

/// `hashedrekord.proto` of the second generation.
#[derive(Deserialize)]
struct HashedRekord2 {
    #[serde(rename = "hashedRekordV002")]
    entry: HashedEntry2,
}

#[derive(Deserialize)]
struct HashedEntry2 {
    data: HashOutput,
    signature: Signature2,
}

#[derive(Deserialize)]
struct HashOutput {
    algorithm: String,
    digest: Base64,
}

#[derive(Deserialize)]
struct Signature2 {
    content: Base64,
    verifier: Verifier2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier2 {
    #[serde(default)]
    x509_certificate: Option<RawBytes>,
    #[serde(default)]
    public_key: Option<RawBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: Base64,
}

/// `dsse.proto` of the second generation.
#[derive(Deserialize)]
struct Dsse2 {
    #[serde(rename = "dsseV002")]
    entry: DsseEntry2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseEntry2 {
    payload_hash: HashOutput,
    signatures: Vec<Signature2>,
}

/// Compares an entry with the signature that it was handed in with.
pub(super) fn check(entry: &LogEntry, parts: &Parts<'_>, verifier: Verifier<'_>) -> Result<(), VerifyError> {
    let head: Head = parse(entry)?;
    if entry.kind.as_ref().is_some_and(|(kind, version)| *kind != head.kind || *version != head.api_version) {
        return Err(mismatch("it is of another kind than its body"));
    }
    let first_generation = entry.promise.is_some() || entry.integrated.is_some();
    match (head.kind.as_str(), head.api_version.as_str(), &parts.content) {
        ("hashedrekord", "0.0.1", _) => {
            let Body { spec }: Body<HashedRekord1> = parse(entry)?;
            check_signed_hash(parts, &text_hash(&spec.data.hash)?)?;
            same(&spec.signature.content.0, &parts.signature, "signature")?;
            check_pem(&spec.signature.public_key.content.0, verifier)
        }
        ("dsse", "0.0.1", Content::Envelope { payload, .. }) => {
            let Body { spec }: Body<Dsse1> = parse(entry)?;
            check_hash(&text_hash(&spec.payload_hash)?, payload, "payload")?;
            let [signature] = spec.signatures.as_slice() else { return Err(mismatch("it has another signature")) };
            same(&signature.signature.0, &parts.signature, "signature")?;
            check_pem(&signature.verifier.0, verifier)
        }
        ("intoto", "0.0.1", Content::Envelope { document, .. }) => {
            let Body { spec }: Body<Intoto1> = parse(entry)?;
            let document = document.ok_or_else(|| VerifyError::Unsupported {
                what: "a log entry of kind intoto 0.0.1 without the envelope's own bytes".to_owned(),
            })?;
            check_hash(&text_hash(&spec.content.hash)?, document, "envelope")?;
            check_pem(&spec.public_key.0, verifier)
        }
        ("intoto", "0.0.2", Content::Envelope { payload_type, payload, .. }) => {
            let Body { spec }: Body<Intoto2> = parse(entry)?;
            let IntotoContent2 { envelope, payload_hash } = spec.content;
            check_hash(&text_hash(&payload_hash)?, payload, "payload")?;
            same(envelope.payload_type.as_bytes(), payload_type.as_bytes(), "payload type")?;
            let [signature] = envelope.signatures.as_slice() else { return Err(mismatch("it has another signature")) };
            let text = std::str::from_utf8(&signature.sig.0).map_err(|_| mismatch("its signature is no base64"))?;
            same(&json::base64("log entry", text)?, &parts.signature, "signature")?;
            check_pem(&signature.public_key.0, verifier)
        }
        ("hashedrekord", "0.0.2", _) if !first_generation => {
            let Body { spec }: Body<HashedRekord2> = parse(entry)?;
            check_signed_hash(parts, &output_hash(spec.entry.data)?)?;
            same(&spec.entry.signature.content.0, &parts.signature, "signature")?;
            check_raw(&spec.entry.signature.verifier, verifier)
        }
        ("dsse", "0.0.2", Content::Envelope { payload, .. }) if !first_generation => {
            let Body { spec }: Body<Dsse2> = parse(entry)?;
            check_hash(&output_hash(spec.entry.payload_hash)?, payload, "payload")?;
            let signatures = spec.entry.signatures.as_slice();
            let [signature] = signatures else { return Err(mismatch("it has another signature")) };
            same(&signature.content.0, &parts.signature, "signature")?;
            check_raw(&signature.verifier, verifier)
        }
        (kind, version, _) => Err(VerifyError::Unsupported {
            what: format!("a log entry of kind {} {} for this signature", kind.escape_debug(), version.escape_debug()),
        }),
    }
}

/// The certificate (PEM) that an entry of an envelope holds. It proves nothing until [`check`] has compared the entry with
/// the signature.
pub(crate) fn certificate(entry: &LogEntry) -> Option<String> {
    use base64::Engine as _;
    let body: serde_json::Value = serde_json::from_slice(&entry.body).ok()?;
    let places = ["/spec/publicKey", "/spec/content/envelope/signatures/0/publicKey", "/spec/signatures/0/verifier"];
    let text = places.iter().find_map(|place| body.pointer(place)?.as_str())?;
    let pem = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()?;
    pem.starts_with("-----BEGIN CERTIFICATE-----").then_some(pem)
}

fn parse<'a, T: Deserialize<'a>>(entry: &'a LogEntry) -> Result<T, VerifyError> {
    json::parse("log entry", &entry.body)
}

fn mismatch(reason: &str) -> VerifyError {
    VerifyError::LogEntryMismatch { reason: reason.to_owned() }
}

fn same(logged: &[u8], own: &[u8], what: &str) -> Result<(), VerifyError> {
    if logged == own { Ok(()) } else { Err(mismatch(&format!("it has another {what}"))) }
}

type LoggedHash = (HashAlgorithm, Vec<u8>);

fn text_hash(hash: &Hash) -> Result<LoggedHash, VerifyError> {
    let algorithm = match hash.algorithm.as_str() {
        "sha256" => HashAlgorithm::Sha256,
        "sha384" => HashAlgorithm::Sha384,
        "sha512" => HashAlgorithm::Sha512,
        other => return Err(unsupported_hash(other)),
    };
    Ok((algorithm, hex::decode(&hash.value).map_err(|_| mismatch("its hash is not hexadecimal"))?))
}

fn output_hash(hash: HashOutput) -> Result<LoggedHash, VerifyError> {
    let algorithm = match hash.algorithm.as_str() {
        "SHA2_256" => HashAlgorithm::Sha256,
        "SHA2_384" => HashAlgorithm::Sha384,
        "SHA2_512" => HashAlgorithm::Sha512,
        other => return Err(unsupported_hash(other)),
    };
    Ok((algorithm, hash.digest.0))
}

fn unsupported_hash(algorithm: &str) -> VerifyError {
    VerifyError::Unsupported { what: format!("a log entry with a hash of algorithm `{}`", algorithm.escape_debug()) }
}

fn check_hash((algorithm, logged): &LoggedHash, content: &[u8], what: &str) -> Result<(), VerifyError> {
    same(logged, &algorithm.of(content), what)
}

/// The hash of what was signed: the message, or the encoded envelope.
fn check_signed_hash(parts: &Parts<'_>, logged: &LoggedHash) -> Result<(), VerifyError> {
    match &parts.content {
        Content::Envelope { encoded, .. } => check_hash(logged, encoded, "content"),
        Content::Message { artifact, .. } => match artifact.hash(logged.0) {
            Some(hash) => same(&logged.1, &hash, "content"),
            None => Err(VerifyError::Unsupported {
                what: format!("a log entry of another hash than {}, which is all that is known", artifact.digest()),
            }),
        },
    }
}

/// A verifier as PEM of a certificate or of a key.
fn check_pem(logged: &[u8], verifier: Verifier<'_>) -> Result<(), VerifyError> {
    let text = std::str::from_utf8(logged).map_err(|_| mismatch("its key is not PEM"))?;
    let (label, der) = crate::pem::only(text).map_err(|_| mismatch("its key is not PEM"))?;
    match (label, verifier) {
        ("CERTIFICATE", Verifier::Certificate(certificate)) => same(&der, certificate.der(), "certificate"),
        ("PUBLIC KEY", Verifier::Certificate(certificate)) => same(&der, certificate.key().spki(), "key"),
        ("PUBLIC KEY", Verifier::Key(key)) => same(&der, key.spki(), "key"),
        ("CERTIFICATE", Verifier::Key(key)) => {
            let certificate = Certificate::parse(&der).map_err(|_| mismatch("its certificate cannot be read"))?;
            same(certificate.key().spki(), key.spki(), "key")
        }
        _ => Err(mismatch("it has neither certificate nor key")),
    }
}

/// A verifier as DER of a certificate or of a key.
fn check_raw(logged: &Verifier2, verifier: Verifier<'_>) -> Result<(), VerifyError> {
    match (&logged.x509_certificate, &logged.public_key, verifier) {
        (Some(der), None, Verifier::Certificate(certificate)) => {
            same(&der.raw_bytes.0, certificate.der(), "certificate")
        }
        (None, Some(der), Verifier::Key(key)) => same(&der.raw_bytes.0, key.spki(), "key"),
        _ => Err(mismatch("it has another kind of key")),
    }
}
