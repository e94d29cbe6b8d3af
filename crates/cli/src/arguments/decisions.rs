//! `decisions`, and how long `serve` keeps them.

use std::str::FromStr;
use std::time::Duration;

use assay_model::Timestamp;
use assay_server::KeepDecisions;
use clap::{Args, Subcommand, ValueEnum};

/// `assay decisions`
#[derive(Debug, Subcommand)]
pub(crate) enum DecisionsCommand {
    /// Write decisions to standard output, oldest first, one JSON object a line
    Export(DecisionsExportArguments),
    /// Let decisions go that are kept no longer
    Expire(DecisionsExpireArguments),
}

/// `assay decisions export`
#[derive(Debug, Args)]
pub(crate) struct DecisionsExportArguments {
    /// From when: a time (2026-11-21T09:00:00Z), or how long ago (90d, 12h, 30m)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Moment>,
    /// Until before when
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<Moment>,
    /// What each line is
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = RecordForm::Records)]
    pub(crate) form: RecordForm,
}

/// What a line of an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordForm {
    /// The whole record
    Records,
    /// An Event of audit.k8s.io/v1, for what reads audit logs of API servers
    AuditEvents,
}

/// `assay decisions expire`
#[derive(Debug, Args)]
pub(crate) struct DecisionsExpireArguments {
    #[command(flatten)]
    pub(crate) retention: RetentionArguments,
}

/// How long decisions are kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RetentionArguments {
    /// Keep decisions this long: 90d, 12h; for ever where missing
    #[arg(long, value_name = "AGE")]
    pub(crate) keep_decisions: Option<Age>,
    /// Keep at most this much of them, packed, the newest: 500MB, 10GB
    #[arg(long, value_name = "SIZE")]
    pub(crate) keep_decision_bytes: Option<Size>,
}

impl From<RetentionArguments> for KeepDecisions {
    fn from(arguments: RetentionArguments) -> Self {
        Self { age: arguments.keep_decisions.map(|age| age.0), bytes: arguments.keep_decision_bytes.map(|size| size.0) }
    }
}

/// A number of days, hours or minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
        let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
        let seconds = found.and_then(|(number, seconds)| number.parse::<u64>().ok()?.checked_mul(seconds));
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(|| "write 90d, 12h or 30m".to_owned())
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
        let found = units.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let bytes = found.and_then(|(number, bytes)| number.parse::<u64>().ok()?.checked_mul(bytes));
        bytes.map(Self).ok_or_else(|| "write 500MB or 10GB".to_owned())
    }
}

/// A time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A time.
    At(Timestamp),
    /// That long before now.
    Ago(Age),
}

impl Moment {
    /// The time.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(age) => now.checked_sub(age.0).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = text.parse().map(Self::Ago);
        ago.or_else(|_| text.parse().map(Self::At))
            .map_err(|_: jiff::Error| "write a time (2026-11-21T09:00:00Z) or how long ago (90d, 12h, 30m)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_sizes_and_moments_are_read() {
        assert_eq!("90d".parse(), Ok(Age(Duration::from_hours(90 * 24))));
        assert_eq!("10GB".parse(), Ok(Size(10_000_000_000)));
        for text in ["", "d", "-1d", "1", "1w", "99999999999999999999d", "1.5h"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
        assert!("10".parse::<Size>().is_err());
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let moment = |text: &str| text.parse::<Moment>().unwrap().before(now).to_string();
        assert_eq!(moment("1d"), "2026-11-20T09:00:00Z");
        assert_eq!(moment("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
        assert_eq!(moment("9999999999d"), Timestamp::MIN.to_string());
    }
}
