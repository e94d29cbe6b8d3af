//! The time of a decision, and for how long what was read from it stays as it is.
//!
//! Time only turns answers at certain moments: when evidence runs out, when a scan is too old, when another hour is full.
//! Each question notes the next of them, so that what was said before that moment need not be found out again, and ends
//! with it to the nanosecond.

use std::cell::Cell;

use assay_model::Timestamp;
use jiff::SignedDuration;

/// One hour, in seconds.
const HOUR: i64 = 3600;

/// The time of one decision.
#[derive(Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    /// The first moment at which something that was asked would be answered otherwise.
    until: Cell<Timestamp>,
}

impl Clock {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, until: Cell::new(Timestamp::MAX) }
    }

    /// The time itself, for what is not remembered.
    pub(crate) fn now(&self) -> Timestamp {
        self.turns(None);
        self.now
    }

    /// Runs something, and gives the moment before which it asks the clock in vain. None where that is past: it can be
    /// asked again at this very moment only.
    pub(crate) fn lasting(&self, run: impl FnOnce()) -> Option<Timestamp> {
        self.until.set(Timestamp::MAX);
        run();
        Some(self.until.get()).filter(|until| *until > self.now)
    }

    /// Whether `end` is here.
    pub(crate) fn is_over(&self, end: Timestamp) -> bool {
        let over = end <= self.now;
        if !over {
            self.turns(Some(end));
        }
        over
    }

    /// Whether more than `most` has passed since `at`.
    pub(crate) fn is_older(&self, at: Timestamp, most: SignedDuration) -> bool {
        let older = self.now.duration_since(at) > most;
        if !older && let Ok(last) = at.checked_add(most) {
            self.turns(Some(last));
        }
        older
    }

    /// Whether `at` lies further ahead than two clocks may differ.
    pub(crate) fn is_ahead(&self, at: Timestamp, skew: SignedDuration) -> bool {
        let ahead = self.now.duration_since(at) < -skew;
        if ahead {
            self.turns(at.checked_sub(skew).ok());
        }
        ahead
    }

    /// The full hours since `at`.
    pub(crate) fn hours_since(&self, at: Timestamp) -> i64 {
        let hours = self.now.duration_since(at).as_hours();
        let next = hours.checked_add(1).and_then(|next| next.checked_mul(HOUR)).map(SignedDuration::from_secs);
        // Before `at`, hours are counted towards it: nobody asks that twice.
        self.turns(next.filter(|_| at <= self.now).and_then(|next| at.checked_add(next).ok()));
        hours
    }

    /// Notes when an answer turns; none = at once.
    fn turns(&self, at: Option<Timestamp>) {
        self.until.set(self.until.get().min(at.unwrap_or(self.now)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A moment near the others, to the nanosecond, and on the hours.
    fn moment() -> impl Strategy<Value = Timestamp> {
        (-3_i64..4, -2_i64..3, -1_i64..2).prop_map(|(hours, seconds, nanoseconds)| {
            let offset = SignedDuration::from_secs(hours * HOUR + seconds) + SignedDuration::from_nanos(nanoseconds);
            "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap().checked_add(offset).unwrap()
        })
    }

    fn all(clock: &Clock, at: Timestamp, span: SignedDuration, question: usize) -> i64 {
        match question {
            0 => i64::from(clock.is_over(at)),
            1 => i64::from(clock.is_older(at, span)),
            2 => i64::from(clock.is_ahead(at, span)),
            _ => clock.hours_since(at),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn an_answer_stands_until_the_moment_that_was_noted(
            now in moment(), later in moment(), at in moment(), hours in 0_i64..3, question in 0_usize..4
        ) {
            let span = SignedDuration::from_hours(hours);
            let (then, mut answer) = (Clock::new(now), 0);
            let until = then.lasting(|| answer = all(&then, at, span, question));
            if until.is_some_and(|until| now <= later && later < until) {
                prop_assert_eq!(all(&Clock::new(later), at, span, question), answer);
            }
        }
    }

    #[test]
    fn what_runs_out_ends_to_the_nanosecond_and_what_is_past_stays() {
        let end: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let before = Clock::new(end.checked_sub(SignedDuration::from_nanos(1)).unwrap());
        assert_eq!(before.lasting(|| assert!(!before.is_over(end))), Some(end));
        let after = Clock::new(end);
        assert_eq!(after.lasting(|| assert!(after.is_over(end))), Some(Timestamp::MAX));
    }
}
