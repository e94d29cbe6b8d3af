//! How bad a vulnerability is said to be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Severity in the words of CVSS (v3.1 section 5). `Unknown` sorts lowest, and is never treated as harmless by name alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No source rates it.
    #[default]
    Unknown,
    /// CVSS base score 0.0, or "unimportant" of a distribution.
    Negligible,
    /// CVSS base score 0.1 to 3.9.
    Low,
    /// CVSS base score 4.0 to 6.9.
    Medium,
    /// CVSS base score 7.0 to 8.9.
    High,
    /// CVSS base score 9.0 to 10.0.
    Critical,
}

impl Severity {
    /// All values, worst first.
    pub const ALL: [Self; 6] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Negligible, Self::Unknown];

    /// The rating of a CVSS base score (v3.1 section 5, v4.0 section 6: the same bands).
    pub fn from_score(score: f64) -> Self {
        match score {
            s if s >= 9.0 => Self::Critical,
            s if s >= 7.0 => Self::High,
            s if s >= 4.0 => Self::Medium,
            s if s > 0.0 => Self::Low,
            _ => Self::Negligible,
        }
    }

    /// The lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    /// Reads the words that OSV's `database_specific.severity`, distributions and people use, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "negligible" | "unimportant" | "none" => Self::Negligible,
            "unknown" | "" => Self::Unknown,
            _ => return Err(format!("`{text}` is not a severity (critical, high, medium, low, negligible, unknown)")),
        })
    }
}
