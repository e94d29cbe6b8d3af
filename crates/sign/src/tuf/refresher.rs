//! Refreshing in the background, beside everything that verifies.

use std::sync::Arc;
use std::time::Duration;

use assay_model::{Explain as _, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{TufClient, TufError, TufRoots};

/// The first wait after a failure; it doubles up to the interval.
const RETRY: Duration = Duration::from_mins(1);

/// Keeps the root of one instance fresh.
#[derive(Debug)]
pub struct RootRefresher {
    client: TufClient,
    interval: Duration,
}

/// What is known of an instance's root.
#[derive(Clone, Debug, Default)]
pub struct RootState {
    /// The newest good root; none before the first refresh of all, when the embedded one is in use.
    pub roots: Option<Arc<TufRoots>>,
    /// When a refresh succeeded last; none if none has since the start.
    pub refreshed_at: Option<Timestamp>,
    /// Why the latest refresh failed, if it did. The root is still the last good one.
    pub failure: Option<RefreshFailure>,
}

impl RootState {
    /// Seconds until the metadata of the root expires, negative afterwards: a metric, and never a reason to stop
    /// verifying. None before the first refresh of all.
    pub fn seconds_left(&self, now: Timestamp) -> Option<i64> {
        self.roots.as_ref().map(|roots| roots.expires.as_second().saturating_sub(now.as_second()))
    }
}

/// Why a refresh failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFailure {
    /// Stable code, see [`assay_model::Explain`].
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Refreshes that failed in a row.
    pub count: u32,
}

impl RootRefresher {
    /// Refreshes every `interval` (some hours: metadata lives for days), and sooner after a failure.
    pub fn new(client: TufClient, interval: Duration) -> Self {
        Self { client, interval }
    }

    /// The state at the start: the last good root, without asking anybody.
    pub async fn initial(&self) -> RootState {
        match self.client.last_good().await {
            Ok(roots) => RootState { roots: roots.map(Arc::new), ..RootState::default() },
            Err(error) => RootState { failure: Some(failure(&error, 1)), ..RootState::default() },
        }
    }

    /// One refresh. If it fails, the state keeps its root: never an older one, never none.
    pub async fn refresh(&self, state: &RootState, now: Timestamp) -> RootState {
        match self.client.refresh(now).await {
            Ok(roots) => {
                let same = state.roots.as_ref().filter(|known| ***known == roots).cloned();
                RootState {
                    roots: Some(same.unwrap_or_else(|| Arc::new(roots))),
                    refreshed_at: Some(now),
                    failure: None,
                }
            }
            Err(error) => {
                let before = state.failure.as_ref().map_or(0, |failure| failure.count);
                RootState { failure: Some(failure(&error, before.saturating_add(1))), ..state.clone() }
            }
        }
    }

    /// Refreshes until the handle is dropped, the first time at once. Must be called within a tokio runtime.
    pub fn spawn(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> RefresherHandle {
        let (sender, state) = watch::channel(RootState::default());
        let task = tokio::spawn(async move {
            let mut state = self.initial().await;
            loop {
                // Nobody listens at times; the next listener sees the newest state.
                sender.send_replace(state.clone());
                state = self.refresh(&state, clock()).await;
                sender.send_replace(state.clone());
                tokio::time::sleep(self.wait(&state)).await;
            }
        });
        RefresherHandle { state, task }
    }

    fn wait(&self, state: &RootState) -> Duration {
        match &state.failure {
            None => self.interval,
            Some(failure) => {
                let doubled = RETRY.saturating_mul(1 << failure.count.saturating_sub(1).min(16));
                doubled.min(self.interval)
            }
        }
    }
}

fn failure(error: &TufError, count: u32) -> RefreshFailure {
    RefreshFailure { code: error.code(), message: error.to_string(), count }
}

/// A running [`RootRefresher`]; it stops when this is dropped.
#[derive(Debug)]
pub struct RefresherHandle {
    state: watch::Receiver<RootState>,
    task: JoinHandle<()>,
}

impl RefresherHandle {
    /// What is known now.
    pub fn state(&self) -> RootState {
        self.state.borrow().clone()
    }

    /// Waits until something has changed since the last call, and says what is known then.
    pub async fn changed(&mut self) -> RootState {
        // The sender lives as long as the task, and the task as long as this handle.
        let _ = self.state.changed().await;
        self.state.borrow_and_update().clone()
    }
}

impl Drop for RefresherHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TufInstance, TufOptions};
    use super::*;

    #[test]
    fn failures_are_tried_again_sooner_and_never_later_than_the_interval() {
        let folder = tempfile::tempdir().unwrap();
        let client = TufClient::new(TufInstance::staging(), folder.path().to_owned(), &TufOptions::default()).unwrap();
        let refresher = RootRefresher::new(client, Duration::from_hours(1));
        let after = |count| {
            let failure = RefreshFailure { code: "tuf-unreachable", message: String::new(), count };
            refresher.wait(&RootState { failure: Some(failure), ..RootState::default() }).as_secs()
        };
        assert_eq!([1, 2, 3, 6, 7, 99].map(after), [60, 120, 240, 1920, 3600, 3600]);
        assert_eq!(refresher.wait(&RootState::default()).as_secs(), 3600);
    }
}
