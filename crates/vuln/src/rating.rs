//! Severity: which of a record's ratings counts.
//!
//! The precedence, from strongest:
//! 1. the distribution's own rating (Debian's `urgency`, Ubuntu's priority, the word before the colon in an erratum's title):
//!    it knows how the package was built;
//! 2. CVSS, v4 before v3 before v2, of the affected package before that of the whole record;
//! 3. the word in `database_specific.severity`;
//! 4. for a record without any, what other records of the same vulnerability say, in the same order.

use std::str::FromStr;

use assay_model::Severity;
use cvss::Cvss;
use serde_json::Value;

use crate::osv;

/// Most ratings kept of one record.
const MAX_RATINGS: usize = 16;

/// Where a rating came from, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Distribution,
    Cvss,
    Database,
    None,
}

/// A severity with its source, and the score and vector where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rating {
    pub(crate) rank: Rank,
    pub(crate) severity: Severity,
    /// CVSS score in tenths.
    pub(crate) score_tenths: Option<u16>,
    pub(crate) vector: String,
}

impl Rating {
    pub(crate) const NONE: Self =
        Self { rank: Rank::None, severity: Severity::Unknown, score_tenths: None, vector: String::new() };

    /// The stronger source; on a tie the first.
    pub(crate) fn or(self, other: Self) -> Self {
        // A distribution's word gains the score of a vector, which explains more.
        if other.rank < self.rank {
            return Self {
                score_tenths: other.score_tenths.or(self.score_tenths),
                vector: longer(other.vector, self.vector),
                ..other
            };
        }
        Self {
            score_tenths: self.score_tenths.or(other.score_tenths),
            vector: longer(self.vector, other.vector),
            ..self
        }
    }

    /// Of one affected package of a record.
    pub(crate) fn of_affected(family: &str, affected: &osv::Affected) -> Self {
        let urgency = affected.ecosystem_specific.get("urgency").and_then(Value::as_str).unwrap_or_default();
        let own = if family == "Debian" { word(Rank::Distribution, urgency.trim_end_matches('*')) } else { Self::NONE };
        let database = [&affected.database_specific, &affected.ecosystem_specific]
            .into_iter()
            .find_map(|specific| specific.get("severity").and_then(Value::as_str))
            .map_or(Self::NONE, |text| word(Rank::Database, text));
        // RustSec: an unmaintained crate or a notice is no vulnerability.
        let informational = match affected.database_specific.get("informational").and_then(Value::as_str) {
            Some("unmaintained" | "notice") => {
                Self { rank: Rank::Database, severity: Severity::Negligible, ..Self::NONE }
            }
            _ => Self::NONE,
        };
        own.or(of_list(&affected.severity)).or(database).or(informational)
    }

    /// Everything that a record says about severity, each once, as the source wrote it.
    pub(crate) fn all_of_record(record: &osv::Record) -> Vec<Self> {
        let mut found = all_of_list(&record.severity);
        let database =
            |value: &Value| value.get("severity").and_then(Value::as_str).map(|text| word(Rank::Database, text));
        found.extend(database(&record.database_specific));
        for affected in &record.affected {
            found.extend(all_of_list(&affected.severity));
            found.extend(
                database(&affected.database_specific).into_iter().chain(database(&affected.ecosystem_specific)),
            );
            let urgency = affected.ecosystem_specific.get("urgency").and_then(Value::as_str).unwrap_or_default();
            found.push(word(Rank::Distribution, urgency.trim_end_matches('*')));
        }
        let mut kept: Vec<Self> = Vec::new();
        for rating in found {
            if rating != Self::NONE && !kept.contains(&rating) && kept.len() < MAX_RATINGS {
                kept.push(rating);
            }
        }
        kept
    }

    /// Of a whole record; `family` is that of its first affected package.
    pub(crate) fn of_record(family: &str, record: &osv::Record) -> Self {
        let erratum = matches!(family, "AlmaLinux" | "Rocky Linux" | "Red Hat");
        let title = record.summary.split_once(':').map(|(word, _)| word).filter(|_| erratum).unwrap_or_default();
        let database = record.database_specific.get("severity").and_then(Value::as_str).unwrap_or_default();
        // A malicious package is as bad as it gets; its records carry no rating.
        let malware = if record.id.starts_with("MAL-") { "critical" } else { "" };
        let database = if database.is_empty() { malware } else { database };
        word(Rank::Distribution, title).or(of_list(&record.severity)).or(word(Rank::Database, database))
    }
}

fn longer(first: String, second: String) -> String {
    if first.is_empty() { second } else { first }
}

/// A rating word that is known; Debian's `not yet assigned` and `end-of-life` are none.
fn word(rank: Rank, text: &str) -> Rating {
    match Severity::from_str(text) {
        Ok(Severity::Unknown) | Err(_) => Rating::NONE,
        Ok(severity) => Rating { rank, severity, ..Rating::NONE },
    }
}

fn of_list(list: &[osv::Severity]) -> Rating {
    all_of_list(list).into_iter().fold(Rating::NONE, Rating::or)
}

/// Every rating of a list that can be read, strongest first: the distribution's word, then CVSS by version, newest first.
fn all_of_list(list: &[osv::Severity]) -> Vec<Rating> {
    let mut found: Vec<Rating> = list
        .iter()
        .filter(|entry| entry.kind == "Ubuntu")
        .map(|entry| word(Rank::Distribution, &entry.score))
        .filter(|rating| *rating != Rating::NONE)
        .collect();
    for kind in ["CVSS_V4", "CVSS_V3", "CVSS_V2"] {
        found.extend(list.iter().filter(|entry| entry.kind == kind).filter_map(|entry| vector(&entry.score)));
    }
    found
}

/// The rating of a CVSS vector of any version.
pub(crate) fn vector(text: &str) -> Option<Rating> {
    let score = Cvss::from_str(text).ok()?.score();
    Some(Rating {
        rank: Rank::Cvss,
        severity: Severity::from_score(score),
        score_tenths: Some((score * 10.0).round().clamp(0.0, 100.0) as u16),
        vector: text.chars().take(256).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cvss(kind: &str, score: &str) -> osv::Severity {
        osv::Severity { kind: kind.into(), score: score.into() }
    }

    #[test]
    fn the_newest_cvss_of_a_list_counts() {
        let v2 = cvss("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C");
        let v3 = cvss("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
        let v4 = cvss("CVSS_V4", "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N");
        assert_eq!(of_list(std::slice::from_ref(&v2)).score_tenths, Some(100));
        assert_eq!(of_list(&[v2.clone(), v3.clone()]).score_tenths, Some(98));
        assert_eq!(of_list(&[v2, v3, v4]).score_tenths, Some(48));
        assert_eq!(of_list(&[cvss("CVSS_V3", "CVSS:3.1/nonsense")]), Rating::NONE);
    }

    #[test]
    fn the_distribution_speaks_before_cvss_and_keeps_its_score() {
        let affected = osv::Affected {
            ecosystem_specific: serde_json::json!({"urgency": "unimportant"}),
            severity: vec![cvss("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")],
            ..osv::Affected::default()
        };
        let rating = Rating::of_affected("Debian", &affected);
        assert_eq!(
            (rating.rank, rating.severity, rating.score_tenths),
            (Rank::Distribution, Severity::Negligible, Some(98))
        );
        assert_eq!(Rating::of_affected("PyPI", &affected).severity, Severity::Critical);
        let erratum = osv::Record { summary: "Important: firefox security update".into(), ..osv::Record::default() };
        assert_eq!(Rating::of_record("AlmaLinux", &erratum).severity, Severity::High);
        assert_eq!(Rating::of_record("Go", &erratum), Rating::NONE);
        let ubuntu = osv::Record { severity: vec![cvss("Ubuntu", "negligible")], ..osv::Record::default() };
        assert_eq!(Rating::of_record("Ubuntu", &ubuntu).severity, Severity::Negligible);
    }
}
