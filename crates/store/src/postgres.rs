//! PostgreSQL: a few connections of `tokio-postgres`, which run on a thread of the store's own (see [`driver`]).
//!
//! It blocks, as SQLite does. A server that cannot be reached is not asked again for a second, so that nobody who could do
//! without an answer waits for one.

mod connection;
mod driver;
mod guard;
#[cfg(test)]
mod tests;
mod transport;
mod value;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use connection::Connection;
use connection::SERIALIZATION_FAILURES;
use driver::Driver;

use crate::backend::{Backend, Mode, Row, Session, Value};
use crate::location::PostgresLocation;
use crate::{StoreError, schema};

/// Connections at once; whoever needs another one waits.
const CONNECTIONS_MAX: usize = 6;
/// How long somebody waits for a connection.
const WAIT: Duration = Duration::from_secs(5);
/// How long an unreachable server is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// For an answer, and for a connection with all that belongs to it.
const ANSWER: Duration = Duration::from_secs(15);
/// How often work is begun again that another transaction got in the way of.
const TRIES: usize = 4;

/// A database of a PostgreSQL server.
pub(crate) struct Postgres {
    location: PostgresLocation,
    pool: Mutex<Pool>,
    returned: Condvar,
    driver: Arc<Driver>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
    /// The schema was looked at and is ours.
    ready: bool,
    /// Until when nobody connects, and why.
    down: Option<(Instant, String)>,
}

/// A connection that goes back to the pool unless it broke.
struct Lent<'p> {
    postgres: &'p Postgres,
    connection: Option<Connection>,
    fresh: bool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.postgres.pool();
        match self.connection.take() {
            Some(connection) if connection.is_idle() => pool.idle.push(connection),
            _ => pool.open -= 1,
        }
        drop(pool);
        self.postgres.returned.notify_one();
    }
}

impl Postgres {
    /// Connects for the first time. A server that cannot be reached now is tried again when it is needed; anything else
    /// that is wrong is an error.
    pub(crate) fn open(location: &PostgresLocation) -> Result<Self, StoreError> {
        let driver = Driver::start()
            .map_err(|error| StoreError::Unreachable { server: location.to_string(), why: error.to_string() })?;
        let postgres = Self {
            location: location.clone(),
            pool: Mutex::default(),
            returned: Condvar::new(),
            driver: Arc::new(driver),
        };
        match postgres.lend() {
            Ok(lent) => drop(lent),
            Err(error @ StoreError::Unreachable { .. }) => {
                tracing::warn!(%error, "the store is asked again when it is needed");
            }
            Err(error) => return Err(error),
        }
        Ok(postgres)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let full = |pool: &mut Pool| pool.idle.is_empty() && pool.open >= CONNECTIONS_MAX;
        let (mut pool, waited) =
            self.returned.wait_timeout_while(self.pool(), WAIT, full).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(self.unreachable("all its connections are in use".to_owned()));
        }
        if let Some(connection) = pool.idle.pop() {
            return Ok(Lent { postgres: self, connection: Some(connection), fresh: false });
        }
        if let Some((until, why)) = &pool.down
            && Instant::now() < *until
        {
            return Err(self.unreachable(why.clone()));
        }
        pool.open += 1;
        let ready = pool.ready;
        drop(pool);
        // From here on, dropping it gives the place back.
        let mut lent = Lent { postgres: self, connection: None, fresh: true };
        match self.connect(ready) {
            Ok(connection) => {
                let mut pool = self.pool();
                (pool.ready, pool.down) = (true, None);
                drop(pool);
                lent.connection = Some(connection);
                Ok(lent)
            }
            Err(error) => {
                if let StoreError::Unreachable { why, .. } = &error {
                    self.pool().down = Some((Instant::now() + PAUSE, why.clone()));
                }
                Err(error)
            }
        }
    }

    fn connect(&self, ready: bool) -> Result<Connection, StoreError> {
        let mut connection = Connection::open(&self.location, &self.driver, ANSWER)?;
        if !ready {
            connection.begin("BEGIN");
            schema::postgres::migrate(&mut connection)?;
            connection.end("COMMIT")?;
        }
        Ok(connection)
    }

    fn unreachable(&self, why: String) -> StoreError {
        StoreError::Unreachable { server: self.location.to_string(), why }
    }

    /// Whether the same work may go better at once.
    fn may_go_better(&self, error: &StoreError, fresh: bool) -> bool {
        match error {
            StoreError::Postgres { code, .. } => SERIALIZATION_FAILURES.contains(&code.as_str()),
            StoreError::Unreachable { .. } if !fresh => {
                // The server was started again: the other connections are gone as well.
                let mut pool = self.pool();
                pool.open -= pool.idle.len();
                pool.idle.clear();
                true
            }
            _ => false,
        }
    }
}

impl Backend for Postgres {
    fn transaction(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let begin = match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Facts => "BEGIN; SET LOCAL synchronous_commit = off",
            Mode::Record => "BEGIN",
            Mode::Exclusive => schema::postgres::BEGIN_EXCLUSIVE,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let mut lent = self.lend()?;
            let fresh = lent.fresh;
            let Some(connection) = lent.connection.as_mut() else { return Err(self.unreachable(String::new())) };
            connection.begin(begin);
            let worked = work(&mut PostgresSession(connection));
            let error = match worked {
                // Whether a lost COMMIT took place is not known: that is for the caller to find out.
                Ok(()) => return connection.end("COMMIT"),
                Err(error) => error,
            };
            // The first failure is the one to tell.
            let _ = connection.end("ROLLBACK");
            drop(lent);
            if tries >= TRIES || !self.may_go_better(&error, fresh) {
                return Err(error);
            }
        }
    }
}

struct PostgresSession<'c>(&'c mut Connection);

impl Session for PostgresSession<'_> {
    fn execute_each(&mut self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, StoreError> {
        self.0.execute_each(sql, rows)
    }

    fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.0.query(sql, values, take)
    }
}
