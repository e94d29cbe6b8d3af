//! JWS envelopes: flattened JSON (notaryproject/specifications, signature-envelope-jws.md; RFC 7515).

use std::fmt;

use assay_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::envelope::{ATTRIBUTES_MAX, Attribute, Parts, Protected, SignatureAlgorithm, header};
use super::error::NotationError;

/// The envelope. Fields beside these four are refused, as the specification has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    payload: &'a str,
    #[serde(borrow)]
    protected: &'a str,
    header: Unprotected,
    #[serde(borrow)]
    signature: &'a str,
}

/// The header that nobody signed. What else it may have decides nothing.
#[derive(Deserialize)]
struct Unprotected {
    #[serde(default)]
    x5c: Vec<String>,
    #[serde(default, rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<String>,
    #[serde(default, rename = "io.cncf.notary.signingAgent")]
    agent: Option<Value>,
}

/// The members of a JSON object, in their order, none of them twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.len() >= ATTRIBUTES_MAX {
                        return Err(M::Error::custom(format_args!("more than {ATTRIBUTES_MAX} members")));
                    }
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(M::Error::custom(format_args!("`{name}` stands twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Parts, NotationError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(bytes).map_err(|error| NotationError::malformed("envelope", error))?;
    let url = |part, text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| NotationError::malformed(part, error));
    let standard = |part, text: &str| STANDARD.decode(text).map_err(|error| NotationError::malformed(part, error));
    let protected = protected(&url("protected header", envelope.protected)?)?;
    let chain = envelope.header.x5c.iter().map(|der| standard("certificate", der)).collect::<Result<_, _>>()?;
    let timestamp = envelope.header.timestamp.as_deref().map(|token| standard("timestamp", token)).transpose()?;
    Ok(Parts {
        protected,
        payload: url("payload", envelope.payload)?,
        signed: [envelope.protected, ".", envelope.payload].concat().into_bytes(),
        signature: url("signature", envelope.signature)?,
        chain,
        timestamp,
        agent: envelope.header.agent.and_then(|agent| agent.as_str().map(str::to_owned)),
    })
}

/// Reads the protected header.
pub(super) fn protected(json: &[u8]) -> Result<Protected, NotationError> {
    const PART: &str = "protected header";
    let Members(members) = serde_json::from_slice(json).map_err(|error| NotationError::malformed(PART, error))?;
    let mut read = Protected::default();
    for (name, value) in members {
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| not_text(&name));
        match name.as_str() {
            "alg" => {
                let found = text()?;
                let known = SignatureAlgorithm::ALL.into_iter().find(|algorithm| algorithm.word() == found);
                let algorithm = found.chars().take(32).collect();
                read.algorithm = Some(known.ok_or(NotationError::UnsupportedAlgorithm { algorithm })?);
            }
            "cty" => read.content_type = Some(text()?),
            "crit" => {
                let listed = value.as_array().ok_or_else(|| not_text(&name))?;
                let entry = |entry: &Value| entry.as_str().map(str::to_owned).ok_or_else(|| not_text("crit"));
                read.critical = listed.iter().map(entry).collect::<Result<_, _>>()?;
            }
            header::SCHEME => read.scheme = Some(text()?),
            header::SIGNING_TIME => read.signing_time = Some(time(&name, &text()?)?),
            header::AUTHENTIC_TIME => read.authentic_time = Some(time(&name, &text()?)?),
            header::EXPIRY => read.expiry = Some(time(&name, &text()?)?),
            _ => {
                let text = value.as_str().map(str::to_owned);
                read.extended.push(Attribute { name, critical: false, text });
            }
        }
    }
    read.mark_critical();
    Ok(read)
}

fn not_text(name: &str) -> NotationError {
    NotationError::malformed("protected header", format_args!("`{name}` has another form"))
}

/// RFC 3339.
fn time(name: &str, text: &str) -> Result<Timestamp, NotationError> {
    text.parse().map_err(|_| NotationError::malformed("protected header", format_args!("`{name}` is no RFC 3339 time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_header_that_is_no_object_is_refused_by_name() {
        let refused = protected(b"[]").unwrap_err().to_string();
        assert!(
            refused.contains("the protected header cannot be read") && refused.contains("a JSON object"),
            "{refused}"
        );
    }
}
