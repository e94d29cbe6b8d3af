//! The store itself: a database, and the key of its seals.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use assay_model::Timestamp;
use assay_trust::SealingKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::backend::{Backend, Mode, Session};
use crate::location::PostgresLocation;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// The store: a SQLite file, memory, or a PostgreSQL database.
pub struct Store {
    backend: Box<dyn Backend>,
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
        let backend = Sqlite::open(path)?;
        let mut key_path = path.as_os_str().to_owned();
        key_path.push(".key");
        Self::sealed_by(Box::new(backend), PathBuf::from(key_path))
    }

    /// A store that ends with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut key = [0; 32];
        random(&mut key).map_err(|source| StoreError::Key { path: PathBuf::from(":memory:"), source })?;
        Ok(Self { backend: Box::new(Sqlite::in_memory()?), key: SealingKey::new(&key) })
    }

    /// Uses a PostgreSQL database, whose tables are made or brought up to date. One that cannot be reached now is asked
    /// again when it is needed.
    ///
    /// `key` is the file with the key of the seals, made where there is none. It is not in the database: whoever can write
    /// there cannot make Evidence. Replicas that share the file use each other's Evidence; others verify again.
    pub fn postgres(location: &PostgresLocation, key: &Path) -> Result<Self, StoreError> {
        Self::sealed_by(Box::new(Postgres::open(location)?), key.to_owned())
    }

    fn sealed_by(backend: Box<dyn Backend>, key_path: PathBuf) -> Result<Self, StoreError> {
        let key = sealing_key(&key_path).map_err(|source| StoreError::Key { path: key_path, source })?;
        Ok(Self { backend, key: SealingKey::new(&key) })
    }

    /// The key of this store's seals.
    pub fn sealing_key(&self) -> &SealingKey {
        &self.key
    }

    /// Does work in a transaction. It may be begun again: what it gathers belongs inside.
    pub(crate) fn transaction<T>(
        &self,
        mode: Mode,
        mut work: impl FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut result = None;
        self.backend.transaction(mode, &mut |session| {
            result = Some(work(session)?);
            Ok(())
        })?;
        let nothing = || serde::de::Error::custom("the transaction did nothing");
        result.ok_or_else(|| StoreError::Row { what: "transaction", source: nothing() })
    }

    pub(crate) fn read<T>(&self, work: impl FnMut(&mut dyn Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.transaction(Mode::Read, work)
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
        // A file on a volume that cannot be written is there already, or nowhere.
        Err(error) if path.exists() || error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut file = std::fs::File::open(path)?;
            if file.metadata()?.permissions().mode() & 0o007 != 0 {
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
