//! Event ranges of OSV records (OSV schema 1.7, `affected[].ranges[].events`), turned into intervals.
//!
//! The schema lets events come in any order, so they are sorted first; evaluating them as written gives wrong answers for
//! records that list a fix before the introduction it belongs to.

use std::cmp::Ordering;

use crate::VersionError;

/// One event of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The first affected version; `0` stands for the very first there is.
    Introduced(&'a str),
    /// The first version that is no longer affected.
    Fixed(&'a str),
    /// The last affected version.
    LastAffected(&'a str),
    /// Versions from here on are outside the range whatever the other events say; `*` stands for none.
    Limit(&'a str),
}

/// How an interval ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalEnd<'a> {
    /// Before this version, which has the fix.
    Fixed(&'a str),
    /// With this version.
    LastAffected(&'a str),
    /// Before this version, which the record says nothing about.
    Limit(&'a str),
    /// Not at all: no fix is known.
    Open,
}

/// Versions from `introduced` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval<'a> {
    /// First affected version; `0` for all from the beginning.
    pub introduced: &'a str,
    /// Where it ends.
    pub end: IntervalEnd<'a>,
}

impl Interval<'_> {
    /// Whether `version` is inside, in the order that `compare(version, bound)` gives.
    pub fn contains(
        &self,
        version: &str,
        compare: impl Fn(&str, &str) -> Result<Ordering, VersionError>,
    ) -> Result<bool, VersionError> {
        // The end first: most of what is installed is newer than most advisories.
        let before_end = match self.end {
            IntervalEnd::Fixed(bound) | IntervalEnd::Limit(bound) => compare(version, bound)?.is_lt(),
            IntervalEnd::LastAffected(bound) => compare(version, bound)?.is_le(),
            IntervalEnd::Open => true,
        };
        Ok(before_end && (self.introduced == "0" || compare(version, self.introduced)?.is_ge()))
    }
}

/// The intervals that `events` describe, lowest first, by the evaluation algorithm of the OSV schema.
///
/// At equal versions a fix that ends an open interval counts before a new introduction; `introduced` and `fixed` at the
/// same version with nothing open is an empty interval (Debian's "fixed 0": never affected).
pub fn intervals<'a>(
    events: &[Event<'a>],
    compare: impl Fn(&str, &str) -> Result<Ordering, VersionError>,
) -> Result<Vec<Interval<'a>>, VersionError> {
    let mut limits: Vec<&str> = Vec::new();
    let mut points: Vec<(&str, Event<'a>)> = Vec::new();
    for event in events {
        match *event {
            Event::Limit("*") => return intervals_of(points_only(events), None, &compare),
            Event::Limit(version) => limits.push(version),
            Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) => {
                points.push((version, *event));
            }
        }
    }
    // Below any limit is inside, so the highest one counts.
    let mut highest: Option<&str> = None;
    for limit in limits {
        highest = match highest {
            Some(other) if compare(limit, other)?.is_le() => Some(other),
            _ => Some(limit),
        };
    }
    intervals_of(points, highest, &compare)
}

fn points_only<'a>(events: &[Event<'a>]) -> Vec<(&'a str, Event<'a>)> {
    let point = |event: &Event<'a>| match *event {
        Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) => Some((version, *event)),
        Event::Limit(_) => None,
    };
    events.iter().filter_map(point).collect()
}

fn intervals_of<'a>(
    mut points: Vec<(&'a str, Event<'a>)>,
    limit: Option<&'a str>,
    compare: &impl Fn(&str, &str) -> Result<Ordering, VersionError>,
) -> Result<Vec<Interval<'a>>, VersionError> {
    let mut failure = None;
    // `introduced 0` is before everything, also before a version that sorts below zero.
    let beginning = |event: Event<'_>| event == Event::Introduced("0");
    points.sort_by(|(left, left_event), (right, right_event)| {
        beginning(*right_event).cmp(&beginning(*left_event)).then_with(|| {
            compare(left, right).unwrap_or_else(|error| {
                failure = Some(error);
                Ordering::Equal
            })
        })
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let mut found: Vec<Interval<'a>> = Vec::new();
    let mut open: Option<&'a str> = None;
    let mut rest = points.as_slice();
    while let Some((version, _)) = rest.first() {
        let mut same = 1;
        while let Some((other, _)) = rest.get(same) {
            if compare(version, other)? != Ordering::Equal {
                break;
            }
            same += 1;
        }
        let (tied, after) = rest.split_at(same);
        rest = after;
        let introduced =
            tied.iter().find_map(|(version, event)| matches!(event, Event::Introduced(_)).then_some(*version));
        let fixed = tied.iter().find_map(|(version, event)| matches!(event, Event::Fixed(_)).then_some(*version));
        let last = tied.iter().find_map(|(version, event)| matches!(event, Event::LastAffected(_)).then_some(*version));
        match (open, fixed) {
            (Some(from), Some(fixed)) => {
                let end = match limit {
                    Some(limit) if compare(limit, fixed)?.is_lt() => IntervalEnd::Limit(limit),
                    _ => IntervalEnd::Fixed(fixed),
                };
                found.push(Interval { introduced: from, end });
                open = introduced;
            }
            (None, None) => open = introduced,
            // Introduced and fixed at once with nothing open is empty; introduced again while open changes nothing.
            (None, Some(_)) | (Some(_), None) => {}
        }
        if let (Some(from), Some(last)) = (open, last) {
            let end = match limit {
                Some(limit) if compare(limit, last)?.is_le() => IntervalEnd::Limit(limit),
                _ => IntervalEnd::LastAffected(last),
            };
            found.push(Interval { introduced: from, end });
            open = None;
        }
    }
    if let Some(from) = open {
        found.push(Interval { introduced: from, end: limit.map_or(IntervalEnd::Open, IntervalEnd::Limit) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use Event::{Fixed, Introduced, LastAffected, Limit};
    use proptest::prelude::*;

    use super::*;
    use crate::Scheme;

    fn semver(left: &str, right: &str) -> Result<Ordering, VersionError> {
        Scheme::Semver.compare(left, right)
    }

    fn inside(events: &[Event<'_>], version: &str) -> bool {
        intervals(events, semver).unwrap().iter().any(|interval| interval.contains(version, semver).unwrap())
    }

    #[test]
    fn events_in_any_order_give_the_same_intervals() {
        let events = [Fixed("2.3.0"), Introduced("1.0.0"), Fixed("1.5.0"), Introduced("2.0.0")];
        for (version, expected) in
            [("0.9.0", false), ("1.0.0", true), ("1.4.9", true), ("1.5.0", false), ("2.2.9", true), ("2.3.0", false)]
        {
            assert_eq!(inside(&events, version), expected, "{version}");
        }
    }

    #[test]
    fn last_affected_limit_and_open_ends_are_kept_apart() {
        assert!(inside(&[Introduced("0"), LastAffected("1.2.0")], "1.2.0"));
        assert!(!inside(&[Introduced("0"), LastAffected("1.2.0")], "1.2.1"));
        assert!(inside(&[Introduced("0"), Limit("2.0.0")], "1.9.9"));
        assert!(!inside(&[Introduced("0"), Limit("2.0.0")], "2.0.0"));
        assert!(inside(&[Introduced("0"), Limit("1.0.0"), Limit("*")], "9.0.0"));
        assert!(!inside(&[Introduced("0"), Fixed("3.0.0"), Limit("2.0.0")], "2.5.0"));
        assert!(!inside(&[Introduced("0"), LastAffected("3.0.0"), Limit("2.0.0")], "2.5.0"));
        assert!(inside(&[Introduced("0"), Fixed("3.0.0"), Limit("9.0.0")], "2.5.0"));
        assert!(inside(&[Introduced("1.0.0")], "99.0.0"));
        assert!(inside(&[Introduced("0")], "0.0.0-alpha"), "0 is before every pre-release");
    }

    #[test]
    fn introduced_and_fixed_at_one_version_is_empty_unless_something_was_open() {
        assert_eq!(intervals(&[Introduced("0"), Fixed("0")], semver).unwrap(), []);
        assert_eq!(intervals(&[Introduced("1.0.0"), Fixed("1.0.0")], semver).unwrap(), []);
        let both = intervals(&[Introduced("0"), Fixed("1.0.0"), Introduced("1.0.0"), Fixed("2.0.0")], semver).unwrap();
        assert_eq!(both.len(), 2);
        assert!(inside(&[Introduced("1.0.0"), LastAffected("1.0.0")], "1.0.0"));
    }

    #[test]
    fn a_bound_without_order_is_an_error() {
        assert!(intervals(&[Introduced("1"), Fixed("")], semver).is_err());
    }

    proptest! {
        /// The schema's evaluation algorithm, one event after the other, as the naive oracle.
        #[test]
        fn intervals_agree_with_the_schema(raw in proptest::collection::vec((0_u8..3, 1_u32..20), 1..8), probe in 0_u32..22) {
            // Distinct versions: at ties the schema leaves the result open.
            let mut seen = std::collections::BTreeSet::new();
            let raw: Vec<_> = raw.into_iter().filter(|(_, n)| seen.insert(*n)).collect();
            let texts: Vec<_> = raw.iter().map(|(kind, n)| (*kind, format!("{n}.0.0"))).collect();
            let events: Vec<_> = texts.iter().map(|(kind, version)| match kind {
                0 => Introduced(version),
                1 => Fixed(version),
                _ => LastAffected(version),
            }).collect();
            let mut sorted = raw.clone();
            sorted.sort_by_key(|(_, n)| *n);
            let mut expected = false;
            for (kind, n) in sorted {
                match kind {
                    0 if probe >= n => expected = true,
                    1 if probe >= n => expected = false,
                    2 if probe > n => expected = false,
                    _ => {}
                }
            }
            prop_assert_eq!(inside(&events, &format!("{probe}.0.0")), expected);
        }
    }
}
