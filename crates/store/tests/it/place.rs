//! Where a test's store is: SQLite or PostgreSQL. Each test is listed once and runs on both.

use std::path::Path;

use assay_store::{Store, StoreLocation};
use tempfile::TempDir;

use crate::peer::Server;

/// Runs tests, each a function of a [`Place`], on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&crate::place::Place::sqlite()); })*
        }
        mod postgres {
            $(#[test] fn $test() { crate::place::Place::postgres().iter().for_each(super::$test); })*
        }
    };
}
pub(crate) use on_both;

/// A place for one store, empty at first. What a test needs beside it goes into its folder.
pub(crate) struct Place {
    folder: TempDir,
    server: Option<(&'static Server, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None }
    }

    /// A database of its own in the one server; none where there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        let server = Server::get()?;
        let name = server.database();
        Some(Self { folder: tempfile::tempdir().unwrap(), server: Some((server, name)) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What `--store` says.
    pub(crate) fn url(&self) -> String {
        match &self.server {
            None => format!("sqlite:{}", self.path().join("store.db").display()),
            Some((server, name)) => server.url(name),
        }
    }

    /// The store, opened once more.
    pub(crate) fn open(&self) -> Store {
        open(&self.url(), self.path()).unwrap()
    }

    /// Says something to the database behind the store's back; returns the lines of the answer, columns with a bar between.
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        if let Some((server, name)) = &self.server {
            return server.ask(name, sql);
        }
        let connection = rusqlite::Connection::open(self.path().join("store.db")).unwrap();
        if !sql.starts_with("SELECT") {
            connection.execute_batch(sql).unwrap();
            return Vec::new();
        }
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>, column| match row.get_ref_unwrap(column) {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap().to_owned(),
        };
        let rows = statement
            .query_map([], |row| Ok((0..columns).map(|column| text(row, column)).collect::<Vec<_>>().join("|")));
        rows.unwrap().map(Result::unwrap).collect()
    }
}

/// Opens a store as `--store` names it; the key of a database lies in `folder`.
pub(crate) fn open(url: &str, folder: &Path) -> Result<Store, assay_store::StoreError> {
    match url.parse()? {
        StoreLocation::Sqlite(path) => Store::open(&path),
        StoreLocation::Postgres(location) => Store::postgres(&location, &folder.join("store.key")),
    }
}
