//! Why the store could not answer.

use std::path::PathBuf;

use assay_model::Explain;

/// Why the store could not answer. None of these ever reads as "nothing found".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened: missing directory, permission, or no SQLite file.
    #[error("the store {path} cannot be opened: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A statement failed: disk full, file damaged, or locked by another process for longer than five seconds.
    #[error("the store failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// `--store` names no store.
    #[error("the store `{scheme}:` cannot be used: {why}")]
    Location {
        /// What stands before the first colon.
        scheme: String,
        /// What is wrong, without the password.
        why: String,
    },
    /// The PostgreSQL server does not answer: down, starting, out of reach, or without a connection to spare.
    #[error("the store {server} cannot be reached: {why}")]
    Unreachable {
        /// The server, without the password.
        server: String,
        /// Why.
        why: String,
    },
    /// The PostgreSQL server does not let us in, or is not the one that knows our password.
    #[error("the store {server} is not open to us: {why}")]
    Refused {
        /// The server, without the password.
        server: String,
        /// Why.
        why: String,
    },
    /// A statement failed in PostgreSQL: disk full, a privilege missing, or longer than ten seconds.
    #[error("the store failed: {message} (SQLSTATE {code})")]
    Postgres {
        /// SQLSTATE.
        code: String,
        /// What the server says.
        message: String,
    },
    /// The file was written by a later version of Assay.
    #[error("the store has schema {found}, this version reads up to {known}")]
    NewerSchema {
        /// Schema of the file.
        found: i64,
        /// Newest schema known.
        known: i64,
    },
    /// A row does not hold what it should: damage, or a hand in the file.
    #[error("a stored {what} cannot be read: {source}")]
    Row {
        /// What it should be.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// The sealing key beside the store cannot be read or made.
    #[error("the sealing key {path} cannot be used: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The promotion ledger was changed after the fact.
    #[error("the promotion ledger is broken at entry {number}: {why}")]
    Ledger {
        /// The first entry that does not fit.
        number: u64,
        /// What does not fit.
        why: &'static str,
    },
    /// A decision segment cannot be written or read: then the decision is not recorded, and no answer may be given.
    #[error("the decision log {path} failed: {source}")]
    Log {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database has not taken decisions for so long that the segments reached their limit.
    #[error("the decision log holds {bytes} bytes that the store has not taken")]
    LogFull {
        /// Bytes waiting.
        bytes: u64,
    },
    /// Several decisions begin with this id.
    #[error("{count} decisions begin with `{prefix}`")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// How many there are.
        count: usize,
    },
}

impl StoreError {
    /// Whether the store may answer again by itself, so that what was known before is still the best there is.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Database(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy),
            _ => false,
        }
    }
}

impl Explain for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "store-open",
            Self::Database(_) | Self::Postgres { .. } => "store-failed",
            Self::Location { .. } => "store-location",
            Self::Unreachable { .. } => "store-unreachable",
            Self::Refused { .. } => "store-refused",
            Self::NewerSchema { .. } => "store-newer",
            Self::Row { .. } => "store-row",
            Self::Key { .. } => "store-key",
            Self::Ledger { .. } => "ledger-broken",
            Self::Log { .. } => "decision-log",
            Self::LogFull { .. } => "decision-log-full",
            Self::Ambiguous { .. } => "decision-ambiguous",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Open { .. } => Some("Check --store: the directory must exist and be writable".into()),
            Self::Location { .. } => Some("Write sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE".into()),
            Self::Unreachable { .. } => Some("Check that the server runs, and the host and port of --store".into()),
            Self::Refused { .. } => Some("Check user, password, database and pg_hba.conf (scram-sha-256)".into()),
            Self::NewerSchema { .. } => Some("Use the version of Assay that wrote it, or a new store".into()),
            Self::Ledger { .. } => Some("Compare with a backup; promotions after this entry prove nothing".into()),
            Self::LogFull { .. } => Some("Free space for the store, or see its errors in the server's log".into()),
            Self::Ambiguous { .. } => Some("Write more digits of the id".into()),
            Self::Database(_) | Self::Postgres { .. } | Self::Row { .. } | Self::Key { .. } | Self::Log { .. } => None,
        }
    }
}
