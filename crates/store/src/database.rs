//! The one connection.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_model::Timestamp;
use assay_trust::SealingKey;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{StoreError, schema};

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// The store: one SQLite file, or memory.
pub struct Store {
    connection: Mutex<Connection>,
    key: SealingKey,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or creates the file, and beside it `FILE.key`, the key of its seals, readable by its owner only.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(open)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(open)?;
        let mut key_path = path.as_os_str().to_owned();
        key_path.push(".key");
        let key_path = PathBuf::from(key_path);
        let key = sealing_key(&key_path).map_err(|source| StoreError::Key { path: key_path, source })?;
        Self::prepare(connection, &key)
    }

    /// A store that ends with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut key = [0; 32];
        random(&mut key).map_err(|source| StoreError::Key { path: PathBuf::from(":memory:"), source })?;
        Self::prepare(Connection::open_in_memory()?, &key)
    }

    fn prepare(mut connection: Connection, key: &[u8; 32]) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY)?;
        // NORMAL loses at most the last transactions on a power cut, never consistency; decisions are in segments too.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // Pages of 4 KiB in the write-ahead log before it is folded back: 32 MiB, some seconds of a busy webhook.
        connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection), key: SealingKey::new(key) })
    }

    /// The key of this store's seals.
    pub fn sealing_key(&self) -> &SealingKey {
        &self.key
    }

    /// The connection. A panic elsewhere cannot leave a transaction open: it is rolled back when it is dropped.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the key, or makes one that nobody else can read.
fn sealing_key(path: &Path) -> std::io::Result<[u8; 32]> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut key = [0; 32];
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            random(&mut key)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut file = std::fs::File::open(path)?;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                let why = "others may read it: chmod 600 it, or remove it to have everything verified again";
                return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why));
            }
            file.read_exact(&mut key)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| std::io::Error::other("the system gave no random bytes"))
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A stored time. What lies outside the range of times was not written by us; it reads as the earliest time.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN)
}

pub(crate) fn encode(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Row { what, source })
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|source| StoreError::Row { what, source })
}

/// A stored word of one of our types.
pub(crate) fn parse<T: DeserializeOwned>(what: &'static str, text: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|source| StoreError::Row { what, source })
}
