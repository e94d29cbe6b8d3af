//! Decisions on their way into the database: a segment file first, the database in batches.
//!
//! The segment is the queue. [`DecisionLog::append`] returns when the record's bytes are with the operating system, so
//! that no answer is given that a killed process would forget. A thread closes the segment every second, waits until it
//! is on the disk, puts its records into the database in one transaction, and removes it when that is on the disk, too:
//! a power cut takes the decisions of about the last second. What a crash left over is taken in at the next start; a
//! record that is there already is left alone.
//!
//! What is in the open segment is in memory, too, so that nothing is read back while all goes well. While the database
//! fails, the files keep it. A file is a Zstandard stream without its end, in frames with checksums, a row of the
//! database the same stream with its end.

mod segment;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use segment::{EXTENSION, Segment};

use crate::decision_batch::{Batch, Keys};
use crate::{DecisionRecord, Store, StoreError, record_text};

/// How long a record waits for others to share its transaction.
const BATCH: Duration = Duration::from_secs(1);
/// Bytes after which a segment is closed before its time: what one row holds, about a hundred decisions.
const SEGMENT_BYTES: usize = 1 << 20;
/// After a failure of the database.
const RETRY: Duration = Duration::from_secs(2);
/// Most bytes that wait for a database that does not take them: about 50,000 decisions.
const WAITING_MAX: u64 = 512 << 20;
/// Closed segments that are kept in memory; more of them are read back from their files.
const IN_MEMORY: usize = 4;

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

/// The segment that records are written to.
#[derive(Debug)]
struct Open {
    segment: Segment,
    batch: Batch,
    records: u64,
    bytes: u64,
}

/// A segment that nothing is added to.
#[derive(Debug)]
struct Closed {
    segment: Segment,
    /// What is in the file, unless too much waits.
    batch: Option<Batch>,
    records: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    closed: VecDeque<Closed>,
    number: u64,
    /// Bytes in all segments.
    waiting: u64,
    appended: u64,
    stored: u64,
    flush: bool,
    stop: bool,
    failed: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_empty()
    }

    /// From here on, new records go to another segment.
    fn close(&mut self) {
        if let Some(Open { segment, batch, records, bytes }) = self.open.take() {
            let batch = (self.closed.len() < IN_MEMORY).then_some(batch);
            self.closed.push_back(Closed { segment, batch, records, bytes });
        }
    }

    /// The same after a failure: what the file holds is what counts.
    fn abandon(&mut self) {
        self.close();
        if let Some(closed) = self.closed.back_mut() {
            closed.batch = None;
        }
    }
}

impl DecisionLog {
    /// Takes in what an earlier process left in `directory`, and starts. Where the store does not take it, it waits there
    /// with what comes. Several processes may use one directory: what a living one writes is left to it.
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
        shared.take_in()?;
        let of_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("decision-log".into()).spawn(move || of_thread.run()).map_err(failed)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Writes a record down. An error means that it is not recorded.
    pub fn append(&self, record: &DecisionRecord) -> Result<(), StoreError> {
        let row = |source| StoreError::Row { what: "decision", source };
        let keys = Keys::of(record).ok_or_else(|| row(serde::ser::Error::custom("its id is none")))?;
        let line = record_text::line(record).map_err(row)?;
        let mut state = self.shared.lock();
        if state.waiting > WAITING_MAX {
            return Err(StoreError::LogFull { bytes: state.waiting });
        }
        let idle = state.is_empty();
        let open = self.shared.segment(&mut state)?;
        let written = open.batch.push(keys, &line).and_then(|bytes| open.segment.write(bytes));
        if let Err(source) = written {
            let path = open.segment.path.clone();
            // A part of the record may stand there: nothing may follow it.
            state.abandon();
            return Err(StoreError::Log { path, source });
        }
        open.records += 1;
        open.bytes += line.len() as u64;
        let full = open.batch.size() >= SEGMENT_BYTES;
        if full {
            state.close();
        }
        state.waiting += line.len() as u64;
        state.appended += 1;
        drop(state);
        // The thread that collects a batch looks again when its time is up.
        if idle || full {
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open segment, made where there is none.
    fn segment<'s>(&self, state: &'s mut State) -> Result<&'s mut Open, StoreError> {
        let State { open, number, .. } = state;
        let made = match open.take() {
            Some(open) => open,
            None => loop {
                *number += 1;
                let path = self.directory.join(format!("{number:08}.{EXTENSION}"));
                let failed = |source| StoreError::Log { path: path.clone(), source };
                if let Some(segment) = Segment::create(&path).map_err(failed)? {
                    let batch = Batch::new().map_err(failed)?;
                    break Open { segment, batch, records: 0, bytes: 0 };
                }
            },
        };
        Ok(open.insert(made))
    }

    /// Takes in what earlier processes left.
    fn take_in(&self) -> Result<(), StoreError> {
        let mut refused = false;
        for path in self.segments()? {
            let failed = |source| StoreError::Log { path: path.clone(), source };
            let Some(segment) = Segment::adopt(&path).map_err(failed)? else { continue };
            if !refused {
                match self.store_file(&segment) {
                    Ok(()) => continue,
                    Err(error @ StoreError::Log { .. }) => return Err(error),
                    Err(error) => tracing::error!(%error, "decisions of before wait: the store does not take them"),
                }
            }
            refused = true;
            let (records, bytes) = (segment.read().map_err(failed)?.frames, segment.size());
            let mut state = self.lock();
            state.appended += records;
            state.waiting += bytes;
            state.closed.push_back(Closed { segment, batch: None, records, bytes });
        }
        self.lock().failed = refused;
        Ok(())
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
        let mut state = self.lock();
        loop {
            while state.is_empty() && !state.stop {
                state.flush = false;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let wait = if state.failed { RETRY } else { BATCH };
            let collects = |state: &mut State| !state.stop && !state.flush && (state.failed || state.closed.is_empty());
            state = self.changed.wait_timeout_while(state, wait, collects).unwrap_or_else(PoisonError::into_inner).0;
            state.flush = false;
            state.close();
            state = self.store_closed(state);
            self.changed.notify_all();
            if state.stop && (state.is_empty() || state.failed) {
                return;
            }
        }
    }

    /// Puts the closed segments into the database, until it fails.
    fn store_closed<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.failed = false;
        while let Some(mut closed) = state.closed.pop_front() {
            drop(state);
            let result = self.store_segment(&closed.segment, closed.batch.take());
            state = self.lock();
            match result {
                Ok(()) => {
                    state.stored += closed.records;
                    state.waiting = state.waiting.saturating_sub(closed.bytes);
                }
                Err(error) => {
                    tracing::error!(%error, "decisions wait: the store does not take them");
                    state.closed.push_front(closed);
                    state.failed = true;
                    break;
                }
            }
        }
        state
    }

    fn store_segment(&self, segment: &Segment, batch: Option<Batch>) -> Result<(), StoreError> {
        let failed = |source| StoreError::Log { path: segment.path.clone(), source };
        let Some(batch) = batch else { return self.store_file(segment) };
        // While the database takes its time, or does not answer.
        segment.sync().map_err(failed)?;
        self.store.put_batch(&batch.close().map_err(failed)?)?;
        std::fs::remove_file(&segment.path).map_err(failed)
    }

    /// Puts the records of a file into the database, in portions of a segment.
    fn store_file(&self, segment: &Segment) -> Result<(), StoreError> {
        let path = &segment.path;
        let failed = |source| StoreError::Log { path: path.clone(), source };
        let held = segment.read().map_err(failed)?;
        let decoder = zstd::stream::read::Decoder::new(held.stream.as_slice()).map_err(failed)?;
        let (mut file, mut damaged) = (BufReader::new(decoder), held.damaged);
        let (mut batch, mut line) = (Batch::new().map_err(failed)?, Vec::new());
        loop {
            line.clear();
            match file.read_until(b'\n', &mut line) {
                Ok(0) => break,
                // The process was killed while writing, and never sent the answer to that request.
                Ok(_) if !line.ends_with(b"\n") => break,
                Ok(_) => {}
                // The stream has no end: that it stops is nothing unusual.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "decision segment damaged");
                    damaged = true;
                    break;
                }
            }
            match Keys::read(&line) {
                Some(keys) => batch.push(keys, &line).map(drop).map_err(failed)?,
                None => damaged = true,
            }
            if batch.size() >= SEGMENT_BYTES {
                let full = std::mem::replace(&mut batch, Batch::new().map_err(failed)?);
                self.store.put_batch(&full.close().map_err(failed)?)?;
            }
        }
        self.store.put_batch(&batch.close().map_err(failed)?)?;
        if damaged {
            // Somebody shall look at it.
            tracing::error!(path = %path.display(), "decision segment damaged, kept aside");
            std::fs::rename(path, path.with_extension("damaged")).map_err(failed)
        } else {
            std::fs::remove_file(path).map_err(failed)
        }
    }
}
