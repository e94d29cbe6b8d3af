//! What the world knows about vulnerabilities, at three times.

use assay_model::Timestamp;
use assay_vuln::{Pack, PackBuilder};
use jiff::SignedDuration;

use crate::Result;
use crate::commands::lab::error::LabError;

/// Records of the lab: made up, and named so.
const RECORDS: &str = include_str!("../data/advisories.jsonl");
/// The record that is published while the lab runs.
const SESSION: &str = include_str!("../data/session-advisory.json");
/// Its identifier.
pub(crate) const SESSION_ADVISORY: &str = "ASSAY-LAB-2026-0001";

/// A state of the world's knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advisories {
    /// What is published when the lab begins.
    Published,
    /// The same, and a new advisory.
    WithNews,
    /// Everything, but nobody has fetched it for nine days.
    Stale,
}

impl Advisories {
    /// The vulnerability pack that somebody has who fetched it at this state. Pure: the same time gives the same bytes.
    pub(super) fn pack(self, now: Timestamp) -> Result<Pack> {
        Ok(Pack::from_bytes(self.bytes(now)?)?)
    }

    /// The same as the bytes of its file.
    pub(crate) fn bytes(self, now: Timestamp) -> Result<Vec<u8>> {
        let age = match self {
            Self::Published | Self::WithNews => SignedDuration::from_hours(1),
            Self::Stale => SignedDuration::from_hours(9 * 24),
        };
        let fetched = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let mut builder = PackBuilder::new();
        let mut add =
            |name, text: &str| builder.add_bytes(name, text.as_bytes(), None).map_err(LabError::fixture("advisories"));
        add("advisories.jsonl", RECORDS)?;
        if self != Self::Published {
            add("session-advisory.json", SESSION)?;
        }
        // A source that publishes every hour says how fresh the data is, though it is about nothing in the lab.
        add(
            "hourly",
            &format!(
                r#"{{"id":"ASSAY-LAB-HOURLY","modified":"{fetched}","affected":[{{"package":{{"ecosystem":"npm","name":"assay-lab-unused"}},"versions":["0.0.0"]}}]}}"#
            ),
        )?;
        Ok(builder.build().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_news_is_news_and_the_data_is_as_fresh_as_it_says() {
        let now: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let info = |advisories: Advisories| advisories.pack(now).unwrap().info().clone();
        let (published, news, stale) =
            (info(Advisories::Published), info(Advisories::WithNews), info(Advisories::Stale));
        assert_eq!(published.records + 1, news.records);
        assert_eq!(news.records, stale.records);
        assert_eq!(published.data_until.to_string(), "2026-03-01T07:00:00Z");
        assert_eq!(stale.data_until.to_string(), "2026-02-20T08:00:00Z");
        assert_eq!(info(Advisories::WithNews).digest, news.digest, "the same time gives the same bytes");
    }
}
