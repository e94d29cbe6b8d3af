//! When a request is sent again, and after which wait.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode, header};

use super::RetryOptions;

/// The tries of one request.
pub(super) struct Tries {
    options: RetryOptions,
    started: Instant,
    made: u32,
}

impl Tries {
    pub(super) fn new(options: RetryOptions) -> Self {
        Self { options, started: Instant::now(), made: 0 }
    }

    pub(super) fn made(&self) -> u32 {
        self.made
    }

    pub(super) fn begin(&mut self) {
        self.made += 1;
    }

    /// Waits before the next try; false where there is none: too many, or not enough time left.
    pub(super) async fn wait(&self, retry_after: Option<Duration>) -> bool {
        let Some(wait) = self.next_wait(retry_after, self.started.elapsed(), jitter()) else { return false };
        tokio::time::sleep(wait).await;
        true
    }

    fn next_wait(&self, retry_after: Option<Duration>, elapsed: Duration, jitter: f64) -> Option<Duration> {
        if self.made >= self.options.tries {
            return None;
        }
        let doubled = self.options.wait.saturating_mul(1 << self.made.saturating_sub(1).min(16));
        let asked = retry_after.unwrap_or_default();
        // The registry's wish is a minimum: clients that all come back at that very second would fail again.
        let wait = asked.max(doubled.mul_f64(0.5)) + doubled.mul_f64(0.5 * jitter);
        (elapsed + wait <= self.options.total).then_some(wait)
    }
}

/// Statuses that a second try may change (RFC 6585 and RFC 9110).
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// `Retry-After`: seconds or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = date.duration_since(jiff::Timestamp::now());
    Some(Duration::from_secs(u64::try_from(wait.as_secs()).unwrap_or(0)))
}

/// Between 0 and 1, different for every call: the standard library's randomly keyed hasher.
fn jitter() -> f64 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(made: u32) -> Tries {
        let options = RetryOptions { tries: 4, wait: Duration::from_millis(100), total: Duration::from_secs(10) };
        Tries { options, started: Instant::now(), made }
    }

    #[test]
    fn waits_double_with_jitter_and_end() {
        let wait = |made, jitter| tries(made).next_wait(None, Duration::ZERO, jitter);
        assert_eq!(wait(1, 0.0), Some(Duration::from_millis(50)));
        assert_eq!(wait(1, 1.0), Some(Duration::from_millis(100)));
        assert_eq!(wait(3, 1.0), Some(Duration::from_millis(400)));
        assert_eq!(wait(4, 0.0), None);
    }

    #[test]
    fn retry_after_is_a_minimum_and_must_fit_into_the_time() {
        let wait =
            |asked, elapsed| tries(1).next_wait(Some(Duration::from_secs(asked)), Duration::from_secs(elapsed), 0.0);
        assert_eq!(wait(3, 0), Some(Duration::from_secs(3)));
        assert_eq!(wait(3, 8), None);
        assert_eq!(wait(3600, 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text: &str| retry_after(&[(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect());
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "the past means now");
        assert!(read("Wed, 21 Oct 2099 07:28:00 GMT").is_some_and(|wait| wait > Duration::from_secs(1_000_000)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn jitter_stays_between_nothing_and_one() {
        assert!((0..1000).map(|_| jitter()).all(|value| (0.0..1.0).contains(&value)));
    }
}
