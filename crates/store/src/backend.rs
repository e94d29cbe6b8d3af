//! What the store asks of a database: transactions of plain statements. SQLite and PostgreSQL answer.
//!
//! The statements are written once, in the part of SQL that both read alike: parameters are `?1`, `?2` and so on, an
//! upsert names its columns, times are integers, and a statement that is run many times is handed over with all its rows,
//! so that a database behind a network is asked once.

use std::borrow::Cow;

use serde::de::Error as _;

use crate::StoreError;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads, and sees one moment.
    Read,
    /// Keeps what could be found out again: a power cut may take the last of it.
    Facts,
    /// Keeps what nobody could find out again: it is on the disk when this ends.
    Record,
    /// The same, and no other one of this mode at the same time, in whichever replica.
    Exclusive,
}

/// A value on its way into the database or out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Null,
    Integer(i64),
    Text(Cow<'v, str>),
    Bytes(Cow<'v, [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// An array of [`Value`]s.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::backend::Value::from($value)),*] };
}
pub(crate) use values;

/// A row of an answer. Each column is taken once.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value<'static>>);

impl Row {
    fn take(&mut self, column: usize) -> Value<'static> {
        self.0.get_mut(column).map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }

    pub(crate) fn integer(&mut self, column: usize) -> Result<i64, StoreError> {
        self.optional_integer(column)?.ok_or_else(|| unlike(column, "an integer"))
    }

    pub(crate) fn optional_integer(&mut self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(value)),
            _ => Err(unlike(column, "an integer")),
        }
    }

    pub(crate) fn text(&mut self, column: usize) -> Result<String, StoreError> {
        self.optional_text(column)?.ok_or_else(|| unlike(column, "text"))
    }

    pub(crate) fn optional_text(&mut self, column: usize) -> Result<Option<String>, StoreError> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.into_owned())),
            _ => Err(unlike(column, "text")),
        }
    }

    /// Bytes, or the bytes of a text.
    pub(crate) fn bytes(&mut self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.take(column) {
            Value::Bytes(value) => Ok(value.into_owned()),
            Value::Text(value) => Ok(value.into_owned().into_bytes()),
            _ => Err(unlike(column, "bytes")),
        }
    }
}

fn unlike(column: usize, what: &str) -> StoreError {
    let source = serde_json::Error::custom(format!("column {column} is not {what}"));
    StoreError::Row { what: "row", source }
}

/// A transaction that is under way.
pub(crate) trait Session {
    /// Runs a statement once for each row of parameters; returns how many rows of the database each changed.
    fn execute_each(&mut self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, StoreError>;

    /// Runs a statement, and hands over its rows one after another.
    fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

impl dyn Session + '_ {
    /// Runs a statement; returns how many rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        Ok(self.execute_each(sql, &[values.to_vec()])?.first().copied().unwrap_or(0))
    }

    /// All rows, read.
    pub(crate) fn rows<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&mut Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.query(sql, values, &mut |mut row| {
            found.push(read(&mut row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row, read.
    pub(crate) fn row<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&mut Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }
}

/// A database.
pub(crate) trait Backend: Send + Sync {
    /// Does the work in one transaction, all of it or nothing. Work that another transaction got in the way of, or whose
    /// connection was lost before the end, is begun again from its start.
    fn transaction(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}
