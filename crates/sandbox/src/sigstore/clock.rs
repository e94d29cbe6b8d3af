//! A clock that stands until it is moved, or goes with the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use assay_model::Timestamp;

/// Shown by no clock that stands.
const MACHINE: i64 = i64::MAX;

/// Time in whole seconds, shared between everything that was given a clone.
///
/// Keep it in the past: the library behind `assay-trust` refuses log entries that are later than the machine's clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_second())))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds()).unwrap_or_default()
    }

    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_second(), Ordering::SeqCst);
    }

    /// Lets it go with the machine's: beside programs of others, which have no other one.
    pub fn follow_machine(&self) {
        self.0.store(MACHINE, Ordering::SeqCst);
    }

    /// Moves it forward. One that goes by itself is left alone.
    pub fn advance(&self, seconds: u32) {
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
            (now != MACHINE).then(|| now.saturating_add(i64::from(seconds)))
        });
    }

    pub(super) fn seconds(&self) -> i64 {
        match self.0.load(Ordering::SeqCst) {
            MACHINE => Timestamp::now().as_second(),
            standing => standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_is_moved_or_goes() {
        let clock = Clock::new("2026-03-01T12:00:00Z".parse().unwrap());
        clock.advance(5);
        assert_eq!(clock.now().to_string(), "2026-03-01T12:00:05Z");
        clock.follow_machine();
        let before = Timestamp::now().as_second();
        clock.advance(1_000_000);
        assert!((before..before + 1_000).contains(&clock.now().as_second()));
    }
}
