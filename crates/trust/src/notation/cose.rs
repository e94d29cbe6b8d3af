//! COSE envelopes: COSE_Sign1, tagged (notaryproject/specifications, signature-envelope-cose.md; RFC 9052).

use assay_model::Timestamp;
use coset::cbor::Value;
use coset::iana::{self, EnumI64 as _};
use coset::{AsCborValue as _, ContentType, CoseSign1, Label, RegisteredLabelWithPrivate, TaggedCborSerializable as _};

use super::envelope::{ATTRIBUTES_MAX, Attribute, Parts, Protected, SignatureAlgorithm, header};
use super::error::NotationError;

/// Label of the certificate chain (RFC 9360).
const X5CHAIN: i64 = 33;
/// CBOR tag of seconds since 1970 (RFC 8949 section 3.4.2).
const EPOCH_TAG: u64 = 1;
const PROTECTED: &str = "protected header";

pub(super) fn parse(bytes: &[u8]) -> Result<Parts, NotationError> {
    let sign1 = CoseSign1::from_tagged_slice(bytes).map_err(|error| NotationError::malformed("envelope", error))?;
    let protected = protected(&sign1.protected.header)?;
    let (mut chain, mut timestamp, mut agent) = (Vec::new(), None, None);
    for (label, value) in &sign1.unprotected.rest {
        match (label, value) {
            (Label::Int(X5CHAIN), value) => chain = certificates(value)?,
            (Label::Text(name), Value::Bytes(token)) if name == header::TIMESTAMP => timestamp = Some(token.clone()),
            (Label::Text(name), _) if name == header::TIMESTAMP => {
                return Err(NotationError::malformed("timestamp", "it is no byte string"));
            }
            (Label::Text(name), Value::Text(text)) if name == header::AGENT => agent = Some(text.clone()),
            _ => {}
        }
    }
    // The chain may stand in the protected header instead; in both, the two must not differ.
    for (label, value) in &sign1.protected.header.rest {
        if *label == Label::Int(X5CHAIN) {
            let signed = certificates(value)?;
            if !chain.is_empty() && chain != signed {
                return Err(NotationError::malformed("certificate", "there are two chains"));
            }
            chain = signed;
        }
    }
    let signed = sign1.tbs_data(&[]);
    let payload = sign1.payload.ok_or(NotationError::MissingHeader { header: "payload" })?;
    Ok(Parts { protected, payload, signed, signature: sign1.signature, chain, timestamp, agent })
}

/// RFC 9360: one certificate is a byte string, several are an array of them. Notary writes the array always.
fn certificates(value: &Value) -> Result<Vec<Vec<u8>>, NotationError> {
    let one = |value: &Value| {
        value.as_bytes().cloned().ok_or_else(|| NotationError::malformed("certificate", "it is no byte string"))
    };
    match value {
        Value::Array(all) => all.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// Reads the protected header.
pub(super) fn protected(read: &coset::Header) -> Result<Protected, NotationError> {
    if read.rest.len() > ATTRIBUTES_MAX || read.crit.len() > ATTRIBUTES_MAX {
        let found = read.rest.len().max(read.crit.len());
        return Err(NotationError::TooLarge { what: "protected headers", found, limit: ATTRIBUTES_MAX });
    }
    let mut protected = Protected {
        algorithm: read.alg.as_ref().map(algorithm).transpose()?,
        content_type: match &read.content_type {
            Some(ContentType::Text(text)) => Some(text.clone()),
            Some(ContentType::Assigned(_)) => {
                return Err(NotationError::malformed(PROTECTED, "the content type is no text"));
            }
            None => None,
        },
        critical: read.crit.iter().map(critical).collect::<Result<_, _>>()?,
        ..Protected::default()
    };
    for (label, value) in &read.rest {
        let name = match label {
            Label::Text(name) => name.clone(),
            Label::Int(X5CHAIN) => continue,
            Label::Int(number) => number.to_string(),
        };
        match name.as_str() {
            header::SCHEME => {
                let text = value.as_text().map(str::to_owned);
                protected.scheme =
                    Some(text.ok_or_else(|| NotationError::malformed(PROTECTED, "the signing scheme is no text"))?);
            }
            header::SIGNING_TIME => protected.signing_time = Some(time(&name, value)?),
            header::AUTHENTIC_TIME => protected.authentic_time = Some(time(&name, value)?),
            header::EXPIRY => protected.expiry = Some(time(&name, value)?),
            _ => {
                let text = value.as_text().map(str::to_owned);
                protected.extended.push(Attribute { name, critical: false, text });
            }
        }
    }
    // Registered headers that are read apart from the others, and that no Notary signature has.
    let registered = [
        (iana::HeaderParameter::Kid, !read.key_id.is_empty()),
        (iana::HeaderParameter::Iv, !read.iv.is_empty()),
        (iana::HeaderParameter::PartialIv, !read.partial_iv.is_empty()),
        (iana::HeaderParameter::CounterSignature, !read.counter_signatures.is_empty()),
    ];
    for (parameter, _) in registered.into_iter().filter(|(_, present)| *present) {
        protected.extended.push(Attribute { name: parameter.to_i64().to_string(), critical: false, text: None });
    }
    protected.mark_critical();
    Ok(protected)
}

fn algorithm(label: &RegisteredLabelWithPrivate<iana::Algorithm>) -> Result<SignatureAlgorithm, NotationError> {
    Ok(match label {
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS256) => SignatureAlgorithm::Ps256,
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS384) => SignatureAlgorithm::Ps384,
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS512) => SignatureAlgorithm::Ps512,
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256) => SignatureAlgorithm::Es256,
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384) => SignatureAlgorithm::Es384,
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES512) => SignatureAlgorithm::Es512,
        other => {
            let algorithm = match other.clone().to_cbor_value() {
                Ok(Value::Integer(number)) => i128::from(number).to_string(),
                Ok(Value::Text(text)) => text.chars().take(32).collect(),
                _ => "of an unknown form".to_owned(),
            };
            return Err(NotationError::UnsupportedAlgorithm { algorithm });
        }
    })
}

/// RFC 9052 section 3.1: the labels 1 to 7 that every implementation must know are not listed.
fn critical(label: &RegisteredLabelWithPrivate<iana::HeaderParameter>) -> Result<String, NotationError> {
    match label {
        RegisteredLabelWithPrivate::Text(name) => Ok(name.clone()),
        RegisteredLabelWithPrivate::PrivateUse(number) => Ok(number.to_string()),
        RegisteredLabelWithPrivate::Assigned(parameter) if (0..=8).contains(&parameter.to_i64()) => {
            Err(NotationError::malformed(PROTECTED, "a common header is listed as critical"))
        }
        RegisteredLabelWithPrivate::Assigned(parameter) => Ok(parameter.to_i64().to_string()),
    }
}

/// Seconds since 1970 under tag 1, whole or with a fraction.
fn time(name: &str, value: &Value) -> Result<Timestamp, NotationError> {
    let wrong = || NotationError::malformed(PROTECTED, format_args!("`{name}` is no time of tag 1"));
    let Value::Tag(EPOCH_TAG, inner) = value else { return Err(wrong()) };
    match inner.as_ref() {
        Value::Integer(seconds) => {
            let seconds = i64::try_from(i128::from(*seconds)).map_err(|_| wrong())?;
            Timestamp::from_second(seconds).map_err(|_| wrong())
        }
        Value::Float(seconds) if seconds.is_finite() && seconds.abs() < 1e11 => {
            Timestamp::from_millisecond((seconds * 1000.0) as i64).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}
