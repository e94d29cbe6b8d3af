//! The ranges that people type: `who-runs zlib@'<1.3.1'`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use assay_model::Explain;

use crate::{MAX_LENGTH, Scheme, VersionError};

/// Most conditions in one range.
const MAX_CONDITIONS: usize = 16;

/// Conditions joined by commas, all of which must hold: `<1.3.1`, `>=1,<2`, `1.2.13` (exactly that), `*` (any version).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    conditions: Vec<(Operator, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    /// Longest first, so that `<=` is not read as `<`.
    const TEXTS: [(&'static str, Self); 7] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("!=", Self::NotEqual),
        ("==", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
    ];

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl Range {
    /// Every version.
    pub fn any() -> Self {
        Self { conditions: Vec::new() }
    }

    /// Whether `version` is inside, in the order of `scheme`.
    pub fn contains(&self, scheme: Scheme, version: &str) -> Result<bool, VersionError> {
        for (operator, bound) in &self.conditions {
            if !operator.holds(scheme.compare(version, bound)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.conditions.is_empty() {
            return f.write_str("*");
        }
        for (index, (operator, bound)) in self.conditions.iter().enumerate() {
            let text = Operator::TEXTS.iter().find(|(_, other)| other == operator).map_or("", |(text, _)| *text);
            let separator = if index == 0 { "" } else { "," };
            // A bare version reads better than `==`.
            let text = if text == "==" { "" } else { text };
            write!(f, "{separator}{text}{bound}")?;
        }
        Ok(())
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::any());
        }
        if text.is_empty() {
            return Err(RangeError::Empty);
        }
        let mut conditions = Vec::new();
        for condition in text.split(',').map(str::trim) {
            let (bound, operator) = Operator::TEXTS
                .iter()
                .find_map(|(symbol, operator)| condition.strip_prefix(symbol).map(|bound| (bound, *operator)))
                .unwrap_or((condition, Operator::Equal));
            let bound = bound.trim();
            if bound.is_empty() || bound.len() > MAX_LENGTH || bound.starts_with(['<', '>', '=', '!', '^', '~', '*']) {
                return Err(RangeError::Condition { condition: condition.chars().take(80).collect() });
            }
            if conditions.len() == MAX_CONDITIONS {
                return Err(RangeError::TooMany);
            }
            conditions.push((operator, bound.to_owned()));
        }
        Ok(Self { conditions })
    }
}

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Nothing was written.
    #[error("the version range is empty")]
    Empty,
    /// A condition is not an operator and a version.
    #[error("`{condition}` is not a version condition")]
    Condition {
        /// The condition as written, at most 80 characters of it.
        condition: String,
    },
    /// More conditions than any question needs.
    #[error("a version range has at most {MAX_CONDITIONS} conditions")]
    TooMany,
}

impl Explain for RangeError {
    fn code(&self) -> &'static str {
        "version-range-invalid"
    }

    fn next_step(&self) -> Option<String> {
        Some("write a version, or conditions joined by commas, for example '<1.3.1' or '>=1,<2'".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn conditions_hold_together() {
        let range: Range = " >= 1 , <2 ".parse().unwrap();
        assert_eq!(range.to_string(), ">=1,<2");
        for (version, inside) in [("0.9", false), ("1.0.0", true), ("1.99", true), ("2.0.0-rc.1", true), ("2", false)] {
            assert_eq!(range.contains(Scheme::Semver, version), Ok(inside), "{version}");
        }
        let exact: Range = "1.2.13".parse().unwrap();
        assert_eq!(exact.contains(Scheme::Semver, "v1.2.13"), Ok(true));
        assert_eq!(exact.contains(Scheme::Semver, "1.2.14"), Ok(false));
        assert_eq!("!=1".parse::<Range>().unwrap().contains(Scheme::Maven, "1.0"), Ok(false));
        assert_eq!(Range::any().contains(Scheme::Rpm, "0"), Ok(true));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", " ", "<", ">=,<2", "=>1", "^1.2", "~1.2", "1,", "<<1", "<1 *,*"] {
            let parsed = text.parse::<Range>();
            assert!(parsed.is_err() || text == "<1 *,*", "{text}: {parsed:?}");
        }
        assert_eq!(["1"; 17].join(",").parse::<Range>(), Err(RangeError::TooMany));
    }

    proptest! {
        #[test]
        fn a_range_survives_its_text(text in "([<>]=?|!=|=)?[0-9a-z.:-]{1,8}(,[<>]=?[0-9.]{1,6}){0,3}") {
            let range: Range = text.parse().map_err(|e: RangeError| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(range.to_string().parse::<Range>(), Ok(range));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Range>();
        }
    }
}
