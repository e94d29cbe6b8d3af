//! Decisions on their way into the database: a segment file first, the database in batches.
//!
//! The segment is the queue. [`DecisionLog::append`] returns when the record's bytes are with the operating system, so
//! that no answer is given that a killed process would forget. A thread closes the segment from time to time, puts its
//! records into the database in one transaction, and removes it. What a crash left over is taken in at the next start;
//! a record that is there already is left alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::database::encode;
use crate::{DecisionRecord, Store, StoreError};

/// How long a record waits for others to share its transaction.
const BATCH: Duration = Duration::from_secs(1);
/// After a failure of the database.
const RETRY: Duration = Duration::from_secs(2);
/// Most bytes that wait for a database that does not take them: about 50,000 decisions.
const WAITING_MAX: u64 = 512 << 20;
/// File name extension of segments.
const EXTENSION: &str = "decisions";

/// The decision log. Dropping it puts what waits into the database.
#[derive(Debug)]
pub struct DecisionLog {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    directory: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: Option<(PathBuf, File)>,
    number: u64,
    /// Bytes in all segments.
    waiting: u64,
    appended: u64,
    stored: u64,
    flush: bool,
    stop: bool,
    failed: bool,
}

impl DecisionLog {
    /// Takes in what an earlier process left in `directory`, and starts.
    pub fn open(store: Arc<Store>, directory: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Log { path: directory.to_owned(), source };
        // Who asked for what is nobody else's business.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let shared = Arc::new(Shared {
            store,
            directory: directory.to_owned(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        for segment in shared.segments()? {
            shared.store_segment(&segment)?;
        }
        let of_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("decision-log".into()).spawn(move || of_thread.run()).map_err(failed)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Writes a record down. An error means that it is not recorded.
    pub fn append(&self, record: &DecisionRecord) -> Result<(), StoreError> {
        let mut line = encode("decision", record)?;
        line.push('\n');
        let mut state = self.shared.lock();
        if state.waiting > WAITING_MAX {
            return Err(StoreError::LogFull { bytes: state.waiting });
        }
        let (path, file) = self.shared.segment(&mut state)?;
        file.write_all(line.as_bytes()).map_err(|source| StoreError::Log { path: path.clone(), source })?;
        state.waiting += line.len() as u64;
        let first = state.appended == state.stored;
        state.appended += 1;
        drop(state);
        // Only an idle thread needs to hear of it: the one that collects a batch looks again when its time is up.
        if first {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until everything appended so far is in the database, or the database has failed. True = it is there.
    pub fn flush(&self) -> bool {
        let mut state = self.shared.lock();
        let target = state.appended;
        state.failed = false;
        state.flush = true;
        self.shared.changed.notify_all();
        while state.stored < target && !state.failed {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.stored >= target
    }

    /// Records that the database has not taken yet.
    pub fn waiting(&self) -> u64 {
        let state = self.shared.lock();
        state.appended - state.stored
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; the segments are still on disk.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open segment, made where there is none.
    fn segment<'s>(&self, state: &'s mut State) -> Result<&'s mut (PathBuf, File), StoreError> {
        if state.open.is_none() {
            loop {
                state.number += 1;
                let path = self.directory.join(format!("{:08}.{EXTENSION}", state.number));
                match OpenOptions::new().append(true).create_new(true).open(&path) {
                    Ok(file) => {
                        state.open = Some((path, file));
                        break;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    Err(source) => return Err(StoreError::Log { path, source }),
                }
            }
        }
        state.open.as_mut().ok_or_else(|| StoreError::Log {
            path: self.directory.clone(),
            source: std::io::Error::other("no segment is open"),
        })
    }

    fn segments(&self) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |source| StoreError::Log { path: self.directory.clone(), source };
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                segments.push(path);
            }
        }
        segments.sort();
        Ok(segments)
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            while state.appended == state.stored && !state.stop {
                state.flush = false;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let wait = if state.failed { RETRY } else { BATCH };
            if !state.stop && !state.flush {
                state = self
                    .changed
                    .wait_timeout_while(state, wait, |state| !state.stop && !state.flush)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            if state.appended == state.stored && state.stop {
                return;
            }
            // From here on, new records go to the next segment.
            let target = state.appended;
            state.open = None;
            state.flush = false;
            drop(state);
            let result = self.store_closed();
            let mut state = self.lock();
            match result {
                Ok(bytes) => {
                    state.stored = target;
                    state.waiting = state.waiting.saturating_sub(bytes);
                    state.failed = false;
                }
                Err(error) => {
                    tracing::error!(%error, "decisions wait: the store does not take them");
                    state.failed = true;
                }
            }
            let stop = state.stop;
            drop(state);
            self.changed.notify_all();
            if stop {
                return;
            }
        }
    }

    /// Puts every closed segment into the database. Returns the bytes that left.
    fn store_closed(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for segment in self.segments()? {
            if self.lock().open.as_ref().is_some_and(|(path, _)| *path == segment) {
                continue;
            }
            bytes += self.store_segment(&segment)?;
        }
        Ok(bytes)
    }

    fn store_segment(&self, path: &Path) -> Result<u64, StoreError> {
        let failed = |source| StoreError::Log { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        // A last line may be torn: the process was killed while writing, and never sent the answer to that request.
        let damaged = self.store.put_decision_lines(&lines)?;
        let bytes = bytes.len() as u64;
        if damaged > 1 {
            // More than a torn last line: somebody shall look at it.
            tracing::error!(path = %path.display(), damaged, "decision segment damaged, kept aside");
            std::fs::rename(path, path.with_extension("damaged")).map_err(failed)?;
        } else {
            std::fs::remove_file(path).map_err(failed)?;
        }
        Ok(bytes)
    }
}
