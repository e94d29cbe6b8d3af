//! SQLite: one file with a write-ahead log, one connection.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, TransactionBehavior};

use crate::backend::{Backend, Mode, Row, Session, Value};
use crate::{StoreError, schema};

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// One file, or memory.
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(open)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(open)?;
        Self::prepare(connection)
    }

    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY)?;
        // Pages of 4 KiB in the write-ahead log before it is folded back: 32 MiB, some seconds of a busy webhook.
        connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }
}

impl Backend for Sqlite {
    fn transaction(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // A panic elsewhere cannot leave a transaction open: it is rolled back when it is dropped.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let behaviour = match mode {
            Mode::Read => TransactionBehavior::Deferred,
            Mode::Facts | Mode::Record | Mode::Exclusive => TransactionBehavior::Immediate,
        };
        let lasting = matches!(mode, Mode::Record | Mode::Exclusive);
        if lasting {
            // FULL waits for the disk when a transaction ends; NORMAL leaves that to the next checkpoint.
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        let result = (|| {
            let transaction = connection.transaction_with_behavior(behaviour)?;
            work(&mut SqliteSession(&transaction))?;
            Ok(transaction.commit()?)
        })();
        if lasting {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        result
    }
}

struct SqliteSession<'c>(&'c Connection);

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn owned(value: ValueRef<'_>) -> Result<Value<'static>, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Text(value.to_string().into()),
        ValueRef::Text(value) => {
            let text = std::str::from_utf8(value).map_err(|error| rusqlite::Error::Utf8Error(0, error))?;
            Value::Text(text.to_owned().into())
        }
        ValueRef::Blob(value) => Value::Bytes(value.to_vec().into()),
    })
}

impl SqliteSession<'_> {
    fn prepared(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        Ok(self.0.prepare_cached(sql)?)
    }
}

impl Session for SqliteSession<'_> {
    fn execute_each(&mut self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, StoreError> {
        let mut statement = self.prepared(sql)?;
        let run = |row: &Vec<Value<'_>>| Ok(statement.execute(rusqlite::params_from_iter(row))? as u64);
        rows.iter().map(run).collect()
    }

    fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepared(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            take(Row((0..columns).map(|column| owned(row.get_ref(column)?)).collect::<Result<_, _>>()?))?;
        }
        Ok(())
    }
}
