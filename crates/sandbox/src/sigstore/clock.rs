//! A clock that stands until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use assay_model::Timestamp;

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

    /// Moves it forward.
    pub fn advance(&self, seconds: u32) {
        self.0.fetch_add(i64::from(seconds), Ordering::SeqCst);
    }

    pub(super) fn seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
