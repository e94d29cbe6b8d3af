//! Lengths of time as files write them: `30d`, `72h`, `1d12h`.

use std::fmt;
use std::str::FromStr;

use assay_model::Explain;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest length of time: a hundred years, so that no sum with a present-day time overflows.
const SECONDS_MAX: u64 = 100 * 366 * 86_400;

const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A length of time in whole seconds, written with the units `w`, `d`, `h`, `m` and `s`. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent))]
pub struct Span(#[cfg_attr(feature = "schema", schemars(with = "String"))] u64);

impl Span {
    /// So many days.
    pub fn days(days: u32) -> Self {
        Self(u64::from(days) * 86_400)
    }

    /// So many hours.
    pub fn hours(hours: u32) -> Self {
        Self(u64::from(hours) * 3_600)
    }

    /// The length in seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// The same as a duration that can be compared with the difference of two times.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(self.0 as i64)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Weeks are read but not written: `30d` should come back as it was.
        for (unit, seconds) in &UNITS[1..] {
            if rest >= *seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DurationError { text: text.to_owned() };
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        let mut units = UNITS.iter();
        for character in text.chars() {
            if let Some(digit) = character.to_digit(10) {
                let value = number.unwrap_or(0).checked_mul(10).and_then(|value| value.checked_add(u64::from(digit)));
                number = Some(value.ok_or_else(error)?);
            } else {
                // Taking units from one iterator makes each of them appear once and in descending order.
                let (_, seconds) = units.find(|(unit, _)| *unit == character).ok_or_else(error)?;
                let count = number.take().ok_or_else(error)?;
                total = count.checked_mul(*seconds).and_then(|part| total.checked_add(part)).ok_or_else(error)?;
            }
        }
        if text.is_empty() || number.is_some() || total > SECONDS_MAX {
            return Err(error());
        }
        Ok(Self(total))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is not a length of time. Write whole numbers with units in descending order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a length of time; write 30d, 72h or 1d12h (units w, d, h, m, s)")]
pub struct DurationError {
    /// What was written.
    pub text: String,
}

impl Explain for DurationError {
    fn code(&self) -> &'static str {
        "duration-invalid"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_read_and_written_alike() {
        for (text, seconds) in [("30d", 2_592_000), ("72h", 259_200), ("1d12h", 129_600), ("90s", 90), ("0s", 0)] {
            assert_eq!(text.parse::<Span>().unwrap().seconds(), seconds, "{text}");
        }
        assert_eq!("2w".parse::<Span>().unwrap().to_string(), "14d");
        assert_eq!("72h".parse::<Span>().unwrap().to_string(), "3d");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "d", "30", "30 d", "-1d", "1h1d", "1d1d", "1.5h", "99999999999999999999d", "101y", "5300w"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in 0..SECONDS_MAX) {
            let span = Span(seconds);
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = text.parse::<Span>();
        }
    }
}
