//! One connection: statements, and what their failures mean.
//!
//! BEGIN is sent together with the first statement after it, and the rows of one statement together, so that a
//! transaction of one known statement costs two round trips whatever it writes.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{TryStreamExt as _, future};
use tokio::task::AbortHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, RowStream, Statement};

use super::driver::{Driver, Silence};
use super::guard::Refusal;
use super::transport::{self, ConnectError};
use super::value;
use crate::StoreError;
use crate::backend::{Row, Value};
use crate::location::PostgresLocation;

/// Rows that are sent before their answers are read, and that are read before they are handed over.
const ROWS_AT_ONCE: usize = 256;
/// The same for what is read, in bytes.
const BYTES_AT_ONCE: usize = 4 << 20;
/// Said once on each connection: nothing hangs for ever, and a replica that vanished holds no lock for long.
const SETTINGS: &str =
    "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'";
/// SQLSTATE classes and codes by which the server says that it cannot be used at the moment: connection exceptions, too
/// many connections, shutting down, starting up.
const AWAY: [&str; 3] = ["08", "53300", "57P"];
/// SQLSTATEs after which the same work may go well: serialisation failure, deadlock, and a statement whose table was
/// changed by a newer version since it was prepared.
pub(super) const SERIALIZATION_FAILURES: [&str; 4] = ["40001", "40P01", "0A000", "26000"];

pub(crate) struct Connection {
    client: Arc<Client>,
    statements: HashMap<(String, Vec<Type>), Statement>,
    driver: Arc<Driver>,
    /// What reads and writes, until there is no client or it failed.
    wire: AbortHandle,
    /// Why that ended.
    ended: Arc<OnceLock<String>>,
    server: String,
    /// How long an answer may take. The server itself gives up earlier on a statement.
    limit: Duration,
    /// What begins the transaction, until its first statement.
    begin: Option<&'static str>,
    /// Whether a transaction is under way.
    busy: bool,
    broken: bool,
}

impl Connection {
    pub(super) fn open(location: &PostgresLocation, driver: &Arc<Driver>, limit: Duration) -> Result<Self, StoreError> {
        let (server, wanted) = (location.to_string(), location.clone());
        let ended = Arc::new(OnceLock::new());
        let why = Arc::clone(&ended);
        let opened = driver.wait(limit, async move {
            let (client, wire) = transport::connect(wanted).await?;
            let wire = tokio::spawn(async move {
                if let Err(error) = wire.await {
                    // Whoever waits is told that it is closed after this, on the same thread.
                    let _ = why.set(causes(&error));
                }
            });
            Ok((Arc::new(client), wire.abort_handle()))
        });
        let unreachable = |why: String| StoreError::Unreachable { server: server.clone(), why };
        let (client, wire) =
            opened.map_err(|silence| unreachable(silence.to_string()))?.map_err(|error| match error {
                ConnectError::Transport(error) => unreachable(error.to_string()),
                ConnectError::Server(error) => not_let_in(&server, &error),
            })?;
        let mut connection = Self {
            client,
            statements: HashMap::new(),
            driver: Arc::clone(driver),
            wire,
            ended,
            server,
            limit,
            begin: None,
            busy: false,
            broken: false,
        };
        connection.script(SETTINGS)?;
        Ok(connection)
    }

    /// Whether it can be used for another transaction.
    pub(super) fn is_idle(&self) -> bool {
        !self.broken && !self.busy && self.begin.is_none() && !self.client.is_closed()
    }

    /// What begins a transaction is sent with its first statement.
    pub(super) fn begin(&mut self, sql: &'static str) {
        self.begin = Some(sql);
    }

    /// Ends the transaction.
    pub(super) fn end(&mut self, sql: &'static str) -> Result<(), StoreError> {
        if self.begin.take().is_some() {
            // Nothing was asked: the server knows of no transaction.
            return Ok(());
        }
        self.script(sql)?;
        self.busy = false;
        Ok(())
    }

    /// Several statements without parameters.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        self.exchange(async move { client.batch_execute(&sql).await })
    }

    /// Runs a statement once for each row.
    pub(super) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.prepared(sql, value::types(rows))?;
        let mut changed = Vec::with_capacity(rows.len());
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let rows: Vec<_> = rows.iter().map(|row| value::owned(row)).collect();
            changed.extend(self.exchange(execute_all(Arc::clone(&self.client), statement.clone(), rows))?);
        }
        Ok(changed)
    }

    /// Runs a statement, and hands over its rows one after another.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let values = value::owned(values);
        let statement = self.prepared(sql, value::types(std::slice::from_ref(&values)))?;
        let client = Arc::clone(&self.client);
        let mut part = self.exchange(async move {
            let rows = client.query_raw(&statement, values).await?;
            some_of(Box::pin(rows)).await
        })?;
        loop {
            part.rows.into_iter().try_for_each(&mut *take)?;
            match part.rest {
                Some(rest) => part = self.exchange(some_of(rest))?,
                None => return Ok(()),
            }
        }
    }

    fn prepared(&mut self, sql: &str, types: Vec<Type>) -> Result<Statement, StoreError> {
        let key = (sql.to_owned(), types);
        if let Some(known) = self.statements.get(&key) {
            return Ok(known.clone());
        }
        // The one difference between the two dialects that is left in our statements.
        let (client, sql, types) = (Arc::clone(&self.client), sql.replace('?', "$"), key.1.clone());
        let statement = self.exchange(async move { client.prepare_typed(&sql, &types).await })?;
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    /// Has something asked of the server, after what begins the transaction. The first error is the one that counts.
    fn exchange<T, F>(&mut self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
    {
        if self.broken {
            return Err(
                self.unreachable(self.ended.get().cloned().unwrap_or_else(|| "the connection is lost".to_owned()))
            );
        }
        let (client, begin) = (Arc::clone(&self.client), self.begin.take());
        self.busy |= begin.is_some();
        let answer = self.driver.wait(self.limit, async move {
            let Some(begin) = begin else { return work.await };
            // Both are sent when they are polled first, which is in this order.
            let (begun, worked) = future::join(client.batch_execute(begin), work).await;
            begun.and(worked)
        });
        match answer {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(silence) => Err(self.lost(silence)),
        }
    }

    fn failed(&mut self, error: &tokio_postgres::Error) -> StoreError {
        let Some(said) = error.as_db_error() else {
            // Nobody knows what the next byte means.
            self.broken = true;
            return self.unreachable(self.ended.get().cloned().unwrap_or_else(|| causes(error)));
        };
        let error = said_by(&self.server, said);
        self.broken |=
            matches!(error, StoreError::Unreachable { .. }) || matches!(said.code().code(), "0A000" | "26000");
        error
    }

    fn lost(&mut self, silence: Silence) -> StoreError {
        self.broken = true;
        self.unreachable(silence.to_string())
    }

    fn unreachable(&self, why: String) -> StoreError {
        StoreError::Unreachable { server: self.server.clone(), why }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.broken {
            // It would wait for answers.
            self.wire.abort();
        }
    }
}

/// Some rows of an answer, and what is left of it.
struct Part {
    rows: Vec<Row>,
    rest: Option<Pin<Box<RowStream>>>,
}

async fn some_of(mut stream: Pin<Box<RowStream>>) -> Result<Part, tokio_postgres::Error> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        bytes += row.raw_size_bytes();
        rows.push(value::row(&row)?);
        if rows.len() >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
            return Ok(Part { rows, rest: Some(stream) });
        }
    }
    Ok(Part { rows, rest: None })
}

async fn execute_all(
    client: Arc<Client>,
    statement: Statement,
    rows: Vec<Vec<Value<'static>>>,
) -> Result<Vec<u64>, tokio_postgres::Error> {
    let (client, statement) = (&*client, &statement);
    let mut sent = Vec::with_capacity(rows.len());
    for row in rows {
        let mut answer = Box::pin(client.execute_raw(statement, row));
        // It is sent when it is polled first: all go out together, in the order of the rows.
        let early = future::poll_immediate(&mut answer).await;
        sent.push((answer, early));
    }
    let mut changed = Vec::with_capacity(sent.len());
    for (answer, early) in sent {
        changed.push(match early {
            Some(early) => early?,
            None => answer.await?,
        });
    }
    Ok(changed)
}

/// What the server said, as an error.
fn said_by(server: &str, said: &DbError) -> StoreError {
    let (server, code, message) = (server.to_owned(), said.code().code(), said.message().to_owned());
    if AWAY.iter().any(|away| code.starts_with(away)) {
        return StoreError::Unreachable { server, why: message };
    }
    // Invalid authorisation, unknown database.
    if code.starts_with("28") || code.starts_with("3D") {
        return StoreError::Refused { server, why: message };
    }
    StoreError::Postgres { code: code.to_owned(), message }
}

/// A connection that came to nothing after the socket was there.
fn not_let_in(server: &str, error: &tokio_postgres::Error) -> StoreError {
    if let Some(said) = error.as_db_error() {
        return said_by(server, said);
    }
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let refusal = io.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<Refusal>());
    let server = server.to_owned();
    match refusal {
        Some(Refusal(why)) => StoreError::Refused { server, why: (*why).to_owned() },
        // The one kind of the client's errors that is about the password has no other name.
        None if error.to_string() == "authentication error" => StoreError::Refused { server, why: causes(error) },
        None => StoreError::Unreachable { server, why: causes(error) },
    }
}

/// An error and what it is due to.
fn causes(error: &tokio_postgres::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        told = format!("{told}: {source}");
        cause = source.source();
    }
    told
}
