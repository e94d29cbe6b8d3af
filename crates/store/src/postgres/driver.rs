//! The thread on which the client runs.
//!
//! `tokio-postgres` is asynchronous and the store blocks. Whoever asks the store may be a task of another runtime, and a
//! runtime refuses to be waited for by a task: so the work is handed over, and awaited on a plain channel.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A runtime on a thread of its own, which ends with this.
pub(super) struct Driver {
    runtime: Handle,
    _stop: oneshot::Sender<Infallible>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    /// It took longer than the limit.
    #[error("it did not answer within {0:?}")]
    Late(Duration),
    /// The work panicked, or the thread is gone.
    #[error("its client failed")]
    Failed,
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        // A runtime is not dropped by a task either: it lives and ends on its thread.
        std::thread::Builder::new().name("postgres".to_owned()).spawn(move || runtime.block_on(stopped))?;
        Ok(Self { runtime: handle, _stop: stop })
    }

    /// Has the work done, and blocks until then or until the limit.
    pub(super) fn wait<T, F>(&self, limit: Duration, work: F) -> Result<T, Silence>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (tell, told) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            let done = tokio::time::timeout(limit, work).await.map_err(|_| Silence::Late(limit));
            // Nobody else has the receiver, and it waits.
            let _ = tell.send(done);
        });
        told.recv().unwrap_or(Err(Silence::Failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_another_runtime_may_wait() {
        let driver = Driver::start().unwrap();
        let outer = Builder::new_current_thread().build().unwrap();
        let answer = outer.block_on(async {
            let answer = driver.wait(Duration::from_mins(1), async { 1 });
            // Nor does its end disturb the task.
            drop(driver);
            answer
        });
        assert_eq!(answer, Ok(1));
    }

    #[test]
    fn work_that_hangs_or_panics_is_an_answer() {
        let driver = Driver::start().unwrap();
        let limit = Duration::from_millis(10);
        assert_eq!(driver.wait(limit, std::future::pending::<()>()), Err(Silence::Late(limit)));
        assert_eq!(driver.wait::<(), _>(limit, async { panic!("on purpose") }), Err(Silence::Failed));
        assert_eq!(driver.wait(Duration::from_mins(1), async { 2 }), Ok(2), "the thread goes on");
    }
}
