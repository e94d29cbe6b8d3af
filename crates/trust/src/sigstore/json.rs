//! Values as protobuf's JSON mapping writes them: bytes in base64, 64-bit integers as text or number.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::VerifyError;

/// Bytes in base64 with padding, of the standard alphabet or of that for URLs (protobuf's JSON mapping and DSSE allow
/// both).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
        alphabet.decode(text.as_bytes()).map(Self).map_err(|error| D::Error::custom(format!("base64: {error}")))
    }
}

/// A number of 64 bits that is not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number that is not negative")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Number, E> {
                u64::try_from(number).map(Number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|_| digits);
                number.map(Number).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A list that is absent or null is empty.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Parses one JSON document, without anything behind it.
pub(super) fn parse<'a, T: Deserialize<'a>>(part: &'static str, bytes: &'a [u8]) -> Result<T, VerifyError> {
    serde_json::from_slice(bytes).map_err(|error| VerifyError::Malformed { part, reason: error.to_string() })
}

/// Base64 of a text that is not JSON.
pub(super) fn base64(part: &'static str, text: &str) -> Result<Vec<u8>, VerifyError> {
    let decoded = STANDARD.decode(text.trim().as_bytes());
    decoded.map_err(|error| VerifyError::Malformed { part, reason: format!("base64: {error}") })
}
