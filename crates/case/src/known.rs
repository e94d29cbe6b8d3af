//! Knowing, and not knowing.

use assay_model::Timestamp;
use serde::{Deserialize, Serialize};

/// A value and when it was found out, or why it could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Known<T> {
    /// Found out.
    Known {
        /// The value.
        value: T,
        /// When it was true.
        at: Timestamp,
    },
    /// Not found out. Never the same as an empty value.
    Unknown {
        /// Why not.
        cause: Cause,
    },
}

impl<T> Known<T> {
    /// A value found out at `at`.
    pub fn new(value: T, at: Timestamp) -> Self {
        Self::Known { value, at }
    }

    /// Not found out.
    pub fn unknown(code: &str, message: impl Into<String>) -> Self {
        Self::Unknown { cause: Cause::new(code, message) }
    }

    /// The value or the cause.
    pub fn get(&self) -> Result<&T, &Cause> {
        match self {
            Self::Known { value, .. } => Ok(value),
            Self::Unknown { cause } => Err(cause),
        }
    }

    /// Whether both were found out at the same time, with values that are the same; or both not, for the same cause.
    pub fn is<U>(&self, other: &Known<U>, same: impl FnOnce(&T, &U) -> bool) -> bool {
        match (self, other) {
            (Self::Known { value: a, at: then }, Known::Known { value: b, at }) => then == at && same(a, b),
            (Self::Unknown { cause: a }, Known::Unknown { cause: b }) => a == b,
            _ => false,
        }
    }

    /// Something else about the value, found out at the same time.
    pub fn map<U>(&self, of: impl FnOnce(&T) -> U) -> Known<U> {
        match self {
            Self::Known { value, at } => Known::new(of(value), *at),
            Self::Unknown { cause } => Known::Unknown { cause: cause.clone() },
        }
    }

    /// When it was found out.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Known { at, .. } => Some(*at),
            Self::Unknown { .. } => None,
        }
    }
}

/// Why something could not be found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The stable code of the failure, for example `registry-unreachable`.
    pub code: String,
    /// What happened, one sentence without a final period.
    pub message: String,
}

impl Cause {
    /// A cause.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The cause that an error is.
    pub fn from_error(error: &(impl assay_model::Explain + ?Sized)) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
