//! When findings fail a run: `critical`, `high+fixable`, `risk:70`, `kev`, `high+age:30d`.
//!
//! A threshold is a list of alternatives; each is conditions joined by `+`, all of which must hold.

use std::fmt;
use std::str::FromStr;

use assay_model::{FixState, Severity, Timestamp, VulnerabilityFinding};

use crate::risk::Risk;

/// One alternative: conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Of this severity or worse.
    Severity(Severity),
    /// Of this risk, in whole points, or higher.
    Risk(u16),
    /// Known to be exploited.
    KnownExploited,
    /// There is a fix.
    Fixable,
    /// Published at least so many days ago.
    AgeDays(u32),
}

impl Threshold {
    /// Whether a finding reaches it. A finding without a date has any age: the doubt is not in its favour.
    pub fn is_reached(&self, finding: &VulnerabilityFinding, risk: &Risk, now: Timestamp) -> bool {
        self.conditions.iter().all(|condition| match *condition {
            Condition::Severity(severity) => finding.vulnerability.severity >= severity,
            Condition::Risk(points) => risk.tenths >= points.saturating_mul(10),
            Condition::KnownExploited => finding.vulnerability.known_exploited.is_some(),
            Condition::Fixable => matches!(finding.fix, FixState::Fixed { .. }),
            Condition::AgeDays(days) => finding.vulnerability.published.is_none_or(|published| {
                now.as_second().saturating_sub(published.as_second()) >= i64::from(days) * 86_400
            }),
        })
    }

    /// The severity, where that is the only condition: what other kinds of finding are held against too.
    pub fn severity(&self) -> Option<Severity> {
        match self.conditions[..] {
            [Condition::Severity(severity)] => Some(severity),
            _ => None,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |word: &str| {
            format!(
                "`{word}` is no threshold; write a severity, kev, fixable, risk:70 or age:30d, joined by + where all must hold"
            )
        };
        let conditions = text.split('+').map(|word| {
            let word = word.trim();
            Ok(match word.split_once(':') {
                None if word.eq_ignore_ascii_case("kev") => Condition::KnownExploited,
                None if word.eq_ignore_ascii_case("fixable") => Condition::Fixable,
                None => match word.parse::<Severity>() {
                    Ok(severity) if !word.is_empty() => Condition::Severity(severity),
                    _ => return Err(refuse(word)),
                },
                Some(("risk", points)) => {
                    Condition::Risk(points.parse().ok().filter(|points| *points <= 100).ok_or_else(|| refuse(word))?)
                }
                Some(("age", days)) => {
                    let days = days.strip_suffix('d').and_then(|days| days.parse().ok());
                    Condition::AgeDays(days.ok_or_else(|| refuse(word))?)
                }
                Some(_) => return Err(refuse(word)),
            })
        });
        Ok(Self { conditions: conditions.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, condition) in self.conditions.iter().enumerate() {
            if at > 0 {
                f.write_str("+")?;
            }
            match condition {
                Condition::Severity(severity) => write!(f, "{severity}")?,
                Condition::Risk(points) => write!(f, "risk:{points}")?,
                Condition::KnownExploited => f.write_str("kev")?,
                Condition::Fixable => f.write_str("fixable")?,
                Condition::AgeDays(days) => write!(f, "age:{days}d")?,
            }
        }
        Ok(())
    }
}
